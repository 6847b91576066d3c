//! Mounts: what may stand there, what they inherit, what a change of them costs.

use super::*;
use crate::site::{Scope, Scripts};

fn mount<'s>(scope: &'s Scope, prefix: &str) -> &'s Arc<Scope> {
    scope.mounts.get(prefix).unwrap_or_else(|| panic!("no mount at {prefix}"))
}

#[test]
fn c11_1_what_is_no_mount() {
    for (mounts, expected) in [
        (json!({"/a": {}}), ""),
        (json!({"/a": null, "/a/": {}}), ""),
        (json!({}), ""),
        (json!(null), ""),
        (
            json!(true),
            "mounts: expected a table of mounts, found `true`\n  hint: a prefix and its options: \
             `{'/static': {'web_root': './static'}}`",
        ),
        (json!({"/a": 1}), "mounts.\"/a\": expected a table of options, found the number `1`"),
        (
            json!({"a": {}}),
            "mounts.a: expected a path that begins with a slash, such as `/static`, found `a`",
        ),
        (
            json!({"": {}}),
            "mounts.\"\": expected a path that begins with a slash, such as `/static`, \
             found an empty text",
        ),
        (
            json!({"/a%20b": {}}),
            "mounts.\"/a%20b\": expected a path as it is decoded, without `%`, found \
             `/a%20b`\n  hint: a space is written as a space, and `é` as `é`",
        ),
        (
            json!({"/a/*": {}}),
            "mounts.\"/a/*\": expected a path without `*`, found `/a/*`\n  hint: a mount answers \
             for all that is below its prefix",
        ),
        (
            json!({"/a": {}, "/a/": {}}),
            "mounts.\"/a/\": expected every prefix once, found `/a/`, which is `/a`",
        ),
        (
            json!({"/a": {"mounts": {"/b": {}}}}),
            "mounts.\"/a\".mounts: expected no `mounts` in a mount\n  hint: mounts do not nest: \
             write the longer prefix beside",
        ),
        (
            json!({"/a": {"port": 1}}),
            "mounts.\"/a\".port: expected this option at the global level only\n  hint: it holds for \
             the whole server: move it out of `mounts`",
        ),
        (
            json!({"/a": {"vhosts": {}}}),
            "mounts.\"/a\".vhosts: expected this option at the global level only\n  hint: mounts \
             stand in virtual hosts, virtual hosts in no mount",
        ),
        (
            json!({"/a": {"web_rot": "x"}}),
            "mounts.\"/a\".web_rot: expected a known option, found `web_rot`\n  hint: did you \
             mean `web_root`?",
        ),
        (
            json!({"/a": {"max_head": 1024}}),
            "mounts.\"/a\".max_head: expected this option at the global level only\n  hint: it holds \
             for the whole server: move it out of `mounts`",
        ),
        (
            json!({"/a": {"ssl": true}}),
            "mounts.\"/a\".ssl: expected a `proxy` beside it\n  hint: `ssl` says whether TLS is \
             spoken to the `proxy` of the same mount",
        ),
        (
            json!({"/a": {"proxy": "a:1", "app": "a:b"}}),
            "mounts.\"/a\": expected either `app` or `proxy`, found both",
        ),
        (
            json!({"/a": {"file_cache": {"size": 1}}}),
            "mounts.\"/a\".file_cache.size: expected `entry` or `revalidate`\n  hint: the whole \
             server has one cache; `file_cache.size` stands at the global level",
        ),
        // Under a wrong key too.
        (
            json!({"a": {"web_root": 1}}),
            "mounts.a: expected a path that begins with a slash, such as `/static`, found \
             `a`\nmounts.a.web_root: expected a path, found the number `1`",
        ),
    ] {
        check(json!({"mounts": mounts}), expected);
        // The same in a virtual host, at its place.
        let in_host = match expected {
            "" => String::new(),
            faults => faults.replace("mounts.", "vhosts.h.mounts.").replace("\nmounts", "\nvhosts"),
        };
        let in_host =
            in_host.replace("mounts: expected a table", "vhosts.h.mounts: expected a table");
        let in_host = in_host.replace(".vhosts.h.mounts: expected no", ".mounts: expected no");
        check(json!({"vhosts": {"h": {"mounts": mounts}}}), &in_host);
        // Inherited by many: said once, where it stands.
        check(json!({"mounts": mounts, "vhosts": {"a": {}, "b": {"debug": true}}}), expected);
    }
}

#[test]
fn a_path_among_the_options_is_meant_for_a_mount() {
    check(
        json!({"/static": {"web_root": "web"}}),
        "\"/static\": expected a known option, found `/static`\n  hint: a path with options of \
         its own stands in the table `mounts`",
    );
}

