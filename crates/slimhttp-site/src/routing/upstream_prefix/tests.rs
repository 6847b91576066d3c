//! Which path an upstream gets, and what of its responses is mended how.

use super::*;

const ORIGIN: Origin<'_> =
    Origin { tls: false, host: "app.internal", port: 8000, asked: "www.example" };

/// The field as it goes back, to a client whose request was below the prefix.
fn mended(rule: &PrefixRule, name: &'static str, value: &[u8]) -> Vec<u8> {
    let target = format!("{}/page", rule.strip.encoded);
    let (_, paths) = rule.apply(&target);
    let mut fields = HeaderMap::new();
    let name = HeaderName::from_static(name);
    fields.insert(&name, HeaderValue::from_bytes(value).expect("a value"));
    paths.mend(&mut fields, &ORIGIN);
    fields[&name].as_bytes().to_vec()
}

#[track_caller]
fn check(rule: (&str, &str), name: &'static str, rows: &[(&str, &str)]) {
    let rule = PrefixRule::new(rule.0, rule.1);
    for (value, expected) in rows {
        let found = mended(&rule, name, value.as_bytes());
        assert_eq!(String::from_utf8_lossy(&found), *expected, "{name}: {value}");
    }
}

#[test]
fn an_upstream_gets_the_path_behind_the_prefix() {
    for (strip, add, target, sent) in [
        ("/api", "", "/api/users/7", "/users/7"),
        ("/api", "", "/api/users?q=/api/x", "/users?q=/api/x"),
        ("/api", "", "/api", "/"),
        ("/api", "", "/api/", "/"),
        ("/api", "", "/api?x=1", "/?x=1"),
        ("/api/", "", "/api/x/", "/x/"),
        ("/api", "/v2", "/api/users", "/v2/users"),
        ("/api", "/v2/", "/api", "/v2/"),
        ("", "/v2", "/users", "/v2/users"),
        ("", "/v2", "/", "/v2/"),
        ("", "", "/users", "/users"),
        ("/", "/", "/users", "/users"),
        // A whole segment, and nothing else.
        ("/api", "", "/apis", "/apis"),
        ("/api", "", "/ap", "/ap"),
        ("/api", "", "/API/x", "/API/x"),
        ("/api", "", "/x/api/y", "/x/api/y"),
        ("/api", "/v2", "/other?x", "/v2/other?x"),
        ("/api", "", "*", "*"),
        ("/api", "/v2", "*", "*"),
        // However it is spelt; what is left is as it came.
        ("/api", "", "/%61p%69/a%2fb%20c", "/a%2fb%20c"),
        ("/my app", "", "/my%20app/x", "/x"),
        ("/my%20app", "", "/my%2520app/x", "/x"),
        ("/caf\u{e9}", "", "/caf%C3%a9/x", "/x"),
        ("/caf\u{e9}", "", "/caf\u{e9}/x", "/x"),
        ("/caf\u{e9}", "", "/caf%C3", "/caf%C3"),
        ("/a/b", "", "/a%2fb/c", "/c"),
        ("/a/b", "", "/a%2Fb%2Fc", "/c"),
        ("/a/b", "", "/a//b/c", "/c"),
        ("/a", "", "/a//host/x", "/host/x"),
        ("/a", "", "/a/b//c", "/b//c"),
        ("/a", "", "/a%2f/host", "/host"),
        ("/a", "", "/a/%2fhost", "/%2fhost"),
        ("", "/my app", "/x", "/my%20app/x"),
    ] {
        let rule = PrefixRule::new(strip, add);
        let (found, paths) = rule.apply(target);
        assert_eq!(found, sent, "{target} without `{strip}`, with `{add}`");
        let is_stripped = paths.stripped() == &*rule.strip.encoded;
        assert!(is_stripped || paths.stripped().is_empty(), "{target} without `{strip}`");
    }
}

