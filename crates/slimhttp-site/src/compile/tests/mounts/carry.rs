//! What a change of one mount carries over (C3.5), and what is known of the site then.

use super::*;

/// A running server with two mounts in a virtual host, and two at the global level.
fn running() -> (Config, Site) {
    let json = json!({
        "mounts": {"/g": {"web_root": "web"}, "/g2": {"proxy": "g:1"}},
        "vhosts": {
            "h": {"mounts": {"/a": {"web_root": "web"}, "/b": {"proxy": "b:1"}}},
            "inherits": {"max_body": 5},
        },
    });
    (config(&json), site(json))
}

/// Which scopes two sites share: by host, with `*` for the global level, and prefix.
fn shared(before: &Site, after: &Site) -> String {
    let named = |site: &Site| {
        let scopes = site.scopes().map(|scope| {
            let host = scope.name.as_deref().unwrap_or("*");
            (format!("{host}{}", scope.prefix()), Arc::clone(scope))
        });
        scopes.collect::<std::collections::BTreeMap<_, _>>()
    };
    let (before, after) = (named(before), named(after));
    let same = after
        .iter()
        .filter(|(name, scope)| before.get(*name).is_some_and(|before| Arc::ptr_eq(before, scope)));
    same.map(|(name, _)| &**name).collect::<Vec<_>>().join(" ")
}

#[test]
fn c3_5_a_change_of_one_mount_leaves_the_others_as_they_are() {
    let rest = "* */g */g2 inherits inherits/g inherits/g2";
    for (keys, value, expected) in [
        (&["vhosts", "h", "mounts", "/a", "max_body"][..], json!(1), format!("{rest} h/b")),
        (
            &["vhosts", "h", "mounts", "/c"],
            json!({}),
            "* */g */g2 h/a h/b inherits inherits/g inherits/g2".to_owned(),
        ),
        (&["vhosts", "h", "mounts", "/a"], json!(null), format!("{rest} h/b")),
        // What says the same leaves all as it is.
        (
            &["vhosts", "h", "mounts", "/a", "web_root"],
            json!("./web/"),
            format!("{rest} h h/a h/b"),
        ),
        (&["vhosts", "h", "mounts", "/a", "mounts"], json!(null), format!("{rest} h h/a h/b")),
        // Of the scope around: what it changes for a mount, and nothing else.
        (&["vhosts", "h", "max_body"], json!(1), rest.to_owned()),
        (&["vhosts", "h", "private_root"], json!(null), format!("{rest} h h/a h/b")),
        // At the global level, for who has it.
        (&["mounts", "/g", "max_body"], json!(1), "*/g2 h h/a h/b inherits/g2".to_owned()),
        (&["mounts", "/g3"], json!({}), "*/g */g2 h h/a h/b inherits/g inherits/g2".to_owned()),
        (&["mounts"], json!(null), "h h/a h/b".to_owned()),
        // A virtual host gets mounts of its own, or takes the others again.
        (
            &["vhosts", "inherits", "mounts"],
            json!({"/g": {"web_root": "web"}}),
            "* */g */g2 h h/a h/b inherits/g".to_owned(),
        ),
        (&["vhosts", "h", "mounts"], json!(null), rest.to_owned()),
        // Of the server as a whole.
        (&["max_connections"], json!(17), format!("{rest} h h/a h/b")),
    ] {
        let (config, before) = running();
        let mut changed = config.clone();
        let keys: Vec<Arc<str>> = keys.iter().map(|key| Arc::from(*key)).collect();
        assert!(changed.set(&keys, super::value(&value)), "{keys:?}");
        let routes = Routes::default();
        let after = change((&before, &routes), &changed, &routes).unwrap();
        let mut sorted: Vec<&str> = expected.split(' ').collect();
        sorted.sort_unstable();
        assert_eq!(shared(&before, &after), sorted.join(" "), "{keys:?} = {value}");
        // What came of it is what comes of it without anything before.
        let anew = compile(&changed, &routes, &env(&everywhere()), None).unwrap();
        let said = |site: &Site| {
            let mut said: Vec<_> =
                site.scopes().map(|scope| format!("{scope}: {:?}", scope.options)).collect();
            said.sort();
            said
        };
        assert_eq!(said(&after), said(&anew), "{keys:?} = {value}");
    }
}

