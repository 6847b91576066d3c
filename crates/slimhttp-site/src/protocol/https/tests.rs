//! The URL, the status and the value, as text.

use super::*;

#[test]
fn c10_3_where_a_plain_request_is_sent() {
    for (host, port, path, query, expected) in [
        ("a.example", 443, "/", None, "https://a.example/"),
        ("a.example", 8443, "/x", Some("y=1"), "https://a.example:8443/x?y=1"),
        ("a.example", 80, "/", Some(""), "https://a.example:80/?"),
        ("::1", 443, "/", None, "https://[::1]/"),
        ("2001:db8::2", 8443, "/", None, "https://[2001:db8::2]:8443/"),
        ("127.0.0.1", 443, "/a%2fb/../c", None, "https://127.0.0.1/a%2fb/../c"),
        // The host stands before it, so that it leads nowhere else.
        ("a.example", 443, "//b.example/", None, "https://a.example//b.example/"),
        ("a.example", 443, "/caf\u{e9}", Some("\u{2713}"), "https://a.example/caf%C3%A9?%E2%9C%93"),
    ] {
        let found = location(host, port, path, query).expect("a value");
        assert_eq!(found, expected);
    }
}

#[test]
fn c10_3_the_status_keeps_the_method() {
    for (method, expected) in
        [("GET", 301), ("HEAD", 301), ("POST", 308), ("OPTIONS", 308), ("get", 308)]
    {
        let method = method.parse().expect("a method");
        assert_eq!(redirect_status(&method).as_u16(), expected, "{method}");
    }
}

#[test]
fn c10_3_the_value_of_a_policy() {
    for (max_age, include_subdomains, preload, expected) in [
        (0, false, false, "max-age=0"),
        (300, true, false, "max-age=300; includeSubDomains"),
        (63_072_000, true, true, "max-age=63072000; includeSubDomains; preload"),
    ] {
        let policy = HstsPolicy { max_age, include_subdomains, preload };
        assert_eq!(policy.value(), expected);
    }
    assert_eq!(HstsPolicy::default().value(), "max-age=31536000");
}