#[test]
fn a_location_gets_the_prefix_back() {
    for name in ["location", "content-location"] {
        check(
            ("/api", ""),
            name,
            &[
                ("/login", "/api/login"),
                ("/", "/api/"),
                ("/login?next=/x#top", "/api/login?next=/x#top"),
                ("/a%2fb", "/api/a%2fb"),
                ("/a/../b/./c", "/api/b/c"),
                ("/../../b/%2E%2e/", "/api/"),
                // By the name of the upstream, which no client knows.
                ("http://app.internal:8000/login", "/api/login"),
                ("HTTP://App.Internal:8000/login", "/api/login"),
                ("http://app.internal:8000", "/api/"),
                ("http://app.internal:8000?x", "/api/?x"),
                ("//app.internal:8000/x", "/api/x"),
                // By the name that it was told.
                ("http://www.example/login", "http://www.example/api/login"),
                ("https://WWW.example:443/x?y", "https://WWW.example:443/api/x?y"),
                ("https://www.example", "https://www.example/api/"),
                ("//www.example/x", "//www.example/api/x"),
                // Elsewhere.
                ("http://app.internal/login", "http://app.internal/login"),
                ("https://app.internal:8000/login", "https://app.internal:8000/login"),
                ("http://www.example:81/x", "http://www.example:81/x"),
                ("http://www.example@other/x", "http://www.example@other/x"),
                ("http://other.example/x", "http://other.example/x"),
                ("//other.example/x", "//other.example/x"),
                ("///x", "///x"),
                ("/\\other.example", "/\\other.example"),
                ("http:\\\\other.example", "http:\\\\other.example"),
                ("http://app.internal:8000\\x", "http://app.internal:8000\\x"),
                ("ftp://app.internal:8000/x", "ftp://app.internal:8000/x"),
                ("mailto:a@www.example", "mailto:a@www.example"),
                // By where it stands.
                ("login", "login"),
                ("../x", "../x"),
                ("?page=2", "?page=2"),
                ("#top", "#top"),
                ("", ""),
            ],
        );
        check(
            ("/api", "/v2"),
            name,
            &[
                ("/v2/login", "/api/login"),
                ("/%762/login", "/api/login"),
                ("/v2", "/api"),
                ("/v2/", "/api/"),
                ("http://app.internal:8000/v2/x", "/api/x"),
                ("/v2/../v2/x", "/api/x"),
                // What no client reaches here.
                ("/v2/../x", "/v2/../x"),
                ("/v20/x", "/v20/x"),
                ("/login", "/login"),
                ("http://app.internal:8000/x", "http://app.internal:8000/x"),
            ],
        );
        check(("", "/v2"), name, &[("/v2/x", "/x"), ("/v2", "/"), ("/x", "/x")]);
        check(("/my app", ""), name, &[("/x", "/my%20app/x")]);
    }
}

#[test]
fn no_path_becomes_the_name_of_a_host() {
    for name in ["location", "content-location"] {
        check(
            ("", "/v1"),
            name,
            &[
                ("/v1/\\evil.example", "/%5Cevil.example"),
                ("/v1/\\\\evil.example/a\\b?c\\d#e\\f", "/%5C%5Cevil.example/a%5Cb?c\\d#e\\f"),
                ("/v1//evil.example", "/evil.example"),
                ("/v1///\\evil.example", "/%5Cevil.example"),
                ("/v1%2f/evil.example", "/evil.example"),
                ("/v1/%2fevil.example", "/%2fevil.example"),
                ("/v1/x/../\\evil.example", "/%5Cevil.example"),
                ("/v1/.//evil.example", "/evil.example"),
                ("http://app.internal:8000/v1/\\evil.example", "/%5Cevil.example"),
                ("//app.internal:8000/v1/\\evil.example", "/%5Cevil.example"),
                ("http://www.example/v1/\\a", "http://www.example/%5Ca"),
                // Browsers leave out a tab.
                ("/v1/\t/evil.example", "/v1/\t/evil.example"),
                ("/v1\t//evil.example", "/v1\t//evil.example"),
                ("/v1/x?\t", "/v1/x?\t"),
                (
                    "http://app.internal:8000/v1/\t/evil.example",
                    "http://app.internal:8000/v1/\t/evil.example",
                ),
            ],
        );
        // What is stripped puts the whole path behind it, and what is empty nothing before it.
        check(("/api", ""), name, &[("/x/../\\evil", "/api/%5Cevil"), ("/\t/x", "/\t/x")]);
        let rule = PrefixRule::new("/api", "");
        for (location, expected) in
            [("/v1/../\\evil.example", "/%5Cevil.example"), ("/./\t/evil", "/./\t/evil")]
        {
            let value = HeaderValue::from_static(location);
            let mut fields = HeaderMap::from_iter([(header::LOCATION, value)]);
            // It was asked for outside of the prefix.
            rule.apply("/other").1.mend(&mut fields, &ORIGIN);
            assert_eq!(fields[header::LOCATION], expected, "{location:?}");
        }
    }
    check(
        ("", "/v1"),
        "refresh",
        &[
            ("0; url=/v1/\\evil.example", "0; url=/%5Cevil.example"),
            ("0; url='/v1/\\evil.example'", "0; url='/%5Cevil.example'"),
            ("0; url=/v1/\t/evil.example", "0; url=/v1/\t/evil.example"),
            ("0;\turl =\t/v1/x", "0;\turl =\t/x"),
        ],
    );
}

#[test]
fn a_path_that_has_kept_its_prefix_gets_none() {
    let rule = PrefixRule::new("/api", "/v2");
    let (sent, paths) = rule.apply("/other/x");
    assert_eq!(sent, "/v2/other/x");
    let location = HeaderValue::from_static("/v2/other/y");
    let mut fields = HeaderMap::from_iter([(header::LOCATION, location)]);
    paths.mend(&mut fields, &ORIGIN);
    assert_eq!(fields[header::LOCATION], "/other/y");
}