#[test]
fn c3_5_a_prefix_that_is_spelt_otherwise_is_the_same() {
    let (config, before) = running();
    let mut changed = config.clone();
    changed.remove(&way(["vhosts", "h", "mounts", "/a"]));
    changed.set(&way(["vhosts", "h", "mounts", "/a/"]), value(&json!({"web_root": "web"})));
    let routes = Routes::default();
    let after = change((&before, &routes), &changed, &routes).unwrap();
    let mounts = &host(&after, "h").mounts;
    assert_eq!(mounts.len(), 2);
    assert_eq!(&*mounts.get("/a").unwrap().mount.as_ref().unwrap().key, "/a/");
    // Both together are a fault, whichever came first.
    for key in ["/b", "/b/"] {
        let mut twice = config.clone();
        twice.set(&way(["vhosts", "h", "mounts", "/b/"]), value(&json!({})));
        twice.set(&way(["vhosts", "h", "mounts", key]), value(&json!({"max_body": 1})));
        let faults = change((&before, &routes), &twice, &routes).unwrap_err();
        let expected =
            "vhosts.h.mounts.\"/b/\": expected every prefix once, found `/b/`, which is `/b`";
        assert_eq!(faults.to_string(), expected);
    }
    // One of the two may be added to a slash that stands there.
    let slash = change((&before, &routes), &changed, &routes).unwrap();
    let mut twice = changed.clone();
    twice.set(&way(["vhosts", "h", "mounts", "/a"]), value(&json!({})));
    let faults = change((&slash, &routes), &twice, &routes).unwrap_err();
    assert!(faults.to_string().starts_with("vhosts.h.mounts.\"/a/\": expected every prefix once"));
}

#[test]
fn c3_5_a_null_beside_the_other_spelling_of_a_prefix_is_no_mount() {
    let null = json!(null);
    for (written, key, value) in [
        (json!({"/admin/": {"index": "a"}}), "/admin", Some(&null)),
        (json!({"/admin": null, "/admin/": {"index": "a"}}), "/admin", None),
        (json!({"/admin": {"index": "a"}}), "/admin/", Some(&null)),
        (json!({"/admin": {"index": "a"}, "/admin/": null}), "/admin/", None),
    ] {
        for outer in [&[][..], &["vhosts", "h"]] {
            let mut json = json!({"mounts": written});
            if !outer.is_empty() {
                json = json!({"vhosts": {"h": json}});
            }
            let (mut config, before) = (config(&json), site(json.clone()));
            let keys: Vec<Arc<str>> =
                outer.iter().chain(&["mounts", key]).map(|key| Arc::from(*key)).collect();
            match value {
                Some(value) => assert!(config.set(&keys, super::value(value))),
                None => assert!(config.remove(&keys).is_some()),
            }
            let routes = Routes::default();
            let after = change((&before, &routes), &config, &routes).unwrap();
            assert_eq!(mount(host(&after, "h"), "/admin").options.index, ["a"], "{json} {key}");
        }
    }
    // The one goes and the other comes, at once.
    let json = json!({"mounts": {"/admin": {"index": "a"}, "/admin/": null}});
    let (mut config, before) = (config(&json), site(json));
    config.set(&way(["mounts", "/admin"]), Value::Null);
    config.set(&way(["mounts", "/admin/"]), value(&json!({"index": "b"})));
    let routes = Routes::default();
    let after = change((&before, &routes), &config, &routes).unwrap();
    assert_eq!(mount(&after.global, "/admin").options.index, ["b"]);
    config.set(&way(["mounts", "/admin/"]), Value::Null);
    let after = change((&after, &routes), &config, &routes).unwrap();
    assert!(after.global.mounts.is_empty());
}

