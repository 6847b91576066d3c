//! Targets as clients send them, good and bad, and what reaches the disk.

use std::borrow::Cow;
use std::path::Path;

use super::{SafePath, Target};

mod corpus;

fn target(raw: &str) -> Target<'_> {
    Target::parse(raw).unwrap_or_else(|refusal| panic!("{raw:?}: {refusal:?}"))
}

/// A path as sent and as it is understood; where a file can have it, and where
/// none can.
fn check(raw: &str, path: &[u8], on_disk: bool) {
    let target = target(raw);
    let shown = path.escape_ascii();
    assert_eq!(&*target.path, path, "{raw:?}: {} for {shown}", target.path.escape_ascii());
    let expected = on_disk.then(|| std::str::from_utf8(path).expect("text").trim_matches('/'));
    let safe = target.safe_path();
    assert_eq!(safe.as_ref().map(SafePath::as_path), expected.map(Path::new), "{raw:?}");
}

#[test]
fn c5_1_names_reach_the_disk_as_they_are() {
    let longest = format!("/{}", "n".repeat(255));
    let encoded = format!("/{}", "%41".repeat(255));
    let umlauts = format!("/{}x", "%C3%BC".repeat(127));
    for (raw, path) in [
        ("/", "/"),
        ("/a", "/a"),
        ("/a/", "/a/"),
        ("/a/b/c.html", "/a/b/c.html"),
        // Encoded.
        ("/a%20b", "/a b"),
        ("/%61", "/a"),
        ("/%41%4a%4A", "/AJJ"),
        ("/b%C3%BCcher/%e2%98%83.html", "/bücher/☃.html"),
        ("/bücher", "/bücher"),
        ("/100%25", "/100%"),
        ("/%2520", "/%20"),
        ("/%252e%252e/x", "/%2e%2e/x"),
        ("/%252f", "/%2f"),
        ("/a%3Fb%23c", "/a?b#c"),
        ("/a%0Ab", "/a\nb"),
        ("/a+b", "/a+b"),
        ("/a%2Bb", "/a+b"),
        // What RFC 3986 leaves out and clients send.
        ("/a\"b<c>d^e`f{g|h}", "/a\"b<c>d^e`f{g|h}"),
        ("/!$&'()*+,;=:@-._~", "/!$&'()*+,;=:@-._~"),
        ("/a[1]", "/a[1]"),
        ("/a;v=1/b", "/a;v=1/b"),
        // Dots that are part of a name.
        ("/.well-known/x", "/.well-known/x"),
        ("/...", "/..."),
        ("/..a", "/..a"),
        ("/a..", "/a.."),
        ("/a../b", "/a../b"),
        ("/.a/..b/", "/.a/..b/"),
        ("/%2e%2e%2e", "/..."),
        ("/..;/a", "/..;/a"),
        // Dot segments.
        ("/.", "/"),
        ("/./", "/"),
        ("/./a", "/a"),
        ("/a/.", "/a/"),
        ("/a/./", "/a/"),
        ("/a/./b", "/a/b"),
        ("/a/..", "/"),
        ("/a/../", "/"),
        ("/a/../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/a/b/../", "/a/"),
        ("/a/b/../../c", "/c"),
        ("/a/b/../c/./../d", "/a/d"),
        ("/a/b/c/./../../g", "/a/g"),
        ("/mid/content=5/../6", "/mid/6"),
        // The same, encoded.
        ("/%2e", "/"),
        ("/a/%2e%2e", "/"),
        ("/a/%2E%2E/b", "/b"),
        ("/a/.%2e/b", "/b"),
        ("/a/%2e./b", "/b"),
        ("/a/%2e/b", "/a/b"),
        // Empty segments.
        ("//", "/"),
        ("///", "/"),
        ("//a", "/a"),
        ("/a//", "/a/"),
        ("/a//b", "/a/b"),
        ("//a///b//", "/a/b/"),
        ("/a//../b", "/b"),
        ("/a/..//b", "/b"),
        ("//example.com/a", "/example.com/a"),
        ("/http://example.com/a", "/http:/example.com/a"),
        // Lengths.
        (&longest, &longest),
        (&encoded, &format!("/{}", "A".repeat(255))),
        (&umlauts, &format!("/{}x", "ü".repeat(127))),
    ] {
        check(raw, path.as_bytes(), true);
    }
}

#[test]
fn c5_1_no_file_has_a_longer_path_than_the_system_takes() {
    let longest = "/a".repeat(2048);
    check(&longest, longest.as_bytes(), true);
    let longer = format!("{longest}b");
    check(&longer, longer.as_bytes(), false);
    assert_eq!(SafePath::of_names(longer.as_bytes()), None);
}

