//! What a scope is made of: inheritance, paths, modules, what excludes what.

use std::path::PathBuf;

use super::*;
use crate::site::tls::Certificates;
use crate::site::{ModuleReload, Scripts};

/// A scope's way of answering, for a table: web root, module, first upstream.
fn ways(scope: &Scope) -> String {
    let options = &scope.options;
    let root = options.web_root.as_ref().map_or("-".into(), |path| path.display().to_string());
    let module =
        options.module.as_ref().map_or("-".into(), |module| module.path.display().to_string());
    let proxy = options.proxy.as_ref().map_or("-".into(), |proxy| {
        let first = &proxy.upstreams[0];
        format!("{}{}:{}", if first.tls { "tls " } else { "" }, first.host, first.port)
    });
    format!("{root} {module} {proxy}")
}

#[test]
fn c2_2_what_a_vhost_leaves_out_it_takes_from_the_global_level() {
    for (global, vhost, expected) in [
        (json!({}), json!({}), "/srv/http - -"),
        (json!({}), json!({"web_root": "web"}), "/base/web - -"),
        (json!({"web_root": "web"}), json!({}), "/base/web - -"),
        (json!({"web_root": "web"}), json!({"web_root": "/other/web"}), "/other/web - -"),
        (json!({"web_root": "web"}), json!({"web_root": null}), "/base/web - -"),
        // A module of its own: files answer what it declines, if something names them.
        (json!({}), json!({"module": "app.py"}), "- /base/app.py -"),
        (json!({"web_root": "web"}), json!({"module": "app.py"}), "/base/web /base/app.py -"),
        (json!({}), json!({"module": "app.py", "web_root": "web"}), "/base/web /base/app.py -"),
        // A proxy of its own.
        (json!({}), json!({"proxy": "a:1"}), "- - a:1"),
        (json!({}), json!({"proxy": "a:1", "ssl": true}), "- - tls a:1"),
        // The global way is inherited, whole or not at all.
        (json!({"module": "app.py"}), json!({}), "- /base/app.py -"),
        (json!({"module": "app.py"}), json!({"index": "a"}), "- /base/app.py -"),
        (json!({"module": "app.py"}), json!({"web_root": "web"}), "/base/web - -"),
        (json!({"module": "app.py"}), json!({"proxy": "a:1"}), "- - a:1"),
        (json!({"module": "app.py"}), json!({"module": "/other/app.py"}), "- /other/app.py -"),
        (json!({"proxy": "g:1"}), json!({}), "- - g:1"),
        (json!({"proxy": "g:1", "ssl": true}), json!({}), "- - tls g:1"),
        (json!({"proxy": "g:1", "ssl": true}), json!({"proxy": "a:1"}), "- - a:1"),
        (json!({"proxy": "g:1", "ssl": true}), json!({"web_root": "web"}), "/base/web - -"),
        (json!({"proxy": "g:1"}), json!({"module": "app.py"}), "- /base/app.py -"),
        (
            json!({"proxy": "g:1", "web_root": "web"}),
            json!({"module": "app.py"}),
            "/base/web /base/app.py -",
        ),
    ] {
        let mut root = global.clone();
        root["vhosts"] = json!({ "a": vhost });
        assert_eq!(ways(host(&site(root), "a")), expected, "{global} {vhost}");
    }
}

