//! What is sent to https, where to, and what stays.

use serde_json::json;

use super::*;
use crate::compile::tests::site;

/// A client, and a proxy that the sites here trust.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// `METHOD target`, fields; then where it is sent, or the first action in short.
fn planned(site: &Site, request: &str, fields: &[(&str, &str)], transport: Transport) -> String {
    let (method, uri) = request.split_once(' ').unwrap();
    let (method, version) = (method.parse::<Method>().unwrap(), Version::HTTP_11);
    let uri: Uri = uri.parse().unwrap();
    let fields = fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    let headers: HeaderMap = fields.collect();
    let version = if headers.contains_key(HOST) { version } else { Version::HTTP_10 };
    let head = Head { method: &method, uri: &uri, version, headers: &headers, transport };
    let rewritten = site.rewritten(&head);
    let plan = match &rewritten {
        Some(uri) => site.plan_rewritten(&Head { uri, ..head }, head.uri),
        None => site.plan(&head),
    };
    match &plan.actions[0] {
        Action::Redirect { location, status } => {
            format!("{} {}", status.as_u16(), location.to_str().unwrap())
        }
        Action::File(path) => format!("file {}", path.as_path().display()),
        Action::Proxy(_) => "proxy".to_owned(),
        Action::Call(HandlerId(id), ..) => format!("call {id}"),
        Action::Preflight(_) => "preflight".to_owned(),
        Action::Options(_) => "options".to_owned(),
        Action::Refuse(Refusal::PlainToTls) => "400 plain".to_owned(),
        Action::Refuse(refusal) => refusal.status().as_u16().to_string(),
        other => format!("{other:?}"),
    }
}

fn from(peer: IpAddr, security: Security) -> Transport {
    Transport { peer, security, ..TRANSPORT }
}

#[test]
fn c10_3_plain_requests_are_sent_to_https() {
    let site = site(json!({
        "web_root": "w", "redirect_https": true, "trusted_proxies": "10.0.0.1",
        "redirects": {"/old": "/new"},
        "rewrites": {"/written": "/other", "/into": "/open/x"},
        "cors": true,
        "mounts": {"/open": {"redirect_https": false}},
        "vhosts": {
            "p.example": {"proxy": "up:1", "redirect_https": 8443},
            "plain.example": {
                "redirect_https": false, "rewrites": {"/in": "/closed/x?y"},
                "mounts": {"/closed": {"redirect_https": true}},
            },
        },
    }));
    for (request, host, expected) in [
        ("GET /", "a.example", "301 https://a.example/"),
        ("HEAD /x?y=%20z", "a.example", "301 https://a.example/x?y=%20z"),
        ("POST /x", "a.example", "308 https://a.example/x"),
        ("PROPFIND /x", "a.example", "308 https://a.example/x"),
        ("GET /", "A.Example.:8080", "301 https://a.example/"),
        ("GET /", "[2001:DB8::1]:80", "301 https://[2001:db8::1]/"),
        ("GET /", "127.0.0.1", "301 https://127.0.0.1/"),
        ("GET /a/../b//c", "a", "301 https://a/a/../b//c"),
        ("GET //b.example/", "a", "301 https://a//b.example/"),
        ("GET http://a.example", "a.example", "301 https://a.example/"),
        ("GET http://a.example?x", "a.example", "301 https://a.example/?x"),
        ("GET https://a.example/x", "a.example", "301 https://a.example/x"),
        // Before redirects, rewrites, preflights and whoever forwards.
        ("GET /old", "a", "301 https://a/old"),
        ("GET /written", "a", "301 https://a/written"),
        ("OPTIONS /x", "a", "308 https://a/x"),
        ("GET /x", "p.example", "301 https://p.example:8443/x"),
        // A scope that stays in plain, and one below it that does not.
        ("GET /open/x", "a", "file open/x"),
        ("GET /x", "plain.example", "file x"),
        ("GET /closed/x", "plain.example", "301 https://plain.example/closed/x"),
        ("GET /into", "a", "301 https://a/into"),
        // Who answers in the end demands it too, and the client never hears of the rewrite.
        ("GET /in", "plain.example", "301 https://plain.example/in"),
        // No resource, or none that can be named.
        ("OPTIONS *", "a", "options"),
        ("OPTIONS *", "p.example", "proxy"),
        ("CONNECT a.example:443", "a.example:443", "405"),
        ("GET /%zz", "a", "400"),
        ("GET /", "a b", "400"),
        ("GET /", "", "400"),
    ] {
        let fields =
            [("host", host), ("origin", "https://o"), ("access-control-request-method", "GET")];
        let found = planned(&site, request, &fields, from(CLIENT, Security::Plain));
        assert_eq!(found, expected, "{request} {host}");
    }
    let nobody = planned(&site, "GET /", &[], from(CLIENT, Security::Plain));
    assert_eq!(nobody, "400", "HTTP/1.0 without a host is not answered in plain");
    let over_tls = planned(&site, "GET /x", &[("host", "a")], from(CLIENT, Security::Tls));
    assert_eq!(over_tls, "file x");
}

