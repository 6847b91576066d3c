//! Names of certificates, and what must not be shown.

use std::path::Path;

use super::*;

#[test]
fn names_and_addresses_are_read() {
    for (text, expected) in [
        ("example.com", Ok("example.com")),
        ("Example.COM.", Ok("example.com")),
        ("bücher.example", Ok("xn--bcher-kva.example")),
        ("*.example.com", Ok("*.example.com")),
        ("a-b.c1", Ok("a-b.c1")),
        ("localhost", Ok("localhost")),
        ("127.0.0.1", Ok("127.0.0.1")),
        ("[::1]", Ok("::1")),
        ("2001:DB8::1", Ok("2001:db8::1")),
        ("", Err("a host name")),
        ("a.example:443", Err("a host name without a port")),
        ("[::1]:443", Err("a host name without a port")),
        ("a_b.example", Err("a host name of letters, digits and hyphens")),
        ("-a.example", Err("a host name of letters, digits and hyphens")),
        ("a-.example", Err("a host name of letters, digits and hyphens")),
        ("*.*.example", Err("a host name, `*` only as its first label: `*.example.com`")),
        ("*.127.0.0.1", Err("a name behind `*.`, not an address")),
        ("https://a.example", Err("a host name without a scheme or a path")),
    ] {
        let read = Identifier::parse(text).map(|identifier| identifier.to_string());
        assert_eq!(read.as_deref().map_err(|expected| *expected), expected, "{text}");
    }
}

#[test]
fn a_wildcard_covers_one_label_and_allows_any_number() {
    for (wide, narrow, covers, is_above) in [
        ("*.a.example", "b.a.example", true, true),
        ("*.a.example", "c.b.a.example", false, true),
        ("*.a.example", "a.example", false, false),
        ("*.a.example", "ba.example", false, false),
        ("*.a.example", "*.a.example", true, false),
        ("*.a.example", "*.b.a.example", false, true),
        ("a.example", "a.example", true, false),
        ("a.example", "b.a.example", false, false),
        ("127.0.0.1", "127.0.0.1", true, false),
    ] {
        let [wide, narrow] = [wide, narrow].map(|text| Identifier::parse(text).unwrap());
        assert_eq!(wide.covers(&narrow), covers, "{wide} covers {narrow}");
        assert_eq!(wide.is_above(&narrow), is_above, "{wide} is above {narrow}");
    }
}

#[test]
fn no_message_shows_a_key() {
    let options = AcmeOptions {
        eab: Some(ExternalAccount { kid: "kid-1".into(), key: Secret("c2VjcmV0".into()) }),
        ..AcmeOptions::new(Path::new("/etc/site"))
    };
    let shown = format!("{options:?}");
    assert!(shown.contains("kid-1") && !shown.contains("c2VjcmV0"), "{shown}");
}