#[test]
fn c2_2_every_other_option_is_inherited_on_its_own() {
    let site = site(json!({
        "index": ["a", "b"],
        "module_reload": "never",
        "scripts": "executable",
        "debug": true,
        "max_body": 7,
        "form_memory": 2048,
        "form_parts": 9,
        "access_log": "json",
        "trusted_proxies": "::1",
        "proxy_connect_timeout": 1,
        "proxy_read_timeout": 2,
        "proxy_max_requests": 30,
        "proxy_queue_timeout": 4,
        "proxy_max_response_head": "4KiB",
        "proxy_max_response_headers": 9,
        "proxy_max_idle": 5,
        "vhosts": {
            "same": {},
            "own": {
                "module": "app.py", "index": "c", "module_reload": "changed", "scripts": false,
                "debug": false, "max_body": 8, "form_parts": 3, "access_log": false, "trusted_proxies": [],
            },
            "proxied": {"proxy": "a:1", "proxy_read_timeout": 3, "proxy_max_queue": 0,
                        "proxy_max_idle": 0, "proxy_idle_timeout": 6},
        },
    }));
    assert!(
        Arc::ptr_eq(&host(&site, "same").options, &site.global.options),
        "equal options are one"
    );
    let own = &host(&site, "own").options;
    assert_eq!(own.index, ["c"]);
    assert_eq!(own.module.as_ref().map(|module| module.reload), Some(ModuleReload::Changed));
    assert_eq!((own.scripts, own.debug, own.max_body), (Scripts::Off, false, 8));
    assert_eq!((own.form_memory, own.form_parts), (2048, 3));
    assert_eq!((&own.access_log, own.trusted_proxies.len()), (&None, 0));
    let proxied = &host(&site, "proxied").options;
    assert_eq!(proxied.index, ["a", "b"]);
    assert_eq!((proxied.scripts, proxied.debug), (Scripts::Executable, true));
    let proxy = proxied.proxy.as_ref().expect("a proxy");
    assert_eq!((proxy.connect_timeout.as_secs(), proxy.read_timeout.as_secs()), (1, 3));
    assert_eq!((proxy.max_requests, proxy.max_queue, proxy.queue_timeout.as_secs()), (30, 0, 4));
    assert_eq!((proxy.max_response_head, proxy.max_response_headers), (4096, 9));
    assert_eq!((proxy.max_idle, proxy.idle_timeout.as_secs()), (0, 6));
}

#[test]
fn c6_1_module_reload_is_the_module_s_wherever_it_is_written() {
    let site = site(json!({
        "module": "app.py",
        "vhosts": {"changed": {"module_reload": "changed"}, "always": {}},
    }));
    let reload = |name| host(&site, name).options.module.as_ref().map(|module| module.reload);
    assert_eq!(reload("changed"), Some(ModuleReload::Changed));
    assert_eq!(reload("always"), Some(ModuleReload::Always));
}

#[test]
fn c2_3_paths_are_resolved_against_the_base_and_cleaned() {
    for (written, resolved) in [
        ("web", "/base/web"),
        ("./web", "/base/web"),
        ("./a/../web/.", "/base/web"),
        ("web/", "/base/web"),
        ("../other/web", "/other/web"),
        ("../../../other//web", "/other/web"),
        ("/other/web", "/other/web"),
        ("/", "/"),
        ("~/web", "/base/~/web"),
    ] {
        let site = site(json!({ "web_root": written }));
        let root = site.global.options.web_root.clone().expect("a web root");
        // As bytes, since paths that differ in slashes only are equal.
        assert_eq!(root.as_os_str(), resolved, "{written}");
    }
}

#[test]
fn c2_6_a_web_root_that_is_missing_is_a_warning() {
    let site = site(json!({"web_root": "soon", "vhosts": {
        "a.example": {"web_root": "later"}, "b.example": {}, "c.example": {"web_root": "web"},
    }}));
    assert_eq!(
        site.warnings,
        [
            "web_root: `/base/soon` does not exist (yet); requests answer 404",
            "vhosts.\"a.example\".web_root: `/base/later` does not exist (yet); requests answer 404",
        ]
    );
}

#[test]
fn c2_6_an_app_dir_is_a_folder() {
    let site = site(json!({"app": "shop:app", "app_dir": "soon"}));
    assert_eq!(
        site.warnings,
        ["app_dir: `/base/soon` does not exist (yet); no application is found there"]
    );
    check(
        json!({"app": "shop:app", "app_dir": "notes.txt"}),
        "app_dir: expected a folder, found `/base/notes.txt`, a file",
    );
}

