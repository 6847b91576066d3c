//! Mounts in a plan: which one has a path, what it answers with, and what no proxy is sent.

use std::fmt::Write as _;

use serde_json::json;

use super::*;
use crate::compile::Routes;
use crate::compile::tests::{compiled_with, site};

/// A request `METHOD target` for a host, and its plan: the scope's mount (`-` for none), then
/// the actions.
fn planned(site: &Site, request: &str) -> String {
    let (method, target) = request.split_once(' ').unwrap();
    let method: Method = method.parse().unwrap();
    let uri: Uri = target.parse().unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(HOST, "h".parse().unwrap());
    let head = Head {
        method: &method,
        uri: &uri,
        version: Version::HTTP_11,
        headers: &headers,
        transport: TRANSPORT,
    };
    let rewritten = site.rewritten(&head);
    let plan = match &rewritten {
        Some(uri) => site.plan_rewritten(&Head { uri, ..head }, head.uri),
        None => site.plan(&head),
    };
    let mut text = plan.scope.mount.as_ref().map_or("-".to_owned(), |mount| mount.key.to_string());
    for action in &plan.actions {
        let _ = match action {
            Action::Call(handler, ..) => write!(text, " | call {}", handler.0),
            Action::Module(module) => write!(text, " | module {}", module.path.display()),
            Action::Proxy(proxy) => write!(text, " | proxy {}", proxy.upstreams[0].host),
            Action::File(path) => write!(text, " | file {}", path.as_path().display()),
            Action::RegularFile(path) => write!(text, " | if {}", path.as_path().display()),
            Action::Application(app, _) => {
                let (reference, prefix) = (&app.application.spec.reference, &app.prefix);
                write!(text, " | app {reference} below `{prefix}`")
            }
            Action::Redirect { location, .. } => write!(text, " | to {location:?}"),
            Action::Preflight(_) => write!(text, " | preflight"),
            Action::Options(methods) => write!(text, " | options {methods}"),
            Action::Refuse(refusal) => write!(text, " | {}", refusal.status().as_u16()),
            Action::WebSocket(..) => write!(text, " | websocket"),
        };
    }
    text
}

#[track_caller]
fn check(site: &Site, cases: &[(&str, &str)]) {
    for (request, expected) in cases {
        assert_eq!(planned(site, request), *expected, "{request}");
    }
}

#[test]
fn c11_1_the_longest_prefix_of_whole_segments_answers() {
    let site = site(json!({
        "web_root": "web",
        "mounts": {
            "/static": {"web_root": "s"},
            "/static/deep/": {"web_root": "d"},
            "/api": {"proxy": "api:1"},
            "/api/v2": {"proxy": "v2:1"},
            "/mod": {"module": "app.py"},
            "/a b/é": {"web_root": "odd"},
            "/same": {"max_body": 1},
        },
    }));
    check(
        &site,
        &[
            ("GET /", "- | file "),
            ("GET /x", "- | file x"),
            // Whole segments, in this very case.
            ("GET /static", "/static | file "),
            ("GET /static/", "/static | file "),
            ("GET /static?q", "/static | file "),
            ("GET /static/a.css", "/static | file a.css"),
            ("GET /static/a/b", "/static | file a/b"),
            ("GET /statics", "- | file statics"),
            ("GET /static.css", "- | file static.css"),
            ("GET /Static/a", "- | file Static/a"),
            ("GET /static/deep", "/static/deep/ | file "),
            ("GET /static/deep/a", "/static/deep/ | file a"),
            ("GET /static/deeper/a", "/static | file deeper/a"),
            ("POST /static/a.css", "/static | 405"),
            ("POST /static/a.py", "/static | 405"),
            // By the decoded path, its dot segments resolved.
            ("GET /st%61tic/a", "/static | file a"),
            ("GET /x/../static/a", "/static | file a"),
            ("GET /static/../x", "- | file x"),
            ("GET /static/deep/../a", "/static | file a"),
            ("GET //static//a", "/static | file a"),
            ("GET /a%20b/%C3%A9/x", "/a b/é | file x"),
            ("GET /a%20b/%c3%a9", "/a b/é | file "),
            ("GET /a%20b/%C3%A8/x", "- | file a b/è/x"),
            // No file has a slash in its name.
            ("GET /static%2Fa", "/static | 404"),
            ("GET /static/a%2Fb", "/static | 404"),
            ("GET /api", "/api | proxy api"),
            ("POST /api/v1/x", "/api | proxy api"),
            ("GET /api/v2/x", "/api/v2 | proxy v2"),
            ("GET /api/v22", "/api | proxy api"),
            // What is inherited is where it is for the scope around: at the whole path.
            ("GET /mod/x", "/mod | module /base/app.py | file mod/x"),
            ("GET /same/x", "/same | file same/x"),
            ("GET /same", "/same | file same"),
        ],
    );
    assert_eq!(site.plan_scope("/same/x").options.max_body, 1);
}

