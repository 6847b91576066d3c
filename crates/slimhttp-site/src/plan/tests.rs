//! Redirects and rewrites in a plan: what is decided first, and by which target.
//! The other plans stand in `tests/plan.rs`.

use std::net::{IpAddr, Ipv4Addr};

use http::header::{HOST, MAX_FORWARDS};
use serde_json::json;

use super::*;
use crate::compile::tests::site;
use crate::files::file_rules::AnswerRules;
use crate::routing::redirect::{Redirects, Rewrites};
use crate::routing::route::{Route, RouteKind};

/// Plain HTTP, to the port at which the sites of these tests are.
const TRANSPORT: Transport =
    Transport { port: 8080, peer: IpAddr::V4(Ipv4Addr::LOCALHOST), security: Security::Plain };

const REDIRECTS: &[(&str, &str, u16)] = &[
    ("/old", "/new", 301),
    ("/home.html", "/", 308),
    ("/routed", "/elsewhere", 302),
    ("/both", "/redirected", 302),
];
const REWRITES: &[(&str, &str)] = &[
    ("/", "/home.html"),
    ("/app/<path:rest>", "/app.html"),
    ("/to-old", "/old"),
    ("/to-route/<x>", "/routed?x=<x>"),
    ("/both", "/rewritten"),
    ("/once", "/app/x"),
];

/// A site with the rules above for `r.example`, and with a route for `/routed`.
fn with_rules() -> Site {
    let mut site = site(json!({"web_root": "w", "vhosts": {"r.example": {"web_root": "r"}}}));
    let (key, scope) = site.hosts.iter().next().unwrap();
    let (key, mut scope) = (key.clone(), Scope::clone(scope));
    Arc::make_mut(&mut scope.options).answers = Arc::new(AnswerRules {
        redirects: Redirects::new(REDIRECTS.iter().copied()).unwrap(),
        rewrites: Rewrites::new(REWRITES.iter().copied()).unwrap(),
        ..AnswerRules::default()
    });
    let route = Route {
        pattern: "/routed".into(),
        methods: Methods::Any,
        prefix: false,
        kind: RouteKind::Whole,
        handler: HandlerId(1),
    };
    scope.routes.insert(route).unwrap();
    site.hosts.insert(key, Arc::new(scope));
    site.rewrites = true;
    site
}

/// The target that is planned if it was rewritten, and the first action.
fn planned(site: &Site, method: &str, uri: &str, host: &str) -> String {
    let method: Method = method.parse().unwrap();
    let uri: Uri = uri.parse().unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(HOST, host.parse().unwrap());
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
    let action = match &plan.actions[0] {
        Action::Redirect { location, status } => {
            format!("{} {}", status.as_u16(), location.to_str().unwrap())
        }
        Action::Call(HandlerId(id), ..) => format!("call {id}"),
        Action::File(path) => format!("file {}", path.as_path().display()),
        Action::Refuse(refusal) => refusal.status().as_u16().to_string(),
        other => format!("{other:?}"),
    };
    match rewritten {
        Some(uri) => format!("{uri}: {action}"),
        None => action,
    }
}