#[cfg(unix)]
#[test]
fn c5_1_a_name_is_bytes() {
    use std::os::unix::ffi::OsStrExt;
    for (raw, name) in [
        ("/b%FCcher", &b"b\xfccher"[..]),
        ("/%ff", b"\xff"),
        ("/%c0%ae%c0%ae", b"\xc0\xae\xc0\xae"),
        ("/%c0%af", b"\xc0\xaf"),
        ("/a\\b", b"a\\b"),
        ("/%5c..%5c", b"\\..\\"),
        ("/..\\..\\x", b"..\\..\\x"),
        ("/c:%5Cx", b"c:\\x"),
        ("/nul.", b"nul."),
    ] {
        let target = target(raw);
        let safe = target.safe_path().expect("a name");
        assert_eq!(safe.as_path().as_os_str().as_bytes(), name, "{raw:?}");
        assert_eq!(safe.as_path().components().count(), 1, "{raw:?}");
    }
    assert_eq!(target("/b%FCcher").text(), "/b\u{fffd}cher");
    assert_eq!(target("/b%C3%BCcher").text(), "/bücher");
}

#[test]
fn c5_2_what_no_file_can_be_called() {
    let too_long = format!("/a/{}/b", "n".repeat(256));
    let umlauts = format!("/{}", "%C3%BC".repeat(128));
    for (raw, path) in [
        ("/a%2fb", "/a/b"),
        ("/a%2Fb", "/a/b"),
        ("/%2f", "//"),
        ("/a%2f", "/a/"),
        ("/%2fetc/passwd", "//etc/passwd"),
        ("/a%2f..%2f..%2fetc", "/a/../../etc"),
        ("/..%2f..%2fetc", "/../../etc"),
        ("/%2e%2e%2f%2e%2e%2fetc", "/../../etc"),
        ("/a/..%2fetc", "/a/../etc"),
        ("/.%2f", "/./"),
        // The segment that goes is the one that was sent, not a part of it.
        ("/a%2fb/../c", "/c"),
        ("/x/a%2fb/../c", "/x/c"),
        ("/x/a%2f../../c", "/x/c"),
        (&too_long, &too_long),
        (&umlauts, &format!("/{}", "ü".repeat(128))),
    ] {
        check(raw, path.as_bytes(), false);
    }
}

#[test]
fn c5_2_malformed_targets_are_refused() {
    for raw in [
        // No origin form.
        "",
        "a",
        "*",
        "?x",
        "\\a",
        "http://example.com/",
        "example.com:443",
        "%2fa",
        // Above the root.
        "/..",
        "/../",
        "/../etc/passwd",
        "/./..",
        "//..",
        "/a/../..",
        "/a/../../b",
        "/a//../..",
        "/a/b/../../../etc",
        "/%2e%2e",
        "/%2e%2e/etc/passwd",
        "/.%2e/x",
        "/%2E./x",
        "/a/%2e%2e/%2e%2e/x",
        "/a%2fb/../..",
        "/../a",
        // Encodings.
        "/%",
        "/%2",
        "/a%",
        "/%zz",
        "/%2g",
        "/%g2",
        "/% 20",
        "/%%32%65",
        "/%u002e",
        "/%+1",
        "/%-1",
        "/%2/e",
        "/%/2e",
        "/%ü",
        "/a%2",
        "/100%/x",
        // NUL.
        "/%00",
        "/a%00.html",
        "/a/%00/../b",
        "/index.html%00.py",
        // Bytes that no target has.
        "/\0",
        "/a b",
        "/a ",
        "/a\tb",
        "/a\r\nb",
        "/a\nb",
        "/\x1b",
        "/a\x7f",
        "/a#b",
        "/#",
        "/a?b c",
        "/a?b\x01",
        "/a?b#c",
        "/a?\x7f",
    ] {
        let refusal = Target::parse(raw).expect_err(raw);
        assert_eq!(refusal.status(), 400, "{raw:?}");
    }
}

#[test]
fn the_query_stays_as_sent() {
    for (raw, path, query) in [
        ("/a", "/a", None),
        ("/a?", "/a", Some("")),
        ("/a?x=1", "/a", Some("x=1")),
        ("/a?x=1?y=2", "/a", Some("x=1?y=2")),
        ("/?", "/", Some("")),
        ("/a?../../b", "/a", Some("../../b")),
        ("/a?//%2e", "/a", Some("//%2e")),
        ("/a?x=%zz&y=100%", "/a", Some("x=%zz&y=100%")),
        ("/a?%00", "/a", Some("%00")),
        ("/%3f?x", "/?", Some("x")),
        ("/a/../b?x", "/b", Some("x")),
        ("/a?ü", "/a", Some("ü")),
    ] {
        let target = target(raw);
        assert_eq!(target.path, path.as_bytes(), "{raw:?}");
        assert_eq!(target.query, query, "{raw:?}");
        let sent = raw.split_once('?').map_or(raw, |(path, _)| path);
        assert_eq!(target.raw_path, sent, "{raw:?}");
        let on_disk = Path::new(path.trim_start_matches('/'));
        assert_eq!(target.safe_path().expect("a path").as_path(), on_disk, "{raw:?}");
    }
}