#[test]
fn c3_5_mounts_have_the_name_of_a_host_that_is_spelt_otherwise() {
    let json = json!({
        "mounts": {"/g": {}},
        "vhosts": {"A.example": {"mounts": {"/a": {}}}, "B.example": {"max_body": 1}},
    });
    let (mut config, before) = (config(&json), site(json));
    for (old, new) in [("A.example", "a.example"), ("B.example", "b.example")] {
        let options = config.remove(&way(["vhosts", old])).expect("it was there");
        config.set(&way(["vhosts", new]), options);
    }
    let routes = Routes::default();
    let after = change((&before, &routes), &config, &routes).unwrap();
    for (name, prefix) in [("a.example", "/a"), ("b.example", "/g")] {
        let scope = host(&after, name);
        assert_eq!(scope.name.as_deref(), Some(name));
        assert_eq!(mount(scope, prefix).name.as_deref(), Some(name));
    }
}

#[test]
fn c3_5_a_null_beside_the_other_spelling_of_a_host_is_no_host() {
    for (written, key, value) in [
        (json!({"A": {"index": "a"}}), "a", Some(Value::Null)),
        (json!({"A": {"index": "a"}, "a": null}), "a", None),
        (json!({"a": {"index": "a"}}), "A", Some(Value::Null)),
        (json!({"a": {"index": "a"}, "A": null}), "A", None),
    ] {
        let json = json!({"vhosts": written});
        let (mut config, before) = (config(&json), site(json.clone()));
        match value {
            Some(value) => assert!(config.set(&way(["vhosts", key]), value)),
            None => assert!(config.remove(&way(["vhosts", key])).is_some()),
        }
        let routes = Routes::default();
        let after = change((&before, &routes), &config, &routes).unwrap();
        assert_eq!(host(&after, "a").options.index, ["a"], "{json} {key}");
    }
}

#[test]
fn what_holds_for_one_of_the_mounts_is_known_of_the_site() {
    let flags = |json: Json| {
        let site = site(json!({"vhosts": {"h": {"mounts": {"/a": json}}}}));
        let Site { rewrites, shares, has_applications, has_access_logs, pins_releases, .. } = site;
        [rewrites, shares, has_applications, has_access_logs, pins_releases].map(u8::from)
    };
    assert_eq!(flags(json!({})), [0, 0, 0, 0, 0]);
    assert_eq!(flags(json!({"rewrites": {"/a/x": "/a/y"}})), [1, 0, 0, 0, 0]);
    assert_eq!(flags(json!({"cors": true})), [0, 1, 0, 0, 0]);
    assert_eq!(flags(json!({"app": "a:b"})), [0, 0, 1, 0, 0]);
    assert_eq!(flags(json!({"access_log": true})), [0, 0, 0, 1, 0]);
    assert_eq!(flags(json!({"pin_releases": 1})), [0, 0, 0, 0, 1]);
    // They are known where a change has carried the mount over.
    let (config, before) = running();
    let mut changed = config.clone();
    changed.set(&way(["vhosts", "h", "mounts", "/a", "cors"]), true.into());
    let routes = Routes::default();
    let after = change((&before, &routes), &changed, &routes).unwrap();
    assert!(after.shares);
    changed.set(&way(["quiet"]), true.into());
    assert!(change((&after, &routes), &changed, &routes).unwrap().shares);
    // One application that several scopes name has one number.
    let twice = json!({"app": "a:b", "mounts": {"/a": {"max_body": 1}, "/b": {"app": "a:b"}}});
    let site = site(twice);
    let numbers: Vec<_> = site.applications().map(|(_, application)| application.id).collect();
    assert_eq!(numbers, [numbers[0]; 3]);
}
