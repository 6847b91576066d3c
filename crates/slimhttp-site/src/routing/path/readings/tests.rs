//! What servers may read in a target, and what is sent to them. A case is a line.

use super::*;

/// The readings, parted by blanks; a slash of a name is `│`.
fn readings(raw: &str) -> String {
    let target = Target::parse(raw).unwrap_or_else(|refusal| panic!("{raw}: {refusal:?}"));
    match target.readings() {
        Err(refusal) => format!("{refusal:?}"),
        Ok(readings) => {
            let shown = |path: &Cow<'_, [u8]>| {
                String::from_utf8_lossy(path).replace(char::from(SLASH_OF_NAME), "│")
            };
            readings.iter().map(shown).collect::<Vec<_>>().join(" ")
        }
    }
}

#[test]
fn what_everybody_reads_alike_has_one_reading() {
    for (raw, reading) in [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("/a//b", "/a/b"),
        ("//a", "/a"),
        ("/a/../b", "/b"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/./b/.", "/a/b/"),
        ("/a//../b", "/b"),
        ("/%61dmin", "/admin"),
        ("/a%20b", "/a b"),
        ("/...", "/..."),
        ("/..a/.b", "/..a/.b"),
        ("/100%25", "/100%"),
        ("/a%25zz", "/a%zz"),
        ("/%E9t%E9", "/\u{fffd}t\u{fffd}"),
        ("/gr%C3%BC%C3%9F", "/grüß"),
        ("/a?b=..%2f;", "/a"),
    ] {
        assert_eq!(readings(raw), reading, "{raw}");
    }
}

#[test]
fn an_encoded_slash_parts_segments_or_belongs_to_a_name() {
    for (raw, read) in [
        ("/@scope%2fname", "/@scope/name /@scope│name"),
        ("/@scope%2Fname/-/a.tgz", "/@scope/name/-/a.tgz /@scope│name/-/a.tgz"),
        ("/%2fadmin/x", "/admin/x /│admin/x"),
        ("/a%2f", "/a/ /a│"),
        ("/a/%2f/b", "/a/b /a/│/b"),
        ("/u/https%3A%2F%2Fa.example%2Fb", "/u/https:/a.example/b /u/https:││a.example│b"),
        ("/a%2fb/../c", "/c"),
    ] {
        assert_eq!(readings(raw), read, "{raw}");
    }
}

#[test]
fn other_separators_and_ends_of_names_are_readings_too() {
    for (raw, read) in [
        (r"/a\b", r"/a\b /a/b"),
        ("/a%5cb", r"/a\b /a/b"),
        ("/admin;x=1/y", "/admin;x=1/y /admin/y"),
        ("/admin%3bx/y", "/admin;x/y /admin/y"),
        ("/;x/a", "/;x/a /a"),
        ("/a/;x", "/a/;x /a/"),
        ("/a%252fb", "/a%2fb /a/b /a│b"),
        ("/a%25252fb", "/a%252fb /a/b /a│b"),
        ("/%2561dmin", "/%61dmin /admin"),
        ("/a%2fb;c", "/a/b;c /a│b;c /a/b /a│b"),
    ] {
        let found = readings(raw);
        let (mut found, mut read): (Vec<_>, Vec<_>) =
            (found.split(' ').collect(), read.split(' ').collect());
        assert_eq!(found[0], read[0], "{raw}");
        found.sort_unstable();
        read.sort_unstable();
        assert_eq!(found, read, "{raw}");
    }
}

#[test]
fn an_encoded_mark_ends_the_path_for_some_and_blanks_are_stripped_by_some() {
    for (raw, read) in [
        ("/adm%3fx", "/adm?x|/adm"),
        ("/adm%3Fx=1/y/", "/adm?x=1/y/|/adm"),
        ("/adm%23x", "/adm#x|/adm"),
        ("/adm/%3fx", "/adm/?x|/adm/"),
        ("/%3fx", "/?x|/"),
        ("/adm%253fx", "/adm%3fx|/adm?x|/adm"),
        ("/adm%20", "/adm |/adm"),
        ("/adm%09", "/adm\t|/adm"),
        ("/adm%0a/x", "/adm\n/x|/adm/x"),
        ("/%20adm", "/ adm|/adm"),
        ("/adm%c2%a0", "/adm\u{a0}|/adm"),
        ("/adm\u{a0}", "/adm\u{a0}|/adm"),
        ("/adm%a0", "/adm\u{fffd}|/adm"),
        ("/adm%2520", "/adm%20|/adm |/adm"),
        ("/adm%20%3fx", "/adm ?x|/adm"),
        ("/a%3fb/secret%20", "/a?b/secret |/a?b/secret|/a"),
        ("/a/%20/b", "/a/ /b"),
        ("/%a0%ff%a0", "/\u{fffd}\u{fffd}\u{fffd}|/\u{fffd}"),
    ] {
        let target = Target::parse(raw).unwrap_or_else(|refusal| panic!("{raw}: {refusal:?}"));
        let found = target.readings().unwrap_or_else(|refusal| panic!("{raw}: {refusal:?}"));
        let found: Vec<_> = found.iter().map(|path| String::from_utf8_lossy(path)).collect();
        assert_eq!(found.join("|"), read, "{raw}");
    }
}

#[test]
fn a_nul_that_is_encoded_twice_is_refused() {
    for raw in ["/adm%2500", "/adm%252500x", "/a%2fb%2500"] {
        assert_eq!(readings(raw), format!("{NUL:?}"), "{raw}");
    }
}

#[test]
fn a_dot_segment_that_only_some_see_is_refused() {
    for raw in [
        "/x/..%2fadmin/x",
        "/x/..%2Fadmin",
        "/x%2f..%2fadmin",
        "/x%2f..",
        "/x%2f.",
        "/.%2fx",
        "/x%2f%2e%2e%2fadmin",
        r"/x/..\admin",
        r"/x\..\admin",
        r"/x\..",
        "/x/..%5cadmin",
        "/x%5c..%5cadmin",
        "/x/..;/admin",
        "/x/..;a=b/admin",
        "/x/.;/admin",
        "/x/%2e%2e;/admin",
        "/x/..%3b/admin",
        "/x/%252e%252e/admin",
        "/x/..%252fadmin",
        "/x/%25252e%25252e%25252fadmin",
        "/x%252f..%252fadmin",
        "/x/..%255cadmin",
        "/x/..;%2fadmin",
        "/x/..%3f/admin",
        "/x/..%23",
        "/x/..%20/admin",
        "/x/%c2%a0../admin",
        "/x/..%253f",
    ] {
        assert_eq!(readings(raw), format!("{HIDDEN_DOTS:?}"), "{raw}");
    }
    // What a later `..` takes away was never asked for.
    assert_eq!(readings("/x/..%2fadmin/../b"), "/x/b");
}

#[test]
fn overlong_utf8_is_refused() {
    for raw in [
        "/..%c0%afadmin",
        "/%C0%AE%C0%AE/admin",
        "/a%c1%9cb",
        "/%e0%80%af",
        "/%f0%80%80%af",
        "/%25c0%25afadm",
        "/%2525c1%25259cb",
    ] {
        assert_eq!(readings(raw), format!("{OVERLONG:?}"), "{raw}");
    }
    for raw in ["/%c3%80", "/%C0x", "/%e0%a4%b9", "/%f0%9f%98%80", "/%e0%80", "/%f0%80"] {
        assert!(!readings(raw).contains("overlong"), "{raw}");
    }
}

#[test]
fn what_is_long_or_deep_costs_little() {
    let read = |piece: &str, count| {
        let raw = format!("/{}", piece.repeat(count));
        let target = Target::parse(&raw).expect("is a target");
        target.readings().map(|readings| {
            let bytes: usize = readings.iter().map(|path| path.len()).sum();
            assert!(bytes <= MOST_READ, "{piece}: {bytes} bytes");
            readings.len()
        })
    };
    for (piece, count, readings) in [
        ("%25", 2700, 1),
        ("%2f", 2700, 2),
        (";a%2fb%5c%25", 600, 8),
        ("%25%32%66", 900, 3),
        ("%20;a%2fb%5c%253fx%3f", 97, 29),
        ("a%20;a%2fb%5c%253fx%3f", 46, 36),
    ] {
        assert_eq!(read(piece, count), Ok(readings), "{piece}");
    }
    // What nobody writes is refused before much is made of it.
    for (piece, count) in [
        ("%20;a%2fb%5c%253fx%3f", 98),
        ("a%20;a%2fb%5c%253fx%3f", 47),
        (";a%2fb%5c%25", 690),
        ("%2f", 11_000),
    ] {
        assert_eq!(read(piece, count), Err(MANY_READINGS), "{piece}");
    }
}

#[test]
fn what_is_sent_has_no_dot_segments_one_slash_and_no_backslash() {
    for (raw, sent) in [
        ("/", "/"),
        ("/?", "/?"),
        ("/a?b=/../c", "/a?b=/../c"),
        ("/@scope%2fname", "/@scope%2fname"),
        ("/a//b", "/a//b"),
        ("/get/https://a.example//b", "/get/https://a.example//b"),
        ("//a.example/admin", "/a.example/admin"),
        ("///a//b", "/a//b"),
        ("/a/../b", "/b"),
        ("/a/%2e%2e/b", "/b"),
        ("/a/.%2E/b/?x", "/b/?x"),
        ("/a//../b//c", "/b/c"),
        ("/a/.", "/a/"),
        ("/..a/b", "/..a/b"),
        ("/a/b/..", "/a/"),
        ("/a/..", "/"),
        ("/a/../%41%2Fb;c", "/%41%2Fb;c"),
        (r"/a\b", "/a%5Cb"),
        (r"//a\b?c\d", r"/a%5Cb?c\d"),
        ("/%61dmin", "/%61dmin"),
        ("/gr\u{fc}n", "/gr\u{fc}n"),
    ] {
        let target = Target::parse(raw).unwrap_or_else(|refusal| panic!("{raw}: {refusal:?}"));
        assert_eq!(target.sent_on(), sent, "{raw}");
        // Sent on again, it is the same, and it means what was asked for.
        let sent = Target::parse(sent).expect("is a target");
        assert_eq!(sent.sent_on(), target.sent_on(), "{raw}");
        assert_eq!(sent.path, target.path, "{raw}");
    }
}