#[test]
fn c11_2_code_among_the_files_of_another_scope_is_a_warning() {
    for (root, expected) in [
        (json!({"app": "shop:app", "mounts": {"/static": {"web_root": "web"}}}), None),
        (
            json!({"app": "shop:app", "mounts": {"/all": {"web_root": "."}}}),
            Some(
                "mounts.\"/all\".web_root: what lies in `/base` is reached by a URL, and \
                  `shop:app` is imported from `/base`",
            ),
        ),
        (
            json!({"web_root": "/", "vhosts": {"a.example": {"app": "shop:app"}}}),
            Some(
                "web_root: what lies in `/` is reached by a URL, and `shop:app` is imported from \
                  `/base`",
            ),
        ),
        (
            json!({"app": "shop:app", "app_dir": "web", "vhosts": {
                "b.example": {"mounts": {"/x": {"web_root": "web"}}},
                "c.example": {"mounts": {"/x": {"web_root": "web"}}},
            }}),
            Some(
                "vhosts.\"b.example\".mounts.\"/x\".web_root: what lies in `/base/web` is reached \
                  by a URL, and `shop:app` is imported from `/base/web`",
            ),
        ),
        // Nothing of it is ever sent.
        (json!({"web_root": ".", "mounts": {"/": {"app": "shop:app"}}}), None),
        (
            json!({"web_root": ".", "proxy": "127.0.0.1:9", "mounts": {"/x": {"app": "shop:app"}}}),
            None,
        ),
    ] {
        let mut found = site(root.clone()).warnings;
        if let Some(warning) = found.first_mut() {
            // Virtual hosts have no order.
            *warning = warning.replace("c.example", "b.example");
        }
        assert_eq!(found, Vec::from_iter(expected), "{root}");
    }
}

#[test]
fn c2_6_a_private_root_is_a_folder_that_no_url_reaches() {
    let apart = |key: &str, private: &str, public: &str| {
        format!(
            "{key}: expected a `private_root` outside of `web_root`, found `{private}` below \
             `{public}`\n  hint: whatever lies below `web_root` is reached by a URL"
        )
    };
    for (root, fault) in [
        (json!({"web_root": "web", "private_root": "logs"}), String::new()),
        (json!({"web_root": "web", "private_root": "web2"}), String::new()),
        // A public folder within a private one is a usual thing.
        (json!({"web_root": "web", "private_root": "."}), String::new()),
        (json!({"module": "app.py", "private_root": "/srv/http"}), String::new()),
        (
            json!({"web_root": "web", "private_root": "web"}),
            apart("private_root", "/base/web", "/base/web"),
        ),
        (
            json!({"web_root": "web", "private_root": "web/../web/private"}),
            apart("private_root", "/base/web/private", "/base/web"),
        ),
        (
            json!({"private_root": "/srv/http/private"}),
            apart("private_root", "/srv/http/private", "/srv/http"),
        ),
        (
            json!({"private_root": "logs", "vhosts": {"a": {"web_root": "."}}}),
            apart("vhosts.a.web_root", "/base/logs", "/base"),
        ),
        (
            json!({"web_root": "web", "private_root": "notes.txt"}),
            "private_root: expected a folder, found `/base/notes.txt`, a file".to_owned(),
        ),
        (json!({"private_root": false}), "private_root: expected a path, found `false`".to_owned()),
    ] {
        check(root, &fault);
    }
    let site = site(json!({"private_root": "logs", "vhosts": {
        "a": {}, "b": {"web_root": "web", "private_root": "soon"},
    }}));
    let private = |name| host(&site, name).options.private_root.clone();
    assert_eq!(private("a"), Some("/base/logs".into()));
    assert_eq!(private("b"), Some("/base/soon".into()));
    assert_eq!(
        site.warnings,
        [
            "vhosts.b.private_root: `/base/soon` does not exist (yet); handlers cannot answer from it"
        ]
    );
}

#[test]
fn c2_6_a_web_root_that_is_no_folder_is_a_fault() {
    check(
        json!({"web_root": "notes.txt"}),
        "web_root: expected a folder, found `/base/notes.txt`, a file",
    );
    check(
        json!({"vhosts": {"a": {"web_root": "/dev/null"}}}),
        "vhosts.a.web_root: expected a folder, found `/dev/null`, something else",
    );
}

#[test]
fn c2_6_a_module_is_a_python_file_that_exists() {
    for (written, fault) in [
        ("app.py", ""),
        ("./../other/app.py", ""),
        ("gone.py", "a `.py` file that exists, found `/base/gone.py`"),
        ("notes.txt", "a `.py` file, found `/base/notes.txt`"),
        ("pkg.py", "a `.py` file, found `/base/pkg.py`, a folder"),
        ("web", "a `.py` file, found `/base/web`, a folder"),
        ("/dev/null", "a `.py` file, found `/dev/null`, something else"),
    ] {
        let expected = |place: &str| match fault {
            "" => String::new(),
            fault => format!("{place}: expected {fault}"),
        };
        check(json!({ "module": written }), &expected("module"));
        check(json!({"vhosts": {"a": {"module": written}}}), &expected("vhosts.a.module"));
    }
}