#[test]
fn c10_3_a_trusted_proxy_says_how_its_client_has_come() {
    let site = site(json!({
        "web_root": "w", "redirect_https": true, "trusted_proxies": "10.0.0.1",
        "rewrites": {"/written": "/other"},
    }));
    let to = "301 https://a.example/written";
    for (peer, field, expected) in [
        (PROXY, ("x-forwarded-proto", "https"), "file other"),
        (PROXY, ("x-forwarded-proto", "HTTPS"), "file other"),
        (PROXY, ("x-forwarded-proto", "wss"), "file other"),
        (PROXY, ("x-forwarded-proto", "http, https"), "file other"),
        (PROXY, ("forwarded", "for=1.2.3.4;proto=https"), "file other"),
        (PROXY, ("x-forwarded-proto", "https, http"), to),
        (PROXY, ("x-forwarded-proto", "http"), to),
        (PROXY, ("forwarded", "proto=http"), to),
        (PROXY, ("x-other", "https"), to),
        (CLIENT, ("x-forwarded-proto", "https"), to),
        (CLIENT, ("forwarded", "proto=https"), to),
        // The client knows the host by the name that the proxy was asked for.
        (PROXY, ("x-forwarded-host", "shop.example:8080"), "301 https://shop.example/written"),
        (PROXY, ("x-forwarded-host", "a b"), to),
        (CLIENT, ("x-forwarded-host", "shop.example"), to),
    ] {
        let fields = [("host", "a.example"), field];
        let found = planned(&site, "GET /written", &fields, from(peer, Security::Plain));
        assert_eq!(found, expected, "{peer} {field:?}");
    }
    // Over TLS, of a client of the proxy that has come in plain.
    let fields = [("host", "a.example"), ("x-forwarded-proto", "http")];
    assert_eq!(planned(&site, "GET /written", &fields, from(PROXY, Security::Tls)), to);
    // A proxy of HTTP/1.0 that names no host but its client's.
    let fields = [("x-forwarded-host", "a.example")];
    assert_eq!(planned(&site, "GET /written", &fields, from(PROXY, Security::Plain)), to);
}

#[test]
fn c10_3_a_socket_that_is_to_open_is_sent_too() {
    let mut site = site(json!({"web_root": "w", "redirect_https": true}));
    let mut scope = Scope::clone(&site.global);
    let rules = WebSocketRules { origins: Origins::Any, subprotocols: Vec::new() };
    let route = Route {
        pattern: "/ws".into(),
        methods: Methods::Any,
        prefix: false,
        kind: RouteKind::WebSocket(Arc::new(rules)),
        handler: HandlerId(1),
    };
    scope.routes.insert(route).unwrap();
    site.global = Arc::new(scope);
    let fields = [
        ("host", "a"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let found = planned(&site, "GET /ws", &fields, from(CLIENT, Security::Plain));
    assert_eq!(found, "301 https://a/ws");
}

#[test]
fn c10_3_plain_http_at_a_port_of_tls_is_told_so() {
    let site = site(json!({
        "web_root": "w", "trusted_proxies": "10.0.0.1",
        "redirects": {"/old": "/new"}, "rewrites": {"/written": "/other"},
        "vhosts": {"b": {"redirect_https": 1}},
    }));
    for (request, fields, expected) in [
        ("GET /x?y", &[("host", "a.example")][..], "301 https://a.example:8080/x?y"),
        ("POST /old", &[("host", "a.example:8080")], "308 https://a.example:8080/old"),
        ("HEAD /written", &[("host", "[::1]:8443")], "301 https://[::1]:8443/written"),
        ("GET /", &[("host", "b:443")], "301 https://b/"),
        ("GET http://a/", &[("host", "a")], "301 https://a:8080/"),
        ("GET /", &[], "400 plain"),
        ("GET /", &[("host", "a b")], "400 plain"),
        ("GET /", &[("host", "a"), ("host", "b")], "400 plain"),
        ("GET /%zz", &[("host", "a")], "400 plain"),
        ("OPTIONS *", &[("host", "a")], "400 plain"),
        ("CONNECT a:443", &[("host", "a:443")], "400 plain"),
    ] {
        let found = planned(&site, request, fields, from(CLIENT, Security::PlainToTls));
        assert_eq!(found, expected, "{request} {fields:?}");
    }
    let by_a_file = Transport { port: 0, ..from(CLIENT, Security::PlainToTls) };
    assert_eq!(planned(&site, "GET /", &[("host", "a")], by_a_file), "301 https://a/");
    // A proxy whose client speaks https would go round.
    let fields = [("host", "a"), ("x-forwarded-proto", "https")];
    let found = planned(&site, "GET /", &fields, from(PROXY, Security::PlainToTls));
    assert_eq!(found, "400 plain");
}
