//! Redirects and rewrites in a plan: what is decided first, and by which target.
//! The other plans stand in `tests/plan.rs`.

use serde_json::json;

use super::*;
use crate::compile::tests::site;
use crate::file_rules::AnswerRules;
use crate::redirect::{Redirects, Rewrites};
use crate::route::{Route, RouteKind};

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
    let head = Head { method: &method, uri: &uri, version: Version::HTTP_11, headers: &headers };
    let rewritten = site.rewritten(&head);
    let plan = match &rewritten {
        Some(uri) => site.plan_rewritten(&Head { uri, ..head }),
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

/// The handshake itself is judged in `websocket`.
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
        let plan = site.plan(&Head { method: &method, uri: &uri, version, headers: &headers });
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
        let plan = site.plan(&Head { method: &method, uri: &uri, version, headers: &headers });
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
