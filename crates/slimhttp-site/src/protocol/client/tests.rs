//! Clients behind proxies that are trusted, and behind others.

use http::HeaderValue;

use super::*;

/// What is told of a request from `peer` with the fields, trusting 10.0.0.0/8 and
/// ::1: address, scheme, host.
fn told(peer: &str, fields: &[(&str, &str)]) -> String {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name: HeaderName = name.parse().expect("is a name");
        headers.append(name, HeaderValue::from_str(value).expect("is a value"));
    }
    let trusted = ["10.0.0.0/8", "::1/128"].map(|network| network.parse().expect("is a network"));
    let arrival = Arrival {
        peer: peer.parse().expect("is an address"),
        tls: false,
        uri: &Uri::from_static("/path"),
        headers: &headers,
        trusted: &trusted,
    };
    format!("{} {}://{}", arrival.remote(), arrival.scheme(), arrival.host())
}

#[test]
fn the_client_is_the_first_from_the_right_that_is_no_trusted_proxy() {
    let of = |peer, chain: &str| {
        let told = told(peer, &[("X-Forwarded-For", chain)]);
        told.split(' ').next().expect("a word").to_owned()
    };
    let cases = [
        // Who is not trusted may say what it likes.
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("::ffff:192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("::1", "203.0.113.9", "203.0.113.9"),
        // What the client has sent itself stands to the left.
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2,10.0.0.3", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.7, 10.0.0.2", "10.0.0.7"),
        // A chain that breaks off.
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "203.0.113.9, <script>", "10.0.0.1"),
        // Spellings.
        ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, , ,", "203.0.113.9"),
    ];
    for (peer, chain, expected) in cases {
        assert_eq!(of(peer, chain), expected, "{peer} says {chain:?}");
    }
}

/// Peer, fields, what is told.
type Case<'c> = (&'c str, &'c [(&'c str, &'c str)], &'c str);

#[test]
fn what_trusted_proxies_say() {
    let cases: &[Case<'_>] = &[
        ("192.0.2.1", &[("Host", "a:81")], "192.0.2.1 http://a:81"),
        ("192.0.2.1", &[], "192.0.2.1 http://"),
        (
            "192.0.2.1",
            &[("Host", "a"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "b")],
            "192.0.2.1 http://a",
        ),
        (
            "10.0.0.1",
            &[("Host", "a"), ("X-Forwarded-Proto", "HTTPS"), ("X-Forwarded-Host", "b")],
            "10.0.0.1 https://b",
        ),
        // So a proxy says it that goes by the scheme of a WebSocket.
        ("10.0.0.1", &[("Host", "a"), ("X-Forwarded-Proto", "wss")], "10.0.0.1 https://a"),
        ("10.0.0.1", &[("Host", "a"), ("X-Forwarded-Proto", "ws")], "10.0.0.1 http://a"),
        ("10.0.0.1", &[("Host", "a"), ("Forwarded", "proto=WSS")], "10.0.0.1 https://a"),
        (
            "10.0.0.1",
            &[("Host", "a"), ("X-Forwarded-Proto", "https, http"), ("X-Forwarded-Host", "c, b")],
            "10.0.0.1 http://b",
        ),
        (
            "10.0.0.1",
            &[("X-Forwarded-For", "9.9.9.9"), ("X-Forwarded-For", "8.8.8.8")],
            "8.8.8.8 http://",
        ),
        (
            "10.0.0.1",
            &[("Host", "a"), ("Forwarded", "for=192.0.2.60;proto=https;host=b;by=203.0.113.43")],
            "192.0.2.60 https://b",
        ),
        (
            "10.0.0.1",
            &[("Forwarded", "For=\"[2001:db8::1]:4711\" ; Proto=\"https\", for=10.0.0.9")],
            "2001:db8::1 https://",
        ),
        ("10.0.0.1", &[("Forwarded", "for=192.0.2.60, for=_hidden")], "10.0.0.1 http://"),
        ("10.0.0.1", &[("Forwarded", "for=192.0.2.60, proto=https")], "10.0.0.1 https://"),
        // Only one kind is read, so that a client cannot add the other.
        (
            "10.0.0.1",
            &[("Forwarded", "for=1.1.1.1"), ("X-Forwarded-For", "203.0.113.9")],
            "203.0.113.9 http://",
        ),
        (
            "10.0.0.1",
            &[("Forwarded", "for=1.1.1.1;proto=https"), ("X-Forwarded-For", "203.0.113.9")],
            "203.0.113.9 http://",
        ),
    ];
    for (peer, fields, expected) in cases {
        assert_eq!(told(peer, fields), *expected, "{peer} says {fields:?}");
    }
}
