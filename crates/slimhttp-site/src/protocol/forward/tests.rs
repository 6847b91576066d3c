//! Heads as they go upstream and come back, a case per line.

use std::sync::LazyLock;

use super::*;

static PSEUDONYM: LazyLock<Pseudonym> = LazyLock::new(|| Pseudonym::new("slim-1".into()));
static HOP: LazyLock<Hop<'static>> = LazyLock::new(|| Hop {
    method: &Method::GET,
    client: IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    tls: false,
    host: "a.example:8080",
    prefix: "",
    trusted: false,
    received_version: Version::HTTP_11,
    pseudonym: &PSEUDONYM,
    upgrade: false,
});
static TRUSTED: LazyLock<Hop<'static>> = LazyLock::new(|| Hop { trusted: true, ..*HOP });
static UPGRADE: LazyLock<Hop<'static>> = LazyLock::new(|| Hop { upgrade: true, ..*HOP });

fn fields(text: &str) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in text.split('|').map(str::trim).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_bytes(value.trim().as_bytes()).unwrap());
    }
    map
}

/// All fields, sorted by name; the lines of one field in their order.
fn text(headers: &HeaderMap) -> String {
    let mut lines: Vec<_> = headers.iter().collect();
    lines.sort_by_key(|(name, _)| name.as_str());
    let line = |(name, value): &(&HeaderName, &HeaderValue)| {
        format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))
    };
    lines.iter().map(line).collect::<Vec<_>>().join(" | ")
}

/// What every request of [`HOP`] gets, behind the fields that sort before it.
const ADDED: &str = "via: 1.1 slim-1 | x-forwarded-for: 192.0.2.1 | \
                     x-forwarded-host: a.example:8080 | x-forwarded-proto: http";

/// Checks the fields that are sent besides `Host` and those of [`ADDED`].
fn check(hop: &Hop<'_>, sent: &str, expect: &str) {
    let headers = fields(&format!("host: a.example:8080 | {sent}"));
    let mut found = request_headers(headers, hop);
    for line in ADDED.split(" | ").chain(["host: a.example:8080"]) {
        let (name, value) = line.split_once(": ").unwrap();
        let lines: Vec<_> = found.get_all(name).iter().collect();
        assert_eq!(lines, [value], "{name} of {sent}");
        found.remove(name);
    }
    assert_eq!(text(&found), expect, "{sent}");
}

#[test]
fn c7_6_hop_by_hop_fields_stay() {
    let cases = [
        ("accept: a | accept: b | cookie: c=d", "accept: a | accept: b | cookie: c=d"),
        ("content-length: 3 | content-type: a/b", "content-length: 3 | content-type: a/b"),
        // RFC 9110 section 7.6.1: Connection, and what it names.
        ("connection: close", ""),
        ("connection: keep-alive | keep-alive: timeout=5", ""),
        ("connection: X-Own | x-own: 1 | x-other: 2", "x-other: 2"),
        (
            "connection: close , X-Own, , x-too|connection: x-three|x-own: 1|x-own: 2|x-too: 3|x-three: 4",
            "",
        ),
        ("connection: ö, a b, \"x\" | x: 1", "x: 1"),
        // Known ones, though not named.
        ("keep-alive: 5 | proxy-connection: a | transfer-encoding: chunked", ""),
        ("upgrade: websocket | trailer: x-sum", "trailer: x-sum"),
        // Section 10.1.1: what is expected of this server is met here.
        ("expect: 100-continue", ""),
        ("expect: 100-continue | expect: 100-continue | connection: expect", ""),
        // Not tied to a connection.
        ("proxy-authorization: a", "proxy-authorization: a"),
        // Connection takes nothing away that is meant for the upstream.
        (
            "connection: authorization, Cookie | authorization: a | cookie: b",
            "authorization: a | cookie: b",
        ),
        ("connection: content-length, content-type | content-length: 3", "content-length: 3"),
        ("connection: host, x-forwarded-for, x-forwarded-proto, x-forwarded-host, via", ""),
        ("connection: if-match, range | if-match: * | range: a", "if-match: * | range: a"),
        ("connection: sec-websocket-key | sec-websocket-key: a", "sec-websocket-key: a"),
        // Section 10.1.4: TE.
        ("te: gzip | connection: te", ""),
        ("te: gzip;q=0.5, Trailers | connection: TE", "connection: te | te: trailers"),
        ("te: gzip | te: trailers", "connection: te | te: trailers"),
        ("te: x-trailers", ""),
        // RFC 9113 section 8.2.3.
        ("cookie: a=1 | cookie: b=2 | cookie: c=3", "cookie: a=1; b=2; c=3"),
    ];
    for (sent, expect) in cases {
        check(&HOP, sent, expect);
    }
}