#[test]
fn normal_paths_are_borrowed() {
    for (raw, borrowed) in [
        ("/", true),
        ("/a/b.c/d..e/", true),
        ("/a?%2e//", true),
        ("/bücher", true),
        ("/a%20b", false),
        ("/a//b", false),
        ("/a/./b", false),
    ] {
        assert_eq!(matches!(target(raw).path, Cow::Borrowed(_)), borrowed, "{raw:?}");
    }
}

#[test]
fn folders_end_with_a_slash() {
    for (raw, folder) in [
        ("/", true),
        ("/a/", true),
        ("/a", false),
        ("/a/.", true),
        ("/a/b/..", true),
        ("/a//", true),
        ("/a?/", false),
        ("/a.py/", true),
    ] {
        assert_eq!(target(raw).is_folder(), folder, "{raw:?}");
    }
}

#[test]
fn c5_2_a_safe_path_takes_plain_names_only() {
    let folder = target("/a/b/").safe_path().expect("a path");
    for (name, joined) in [
        ("index.html", Some("a/b/index.html")),
        (".hidden", Some("a/b/.hidden")),
        ("...", Some("a/b/...")),
        ("ü ber", Some("a/b/ü ber")),
        ("%2e%2e", Some("a/b/%2e%2e")),
        ("", None),
        (".", None),
        ("..", None),
        ("/", None),
        ("/etc", None),
        ("c/d", None),
        ("../x", None),
        ("x/", None),
        ("a\0b", None),
        (&"n".repeat(256), None),
    ] {
        let found = folder.join(name);
        assert_eq!(found.as_ref().map(SafePath::as_path), joined.map(Path::new), "{name:?}");
    }
    assert_eq!(SafePath::root().as_path(), Path::new(""));
    assert_eq!(SafePath::root().join("a").expect("a name").as_path(), Path::new("a"));
    assert_eq!(target("/").safe_path(), Some(SafePath::root()));
}

#[test]
fn c6_7_extensions() {
    for (raw, script) in [
        ("/a.py", true),
        ("/a/b.c.py", true),
        ("/a.PY", true),
        ("/a%2epy", true),
        ("/.py", true),
        ("/a.py?x", true),
        ("/a", false),
        ("/a.pyc", false),
        ("/a.p", false),
        ("/apy", false),
        ("/py", false),
        ("/a.py/b", false),
        ("/a?b.py", false),
        ("/", false),
    ] {
        let path = target(raw).safe_path().expect("a path");
        assert_eq!(path.extension_is("py"), script, "{raw:?}");
    }
}

#[test]
fn c5_3_a_path_goes_back_into_a_url() {
    for (raw, url) in [
        ("/", "/"),
        ("/a", "/a"),
        ("/a/b/", "/a/b"),
        ("//evil.example/..//a", "/a"),
        ("//evil.example", "/evil.example"),
        ("/a%20b/%C3%BC?x=1", "/a%20b/%C3%BC"),
        ("/ü", "/%C3%BC"),
        ("/100%25", "/100%25"),
        ("/a%3Fb%23c", "/a%3Fb%23c"),
        ("/a%0d%0aX:y", "/a%0D%0AX:y"),
        ("/\\evil.example", "/%5Cevil.example"),
        ("/%5C%5Cevil.example", "/%5C%5Cevil.example"),
        ("/%62%ff", "/b%FF"),
        ("/a\"<>", "/a%22%3C%3E"),
        ("/!$&'()*+,;=:@-._~", "/!$&'()*+,;=:@-._~"),
    ] {
        assert_eq!(target(raw).safe_path().expect("a path").url_path(), url, "{raw:?}");
    }
}

#[test]
fn a_query_behind_an_authority_is_one_of_the_root() {
    for (raw, query) in [("?a=b", "a=b"), ("?", ""), ("?/..?x", "/..?x")] {
        let target = Target::parse_behind_authority(raw).expect("a target");
        assert_eq!((target.raw_path, target.query, &*target.path), ("/", Some(query), &b"/"[..]));
        assert_eq!(target.sent_on(), format!("/{raw}"));
        assert!(target.is_folder(), "{raw}");
    }
    for raw in ["/", "/a?b", "/a%2fb", "", "a", "..", "/..", "/#"] {
        assert_eq!(Target::parse_behind_authority(raw), Target::parse(raw), "{raw}");
    }
    assert!(Target::parse_behind_authority("?a b").is_err());
    assert!(Target::parse_behind_authority("?#").is_err());
}
