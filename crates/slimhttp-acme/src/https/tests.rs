//! URLs of an authority, and responses that are too much.

use super::*;

#[test]
fn a_url_is_one_that_tls_is_spoken_to() {
    for (text, expected) in [
        ("https://ca.example/directory", Some(("ca.example", "ca.example", 443, "/directory"))),
        ("https://ca.example", Some(("ca.example", "ca.example", 443, "/"))),
        (
            "https://CA.example:14000/a?b=c",
            Some(("CA.example:14000", "CA.example", 14000, "/a?b=c")),
        ),
        ("https://[::1]:1/x", Some(("[::1]:1", "::1", 1, "/x"))),
        ("http://ca.example/", None),
        ("https:///x", None),
        ("https://user@ca.example/", None),
        ("https://ca.example:0/", None),
        ("https://ca.example:99999/", None),
        ("/directory", None),
        ("https://ca.example/a b", None),
        ("https://ca.example/\r\nX: y", None),
        ("", None),
    ] {
        let url = Url::parse(text).ok();
        let found = url.as_ref().map(|url| (&*url.authority, &*url.host, url.port, &*url.target));
        assert_eq!(found, expected, "{text}");
    }
    assert!(Url::parse(&format!("https://ca.example/{}", "a".repeat(2100))).is_err());
    let told = Url::parse("ftp://\u{1b}[2J").unwrap_err().to_string();
    assert_eq!(told, "the authority answered unexpectedly: `ftp://\\x1b[2J` is no `https` URL");
}

#[test]
fn who_vouches_for_an_authority_is_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let fault = |path: &std::path::Path| config(Some(path)).unwrap_err().to_string();
    assert!(fault(&path).contains("ca.pem`: expected certificates, found "), "{}", fault(&path));
    std::fs::write(&path, "nothing").unwrap();
    assert!(fault(&path).ends_with("expected certificates, found none"), "{}", fault(&path));
    let made = rcgen::generate_simple_self_signed(["ca.example".to_owned()]).unwrap();
    std::fs::write(&path, made.cert.pem()).unwrap();
    assert_eq!(config(Some(&path)).unwrap().alpn_protocols, [b"http/1.1"]);
}