#[test]
fn trailers_are_for_clients_that_take_them() {
    for (version, expect) in [
        (Version::HTTP_10, ""),
        (Version::HTTP_11, "connection: te | te: trailers"),
        (Version::HTTP_2, "connection: te | te: trailers"),
    ] {
        let hop = Hop { received_version: version, ..*HOP };
        let mut found = request_headers(fields("te: trailers"), &hop);
        ["via", "host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"]
            .into_iter()
            .for_each(|name| drop(found.remove(name)));
        assert_eq!(text(&found), expect, "{version:?}");
        assert!(!request_headers(HeaderMap::new(), &hop).contains_key("te"), "{version:?}");
    }
}

#[test]
fn trailers_that_mean_something_only_ahead_of_the_content_stay() {
    let kept = "content-digest: a | etag: b | grpc-message: c | grpc-status: 0 | \
                repr-digest: d | server-timing: e | x-sum: f | x-sum: g";
    assert_eq!(text(&trailers(fields(kept))), kept);
    assert_eq!(trailers(HeaderMap::new()), HeaderMap::new());
    let found = trailers(fields("host: a | x-a: 1 | x-b: 2 | x-a: 3 | te: b | x-c: 4"));
    let order: Vec<_> = found.keys().map(HeaderName::as_str).collect();
    assert_eq!(order, ["x-a", "x-b", "x-c"]);
    for name in [
        // Framing and routing.
        "content-length",
        "transfer-encoding",
        "trailer",
        "host",
        // Modifiers of the request, control of the response.
        "cache-control",
        "expect",
        "max-forwards",
        "pragma",
        "range",
        "te",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
        "if-range",
        "accept",
        "accept-encoding",
        "age",
        "expires",
        "date",
        "location",
        "retry-after",
        "vary",
        // Authentication, and who asks.
        "authorization",
        "proxy-authorization",
        "proxy-authenticate",
        "www-authenticate",
        "cookie",
        "set-cookie",
        "origin",
        "referer",
        // The format of the content.
        "content-type",
        "content-encoding",
        "content-range",
        "content-location",
        // The connection.
        "connection",
        "keep-alive",
        "proxy-connection",
        "upgrade",
        "http2-settings",
        // What servers on the way say, and what looks like it.
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-real-ip",
        "x_forwarded_for",
        "x_real_ip",
        "content_length",
        "transfer_encoding",
        "content_type",
    ] {
        let sent = fields(&format!("x-sum: a | {name}: b"));
        assert_eq!(text(&trailers(sent)), "x-sum: a", "{name}");
    }
}

#[test]
fn c7_2_a_switch_is_to_what_was_offered() {
    for (offered, answered, expected) in [
        ("upgrade: websocket", "upgrade: websocket", true),
        ("upgrade: websocket", "upgrade: WebSocket", true),
        ("upgrade: a/1, b | upgrade: c", "upgrade: c", true),
        ("upgrade: a/1, b", "upgrade: b, a/1", true),
        ("upgrade: a/1", "upgrade: a/2", false),
        ("upgrade: a/1", "upgrade: a", false),
        ("upgrade: websocket", "upgrade: h2c", false),
        ("upgrade: websocket", "upgrade: websocket, h2c", false),
        ("upgrade: websocket", "connection: upgrade", false),
        ("upgrade: websocket", "upgrade:", false),
        ("connection: upgrade", "upgrade: websocket", false),
        ("", "", false),
    ] {
        let found = is_offered(&fields(offered), &fields(answered));
        assert_eq!(found, expected, "{offered} answered {answered}");
    }
}

