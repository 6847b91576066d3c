//! Whose pages are told what: tables of origins, preflights and answers.

use super::*;

fn fields(written: &[(&str, &str)]) -> HeaderMap {
    let read = |&(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
    };
    written.iter().map(read).collect()
}

/// The fields of an answer, in the order of their names.
fn shown(headers: &HeaderMap) -> String {
    let mut lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort();
    lines.join("\n").replace("access-control-", "ac-")
}

fn listed(origins: &[&str]) -> AllowedOrigins {
    let read = |text: &&str| OriginPattern::parse(text).unwrap();
    AllowedOrigins::Listed(origins.iter().map(read).collect())
}

#[test]
fn origins_are_written_as_browsers_write_them() {
    let exact = |text: &str| Ok(OriginPattern::Exact(text.into()));
    for (written, read) in [
        ("https://example.com", exact("https://example.com")),
        ("HTTPS://Example.COM", exact("https://example.com")),
        ("https://example.com:443", exact("https://example.com")),
        ("http://example.com:80", exact("http://example.com")),
        ("http://example.com:443", exact("http://example.com:443")),
        ("http://localhost:5173", exact("http://localhost:5173")),
        ("https://bücher.example", exact("https://xn--bcher-kva.example")),
        ("http://[::1]:8080", exact("http://[::1]:8080")),
        ("http://[0:0:0:0:0:0:0:1]", exact("http://[::1]")),
        ("chrome-extension://abcdef", exact("chrome-extension://abcdef")),
        ("capacitor://localhost", exact("capacitor://localhost")),
        ("null", exact("null")),
        ("", Err(None)),
        ("example.com", Err(Some("an origin begins with its scheme: `https://example.com`"))),
        ("*", Err(Some("an origin begins with its scheme: `https://example.com`"))),
        (
            "https://example.com/",
            Err(Some("an origin ends with its host or port, without a slash or a path")),
        ),
        (
            "https://example.com?x",
            Err(Some("an origin ends with its host or port, without a slash or a path")),
        ),
        (
            "https://a@example.com",
            Err(Some("an origin ends with its host or port, without a slash or a path")),
        ),
        (
            "https://*",
            Err(Some("`*` stands for the names below a host only: `https://*.example.com`")),
        ),
        (
            "https://a.*.example.com",
            Err(Some("`*` stands for the names below a host only: `https://*.example.com`")),
        ),
        ("https://", Err(None)),
        ("://example.com", Err(None)),
        ("ht tp://example.com", Err(None)),
        ("https://example.com:x", Err(None)),
    ] {
        assert_eq!(OriginPattern::parse(written), read, "{written}");
    }
}

#[test]
fn origins_match_to_the_letter() {
    for (pattern, origin, matches) in [
        ("https://example.com", "https://example.com", true),
        ("https://example.com", "http://example.com", false),
        ("https://example.com", "https://example.com:8443", false),
        ("https://example.com", "https://EXAMPLE.com", false),
        ("https://example.com", "https://example.com.evil.example", false),
        ("https://example.com", "https://evilexample.com", false),
        ("https://example.com", "https://www.example.com", false),
        ("https://example.com", "null", false),
        ("null", "null", true),
        ("https://*.example.com", "https://a.example.com", true),
        ("https://*.example.com", "https://a.b-c_1.example.com", true),
        ("https://*.example.com", "https://example.com", false),
        ("https://*.example.com", "https://.example.com", false),
        ("https://*.example.com", "http://a.example.com", false),
        ("https://*.example.com", "https://a.example.com:8443", false),
        ("https://*.example.com", "https://evilexample.com", false),
        ("https://*.example.com", "https://evil.test/.example.com", false),
        ("https://*.example.com", "https://evil.test:1.example.com", false),
        ("https://*.example.com", "https://evil.test#.example.com", false),
        ("https://*.example.com", "https://a.example.com.evil.test", false),
        ("https://*.example.com:8443", "https://a.example.com:8443", true),
        ("https://*.example.com:8443", "https://a.example.com", false),
    ] {
        let pattern = OriginPattern::parse(pattern).unwrap();
        assert_eq!(pattern.matches(origin.as_bytes()), matches, "{pattern:?} {origin}");
    }
}