#[test]
fn c11_1_a_mount_at_the_root_answers_all_the_rest() {
    let site = site(json!({
        "web_root": "web",
        "mounts": {"/": {"proxy": "all:1"}, "/static": {"web_root": "s"}},
    }));
    check(
        &site,
        &[
            ("GET /", "/ | proxy all"),
            ("GET /x/y", "/ | proxy all"),
            ("GET /static/y", "/static | file y"),
            // Which methods there are is for the upstream to say.
            ("OPTIONS *", "- | options GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        ],
    );
}

#[test]
fn c11_1_routes_of_the_scope_come_first_under_the_options_of_the_mount() {
    let mut routes = Routes::default();
    let route = |pattern: &str, handler| Route {
        pattern: pattern.into(),
        methods: Methods::Any,
        prefix: false,
        kind: RouteKind::Whole,
        handler: HandlerId(handler),
    };
    routes.register(None, route("/api/login", 1)).unwrap();
    routes.register(None, route("/static/<name>", 2)).unwrap();
    let written = json!({
        "web_root": "web",
        "mounts": {"/api": {"proxy": "api:1", "max_body": 7}, "/static": {"web_root": "s"}},
    });
    let site = compiled_with(&written, &routes).unwrap();
    check(
        &site,
        &[
            ("GET /api/login", "/api | call 1 | proxy api"),
            ("GET /api/%6Cogin", "/api | call 1 | proxy api"),
            ("GET /api/other", "/api | proxy api"),
            ("GET /static/a", "/static | call 2 | file a"),
            ("GET /login", "- | file login"),
        ],
    );
    assert_eq!(site.plan_scope("/api/login").options.max_body, 7);
}

#[test]
fn c11_1_an_application_has_the_prefix_of_who_names_it() {
    let site = site(json!({
        "app": "whole:app",
        "mounts": {
            "/shop": {"app": "shop:app"},
            "/inherits": {"max_body": 1},
            "/both": {"app": "both:app", "web_root": "web", "app_dir": "elsewhere"},
            "/run": {"app": "run:app", "web_root": "web", "app_dir": "x", "scripts": true},
            "/files": {"web_root": "web"},
        },
    }));
    check(
        &site,
        &[
            ("GET /x", "- | app whole:app below ``"),
            ("GET /shop/x", "/shop | app shop:app below `/shop`"),
            ("GET /inherits/x", "/inherits | app whole:app below ``"),
            // Files come first where they stand beside it, and regular ones only.
            ("GET /both/a.css", "/both | if a.css | app both:app below `/both`"),
            ("HEAD /both", "/both | if  | app both:app below `/both`"),
            ("POST /both/a.css", "/both | app both:app below `/both`"),
            ("OPTIONS /both/a.css", "/both | app both:app below `/both`"),
            ("POST /both/a.py", "/both | app both:app below `/both`"),
            ("GET /both/a%2Fb", "/both | app both:app below `/both`"),
            ("POST /run/a.py", "/run | if a.py | app run:app below `/run`"),
            ("GET /files/a", "/files | file a"),
            ("OPTIONS *", "- | options GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        ],
    );
    let scripts = |path| site.plan_scope(path).options.scripts;
    assert_eq!([scripts("/both"), scripts("/run")], [Scripts::Off, Scripts::On]);
}

#[test]
fn c11_1_what_is_decided_first_is_decided_by_the_mount() {
    let site = site(json!({
        "web_root": "web",
        "redirects": {"/old": "/new"},
        "rewrites": {"/short": "/docs/long"},
        "mounts": {
            "/docs": {"redirects": {"/docs/old": "/docs/new"}, "web_root": "d"},
            "/plain": {"max_body": 1},
            "/bare": {"redirects": false},
            "/re": {"rewrites": {"/re/<path:rest>": "/docs/<rest>"}},
        },
    }));
    check(
        &site,
        &[
            ("GET /old", "- | to \"/new\""),
            ("GET /docs/old", "/docs | to \"/docs/new\""),
            // Whose path it is becomes is asked anew.
            ("GET /short", "/docs | file long"),
            ("GET /re/x", "/docs | file x"),
            // One was redirected before it is rewritten, and what was rewritten is not redirected.
            ("GET /re/old", "/docs | file old"),
            ("GET /plain/x", "/plain | file plain/x"),
        ],
    );
}

#[test]
fn the_methods_of_a_scope_are_those_of_its_mounts_too() {
    let methods = |mounts| planned(&site(json!({"mounts": mounts})), "OPTIONS *");
    let files = "- | options GET, HEAD, OPTIONS";
    assert_eq!(methods(json!({})), files);
    assert_eq!(methods(json!({"/a": {"web_root": "a"}})), files);
    for open in [json!({"proxy": "a:1"}), json!({"module": "app.py"}), json!({"app": "a:b"})] {
        assert_eq!(
            methods(json!({"/a": {"web_root": "a"}, "/b": open})),
            "- | options GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
        );
    }
}

/// Which target reaches which upstream. A proxy is never sent what a server behind it may read
/// as a path of another mount, nor does another mount get what would be the proxy's.
#[test]
fn c11_1_no_reading_leads_into_another_mount() {
    let mounts = json!({
        "/admin": {"proxy": "admin:1"},
        "/public": {"proxy": "public:1"},
        "/public/inner": {"proxy": "inner:1"},
        "/files": {"web_root": "f"},
    });
    let over_files = site(json!({"web_root": "web", "mounts": mounts}));
    let over_proxy = site(json!({"proxy": "rest:1", "mounts": mounts}));
    for (target, over_files_plan, over_proxy_plan) in [
        ("/admin/x", "/admin | proxy admin", "/admin | proxy admin"),
        ("/adm%69n/x", "/admin | proxy admin", "/admin | proxy admin"),
        ("/x/../admin", "/admin | proxy admin", "/admin | proxy admin"),
        ("//admin", "/admin | proxy admin", "/admin | proxy admin"),
        ("/public/../admin", "/admin | proxy admin", "/admin | proxy admin"),
        ("/public/%2e%2e/admin", "/admin | proxy admin", "/admin | proxy admin"),
        ("/public/a%2Fb", "/public | proxy public", "/public | proxy public"),
        ("/public/a;v=1/b", "/public | proxy public", "/public | proxy public"),
        ("/public//a", "/public | proxy public", "/public | proxy public"),
        ("/public/a%20b", "/public | proxy public", "/public | proxy public"),
        // A slash that is encoded, once or twice, or written the other way.
        ("/public/..%2fadmin", "/public | 400", "/public | 400"),
        ("/public/..%2Fadmin/x", "/public | 400", "/public | 400"),
        ("/public/%2e%2e%2fadmin", "/public | 400", "/public | 400"),
        ("/public/..%252fadmin", "/public | 400", "/public | 400"),
        ("/public/..\\admin", "/public | 400", "/public | 400"),
        ("/public/..%5cadmin", "/public | 400", "/public | 400"),
        ("/public/..;/admin", "/public | 400", "/public | 400"),
        ("/public/..;x=1/admin", "/public | 400", "/public | 400"),
        ("/public/%c0%ae%c0%ae/admin", "/public | 400", "/public | 400"),
        ("/public/%252e%252e/admin", "/public | 400", "/public | 400"),
        ("/public%2finner/x", "/public/inner | 400", "/public/inner | 400"),
        ("/public/inner%2fx", "/public/inner | 400", "/public/inner | 400"),
        ("/public\\inner", "- | 400", "- | 400"),
        ("/public%5Cinner/x", "- | 400", "- | 400"),
        ("/public/inner;a/x", "/public | 400", "/public | 400"),
        ("/public/inner%3Ba/x", "/public | 400", "/public | 400"),
        ("/public/inner%20/x", "/public | 400", "/public | 400"),
        ("/public/inner%3Fa", "/public | 400", "/public | 400"),
        ("/public/inner%23a", "/public | 400", "/public | 400"),
        ("/public/%2569nner/x", "/public | 400", "/public | 400"),
        // Empty names, which not every server leaves out.
        ("/public//inner", "/public/inner | 400", "/public/inner | 400"),
        ("/public/x//../inner", "/public/inner | proxy inner", "/public/inner | proxy inner"),
        ("/public/inner//x", "/public/inner | proxy inner", "/public/inner | proxy inner"),
        ("///public/inner", "/public/inner | proxy inner", "/public/inner | proxy inner"),
        // From the scope around into a mount.
        ("/adm%2569n", "- | 400", "- | 400"),
        ("/x%2f..%2fadmin", "- | 400", "- | 400"),
        ("/admin%2fx", "/admin | 400", "/admin | 400"),
        ("/admin;x", "- | 400", "- | 400"),
        ("/admin%20", "- | 400", "- | 400"),
        ("/Admin", "- | file Admin", "- | proxy rest"),
        ("/administrator", "- | file administrator", "- | proxy rest"),
        // Files are found by one reading alone, so long as no proxy has to do with it.
        ("/files/a;b", "/files | file a;b", "/files | file a;b"),
        ("/files/a%2Fb", "/files | 404", "/files | 404"),
        ("/files;a/b", "- | file files;a/b", "- | 400"),
        ("/files%2Fa", "/files | 404", "/files | 400"),
        ("/files/a//b", "/files | file a/b", "/files | file a/b"),
        ("/files/..%2fadmin", "/files | 400", "/files | 400"),
    ] {
        let request = format!("GET {target}");
        assert_eq!(planned(&over_files, &request), over_files_plan, "{target}, over files");
        assert_eq!(planned(&over_proxy, &request), over_proxy_plan, "{target}, over a proxy");
    }
    // Where nobody forwards, nothing is refused for what others would read.
    let alone = site(json!({"web_root": "web", "mounts": {"/files": {"web_root": "f"}}}));
    check(
        &alone,
        &[
            ("GET /files;a/b", "- | file files;a/b"),
            ("GET /x/..%2ffiles", "- | 404"),
            ("GET /files/%c0%ae", "/files | file \u{fffd}\u{fffd}"),
        ],
    );
}

/// What is forwarded leads to the mount that was chosen, however it is read.
#[test]
fn c11_1_what_is_sent_on_is_what_was_decided_on() {
    let site = site(json!({
        "proxy": "rest:1",
        "mounts": {"/a": {"proxy": "a:1"}, "/a/b": {"proxy": "ab:1"}, "/c": {"web_root": "c"}},
    }));
    let pieces = [
        "/a", "/b", "/c", "/", "/.", "/..", "%2f", "%2F", "\\", "%5c", ";", "%3b", "%20", "%25",
        "2f", "..", "x", "?",
    ];
    let mut forwarded = 0;
    for first in pieces {
        for second in pieces {
            for third in pieces {
                for fourth in ["", "/b", "/../a/b"] {
                    let raw = format!("/{first}{second}{third}{fourth}");
                    let Ok(uri) = raw.parse::<Uri>() else { continue };
                    let mut headers = HeaderMap::new();
                    headers.insert(HOST, "h".parse().unwrap());
                    let (method, version) = (&Method::GET, Version::HTTP_11);
                    let head = Head {
                        method,
                        uri: &uri,
                        version,
                        headers: &headers,
                        transport: TRANSPORT,
                    };
                    let plan = site.plan(&head);
                    if !matches!(plan.actions[..], [Action::Proxy(_)]) {
                        continue;
                    }
                    forwarded += 1;
                    let sent = plan.target.as_ref().unwrap().sent_on().into_owned();
                    let again = Target::parse(&sent).unwrap();
                    let mut readings: Vec<Vec<u8>> =
                        again.readings().unwrap().iter().map(|path| path.to_vec()).collect();
                    readings.extend(again.unmerged());
                    readings.push(again.raw_path.as_bytes().to_vec());
                    for path in readings {
                        let reached = plan.host.at(&path);
                        assert!(
                            Arc::ptr_eq(reached, plan.scope),
                            "{raw} is sent as {sent}, which may be read as {:?}",
                            String::from_utf8_lossy(&path)
                        );
                    }
                }
            }
        }
    }
    assert!(forwarded > 1000, "{forwarded}");
}

impl Site {
    /// Which scope answers a path.
    fn plan_scope(&self, path: &str) -> &Arc<Scope> {
        self.global.at(path.as_bytes())
    }
}
