//! Names together, and the folders that they have.

use super::*;

/// The names of a text with commas.
fn names(text: &str) -> Names {
    let parsed = text.split(", ").map(|name| Identifier::parse(name).unwrap());
    Names::new(parsed).unwrap()
}

#[test]
fn the_same_names_are_the_same_however_they_are_written() {
    assert_eq!(names("b.example, a.example, b.example"), names("A.example, b.example"));
    assert_eq!(Names::new([]), None);
    let many = |count: usize| {
        Names::new((0..count).map(|number| Identifier::Dns(format!("a{number}.example").into())))
    };
    assert!(many(MOST_NAMES).is_some() && many(MOST_NAMES + 1).is_none());
}

#[test]
fn each_certificate_has_a_folder_of_its_own() {
    let long = "a".repeat(60);
    let longest = format!("{long}.{long}.{long}.{long}.example");
    for (text, folder) in [
        ("a.example", "a.example"),
        ("*.a.example", "_.a.example"),
        ("127.0.0.1", "ip_127.0.0.1"),
        ("[2001:db8::1]", "ip_2001-db8--1"),
        ("a.example, *.a.example", "a.example+1_d3d5a91ac6b6b8d8"),
        ("a.example, b.example, c.example", "a.example+2_6d4b4fb9db79dd59"),
    ] {
        let found = names(text).folder();
        let (name, digest) = found.split_once("+").unwrap_or((&found, ""));
        let (expected, _) = folder.split_once("+").unwrap_or((folder, ""));
        assert_eq!(name, expected, "{text}");
        assert_eq!(digest.is_empty(), !folder.contains('+'), "{text}");
    }
    let [one, other] = [&longest[..], "b.example"]
        .map(|other| names(&format!("{longest}, {other}, c.example")).folder());
    assert!(one.len() <= 255 && other.len() <= 255 && one != other, "{one} {other}");
    assert!(!names(&longest).folder().contains('+'));
}

#[test]
fn a_certificate_covers_what_its_names_do() {
    for (own, wanted, covered, overlaps) in [
        ("a.example", "a.example", 1, true),
        ("a.example, b.example", "b.example, c.example", 1, true),
        ("*.a.example", "b.a.example, c.a.example, a.example", 2, false),
        ("*.a.example", "*.a.example", 1, true),
        ("a.example", "b.example", 0, false),
    ] {
        let (own, wanted) = (names(own), names(wanted));
        assert_eq!(own.covered(&wanted), covered, "{own} for {wanted}");
        assert_eq!(own.overlaps(&wanted), overlaps, "{own} for {wanted}");
    }
}
