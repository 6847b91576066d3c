//! Handshakes, a case a line.

use super::*;

/// A handshake that is fine, with `changes`: a field set, or taken away by an
/// empty value.
fn headers(changes: &[(&str, &str)]) -> HeaderMap {
    let fine = [
        ("host", "chat.example"),
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let mut headers = HeaderMap::new();
    for (name, value) in fine {
        if !changes.iter().any(|(changed, _)| *changed == name) {
            headers.append(name, HeaderValue::from_static(value));
        }
    }
    for (name, value) in changes.iter().filter(|(_, value)| !value.is_empty()) {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.append(name, value.parse().expect("a value"));
    }
    headers
}

fn negotiated(changes: &[(&str, &str)], rules: &WebSocketRules) -> Result<Handshake, u16> {
    negotiate(&Method::GET, Version::HTTP_11, &headers(changes), rules, true)
        .map_err(|refusal| refusal.status().as_u16())
}

#[test]
fn what_is_a_handshake() {
    let cases: &[(&[(&str, &str)], u16)] = &[
        (&[], 101),
        (&[("connection", "upgrade")], 101),
        (&[("upgrade", "h2c, websocket")], 101),
        (&[("content-length", "0")], 101),
        // A plain request.
        (&[("upgrade", "")], 426),
        (&[("connection", "")], 426),
        (&[("connection", "close")], 426),
        (&[("upgrade", "websocketx")], 426),
        // Another version, or several.
        (&[("sec-websocket-version", "")], 426),
        (&[("sec-websocket-version", "8")], 426),
        (&[("sec-websocket-version", "013")], 426),
        (&[("sec-websocket-version", "13"), ("sec-websocket-version", "8")], 426),
        // The key.
        (&[("sec-websocket-key", "")], 400),
        (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ")], 400),
        (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZ===")], 400),
        (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZ!==")], 400),
        (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZWRnZQ==")], 400),
        (
            &[
                ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ],
            400,
        ),
        (&[("content-length", "5")], 400),
        (&[("transfer-encoding", "chunked")], 400),
    ];
    for (changes, status) in cases {
        let outcome = negotiated(changes, &WebSocketRules::default());
        assert_eq!(outcome.map_or_else(|status| status, |_| 101), *status, "{changes:?}");
    }
    let head =
        negotiate(&Method::HEAD, Version::HTTP_11, &headers(&[]), &WebSocketRules::default(), true);
    assert_eq!(head, Err(Refusal::UpgradeRequired));
    for version in [Version::HTTP_10, Version::HTTP_2] {
        let outcome =
            negotiate(&Method::GET, version, &headers(&[]), &WebSocketRules::default(), true);
        assert_eq!(outcome, Err(Refusal::UpgradeRequired));
    }
}

#[test]
fn whose_pages_may_open_it() {
    let same: Option<&[&str]> = None;
    let cases = [
        // (what the route lists, Host, Origin, whether it is let in)
        (same, "chat.example", "", true),
        (same, "chat.example", "https://chat.example", true),
        (same, "chat.example", "http://chat.example", true),
        (same, "chat.example", "https://CHAT.example.", true),
        (same, "chat.example", "https://chat.example:443", true),
        (same, "chat.example:8080", "http://chat.example:8080", true),
        (same, "[::1]:80", "http://[::1]", true),
        (same, "chat.example", "https://evil.example", false),
        (same, "chat.example", "https://chat.example.evil.example", false),
        (same, "chat.example", "https://evil.example/chat.example", false),
        (same, "chat.example", "https://chat.example@evil.example", false),
        (same, "chat.example", "https://chat.example:8443", false),
        (same, "chat.example:8080", "http://chat.example", false),
        (same, "chat.example", "null", false),
        (same, "chat.example", "chrome-extension://abcdef", false),
        (same, "chat.example", "://chat.example", false),
        (Some(&["*"]), "chat.example", "null", true),
        (Some(&["https://a.example"]), "chat.example", "", true),
        (Some(&["https://a.example"]), "chat.example", "https://a.example:443", true),
        (Some(&["https://a.example"]), "chat.example", "http://a.example", false),
        (Some(&["https://a.example"]), "chat.example", "https://chat.example", false),
        (Some(&["https://a.example", "http://b:81"]), "chat.example", "http://B:81", true),
        (Some(&[]), "chat.example", "https://chat.example", false),
    ];
    for (listed, host, origin, let_in) in cases {
        let listed = listed.map(|listed| listed.iter().map(ToString::to_string).collect());
        let origins = Origins::read(listed).expect("are origins");
        let rules = WebSocketRules { origins, ..WebSocketRules::default() };
        let outcome = negotiated(&[("host", host), ("origin", origin)], &rules);
        let expected = if let_in { None } else { Some(403) };
        assert_eq!(outcome.err(), expected, "{host} {origin} {rules:?}");
    }
    for entry in ["a.example", "https://", "https://a/b", "null", ""] {
        assert_eq!(Origins::read(Some(vec![entry.to_owned()])), Err(entry.to_owned()));
    }
}

#[test]
fn which_protocol_is_spoken() {
    let rules = |ours: &[&str]| WebSocketRules {
        subprotocols: ours.iter().map(|name| (*name).into()).collect(),
        ..WebSocketRules::default()
    };
    for (ours, offered, spoken) in [
        (&["v2", "v1"][..], "v1, v2", Some("v2")),
        (&["v1"], "v0,v1", Some("v1")),
        (&["v1"], "V1", None),
        (&["v1"], "", None),
        (&[], "v1", None),
    ] {
        let handshake = negotiated(&[("sec-websocket-protocol", offered)], &rules(ours));
        assert_eq!(handshake.expect("is fine").subprotocol.as_deref(), spoken, "{offered}");
    }
}

/// RFC 7692 section 7.1.
#[test]
fn which_compression_is_agreed_on() {
    const PLAIN: &str =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    const NAMED: &str = "permessage-deflate; server_no_context_takeover; \
                         client_no_context_takeover; server_max_window_bits=15";
    for (offer, agreed) in [
        ("", ""),
        ("permessage-deflate", PLAIN),
        ("permessage-deflate; client_max_window_bits", PLAIN),
        ("permessage-deflate;client_max_window_bits=8", PLAIN),
        ("permessage-deflate; client_max_window_bits=\"10\"", PLAIN),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", PLAIN),
        ("permessage-deflate; server_max_window_bits=15", NAMED),
        ("permessage-deflate; server_max_window_bits=10", ""),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", PLAIN),
        ("permessage-deflate; server_max_window_bits", ""),
        ("permessage-deflate; client_max_window_bits=7", ""),
        ("permessage-deflate; client_max_window_bits=16", ""),
        ("permessage-deflate; client_max_window_bits=08", ""),
        ("permessage-deflate; server_no_context_takeover=1", ""),
        ("permessage-deflate; unknown", ""),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits", ""),
        ("x-webkit-deflate-frame", ""),
        ("x-one; a=b, permessage-deflate", PLAIN),
    ] {
        let changes = [("sec-websocket-extensions", offer)];
        let handshake = negotiated(&changes, &WebSocketRules::default()).expect("is fine");
        let field = handshake.deflate.map(Deflate::field);
        let field = field.as_ref().map_or("", |field| field.to_str().expect("is ASCII"));
        assert_eq!(field, agreed, "{offer}");
    }
    let offer = headers(&[("sec-websocket-extensions", "permessage-deflate")]);
    let off = negotiate(&Method::GET, Version::HTTP_11, &offer, &WebSocketRules::default(), false);
    assert_eq!(off.expect("is fine").deflate, None);
}