#[test]
fn the_upstream_is_known_by_its_address_and_scheme() {
    let rule = PrefixRule::new("/api", "");
    let (_, paths) = rule.apply("/api");
    for (tls, host, port, location, expected) in [
        (false, "::1", 80, "http://[::1]/x", "/api/x"),
        (false, "::1", 80, "http://[0::1]:80/x", "/api/x"),
        (true, "app", 443, "https://app/x", "/api/x"),
        (true, "app", 443, "http://app/x", "http://app/x"),
        (true, "app", 443, "//app/x", "/api/x"),
    ] {
        let mut fields = HeaderMap::new();
        fields.insert(header::LOCATION, HeaderValue::from_static(location));
        paths.mend(&mut fields, &Origin { tls, host, port, asked: "" });
        assert_eq!(fields[header::LOCATION], expected, "{location}");
    }
}

#[test]
fn a_refresh_gets_the_prefix_back() {
    check(
        ("/api", ""),
        "refresh",
        &[
            ("5; url=/next", "5; url=/api/next"),
            ("5;URL=/next", "5;URL=/api/next"),
            ("0, url = '/next' ", "0, url = '/api/next' "),
            ("5; url=\"/next\"", "5; url=\"/api/next\""),
            ("5; url='/next", "5; url='/api/next"),
            ("5; /next", "5; /api/next"),
            ("5; url=http://app.internal:8000/x", "5; url=/api/x"),
            ("5; url=http://other.example/x", "5; url=http://other.example/x"),
            ("5; url=next", "5; url=next"),
            ("5; url", "5; url"),
            ("5;", "5;"),
            ("5", "5"),
        ],
    );
}

#[test]
fn the_path_of_a_cookie_gets_the_prefix_back() {
    check(
        ("/api", ""),
        "set-cookie",
        &[
            ("a=1; Path=/", "a=1; Path=/api"),
            ("a=1; Path=/admin", "a=1; Path=/api/admin"),
            ("a=1; Path=/admin/", "a=1; Path=/api/admin/"),
            ("a=1;path = /x ; Secure;HttpOnly", "a=1;path = /api/x ; Secure;HttpOnly"),
            ("a=1; Path=/x; PATH=/y", "a=1; Path=/api/x; PATH=/api/y"),
            (
                "a=/x; Expires=Wed, 09 Jun 2027 10:18:14 GMT; Path=/",
                "a=/x; Expires=Wed, 09 Jun 2027 10:18:14 GMT; Path=/api",
            ),
            // No path of these.
            ("Path=/x; Secure", "Path=/x; Secure"),
            ("a=1", "a=1"),
            ("a=1; Path", "a=1; Path"),
            ("a=1; Path=", "a=1; Path="),
            ("a=1; Path=x", "a=1; Path=x"),
            ("a=1; Path=\"/\"", "a=1; Path=\"/\""),
            ("a=1; Pathway=/x; x-path=/y", "a=1; Pathway=/x; x-path=/y"),
            // For the whole host, or nobody.
            ("__Host-a=1; Path=/; Secure", "__Host-a=1; Path=/; Secure"),
            ("__host-a=1; Path=/; Secure", "__host-a=1; Path=/; Secure"),
            ("__Secure-a=1; Path=/; Secure", "__Secure-a=1; Path=/api; Secure"),
        ],
    );
    check(
        ("/api", "/v2/app"),
        "set-cookie",
        &[
            ("a=1; Path=/v2/app", "a=1; Path=/api"),
            ("a=1; Path=/v2/app/", "a=1; Path=/api"),
            ("a=1; Path=/v2/app/x", "a=1; Path=/api/x"),
            ("a=1; Path=/", "a=1; Path=/api"),
            ("a=1; Path=/v2", "a=1; Path=/api"),
            ("a=1; Path=/v2/", "a=1; Path=/api"),
            ("a=1; Path=/v", "a=1; Path=/v"),
            ("a=1; Path=/v2/apple", "a=1; Path=/v2/apple"),
            ("a=1; Path=/x", "a=1; Path=/x"),
        ],
    );
    check(
        ("", "/v2"),
        "set-cookie",
        &[("a=1; Path=/v2", "a=1; Path=/"), ("a=1; Path=/", "a=1; Path=/")],
    );
}

#[test]
fn every_cookie_is_mended_and_keeps_its_bytes() {
    let rule = PrefixRule::new("/api", "");
    let found = mended(&rule, "set-cookie", b"a=\xe9\xff; Path=/x; Comment=\xe4");
    assert_eq!(found, b"a=\xe9\xff; Path=/api/x; Comment=\xe4");
    let found = mended(&rule, "set-cookie", "a=\u{e9}; Path=/caf\u{e9}".as_bytes());
    assert_eq!(found, "a=\u{e9}; Path=/api/caf\u{e9}".as_bytes());
    let mut fields = HeaderMap::new();
    for cookie in ["a=1; Path=/a", "b=2", "c=3; Path=/c"] {
        fields.append(header::SET_COOKIE, HeaderValue::from_static(cookie));
    }
    rule.apply("/api").1.mend(&mut fields, &ORIGIN);
    let cookies: Vec<_> = fields.get_all(header::SET_COOKIE).iter().collect();
    assert_eq!(cookies, ["a=1; Path=/api/a", "b=2", "c=3; Path=/api/c"]);
}

#[test]
fn other_fields_stay() {
    for name in ["link", "content-security-policy", "x-location"] {
        check(("/api", ""), name, &[("/x", "/x")]);
    }
}