#[test]
fn c2_6_a_module_needs_python() {
    let listener = everywhere();
    let env = CompileEnv { python: false, ..env(&listener) };
    let config = config(&json!({"vhosts": {"a": {"module": "gone.py"}}}));
    let faults = compile(&config, &Routes::default(), &env, None).expect_err("no Python");
    assert_eq!(
        faults.to_string(),
        "vhosts.a.module: expected no `module`: this program runs without Python, \
         found `/base/gone.py`\n  hint: run it with `python -m slimHTTP run FILE`"
    );
}

#[test]
fn c2_5_proxy_and_module_exclude_each_other() {
    let both = json!({"proxy": "a:1", "module": "app.py"});
    check(both.clone(), "the configuration: expected either `proxy` or `module`, found both");
    check(
        json!({"vhosts": {"a.b": both}}),
        "vhosts.\"a.b\": expected either `proxy` or `module`, found both",
    );
    check(
        json!({"vhosts": {"a": {"proxy": "a", "module": "app.py"}}}),
        "vhosts.a: expected either `proxy` or `module`, found both\
         \nvhosts.a.proxy: expected `host:port`, found `a`",
    );
    check(json!({"proxy": null, "module": "app.py"}), "");
    // In two scopes they do not meet.
    check(json!({"proxy": "a:1", "vhosts": {"a": {"module": "app.py"}}}), "");
}

#[test]
fn c2_5_ssl_stands_beside_a_proxy() {
    let hint = "`ssl` says whether TLS is spoken to the `proxy` of the same virtual host";
    for scope in [json!({"ssl": true}), json!({"ssl": false, "web_root": "web"})] {
        check(
            json!({"proxy": "g:1", "vhosts": {"a": scope}}),
            &format!("vhosts.a.ssl: expected a `proxy` beside it\n  hint: {hint}"),
        );
    }
    check(
        json!({"ssl": true}),
        "ssl: expected a `proxy` beside it\
         \n  hint: the certificate of an HTTPS server is a table of `cert` and `key`",
    );
    check(json!({"vhosts": {"a": {"ssl": {"cert": "one.pem", "key": "two.pem"}}}}), "");
    check(
        json!({"mounts": {"/a": {"ssl": {"cert": "one.pem", "key": "two.pem"}}}}),
        "mounts.\"/a\".ssl: expected `true` or `false`, found a table\
         \n  hint: a certificate stands at the global level or in a virtual host",
    );
    check(
        json!({"proxy": ["https://a", "http://b"], "ssl": true}),
        "ssl: expected `https://` or no `ssl`, found `true` beside `http://`\
         \n  hint: a URL says itself whether TLS is spoken; leave `ssl` out",
    );
    // A proxy that is wrong is there all the same: one fault, not two.
    check(
        json!({"vhosts": {"a": {"proxy": "a", "ssl": true}}}),
        "vhosts.a.proxy: expected `host:port`, found `a`",
    );
    check(
        json!({"ssl": "yes", "proxy": "a:1"}),
        "ssl: expected `true` or `false`, found the string `yes`",
    );
}

#[test]
fn c1_1_the_certificate_of_an_https_server() {
    for (written, fault) in [
        (json!({"cert": "one.pem", "key": "two.pem"}), ""),
        (json!({"ssl": {"cert": "one.pem", "key": "two.pem"}}), ""),
        // Both are missing: without TLS nobody looks for them.
        (json!({"cert": "new.pem", "key": "new.key"}), ""),
        (
            json!({"cert": "one.pem", "key": "new.key"}),
            "key: expected a PEM file that exists, found `/base/new.key`",
        ),
        (
            json!({"ssl": {"cert": "new.pem", "key": "two.pem"}}),
            "ssl.cert: expected a PEM file that exists, found `/base/new.pem`",
        ),
        (
            json!({"cert": "web", "key": "two.pem"}),
            "cert: expected a PEM file, found `/base/web`, a folder",
        ),
        // One file with both.
        (json!({"cert": "one.pem"}), ""),
        (json!({"ssl": {"cert": "one.pem"}}), ""),
        (
            json!({"key": "one.pem"}),
            "cert: expected a path\n  hint: `cert` and `key` belong together",
        ),
        (
            json!({"ssl": {"key": "one.pem"}}),
            "ssl.cert: expected a path\n  hint: `cert` and `key` belong together",
        ),
        (json!({"cert": "web"}), "cert: expected a PEM file, found `/base/web`, a folder"),
        (
            json!({"ssl": {"cert": "one.pem", "key": "two.pem", "ca": 1}}),
            "ssl.ca: expected `cert` or `key`, found `ca`",
        ),
        (
            json!({"ssl": {"cert": "one.pem", "key": "two.pem"}, "cert": "one.pem"}),
            "ssl: expected the certificate in one place, found it in two\
             \n  hint: leave out `cert` and `key`, or `ssl`",
        ),
    ] {
        check(written, fault);
    }
    for written in [
        json!({"cert": "one.pem", "key": "/base/two.pem"}),
        json!({"ssl": {"cert": "./one.pem", "key": "two.pem"}}),
    ] {
        assert_eq!(certificate(&site(written)), ("/base/one.pem".into(), "/base/two.pem".into()));
    }
    for written in [json!({"cert": "one.pem"}), json!({"ssl": {"cert": "one.pem"}})] {
        assert_eq!(certificate(&site(written)), ("/base/one.pem".into(), "/base/one.pem".into()));
    }
}

