//! Hosts as clients send them, keys as users write them, and which key wins.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Authority, HostKey, HostTable};

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
    let label64 = "a".repeat(64);
    let name254 = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(62));
    for raw in [
        // Empty names and labels.
        "",
        ":",
        ":80",
        ".",
        "..",
        ".:80",
        ".example.com",
        "a..b",
        "example.com..",
        "。",
        "a。。b",
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
        "a,b",
        "a.example, b.example",
        "a;b",
        "*",
        "*.example.com",
        "a%2eb",
        "b%C3%BCcher.example",
        "a\"b",
        "a'b",
        "<a>",
        "a=b",
        "a+b",
        "a!b",
        "a$b",
        "a~b",
        "a|b",
        "a(b)",
        "{a}",
        "a^b",
        "a`b",
        "a&b",
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
        &label64,
        &format!("{label64}.example"),
        &name254,
        &format!("{name254}."),
        &"ü".repeat(60),
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
        let name = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        assert_eq!(Authority::parse(&raw).is_some(), name, "{byte:#x}");
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

fn key(written: &str) -> HostKey {
    HostKey::parse(written).unwrap_or_else(|expected| panic!("{written:?}: expected {expected}"))
}

#[test]
fn c4_1_keys_as_users_write_them() {
    for (written, wildcard, name, port) in [
        ("example.com", false, "example.com", None),
        ("Example.COM.", false, "example.com", None),
        ("example.com:8443", false, "example.com", Some(8443)),
        ("example.com.:8443", false, "example.com", Some(8443)),
        ("*.example.com", true, "example.com", None),
        ("*.Example.com.", true, "example.com", None),
        ("*.example.com:8443", true, "example.com", Some(8443)),
        ("*.com", true, "com", None),
        ("*.bücher.example", true, "xn--bcher-kva.example", None),
        ("bücher.example", false, "xn--bcher-kva.example", None),
        ("xn--bcher-kva.example", false, "xn--bcher-kva.example", None),
        ("bücher.example:1", false, "xn--bcher-kva.example", Some(1)),
        ("localhost", false, "localhost", None),
        ("my_host", false, "my_host", None),
        ("127.0.0.1", false, "127.0.0.1", None),
        ("127.0.0.1:65535", false, "127.0.0.1", Some(65535)),
        ("::1", false, "::1", None),
        ("::", false, "::", None),
        ("2001:db8::", false, "2001:db8::", None),
        ("2001:DB8:0::1", false, "2001:db8::1", None),
        ("::1:8080", false, "::1:8080", None),
        ("[::1]", false, "::1", None),
        ("[0::1]:8080", false, "::1", Some(8080)),
    ] {
        assert_eq!(key(written), HostKey { wildcard, name: name.into(), port }, "{written:?}");
    }
}

#[test]
fn c4_1_keys_that_are_none_say_what_was_expected() {
    let long = "a".repeat(64);
    let star = "a host name, `*` only as its first label: `*.example.com`";
    let port = "a port from 1 to 65535 behind a host name";
    let address = "an IPv6 address: `[::1]`, with a port `[::1]:8080`";
    let labels = "a host name of at most 253 characters, 1 to 63 between its dots";
    for (written, expected) in [
        ("", "a host name"),
        ("  ", "a host name"),
        ("a,b", "a host name"),
        ("ex&mple.com", "a host name"),
        (":80", "a host name"),
        ("\u{fffd}.example", "a host name"),
        ("*", "a host name (what answers every other host stands at the global level)"),
        ("http://example.com", "a host name without a scheme or a path"),
        ("https://example.com:443/", "a host name without a scheme or a path"),
        ("example.com/", "a host name without a path"),
        ("/srv/http", "a host name without a path"),
        ("user@example.com", "a host name without a user"),
        ("a b", "a host name without spaces"),
        ("example.com ", "a host name without spaces"),
        ("example.com\n", "a host name without spaces"),
        ("*x.com", star),
        ("a.*.com", star),
        ("*.*.com", star),
        ("example.*", star),
        ("**", star),
        ("*:80", star),
        (".example.com", "a host name, or `*.example.com` for every name below it"),
        ("*.1.2.3.4", "a name behind `*.`, not an address"),
        ("*.3.4", "a name behind `*.`, not an address"),
        ("*.[::1]", "a name behind `*.`, not an address"),
        ("*.::1", "a name behind `*.`, not an address"),
        ("[::1", address),
        ("[::1]x", address),
        ("[]", address),
        ("1::2::3", address),
        ("a:80:80", address),
        ("[example.com]", address),
        ("example.com:", port),
        ("example.com:0", port),
        ("example.com:65536", port),
        ("example.com:http", port),
        ("example.com:-1", port),
        ("*.example.com:x", port),
        ("*.", labels),
        ("a..b", labels),
        (".", "a host name, or `*.example.com` for every name below it"),
        (&long, labels),
    ] {
        assert_eq!(HostKey::parse(written), Err(expected), "{written:?}");
    }
}

fn table(keys: &[&'static str]) -> HostTable<&'static str> {
    let mut table = HostTable::default();
    for written in keys {
        assert_eq!(table.insert(key(written), *written), None, "{written} twice in the table");
    }
    table
}

#[test]
fn c4_1_the_most_specific_key_wins() {
    let table = table(&[
        "example.com",
        "example.com:8443",
        "*.example.com",
        "*.example.com:8443",
        "*.deep.example.com",
        "exact.example.com",
        "ported.example.com:8443",
        "*.ported.test:81",
        "*.test",
        "only.example:81",
        "bücher.example",
        "*.bücher.example",
        "::1",
        "[::1]:8080",
        "127.0.0.1",
        "localhost",
    ]);
    for (host, port, expected) in [
        // The name itself, with its port first.
        ("example.com", 80, Some("example.com")),
        ("example.com", 8443, Some("example.com:8443")),
        ("EXAMPLE.COM.", 80, Some("example.com")),
        ("Example.Com.", 8443, Some("example.com:8443")),
        ("localhost", 1, Some("localhost")),
        // Any name below a wildcard, never the name itself.
        ("a.example.com", 80, Some("*.example.com")),
        ("a.b.c.example.com", 80, Some("*.example.com")),
        ("a.example.com", 8443, Some("*.example.com:8443")),
        ("test", 80, None),
        ("xexample.com", 80, None),
        ("com", 80, None),
        // An exact name before a wildcard, whatever the ports.
        ("exact.example.com", 8443, Some("exact.example.com")),
        ("below.exact.example.com", 8443, Some("*.example.com:8443")),
        // A name that stands for another port only is none here.
        ("ported.example.com", 8443, Some("ported.example.com:8443")),
        ("ported.example.com", 80, Some("*.example.com")),
        ("only.example", 81, Some("only.example:81")),
        ("only.example", 80, None),
        // The longest wildcard before its port.
        ("a.deep.example.com", 80, Some("*.deep.example.com")),
        ("a.deep.example.com", 8443, Some("*.deep.example.com")),
        ("deep.example.com", 80, Some("*.example.com")),
        ("a.ported.test", 81, Some("*.ported.test:81")),
        ("a.ported.test", 80, Some("*.test")),
        ("ported.test", 81, Some("*.test")),
        // Either form of a name beyond ASCII.
        ("bücher.example", 80, Some("bücher.example")),
        ("BÜCHER.example", 80, Some("bücher.example")),
        ("xn--bcher-kva.example", 80, Some("bücher.example")),
        ("a.xn--bcher-kva.example", 80, Some("*.bücher.example")),
        ("ä.bücher.example", 80, Some("*.bücher.example")),
        // Addresses.
        ("[::1]", 80, Some("::1")),
        ("[0:0::1]", 80, Some("::1")),
        ("[::1]", 8080, Some("[::1]:8080")),
        ("127.0.0.1", 80, Some("127.0.0.1")),
        ("128.0.0.1", 80, None),
        ("[::ffff:1.2.3.4]", 80, None),
        ("other.org", 80, None),
    ] {
        let host = Authority::parse(host.as_bytes()).expect("a good host").host;
        assert_eq!(table.find(&host, port).copied(), expected, "{host} at {port}");
    }
}

#[test]
fn a_table_keeps_its_books() {
    let mut table = HostTable::default();
    assert!(table.is_empty());
    assert_eq!(table.insert(key("*.a.example"), 1), None);
    assert_eq!(table.insert(key("a.example:81"), 2), None);
    assert_eq!(table.insert(key("A.example.:81"), 3), Some(2));
    assert_eq!(table.insert(key("a.example"), 4), None);
    assert_eq!((table.len(), table.is_empty()), (3, false));
    assert_eq!(table.get(&key("a.example:81")), Some(&3));
    assert_eq!(table.get(&key("a.example:82")), None);
    assert_eq!(table.get(&key("*.a.example:81")), None);

    let mut all: Vec<_> = table.iter().map(|(key, value)| (key.clone(), *value)).collect();
    all.sort();
    assert_eq!(all, [(key("a.example"), 4), (key("a.example:81"), 3), (key("*.a.example"), 1)]);

    assert_eq!(table.remove(&key("a.example:82")), None);
    assert_eq!(table.remove(&key("b.example")), None);
    assert_eq!(table.find("b.a.example", 80), Some(&1));
    assert_eq!(table.remove(&key("*.a.example")), Some(1));
    assert_eq!(table.find("b.a.example", 80), None);
    assert_eq!(table.wildcards, 0);
    assert_eq!(table.find("a.example", 80), Some(&4));
    assert_eq!(table.remove(&key("a.example")), Some(4));
    assert_eq!(table.find("a.example", 80), None);
    assert_eq!(table.remove(&key("a.example:81")), Some(3));
    assert_eq!((table.len(), table.is_empty(), table.iter().count()), (0, true, 0));
}

#[test]
fn c3_2_a_change_to_a_clone_leaves_the_table_as_it_was() {
    let before = table(&["a.example", "*.a.example", "b.example"]);
    let mut after = before.clone();
    after.insert(key("a.example"), "changed");
    after.insert(key("a.example:81"), "new");
    after.remove(&key("*.a.example"));
    after.remove(&key("b.example"));
    assert_eq!(before.find("a.example", 81), Some(&"a.example"));
    assert_eq!(before.find("x.a.example", 81), Some(&"*.a.example"));
    assert_eq!(before.find("b.example", 81), Some(&"b.example"));
    assert_eq!((before.len(), after.len()), (3, 2));
    assert_eq!(after.find("a.example", 80), Some(&"changed"));
    assert_eq!(after.find("x.a.example", 80), None);
}

#[test]
fn c3_5_a_change_among_10_000_hosts_copies_a_few() {
    #[derive(Debug)]
    struct Counted(Arc<AtomicUsize>);
    impl Clone for Counted {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, Ordering::Relaxed);
            Self(Arc::clone(&self.0))
        }
    }

    let copies = Arc::new(AtomicUsize::new(0));
    let mut before = HostTable::default();
    for number in 0..10_000 {
        before.insert(key(&format!("h{number}.example")), Counted(Arc::clone(&copies)));
    }
    copies.store(0, Ordering::Relaxed);
    for number in 0..100 {
        let mut after = before.clone();
        after.insert(key(&format!("h{number}.example")), Counted(Arc::clone(&copies)));
    }
    let copied = copies.load(Ordering::Relaxed);
    assert!(copied < 100 * 200, "{copied} copies for 100 changes");
}