#[test]
fn c11_1_a_mount_takes_from_its_scope_what_it_leaves_out() {
    let site = site(json!({
        "index": "global", "max_body": 1, "form_parts": 1, "charset": "latin1", "debug": true,
        "vhosts": {"h": {
            "index": "host", "max_body": 2, "web_root": "web",
            "mounts": {"/m": {"index": "mount"}, "/p": {"proxy": "a:1", "ssl": true}},
        }},
    }));
    let host = host(&site, "h");
    let options = &mount(host, "/m").options;
    assert_eq!((&*options.index[0], options.max_body, options.form_parts), ("mount", 2, 1));
    assert!(options.debug);
    assert!(Arc::ptr_eq(&options.files, &host.options.files), "equal rules are one");
    assert!(Arc::ptr_eq(&options.websocket, &host.options.websocket));
    assert_eq!(options.web_root.as_deref(), Some(Path::new("/base/web")));
    assert_eq!(options.web_root_mount, None);
    let proxy = mount(host, "/p").options.proxy.clone().unwrap();
    assert!(proxy.upstreams[0].tls);
    assert_eq!(proxy.mount.as_ref().unwrap().prefix.as_ref(), "/p");
    assert_eq!(mount(host, "/m").to_string(), "/m of h");
    assert_eq!(mount(host, "/m").name.as_deref(), Some("h"));
}

#[test]
fn c11_1_a_mount_that_names_a_way_of_answering_inherits_no_other() {
    let ways = |scope: Json| {
        let mut root = scope;
        root["mounts"] = json!({
            "/files": {"web_root": "web"}, "/module": {"module": "app.py"},
            "/proxy": {"proxy": "m:1"}, "/app": {"app": "m:app"}, "/none": {"max_body": 1},
        });
        let site = site(json!({"proxy": "global:1", "vhosts": {"h": root}}));
        let host = host(&site, "h");
        ["/files", "/module", "/proxy", "/app", "/none"].map(|prefix| {
            let options = &mount(host, prefix).options;
            let proxy = options.proxy.as_ref().map(|proxy| proxy.upstreams[0].host.to_string());
            let app = options.app.as_ref().map(|app| app.application.spec.reference.to_string());
            let module = options.module.as_ref().map(|_| "module".to_owned());
            [proxy, app, module].into_iter().flatten().collect::<Vec<_>>().join(" ")
        })
    };
    for (scope, inherited) in [
        (json!({}), "global"),
        (json!({"web_root": "web"}), ""),
        (json!({"module": "app.py"}), "module"),
        (json!({"proxy": "host:1"}), "host"),
        (json!({"app": "host:app"}), "host:app"),
    ] {
        assert_eq!(ways(scope.clone()), ["", "module", "m", "m:app", inherited], "{scope}");
    }
}

#[test]
fn c11_1_pages_come_from_the_root_of_who_names_them() {
    let site = site(json!({
        "error_pages": {"404": "/global.html"},
        "vhosts": {"h": {
            "web_root": "web", "fallback": "/host.html",
            "mounts": {
                "/inherits": {"web_root": "logs"},
                "/own": {"web_root": "logs", "error_pages": {"404": "/own.html"}, "fallback": "/own"},
                "/own-page": {"error_pages": {"404": "/own.html"}},
                "/none": {"web_root": "logs", "error_pages": false, "fallback": false},
                "/proxy": {"proxy": "a:1"},
            },
        }},
    }));
    let host = host(&site, "h");
    for (prefix, error_pages, fallback) in [
        ("/inherits", Some("/base/web"), Some("/base/web")),
        ("/own", Some("/base/logs"), Some("/base/logs")),
        ("/own-page", Some("/base/web"), Some("/base/web")),
        ("/none", None, None),
        ("/proxy", Some("/base/web"), Some("/base/web")),
    ] {
        let options = &mount(host, prefix).options;
        let roots = (options.error_pages_root.as_deref(), options.fallback_root.as_deref());
        assert_eq!(roots, (error_pages.map(Path::new), fallback.map(Path::new)), "{prefix}");
    }
}

#[test]
fn c11_1_a_vhost_has_the_mounts_of_the_global_level_or_its_own() {
    let site = site(json!({
        "max_body": 1,
        "mounts": {"/a": {"web_root": "web"}, "/b": {"proxy": "b:1"}, "/c": {"index": "c"}},
        "vhosts": {
            "inherits": {}, "limits": {"max_body": 2}, "own": {"mounts": {"/x": {}}},
            "none": {"mounts": {}}, "null": {"mounts": null},
        },
    }));
    let prefixes = |name| {
        let mounts = host(&site, name).mounts.iter();
        let mut all: Vec<_> = mounts.map(|scope| scope.prefix().to_owned()).collect();
        all.sort();
        all
    };
    assert_eq!(prefixes("inherits"), ["/a", "/b", "/c"]);
    assert_eq!(prefixes("null"), ["/a", "/b", "/c"]);
    assert_eq!(prefixes("limits"), ["/a", "/b", "/c"]);
    assert_eq!(prefixes("own"), ["/x"]);
    assert_eq!(prefixes("none"), Vec::<String>::new());
    // They are mounts of the virtual host: of its name, and with its options.
    for (name, most) in [("inherits", 1), ("limits", 2)] {
        let mount = mount(host(&site, name), "/a");
        assert_eq!((mount.name.as_deref(), mount.options.max_body), (Some(name), most));
    }
    let shares = |prefix| {
        let of_global = &mount(&site.global, prefix).options;
        Arc::ptr_eq(of_global, &mount(host(&site, "inherits"), prefix).options)
    };
    // Connections to upstreams are of one scope.
    assert_eq!(["/a", "/b", "/c"].map(shares), [true, false, true]);
    assert_eq!(site.scopes().count(), 6 + 3 * 4 + 1);
}