/// The files of the one certificate that the global level names.
pub(super) fn certificate(site: &Site) -> (PathBuf, PathBuf) {
    match site.tls_of(&site.global).certificates {
        Certificates::Files(files) if files.len() == 1 => {
            (files[0].certificate.to_path_buf(), files[0].key.to_path_buf())
        }
        other => panic!("no files of one certificate: {other:?}"),
    }
}

/// What a server with TLS says of a configuration, on top of `running`: the faults, or
/// the warnings.
fn with_tls(written: Json, look: &dyn Fn(&Path) -> PathKind, running: Option<&Site>) -> String {
    let listener = FirstListener { tls: true, ..everywhere() };
    let env = CompileEnv { look, resolve_anew: true, ..env(&listener) };
    let routes = Routes::default();
    let previous = running.map(|site| (site, &routes));
    match compile(&config(&written), &routes, &env, previous) {
        Ok(site) => site.warnings.join("\n"),
        Err(faults) => faults.to_string(),
    }
}

const NEITHER: &str =
    "\n  hint: a server that is to make a self-signed one names neither `cert` nor `key`";

#[test]
fn c2_6_a_certificate_that_is_named_and_not_there() {
    for (written, said) in [
        (
            json!({"cert": "new.pem"}),
            format!("cert: expected a PEM file that exists, found `/base/new.pem`{NEITHER}"),
        ),
        (
            json!({"ssl": {"cert": "new.pem", "key": "new.key"}}),
            format!(
                "ssl.cert: expected a PEM file that exists, found `/base/new.pem`{NEITHER}\n\
                 ssl.key: expected a PEM file that exists, found `/base/new.key`{NEITHER}"
            ),
        ),
        // The names of `default_config()`, as programs write them down.
        (
            json!({"ssl": {"cert": "cert.pem", "key": "key.pem"}}),
            "ssl.cert: `/base/cert.pem` does not exist; a self-signed certificate takes its \
             place\nssl.key: `/base/key.pem` does not exist; a self-signed certificate takes its \
             place"
                .to_owned(),
        ),
        (json!({}), String::new()),
        // A virtual host is given no certificate that the server makes.
        (
            json!({"vhosts": {"a.example": {"tls": {"cert": "cert.pem", "key": "key.pem"}}}}),
            "vhosts.\"a.example\".tls.cert: expected a PEM file that exists, \
             found `/base/cert.pem`\n\
             vhosts.\"a.example\".tls.key: expected a PEM file that exists, \
             found `/base/key.pem`"
                .to_owned(),
        ),
    ] {
        assert_eq!(with_tls(written.clone(), &look, None), said, "{written}");
    }
}

#[test]
fn c3_3_a_certificate_that_is_gone_is_no_fault_of_a_running_server() {
    let written = json!({"cert": "one.pem", "key": "two.pem"});
    let running = site(written.clone());
    let gone = |path: &Path| match look(path) {
        PathKind::File => PathKind::Missing,
        kind => kind,
    };
    assert_eq!(with_tls(written.clone(), &gone, Some(&running)), "");
    assert_ne!(with_tls(written, &gone, None), "", "started anew it would not find them");
}