#[test]
fn max_forwards_is_of_options_and_trace() {
    for (method, left) in
        [(Method::OPTIONS, "2"), (Method::TRACE, "2"), (Method::GET, "3"), (Method::POST, "3")]
    {
        let hop = Hop { method: &method, ..*HOP };
        check(&hop, "max-forwards: 3", &format!("max-forwards: {left}"));
    }
}

#[test]
fn c7_2_upgrades_pass() {
    const ASK: &str = "connection: keep-alive, Upgrade | upgrade: websocket";
    check(&UPGRADE, ASK, "connection: upgrade | upgrade: websocket");
    check(
        &UPGRADE,
        "upgrade: a/1, b | upgrade: c",
        "connection: upgrade | upgrade: a/1, b | upgrade: c",
    );
    check(
        &UPGRADE,
        "connection: upgrade, te | te: trailers | upgrade: a",
        "connection: upgrade, te | te: trailers | upgrade: a",
    );
    check(&UPGRADE, "connection: upgrade", "");
    check(&HOP, ASK, "");
    // `h2c` would open a way around us.
    check(&UPGRADE, "connection: upgrade, http2-settings | upgrade: h2c | http2-settings: a", "");
    check(&UPGRADE, "connection: upgrade | upgrade: websocket, H2C", "");
    let old = request_headers(fields(ASK), &Hop { received_version: Version::HTTP_10, ..*UPGRADE });
    assert!(!old.contains_key("upgrade"));
}

#[test]
fn c7_6_a_client_cannot_forge_who_asked() {
    let cases = [
        "x-forwarded-for: 203.0.113.9",
        "x-forwarded-for: 203.0.113.9 | x-forwarded-for: 203.0.113.8",
        "x-forwarded-proto: https | x-forwarded-host: b.example",
        "x-forwarded-port: 443 | x-forwarded-prefix: /b | x-forwarded: for=b",
        "forwarded: for=203.0.113.9 | x-real-ip: 203.0.113.9",
        "x_forwarded_for: 203.0.113.9 | x-forwarded_proto: https | x_real-ip: 203.0.113.9",
        "connection: x-forwarded-for | x-forwarded-for: 203.0.113.9",
    ];
    for sent in cases {
        check(&HOP, sent, "");
    }
    check(
        &HOP,
        "x-forward: a | x-real-ip-2: b | forwarded-2: c",
        "forwarded-2: c | x-forward: a | x-real-ip-2: b",
    );
}

#[test]
fn c7_6_a_trusted_proxy_is_believed() {
    let cases = [
        (
            "",
            "x-forwarded-for: 192.0.2.1 | x-forwarded-host: a.example:8080 | x-forwarded-proto: http",
        ),
        (
            "x-forwarded-for: 203.0.113.9 | x-forwarded-proto: https",
            "x-forwarded-for: 203.0.113.9, 192.0.2.1 | x-forwarded-host: a.example:8080 | x-forwarded-proto: https",
        ),
        (
            "x-forwarded-for: 203.0.113.9, 203.0.113.8 | x-forwarded-for: 203.0.113.7 | x-forwarded-host: b.example",
            "x-forwarded-for: 203.0.113.9, 203.0.113.8, 203.0.113.7, 192.0.2.1 | x-forwarded-host: b.example \
             | x-forwarded-proto: http",
        ),
        (
            "forwarded: for=b | x-forwarded-port: 443 | x-real-ip: 203.0.113.9",
            "forwarded: for=b | x-forwarded-for: 192.0.2.1 | x-forwarded-host: a.example:8080 | \
             x-forwarded-port: 443 | x-forwarded-proto: http | x-real-ip: 203.0.113.9",
        ),
        // The unusual spelling is not the proxy's.
        (
            "x_forwarded_for: 203.0.113.9",
            "x-forwarded-for: 192.0.2.1 | x-forwarded-host: a.example:8080 | x-forwarded-proto: http",
        ),
        (
            "connection: x-forwarded-for | x-forwarded-for: 203.0.113.9",
            "x-forwarded-for: 203.0.113.9, 192.0.2.1 | x-forwarded-host: a.example:8080 | x-forwarded-proto: http",
        ),
    ];
    for (sent, expect) in cases {
        let mut found = request_headers(fields(sent), &TRUSTED);
        found.remove("host");
        found.remove("via");
        assert_eq!(text(&found), expect, "{sent}");
    }
}