#[test]
fn an_answer_says_who_may_read_it_and_that_it_depends_on_who_asks() {
    let open = Cors { expose: Some(HeaderValue::from_static("X-Total")), ..Cors::default() };
    let named = Cors {
        origins: listed(&["https://a.example", "https://*.b.example"]),
        credentials: true,
        ..open.clone()
    };
    let foreign = [
        ("access-control-allow-origin", "https://theirs.example"),
        ("access-control-allow-credentials", "true"),
        ("vary", "accept-encoding"),
    ];
    for (cors, request, answer, expected) in [
        (&open, &[][..], &[][..], "ac-allow-origin: *\nac-expose-headers: X-Total"),
        (
            &open,
            &[("origin", "https://a.example")],
            &foreign,
            "ac-allow-origin: *\nac-expose-headers: X-Total\nvary: accept-encoding",
        ),
        (
            &named,
            &[("origin", "https://a.example")],
            &[],
            "ac-allow-credentials: true\nac-allow-origin: https://a.example\
             \nac-expose-headers: X-Total\nvary: Origin",
        ),
        (
            &named,
            &[("origin", "https://x.b.example")],
            &foreign,
            "ac-allow-credentials: true\nac-allow-origin: https://x.b.example\
             \nac-expose-headers: X-Total\nvary: accept-encoding, Origin",
        ),
        // Nobody else is told anything, least of all what an upstream has said.
        (&named, &[("origin", "https://c.example")], &foreign, "vary: accept-encoding, Origin"),
        (&named, &[("origin", "null")], &[], "vary: Origin"),
        (&named, &[], &[], "vary: Origin"),
        (
            &named,
            &[("origin", "https://a.example"), ("origin", "https://x.b.example")],
            &[],
            "vary: Origin",
        ),
    ] {
        let mut headers = fields(answer);
        cors.grant(&fields(request)).apply(&mut headers);
        assert_eq!(shown(&headers), expected, "{request:?} {answer:?}");
    }
}

#[test]
fn a_preflight_is_told_what_may_follow() {
    let open = Cors::default();
    let text = HeaderValue::from_static;
    let named = Cors {
        origins: listed(&["https://a.example"]),
        methods: Some(text("GET, PUT")),
        headers: Some(text("X-Token, Content-Type")),
        max_age: 60,
        ..Cors::default()
    };
    let from = ("origin", "https://a.example");
    let put = ("access-control-request-method", "PUT");
    for (cors, method, request, expected) in [
        (&open, "OPTIONS", &[from, put][..], Some("ac-allow-methods: PUT\nac-max-age: 600")),
        (
            &open,
            "OPTIONS",
            &[from, put, ("access-control-request-headers", "x-a,x-b , content-type")],
            Some(
                "ac-allow-headers: x-a, x-b, content-type\nac-allow-methods: PUT\nac-max-age: 600",
            ),
        ),
        (
            &open,
            "OPTIONS",
            &[from, put, ("access-control-request-headers", "x-a, b\"c")],
            Some("ac-allow-methods: PUT\nac-max-age: 600"),
        ),
        // What is listed is told; the browser compares.
        (
            &named,
            "OPTIONS",
            &[from, ("access-control-request-method", "DELETE")],
            Some(
                "ac-allow-headers: X-Token, Content-Type\nac-allow-methods: GET, PUT\nac-max-age: 60",
            ),
        ),
        (&named, "OPTIONS", &[("origin", "https://b.example"), put], Some("")),
        // None of these is a preflight.
        (&open, "GET", &[from, put], None),
        (&open, "OPTIONS", &[from], None),
        (&open, "OPTIONS", &[put], None),
        (&open, "OPTIONS", &[from, put, put], None),
        (&open, "OPTIONS", &[from, ("access-control-request-method", "P UT")], None),
        (&open, "OPTIONS", &[from, ("access-control-request-method", "")], None),
    ] {
        let told = cors.preflight(&method.parse().unwrap(), &fields(request));
        assert_eq!(told.map(|told| shown(&told)).as_deref(), expected, "{method} {request:?}");
    }
}
