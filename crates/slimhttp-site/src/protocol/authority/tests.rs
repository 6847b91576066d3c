//! Hosts as clients send them.

use std::borrow::Cow;

use super::Authority;

/// A host as sent and its normal form with the port, if any, behind a space.
fn check_authority(raw: &str, normal: &str) {
    let (host, port) = match normal.split_once(' ') {
        Some((host, port)) => (host, Some(port.parse().expect("a port in the table"))),
        None => (normal, None),
    };
    assert_eq!(
        Authority::parse(raw.as_bytes()),
        Some(Authority { host: host.into(), port }),
        "{raw:?}"
    );
}

#[test]
fn c4_1_hosts_have_one_normal_form() {
    let label63 = "a".repeat(63);
    let name253 = format!("{label63}.{label63}.{label63}.{}", "b".repeat(61));
    for (raw, normal) in [
        // Names.
        ("example.com", "example.com"),
        ("EXAMPLE.com", "example.com"),
        ("eXaMpLe.CoM:80", "example.com 80"),
        ("example.com.", "example.com"),
        ("Example.Com.:8443", "example.com 8443"),
        ("localhost", "localhost"),
        ("a", "a"),
        ("a_b.example", "a_b.example"),
        ("_dmarc.example", "_dmarc.example"),
        ("-a-.example", "-a-.example"),
        ("a--b.example", "a--b.example"),
        ("1.example", "1.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        (&label63, &label63),
        (&name253, &name253),
        (&format!("{name253}."), &name253),
        // Names beyond ASCII.
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.Example", "xn--bcher-kva.example"),
        ("bu\u{308}cher.example", "xn--bcher-kva.example"),
        ("bücher.example.", "xn--bcher-kva.example"),
        ("bücher.example:8080", "xn--bcher-kva.example 8080"),
        ("bücher。example。", "xn--bcher-kva.example"),
        ("ｅｘａｍｐｌｅ.com", "example.com"),
        ("faß.example", "xn--fa-hia.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("☃.example", "xn--n3h.example"),
        // Names that DNS does not know, and RFC 3986 does.
        ("a=b", "a=b"),
        ("A!$&'()*+,;=~b:80", "a!$&'()*+,;=~b 80"),
        ("*", "*"),
        ("*.example.com", "*.example.com"),
        ("a,b", "a,b"),
        (".example.com", ".example.com"),
        ("a..b", "a..b"),
        ("example.com..", "example.com."),
        (&"a".repeat(64), &"a".repeat(64)),
        // Encoded.
        ("a%2eb", "a.b"),
        ("a%2Eb%2e:80", "a.b 80"),
        ("%41.example", "a.example"),
        ("a%3Db", "a=b"),
        ("b%C3%BCcher.example", "xn--bcher-kva.example"),
        ("B%c3%9Ccher.Example.:8080", "xn--bcher-kva.example 8080"),
        ("a%2Fb", "a%2fb"),
        ("user%40example.com", "user%40example.com"),
        ("a%00b%0d%0A", "a%00b%0d%0a"),
        ("a%3a80", "a%3a80"),
        ("%FF.example", "%ff.example"),
        // Addresses.
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1:8080", "127.0.0.1 8080"),
        ("[::1]", "::1"),
        ("[::1]:8080", "::1 8080"),
        ("[::1]:", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("[2001:DB8::00Ff]:1", "2001:db8::ff 1"),
        ("[2001:db8:0:0:1:0:0:1]", "2001:db8::1:0:0:1"),
        ("[::ffff:7f00:1]", "::ffff:127.0.0.1"),
        ("[::]", "::"),
        // Ports.
        ("a:0", "a 0"),
        ("a:65535", "a 65535"),
        ("a:080", "a 80"),
        ("a:", "a"),
        ("a.:", "a"),
    ] {
        check_authority(raw, normal);
    }
}

#[test]
fn c4_2_malformed_hosts_are_no_hosts() {
    let name254 = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(62));
    for raw in [
        // Empty names and labels.
        "",
        ":",
        ":80",
        ".",
        ".:80",
        "。",
        // What belongs to another part of a URL.
        "user@example.com",
        "user:password@example.com",
        "@example.com",
        "http://example.com",
        "//example.com",
        "example.com/",
        "example.com/path",
        "example.com:80/",
        "example.com?x",
        "example.com#x",
        "example.com\\x",
        // Bytes that no name has.
        " ",
        " example.com",
        "example.com ",
        "exam ple.com",
        "example.com :80",
        "example.com: 80",
        "example.com\t",
        "example.com\0",
        "example.com\r\nX: y",
        "example.com\x7f",
        "a.example, b.example",
        "a\"b",
        "<a>",
        "a|b",
        "a%",
        "a%2",
        "a%zz",
        "a%2e%",
        "%2e",
        "a%2e:x",
        // Both manners of what is beyond ASCII, and what needs an encoding.
        "bü%2fcher.example",
        "{a}",
        "a^b",
        "a`b",
        // The same, behind the mapping of IDNA.
        "a／b.example",
        "a＠b.example",
        "a：80",
        "a％2e.example",
        "bü cher.example",
        "bücher/x",
        "bü@cher.example",
        "\u{fffd}.example",
        "\u{202e}.example",
        "\u{ad}",
        "xn--a-ä.example",
        // Ports.
        "a:65536",
        "a:99999999999999999999",
        "a:-1",
        "a:+80",
        "a:0x50",
        "a:http",
        "a:8 0",
        "a:80:80",
        "a::80",
        "a:80:",
        "a:８０",
        "127.0.0.1:80:80",
        // Brackets.
        "[",
        "]",
        "[]",
        "[]:80",
        "[::1",
        "::1]",
        "::1",
        "::1:80",
        "[[::1]]",
        "[::1]]",
        "[::1]80",
        "[::1].",
        "[::1]:80:80",
        "[::1]:65536",
        "[::1]:x",
        "[:::1]",
        "[1:2:3:4:5:6:7]",
        "[1:2:3:4:5:6:7:8:9]",
        "[12345::]",
        "[::g]",
        "[127.0.0.1]",
        "[example.com]",
        "[fe80::1%eth0]",
        "[fe80::1%25eth0]",
        "[v1.fe]",
        "[ ::1]",
        "a[::1]",
        "a]",
        "a[",
        // Lengths.
        &name254,
        &format!("{name254}."),
        &"ü".repeat(5000),
        &"a.".repeat(5000),
    ] {
        assert_eq!(Authority::parse(raw.as_bytes()), None, "{raw:?}");
    }
    for raw in [&b"b\xfccher.example"[..], b"\xff", b"a\x80", b"\xc3.example", b"\xc0\xae.example"]
    {
        assert_eq!(Authority::parse(raw), None, "{raw:?}");
    }
}

#[test]
fn c4_2_each_byte_alone_in_a_name() {
    for byte in 0..=u8::MAX {
        let raw = [b'a', byte, b'b'];
        let in_dns = byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let name = in_dns || b"~!$&'()*+,;=".contains(&byte);
        // Behind a colon stands a port.
        assert_eq!(Authority::parse(&raw).is_some(), name, "{byte:#x}");
        assert_eq!(Authority::parse_configured(&raw).is_some(), in_dns, "{byte:#x}");
    }
}

#[test]
fn a_configuration_names_hosts_of_dns() {
    let label64 = "a".repeat(64);
    for raw in [
        "a=b",
        "*.example.com",
        "a,b",
        ".example.com",
        "a..b",
        "example.com..",
        "a。。b",
        &label64,
        &format!("{label64}.example"),
        "a%2eb",
        "b%C3%BCcher.example",
        "a%2fb",
    ] {
        assert!(Authority::parse(raw.as_bytes()).is_some(), "{raw:?}");
        assert_eq!(Authority::parse_configured(raw.as_bytes()), None, "{raw:?}");
    }
    for raw in ["a.example", "A_b.example.:80", "bücher.example", "127.0.0.1", "[::1]:80"] {
        let named = Authority::parse(raw.as_bytes());
        assert_eq!(Authority::parse_configured(raw.as_bytes()), named, "{raw:?}");
    }
}

#[test]
fn normal_hosts_are_borrowed() {
    for (raw, borrowed) in [
        ("example.com", true),
        ("example.com.", true),
        ("example.com:8443", true),
        ("[::1]:80", true),
        ("127.0.0.1", true),
        ("Example.com", false),
        ("[0::1]", false),
        ("bücher.example", false),
    ] {
        let host = Authority::parse(raw.as_bytes()).expect("a good host").host;
        assert_eq!(matches!(host, Cow::Borrowed(_)), borrowed, "{raw:?}");
    }
}