#[test]
fn c7_6_an_upstream_is_told_which_prefix_its_paths_have_lost() {
    let cases = [
        ("", "/api", false, "/api"),
        ("", "", false, ""),
        // A client cannot say it, in no spelling.
        ("x-forwarded-prefix: /evil", "/api", false, "/api"),
        ("x-forwarded-prefix: /evil | x_forwarded_prefix: /evil", "", false, ""),
        // A trusted proxy has taken away what comes before.
        ("x-forwarded-prefix: /shop", "", true, "/shop"),
        ("x-forwarded-prefix: /shop/", "/api", true, "/shop/api"),
        ("x-forwarded-prefix: /a, /b | x-forwarded-prefix: /c", "/api", true, "/a/b/c/api"),
        ("x-forwarded-prefix: /", "/api", true, "/api"),
        ("x-forwarded-prefix: api", "/api", true, "/api"),
        ("x_forwarded_prefix: /evil", "/api", true, "/api"),
    ];
    for (sent, prefix, trusted, expect) in cases {
        let found = request_headers(fields(sent), &Hop { prefix, trusted, ..*HOP });
        let lines: Vec<_> = found.get_all("x-forwarded-prefix").iter().collect();
        let expect: Vec<_> = Some(expect).into_iter().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines, expect, "{sent}, {prefix}, {trusted}");
        assert!(!found.contains_key("x_forwarded_prefix"), "{sent}");
    }
}

#[test]
fn c7_6_the_hop_is_described() {
    let cases = [
        (*HOP, "x-forwarded-for", "192.0.2.1"),
        (
            Hop { client: "10.0.100.255".parse().unwrap(), ..*HOP },
            "x-forwarded-for",
            "10.0.100.255",
        ),
        (Hop { client: "2001:db8::1".parse().unwrap(), ..*HOP }, "x-forwarded-for", "2001:db8::1"),
        (
            Hop { client: "::ffff:192.0.2.1".parse().unwrap(), ..*HOP },
            "x-forwarded-for",
            "192.0.2.1",
        ),
        (*HOP, "x-forwarded-proto", "http"),
        (Hop { tls: true, ..*HOP }, "x-forwarded-proto", "https"),
        (*HOP, "x-forwarded-host", "a.example:8080"),
        (Hop { host: "", ..*HOP }, "x-forwarded-host", ""),
        (Hop { host: "a\nb", ..*HOP }, "x-forwarded-host", ""),
        // HTTP/2 has no Host, HTTP/1.1 upstreams need one.
        (*HOP, "host", "a.example:8080"),
        (Hop { host: "", ..*HOP }, "host", ""),
        // RFC 9110 section 7.6.3.
        (*HOP, "via", "1.1 slim-1"),
        (Hop { received_version: Version::HTTP_10, ..*HOP }, "via", "1.0 slim-1"),
        (Hop { received_version: Version::HTTP_2, ..*HOP }, "via", "2 slim-1"),
    ];
    for (hop, name, expect) in cases {
        let found = request_headers(HeaderMap::new(), &hop);
        let found = found.get(name).map_or("", |value| value.to_str().unwrap());
        assert_eq!(found, expect, "{name} of {hop:?}");
    }
    // As the client sent it, not as we read it.
    let found = request_headers(fields("host: A.Example.:8080"), &HOP);
    assert_eq!(found["host"], "A.Example.:8080");
    // The chain stays in order.
    let found = request_headers(fields("via: 1.0 a | via: 1.1 b"), &HOP);
    assert_eq!(found.get_all("via").iter().collect::<Vec<_>>(), ["1.0 a", "1.1 b", "1.1 slim-1"]);
}

