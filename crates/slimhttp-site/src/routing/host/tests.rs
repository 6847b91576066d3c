//! Keys as users write them, and which key wins.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Authority, HostKey, HostTable};

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
