//! Upstreams of mounts: by which prefix they know the paths, and which lead back here (C7.4).

use super::*;

#[test]
fn c7_4_a_mount_that_leads_back_here() {
    let faults = |json: Json| compiled(&json).err().map(|faults| faults.to_string());
    let fault = |place: &str, hops: &str| {
        Some(format!(
            "{place}: expected an upstream that does not lead back here, found {hops}\n  hint: a \
             request keeps its host name on the way, so it would go round for ever"
        ))
    };
    let here = "127.0.0.1:8080";
    let round = "`127.0.0.1:8080` → this server";
    assert_eq!(
        faults(json!({"mounts": {"/a": {"proxy": here}}})),
        fault("mounts.\"/a\".proxy", round)
    );
    assert_eq!(
        faults(json!({"vhosts": {"h": {"mounts": {"/a": {"proxy": ["x:1", here]}}}}})),
        fault("vhosts.h.mounts.\"/a\".proxy[1]", round)
    );
    // Said once, where it is written.
    assert_eq!(
        faults(json!({"proxy": here, "mounts": {"/a": {}}, "vhosts": {"h": {}}})),
        fault("proxy", round)
    );
    assert_eq!(
        faults(json!({"mounts": {"/a": {"proxy": here}}, "vhosts": {"h": {}, "i": {}}})),
        fault("mounts.\"/a\".proxy", round)
    );
}

#[test]
fn what_an_upstream_knows_paths_by_stands_beside_it() {
    let hint = "\n  hint: `strip_prefix` belongs to the `proxy` of the same table";
    for (written, expected) in [
        (json!({"proxy": "a:1", "strip_prefix": "/x", "add_prefix": "/y/z/"}), ""),
        (json!({"strip_prefix": false}), ""),
        (json!({"mounts": {"/a": {"proxy": "a:1", "strip_prefix": true}}}), ""),
        (
            json!({"strip_prefix": "/x"}),
            &*format!("strip_prefix: expected a `proxy` beside it{hint}"),
        ),
        (
            json!({"proxy": "a:1", "mounts": {"/a": {"strip_prefix": true}}}),
            &*format!("mounts.\"/a\".strip_prefix: expected a `proxy` beside it{hint}"),
        ),
        (
            json!({"add_prefix": "/x"}),
            "add_prefix: expected a `proxy` beside it\n  hint: `add_prefix` belongs to the `proxy` of \
             the same table",
        ),
        (
            json!({"proxy": "a:1", "strip_prefix": true}),
            "strip_prefix: expected the path that is taken away, found `true`\n  hint: only a mount \
             has a prefix of its own",
        ),
        (
            json!({"proxy": "a:1", "add_prefix": "x"}),
            "add_prefix: expected a path that begins with a slash, such as `/static`, found `x`",
        ),
        (
            json!({"proxy": "a:1", "add_prefix": true}),
            "add_prefix: expected a path such as `/v1`, found `true`",
        ),
        (
            json!({"proxy": "a:1", "strip_prefix": 1}),
            "strip_prefix: expected `true`, `false`, or a path such as `/api`, found the number `1`",
        ),
    ] {
        check(written, expected);
    }
}

#[test]
fn an_upstream_gets_the_path_by_its_own_prefix() {
    let site = site(json!({
        "mounts": {
            "/a b/c": {"proxy": "a:1", "strip_prefix": true},
            "/add": {"proxy": "a:1", "add_prefix": "/v 1"},
            "/both": {"proxy": "a:1", "strip_prefix": true, "add_prefix": "/v1"},
            "/text": {"proxy": "a:1", "strip_prefix": "/text/x"},
            "/plain": {"proxy": "a:1", "strip_prefix": false},
            "/": {"proxy": "a:1", "strip_prefix": true},
        },
    }));
    for (path, sent) in [
        ("/a b/c/d", "/d"),
        ("/a b/c", "/"),
        ("/add/x", "/v 1/add/x"),
        ("/both/x/", "/v1/x/"),
        ("/both", "/v1/"),
        ("/text/x/y", "/y"),
        ("/text/xy", "/text/xy"),
        ("/plain/x", "/plain/x"),
        ("/other", "/other"),
    ] {
        let proxy = site.global.at(path.as_bytes()).options.proxy.as_ref().unwrap();
        let received = match &proxy.prefix {
            Some(rule) => rule.apply_decoded(path),
            None => path.into(),
        };
        assert_eq!(received, sent, "{path}");
    }
}

/// A path that another prefix leads elsewhere has not gone round.
#[test]
fn c7_4_a_mount_that_leads_to_another_one_of_this_server_is_no_loop() {
    let here = "127.0.0.1:8080";
    for (mounts, is_loop) in [
        (json!({"/a": {"proxy": here, "strip_prefix": true}}), false),
        (json!({"/a": {"proxy": here, "add_prefix": "/b"}}), false),
        (json!({"/a": {"proxy": here, "add_prefix": "/a"}}), true),
        (json!({"/": {"proxy": here, "add_prefix": "/a"}}), true),
        (json!({"/": {"proxy": here, "add_prefix": "/a"}, "/a": {"web_root": "web"}}), false),
        (
            json!({
                "/a": {"proxy": here, "strip_prefix": true, "add_prefix": "/b"},
                "/b": {"proxy": here, "strip_prefix": true, "add_prefix": "/a"},
            }),
            true,
        ),
        (
            json!({
                "/a": {"proxy": here, "strip_prefix": true, "add_prefix": "/b"},
                "/b": {"proxy": "elsewhere:1"},
            }),
            false,
        ),
    ] {
        let found = compiled(&json!({"mounts": mounts})).is_err();
        assert_eq!(found, is_loop, "{mounts}");
        let in_host = json!({"vhosts": {"h": {"mounts": mounts}, "*.w": {"mounts": mounts}}});
        assert_eq!(compiled(&in_host).is_err(), is_loop, "{mounts}");
    }
}