#[test]
fn c7_6_hop_by_hop_fields_of_a_response() {
    let cases = [
        (
            "content-length: 3 | etag: \"a\"",
            false,
            "content-length: 3 | etag: \"a\" | via: 1.0 slim-1",
        ),
        ("via: 1.1 up", false, "via: 1.1 up | via: 1.0 slim-1"),
        ("connection: close, x-own | x-own: 1 | keep-alive: 5", false, "via: 1.0 slim-1"),
        ("transfer-encoding: chunked | trailer: x-sum", false, "trailer: x-sum | via: 1.0 slim-1"),
        ("connection: set-cookie | set-cookie: a", false, "set-cookie: a | via: 1.0 slim-1"),
        ("proxy-authenticate: a", false, "proxy-authenticate: a | via: 1.0 slim-1"),
        ("connection: upgrade | upgrade: b", false, "via: 1.0 slim-1"),
        (
            "connection: Upgrade | upgrade: b",
            true,
            "connection: upgrade | upgrade: b | via: 1.0 slim-1",
        ),
        ("connection: close", true, "via: 1.0 slim-1"),
    ];
    for (sent, keep_upgrade, expect) in cases {
        let mut headers = fields(sent);
        let via = Via { received_version: Version::HTTP_10, pseudonym: &PSEUDONYM };
        response_headers(&mut headers, keep_upgrade, &via);
        assert_eq!(text(&headers), expect, "{sent}");
    }
}

#[test]
fn c7_4_a_loop_is_seen() {
    let cases = [
        ("", None),
        ("via: 1.1 other", None),
        ("via: 1.1 slim-1", Some("slim-1")),
        ("via: HTTP/1.1 slim-1", Some("slim-1")),
        ("via: 1.0 a, 1.1 slim-1, 1.1 b", Some("a → slim-1 → b")),
        ("via: 1.0 a | via: 1.1 slim-1", Some("a → slim-1")),
        ("via: 1.1\tSLIM-1 (comment), 2 b:80", Some("SLIM-1 → b:80")),
        ("via: 1.1  slim-1(comment)", Some("slim-1")),
        // Only a received-by counts, and only a whole one.
        ("via: 1.1 slim-10, 1.1 slim, 1.1 a-slim-1, slim-1", None),
        ("via: slim-1 other", None),
        ("via: 1.1 a (slim-1)", None),
        ("via: 1.1 a (b, 1.1 slim-1, c)", None),
        ("via: 1.1 a (b (c), 1.1 slim-1, (d))", None),
        ("via: 1.1 a (\\), 1.1 slim-1, c)", None),
        ("via: 1.1 a (b, c), 1.1 slim-1", Some("a → slim-1")),
        // A comment left open hides nothing.
        ("via: 1.1 a (, 1.1 slim-1", Some("a → slim-1")),
        ("via: 1.1 a (, 1.1 slim-1, 1.1 b (c)", Some("a → slim-1 → b")),
        ("via: 1.1 a ( | via: 1.1 slim-1", Some("a → slim-1")),
        ("via: 1.1 a (\\", None),
        ("via: ,, ,1.1,1.1 slim-1,", Some("slim-1")),
        ("via: 1.1 ö, 1.1 slim-1", Some("?? → slim-1")),
    ];
    for (sent, expect) in cases {
        assert_eq!(loop_chain(&fields(sent), "slim-1").as_deref(), expect, "{sent}");
    }
}

#[test]
fn c7_4_our_own_request_is_recognized() {
    let once = request_headers(HeaderMap::new(), &HOP);
    assert_eq!(loop_chain(&HeaderMap::new(), HOP.pseudonym.as_str()), None);
    assert_eq!(loop_chain(&once, HOP.pseudonym.as_str()).as_deref(), Some("slim-1"));
    assert_eq!(loop_chain(&once, "slim-2"), None);
}

#[test]
fn c7_4_the_chain_is_bounded() {
    let long = format!("via: {} 1.1 slim-1, 1.1 {}", "1.1 hop,".repeat(1000), "x".repeat(5000));
    let chain = loop_chain(&fields(&long), "slim-1").unwrap();
    assert!(chain.len() < 420 && chain.ends_with("hop → …"), "{chain}");
    // Linear in what a client may send.
    let open = format!("via: {}", "(".repeat(1_000_000));
    assert_eq!(loop_chain(&fields(&open), "slim-1"), None);
}