#[test]
fn c8_1_redirects_are_decided_first_and_rewrites_before_all_else() {
    let site = with_rules();
    let cases = [
        ("GET", "/old", "301 /new"),
        ("GET", "/old?a=b", "301 /new?a=b"),
        ("HEAD", "/old", "301 /new"),
        ("POST", "/old", "301 /new"),
        ("BREW", "/old", "301 /new"),
        ("OPTIONS", "/old", "301 /new"),
        ("GET", "/x/../old", "301 /new"),
        ("GET", "/old/", "file old"),
        ("GET", "/routed", "302 /elsewhere"),
        ("GET", "/both", "302 /redirected"),
        // What was rewritten is neither redirected nor rewritten again.
        ("GET", "/", "/home.html: file home.html"),
        ("GET", "/home.html", "308 /"),
        ("GET", "/to-old", "/old: file old"),
        ("GET", "/once", "/app/x: file app/x"),
        ("GET", "/app/a/b?q", "/app.html?q: file app.html"),
        ("GET", "/to-route/a%26b", "/routed?x=a%26b: call 1"),
        ("GET", "http://r.example/app/x", "http://r.example/app.html: file app.html"),
        ("GET", "http://r.example?q", "http://r.example/home.html?q: file home.html"),
        ("POST", "/app/x", "/app.html: 405"),
        ("GET", "/app/x%2Fy", "404"),
        ("GET", "/other", "file other"),
        ("GET", "/..", "400"),
        ("GET", "/%zz", "400"),
    ];
    for (method, uri, expect) in cases {
        assert_eq!(planned(&site, method, uri, "r.example"), expect, "{method} {uri}");
    }
    for (uri, expect) in [("/old", "file old"), ("/", "file "), ("/app/x", "file app/x")] {
        assert_eq!(planned(&site, "GET", uri, "other.example"), expect, "{uri} of another scope");
    }
    assert_eq!(planned(&site, "GET", "/", "bad host"), "400");
}

#[test]
fn c8_1_a_site_without_rewrites_looks_for_none() {
    let mut site = with_rules();
    site.rewrites = false;
    assert_eq!(planned(&site, "GET", "/app/x", "r.example"), "file app/x");
    assert!(!crate::compile::tests::site(json!({"web_root": "w"})).rewrites);
}

