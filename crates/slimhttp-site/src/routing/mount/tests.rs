//! What may be a prefix, and which one a path is below.

use super::*;

#[test]
fn c11_1_what_may_be_a_prefix() {
    for (written, prefix) in [
        ("/", ""),
        ("/a", "/a"),
        ("/a/", "/a"),
        ("/a/b", "/a/b"),
        ("/a b/é", "/a b/é"),
        ("/.well-known", "/.well-known"),
        ("/a;b:c@d", "/a;b:c@d"),
    ] {
        assert_eq!(parse_prefix(written), Ok(prefix), "{written:?}");
    }
    for (written, expected) in [
        ("", "a path that begins with a slash, such as `/static`"),
        ("a", "a path that begins with a slash, such as `/static`"),
        ("a/", "a path that begins with a slash, such as `/static`"),
        ("//", "a path without empty names"),
        ("//a", "a path without empty names"),
        ("/a//", "a path without empty names"),
        ("/a//b", "a path without empty names"),
        ("/.", "a path without `.` and `..`"),
        ("/a/../b", "a path without `.` and `..`"),
        ("/a%20b", "a path as it is decoded, without `%`"),
        ("/a?b", "a path without a query"),
        ("/a#b", "a path without a query"),
        ("/a\\b", "a path without backslashes and control characters"),
        ("/a\0b", "a path without backslashes and control characters"),
        ("/a\tb", "a path without backslashes and control characters"),
        ("/a/ b", "a path whose names neither begin nor end with a space"),
        ("/a /b", "a path whose names neither begin nor end with a space"),
        ("/static/*", "a path without `*`"),
        ("/**", "a path without `*`"),
        ("/users/<id>", "a path without variables"),
    ] {
        assert_eq!(parse_prefix(written).map_err(|(expected, _)| expected), Err(expected));
    }
    let long = format!("/{}", "a".repeat(LONGEST_NAME)).repeat(4);
    assert_eq!(long.len(), LONGEST);
    assert_eq!(parse_prefix(&long), Ok(&*long));
    let deep = "/a".repeat(MOST_SEGMENTS);
    assert_eq!(parse_prefix(&deep), Ok(&*deep));
    let long_name = format!("/a/{}", "é".repeat(LONGEST_NAME / 2 + 1));
    for beyond in [long + "/", deep + "/a", long_name] {
        assert!(parse_prefix(&beyond).is_err(), "{beyond}");
    }
}

fn table(prefixes: &[&'static str]) -> MountTable<&'static str> {
    let mut table = MountTable::default();
    for prefix in prefixes {
        table.insert(parse_prefix(prefix).unwrap(), *prefix);
    }
    table
}

#[test]
fn c11_1_the_longest_prefix_of_whole_segments_is_found() {
    let nested = table(&["/a", "/a/b/c", "/b/", "/é"]);
    for (path, found) in [
        ("/", None),
        ("/a", Some("/a")),
        ("/a/", Some("/a")),
        ("/ab", None),
        ("/A", None),
        ("/a.b", None),
        ("/a/b", Some("/a")),
        ("/a/bc", Some("/a")),
        ("/a/b/c", Some("/a/b/c")),
        ("/a/b/cd", Some("/a")),
        ("/a/b/c/", Some("/a/b/c")),
        ("/a/b/c/d/e/f/g", Some("/a/b/c")),
        ("/b", Some("/b/")),
        ("/b/x", Some("/b/")),
        ("/c/a", None),
        ("/é/x", Some("/é")),
        ("/e", None),
    ] {
        assert_eq!(nested.find(path.as_bytes()).copied(), found, "{path}");
    }
    let with_root = table(&["/", "/a/b"]);
    for (path, found) in
        [("/", "/"), ("/a", "/"), ("/a/b/", "/a/b"), ("/a/bb", "/"), ("/x/y/z", "/")]
    {
        assert_eq!(with_root.find(path.as_bytes()).copied(), Some(found), "{path}");
    }
    assert_eq!(MountTable::<()>::default().find(b"/"), None);
}

#[test]
fn what_is_taken_out_is_found_no_more() {
    let mut changed = table(&["/", "/a", "/a/b"]);
    let before = changed.clone();
    assert_eq!(changed.insert("/a", "other"), Some("/a"));
    assert_eq!(changed.remove("/a/b"), Some("/a/b"));
    assert_eq!(changed.remove("/a/b"), None);
    assert_eq!(changed.find(b"/a/b/c").copied(), Some("other"));
    assert_eq!(changed.remove("/a"), Some("other"));
    assert_eq!(changed.find(b"/a/b/c").copied(), Some("/"));
    assert_eq!(changed.remove(""), Some("/"));
    assert!(changed.is_empty());
    assert_eq!(changed.find(b"/a"), None);
    // A clone keeps what it had.
    assert_eq!(before.find(b"/a/b/c").copied(), Some("/a/b"));
    assert_eq!(before.len(), 3);
}