#[test]
fn c11_2_an_application_is_apart_from_the_files_beside_it() {
    let fault = |key: &str, dir: &str, root: &str| {
        format!(
            "{key}: expected a `web_root` that does not contain `app_dir`, found `{dir}` below \
             `{root}`\n  hint: whatever lies below `web_root` is reached by a URL"
        )
    };
    check(json!({"app": "a:b", "web_root": "web"}), "");
    check(json!({"app": "a:b", "web_root": "web", "app_dir": "logs"}), "");
    check(json!({"app": "a:b", "web_root": "."}), &fault("web_root", "/base", "/base"));
    let below = json!({"app": "a:b", "web_root": ".", "app_dir": "web"});
    check(below, &fault("web_root", "/base/web", "/base"));
    // Inherited files are not sent before it.
    check(json!({"web_root": ".", "vhosts": {"h": {"app": "a:b"}}}), "");
    check(json!({"web_root": ".", "mounts": {"/a": {"app": "a:b"}}}), "");
    // Of a mount, and where a mount says another folder for what it inherits.
    check(
        json!({"mounts": {"/a": {"app": "a:b", "web_root": "/"}}}),
        &fault("mounts.\"/a\".web_root", "/base", "/"),
    );
    check(
        json!({"app": "a:b", "web_root": "web", "mounts": {"/a": {"app_dir": "web"}}}),
        &fault("mounts.\"/a\".app_dir", "/base/web", "/base/web"),
    );
    // Scripts are run where that stands beside the application.
    for (written, expected) in [
        (json!({"app": "a:b", "web_root": "web"}), Scripts::Off),
        (json!({"app": "a:b", "web_root": "web", "scripts": true}), Scripts::On),
        (json!({"app": "a:b", "web_root": "web", "scripts": "executable"}), Scripts::Executable),
        (json!({"web_root": "web"}), Scripts::On),
    ] {
        assert_eq!(site(written.clone()).global.options.scripts, expected, "{written}");
        let below = json!({"scripts": true, "mounts": {"/a": written}});
        assert_eq!(mount(&site(below).global, "/a").options.scripts, expected, "{written}");
    }
}

#[test]
fn c11_2_without_python_an_application_is_a_fault() {
    let listener = everywhere();
    let without = CompileEnv { python: false, ..env(&listener) };
    for (written, place) in [
        (json!({"app": "a:b"}), "app"),
        (json!({"mounts": {"/a": {"app": "a:b"}}}), "mounts.\"/a\".app"),
        (
            json!({"vhosts": {"h": {"mounts": {"/a": {"app": "a:b"}}}}}),
            "vhosts.h.mounts.\"/a\".app",
        ),
    ] {
        let faults = compile(&config(&written), &Routes::default(), &without, None).unwrap_err();
        let expected = format!(
            "{place}: expected no `app`: this program runs without Python, found `a:b`\n  hint: run \
             it with `python -m slimHTTP run FILE`"
        );
        assert_eq!(faults.to_string(), expected);
    }
}

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
            format!("* */g */g2 h/a h/b inherits inherits/g inherits/g2"),
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
fn what_holds_for_one_of_the_mounts_is_known_of_the_site() {
    let flags = |json: Json| {
        let site = site(json!({"vhosts": {"h": {"mounts": {"/a": json}}}}));
        (site.rewrites, site.shares, site.has_applications, site.applications().len())
    };
    assert_eq!(flags(json!({})), (false, false, false, 0));
    assert_eq!(flags(json!({"rewrites": {"/a/x": "/a/y"}})), (true, false, false, 0));
    assert_eq!(flags(json!({"cors": true})), (false, true, false, 0));
    assert_eq!(flags(json!({"app": "a:b"})), (false, false, true, 1));
    // They are known where a change has carried the mount over.
    let (config, before) = running();
    let mut changed = config.clone();
    changed.set(&way(["vhosts", "h", "mounts", "/a", "cors"]), true.into());
    let routes = Routes::default();
    let after = change((&before, &routes), &changed, &routes).unwrap();
    assert!(after.shares);
    changed.set(&way(["quiet"]), true.into());
    assert!(change((&after, &routes), &changed, &routes).unwrap().shares);
    // One application that several scopes name is one.
    let twice = json!({"app": "a:b", "mounts": {"/a": {"max_body": 1}, "/b": {"app": "a:b"}}});
    assert_eq!(site(twice).applications().len(), 1);
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