/// The handshake itself is tested in `websocket`.
#[test]
fn a_websocket_is_opened_by_its_handshake_alone() {
    let mut site = site(json!({"web_root": "w", "vhosts": {"p.example": {"proxy": "a:1"}}}));
    let mut scope = Scope::clone(&site.global);
    for (pattern, methods, kind, handler) in [
        (
            "/ws/<name>",
            Methods::Only([Method::GET].into()),
            RouteKind::WebSocket(Arc::default()),
            1,
        ),
        ("/page", Methods::Any, RouteKind::Whole, 2),
    ] {
        let handler = HandlerId(handler);
        let route = Route { pattern: pattern.into(), methods, prefix: false, kind, handler };
        scope.routes.insert(route).unwrap();
    }
    site.global = Arc::new(scope);
    let plain = [("host", "h")];
    let asked = [
        ("host", "h"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for (method, uri, fields, host, expected) in [
        ("GET", "/ws/x", &asked[..], "h", "websocket 1 name"),
        ("GET", "/ws/x", &plain, "h", "426"),
        ("HEAD", "/ws/x", &asked, "h", "426"),
        ("POST", "/ws/x", &asked, "h", "405"),
        // Elsewhere an upgrade is a request like any other.
        ("GET", "/page", &asked, "h", "call 2"),
        ("GET", "/ws/x", &asked, "p.example", "proxy"),
    ] {
        let fields =
            fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let mut headers: HeaderMap = fields.collect();
        headers.insert(HOST, host.parse().unwrap());
        let (method, uri) = (method.parse().unwrap(), uri.parse().unwrap());
        let version = Version::HTTP_11;
        let plan = site.plan(&Head {
            method: &method,
            uri: &uri,
            version,
            headers: &headers,
            transport: TRANSPORT,
        });
        let action = match &plan.actions[0] {
            Action::WebSocket(HandlerId(id), params, _) => {
                format!("websocket {id} {}", params[0].0)
            }
            Action::Call(HandlerId(id), ..) => format!("call {id}"),
            Action::Proxy(_) => "proxy".to_owned(),
            Action::Refuse(refusal) => refusal.status().as_u16().to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(action, expected, "{method} {uri} {headers:?}");
    }
}

/// A preflight is answered before redirects, routes, proxies and files decide;
/// whatever else asks by `OPTIONS` goes the usual way.
#[test]
fn a_preflight_is_answered_before_anybody_is_asked() {
    let mut site = site(json!({
        "web_root": "w",
        "cors": "https://a.example",
        "redirects": {"/old": "/new"},
        "vhosts": {
            "p.example": {"proxy": "a:1"},
            "m.example": {"module": "app.py"},
            "off.example": {"cors": false},
        },
    }));
    let mut scope = Scope::clone(&site.global);
    let methods = Methods::Only([Method::GET].into());
    let (kind, handler) = (RouteKind::Whole, HandlerId(1));
    let route = Route { pattern: "/routed".into(), methods, prefix: false, kind, handler };
    scope.routes.insert(route).unwrap();
    site.global = Arc::new(scope);
    let wanted = ("access-control-request-method", "PUT");
    let told = "access-control-allow-methods, access-control-max-age";
    for (uri, host, fields, expected) in [
        ("/x", "h", &[("origin", "https://a.example"), wanted][..], told),
        ("/x", "h", &[("origin", "https://b.example"), wanted], ""),
        ("/old", "h", &[("origin", "https://a.example"), wanted], told),
        ("/routed", "h", &[("origin", "https://a.example"), wanted], told),
        ("/x", "p.example", &[("origin", "https://a.example"), wanted], told),
        ("/x", "m.example", &[("origin", "https://a.example"), wanted], told),
        ("/x", "off.example", &[("origin", "https://a.example"), wanted], "file x"),
        ("/x", "h", &[("origin", "https://a.example")], "file x"),
        ("/x", "h", &[wanted], "file x"),
        ("/routed", "h", &[wanted], "405"),
        ("/%zz", "h", &[("origin", "https://a.example"), wanted], "400"),
    ] {
        let fields =
            fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let mut headers: HeaderMap = fields.collect();
        headers.insert(HOST, host.parse().unwrap());
        let (method, uri) = (Method::OPTIONS, uri.parse().unwrap());
        let version = Version::HTTP_11;
        let plan = site.plan(&Head {
            method: &method,
            uri: &uri,
            version,
            headers: &headers,
            transport: TRANSPORT,
        });
        let action = match &plan.actions[0] {
            Action::Preflight(fields) => {
                let mut names: Vec<_> = fields.keys().map(|name| name.as_str()).collect();
                names.sort_unstable();
                names.join(", ")
            }
            Action::File(path) => format!("file {}", path.as_path().display()),
            Action::Refuse(refusal) => refusal.status().as_u16().to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(action, expected, "{uri} {headers:?}");
    }
}

/// What answers a target in a scope with a proxy and these routes: the number of
/// the handler and what its pattern took, `up` for the proxy.
fn before_a_proxy(routes: &[(&str, bool)], target: &str) -> String {
    let mut site = site(json!({"proxy": "up.example:80"}));
    let mut scope = Scope::clone(&site.global);
    for (number, (pattern, prefix)) in (1..).zip(routes) {
        let route = Route {
            pattern: (*pattern).into(),
            methods: Methods::Any,
            prefix: *prefix,
            kind: RouteKind::Whole,
            handler: HandlerId(number),
        };
        scope.routes.insert(route).unwrap();
    }
    site.global = Arc::new(scope);
    let uri: Uri = target.parse().unwrap();
    let headers = HeaderMap::from_iter([(HOST, "a.example".parse().unwrap())]);
    let head = Head {
        method: &Method::GET,
        uri: &uri,
        version: Version::HTTP_11,
        headers: &headers,
        transport: TRANSPORT,
    };
    let described = |action: &Action<'_>| match action {
        Action::Call(handler, _, params) => {
            let taken = params.iter().map(|(_, param)| match param {
                crate::routing::route::Param::Text(text) => format!(" {text}"),
                crate::routing::route::Param::Integer(number) => format!(" {number}"),
            });
            format!("{}{}", handler.0, taken.collect::<String>())
        }
        Action::Proxy(_) => "up".to_owned(),
        Action::Refuse(refusal) => refusal.status().as_u16().to_string(),
        other => format!("{other:?}"),
    };
    site.plan(&head).actions.iter().map(described).collect::<Vec<_>>().join(", ")
}

#[test]
fn c7_6_a_route_before_a_proxy_guards_a_path_however_it_is_spelt() {
    let routes = [("/admin", true), ("/pkg/<name>", false), ("/exact", false)];
    for (target, answer) in [
        ("/", "up"),
        ("/admin/x", "1, up"),
        ("//admin/x", "1, up"),
        ("/x/../admin", "1, up"),
        ("/%61dmin", "1, up"),
        ("/x/%2e%2e/admin/x", "1, up"),
        ("/%2fadmin/x", "1, up"),
        ("/%2Fadmin%2Fx", "1, up"),
        ("/admin%2fx", "1, up"),
        ("/admin%5cx", "1, up"),
        ("/admin;v=1/x", "1, up"),
        ("/admin%3Bv/x", "1, up"),
        ("/;/admin/x", "1, up"),
        ("/%2561dmin/x", "1, up"),
        ("/%252fadmin/x", "1, up"),
        ("/%5cadmin;x%252f", "1, up"),
        ("/exact;x", "3, up"),
        ("/exact%2f", "up"),
        ("/x/..%2fadmin/x", "400"),
        ("/x/..;/admin/x", "400"),
        ("/x/..%5cadmin/x", "400"),
        ("/x/..%252fadmin/x", "400"),
        ("/..%c0%afadmin/x", "400"),
        // What a name is to one server is two segments to another.
        ("/pkg/a", "2 a, up"),
        ("/pkg/a/b", "up"),
        ("/pkg/@a%2fb", "2 @a/b, up"),
        ("/pkg%2fa", "2 a, up"),
        ("/pkg%2fa%2fb", "up"),
        // What no route guards goes up as a name.
        ("/@scope%2fname", "up"),
        ("/projects/group%2Fproject/files/lib%2Fa.rb/raw", "up"),
        ("/fetch/https%3A%2F%2Fa.example%2F%3Fb%3D%25", "up"),
        ("/administrator%2fx", "up"),
        // Two routes for one target: which of them is meant, nobody knows.
        ("/pkg/a%2f..", "400"),
        ("/admin%2f;/pkg/a", "1, up"),
    ] {
        assert_eq!(before_a_proxy(&routes, target), answer, "{target}");
    }
}

#[test]
fn c7_6_a_target_with_two_routes_before_a_proxy_is_refused() {
    let routes = [("/<path:rest>", false), ("/files/<name>", false), ("/files/a", true)];
    for (target, answer) in [
        ("/@scope%2fname", "1 @scope/name, up"),
        ("/files/b", "2 b, up"),
        ("/files/a/b", "3, up"),
        ("/files/a%2fb", "400"),
        ("/files%2fb", "400"),
        ("/files/b;c", "2 b;c, up"),
        ("/files;c/b", "400"),
        (r"/files\b", "400"),
    ] {
        assert_eq!(before_a_proxy(&routes, target), answer, "{target}");
    }
}

/// The actions for a request of a method to a target, with `Max-Forwards` or without, in a word
/// or two each. The routes are those of `r.example`: their methods, and handlers from 1.
fn asked(host: &str, routes: &[&str], method: &str, uri: &str, most: Option<&str>) -> String {
    let mut site = site(json!({"web_root": "w", "vhosts": {
        "r.example": {"web_root": "r"}, "p.example": {"proxy": "a:1"}, "m.example": {"module": "app.py"},
    }}));
    for (number, methods) in (1..).zip(routes) {
        let named = methods.split(',').map(|name| name.parse().unwrap());
        let route = Route {
            pattern: format!("/{number}").into(),
            methods: if *methods == "*" { Methods::Any } else { Methods::Only(named.collect()) },
            prefix: false,
            kind: RouteKind::Whole,
            handler: HandlerId(number),
        };
        let hosts = site.hosts.iter().map(|(key, scope)| (key.clone(), Scope::clone(scope)));
        for (key, mut scope) in hosts.collect::<Vec<_>>() {
            if &*key.name != "m.example" {
                scope.routes.insert(route.clone()).unwrap();
                site.hosts.insert(key, Arc::new(scope));
            }
        }
    }
    let fields = [(HOST, Some(host)), (MAX_FORWARDS, most)].into_iter();
    let fields = fields.filter_map(|(name, value)| Some((name, value?.parse().unwrap())));
    let (method, uri, headers) = (method.parse().unwrap(), uri.parse().unwrap(), fields.collect());
    let version = Version::HTTP_11;
    let plan = site.plan(&Head {
        method: &method,
        uri: &uri,
        version,
        headers: &headers,
        transport: TRANSPORT,
    });
    let described = |action: &Action<'_>| match action {
        Action::Call(handler, ..) => handler.0.to_string(),
        Action::Proxy(_) => "up".to_owned(),
        Action::Options(methods) => format!("told {methods}"),
        Action::Refuse(Refusal::MethodNotAllowed(methods)) => format!("405 {methods}"),
        Action::Refuse(refusal) => refusal.status().as_u16().to_string(),
        other => format!("{other:?}"),
    };
    plan.actions.iter().map(described).collect::<Vec<_>>().join(", ")
}

const ALL: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

#[test]
fn the_target_asterisk_is_told_the_methods_of_all_that_answers() {
    let all = format!("told {ALL}");
    for (host, routes, expected) in [
        ("h", &[][..], "told GET, HEAD, OPTIONS"),
        ("m.example", &[], &all),
        ("p.example", &[], "up"),
        ("p.example", &["OPTIONS"], "up"),
        ("r.example", &["GET", "POST,PURGE"], "told GET, HEAD, OPTIONS, POST, PURGE"),
        ("r.example", &["*"], &all),
    ] {
        assert_eq!(asked(host, routes, "OPTIONS", "*", None), expected, "{host} {routes:?}");
        assert_eq!(asked(host, routes, "GET", "*", None), "400", "{host} {routes:?}");
    }
    for (host, routes, expected) in [
        ("r.example", &["PUT"][..], "405 GET, HEAD, OPTIONS, PUT"),
        ("p.example", &[], &format!("405 {ALL}")),
    ] {
        let target = format!("{host}:443");
        assert_eq!(asked(host, routes, "CONNECT", &target, None), expected, "{host} {routes:?}");
    }
}

#[test]
fn c7_6_max_forwards_ends_a_request_here() {
    let (told, refused) = (format!("told {ALL}"), format!("405 {ALL}"));
    let called = format!("1, {told}");
    for (method, uri, most, expected) in [
        ("OPTIONS", "/x", "0", &*told),
        ("OPTIONS", "*", "0", &told),
        ("OPTIONS", "/1", "0", &called),
        ("OPTIONS", "/x", "1", "up"),
        ("OPTIONS", "/x", "many", "up"),
        ("TRACE", "/x", "0", &refused),
        ("TRACE", "/x", "1", "up"),
        ("GET", "/x", "0", "up"),
        ("POST", "/x", "0", "up"),
    ] {
        let found = asked("p.example", &["OPTIONS"], method, uri, Some(most));
        assert_eq!(found, expected, "{method} {uri} {most}");
    }
    // Who forwards nothing is asked as ever.
    assert_eq!(asked("h", &[], "TRACE", "/x", Some("0")), "405 GET, HEAD, OPTIONS");
}

#[test]
fn only_an_absolute_form_leaves_the_path_out() {
    let site = site(json!({"web_root": "w"}));
    let headers = HeaderMap::from_iter([(HOST, "h".parse().unwrap())]);
    let uri = Uri::from_static("http://h?q");
    for (version, expected) in [
        (Version::HTTP_10, Action::File(SafePath::root())),
        (Version::HTTP_11, Action::File(SafePath::root())),
        // `:path` has it always, and what it begins with is checked.
        (
            Version::HTTP_2,
            Action::Refuse(Refusal::BadRequest("the target does not begin with a slash")),
        ),
    ] {
        let plan = site.plan(&Head {
            method: &Method::GET,
            uri: &uri,
            version,
            headers: &headers,
            transport: TRANSPORT,
        });
        assert_eq!(plan.actions[0], expected, "{version:?}");
    }
}

mod applications;
mod https;
mod mounts;
mod transport;
