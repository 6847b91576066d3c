//! Mounts: what may stand there, what they inherit, what a change of them costs.

use super::*;
use crate::site::{Scope, Scripts};

mod carry;
mod upstreams;

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
fn an_application_is_apart_from_the_files_beside_it() {
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
    // So they are below a folder that a mount names: it may be one of uploads.
    for (json, expected) in [
        (json!({"mounts": {"/a": {"web_root": "web"}}}), Scripts::Off),
        (json!({"mounts": {"/a": {"web_root": "web", "scripts": true}}}), Scripts::On),
        (json!({"web_root": "web", "mounts": {"/a": {"max_body": 1}}}), Scripts::On),
    ] {
        assert_eq!(mount(&site(json.clone()).global, "/a").options.scripts, expected, "{json}");
    }
}

#[test]
fn without_python_an_application_is_a_fault() {
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
