//! Lines of environment files.

use super::*;

#[test]
fn a_line_is_a_name_and_a_value() {
    for (text, expected) in [
        ("A=1", Ok("1")),
        ("\u{feff}# why\n\n  export A = 1 \n", Ok("1")),
        ("A=1\nA=2", Ok("2")),
        ("A=", Ok("")),
        ("A=b=c", Ok("b=c")),
        ("A=b # why", Ok("b")),
        ("A=b#c", Ok("b#c")),
        ("A='b # c' # why", Ok("b # c")),
        (r#"A="b\n\"c\" $D""#, Ok("b\n\"c\" $D")),
        (r"A='b\n'", Ok(r"b\n")),
        ("B=1\nA", Err((2, "expected `NAME=value`"))),
        ("=1", Err((1, "expected a name without spaces in front of `=`"))),
        ("A B=1", Err((1, "expected a name without spaces in front of `=`"))),
        ("A=\"b", Err((1, "expected a closing quote"))),
        ("A='b", Err((1, "expected a closing quote"))),
    ] {
        let found = parse(text).map(|variables| variables["A"].clone());
        assert_eq!(found.as_deref().map_err(|error| *error), expected, "{text}");
    }
}

#[test]
fn only_a_regular_file_of_some_size_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let large = folder.path().join("large");
    std::fs::write(&large, "#".repeat(1024 * 1024 + 1)).expect("a file");
    for (file, expected) in
        [(Path::new("/dev/zero"), "not a regular file"), (&large, "more than 1048576 bytes")]
    {
        let said = read(file).expect_err("refused");
        assert!(said.starts_with("--env-file: ") && said.contains(expected), "{said}");
    }
}

#[test]
fn a_flag_is_a_name_and_a_value() {
    assert_eq!(pair("A=b=c"), Ok(("A".into(), "b=c".into())));
    for text in ["A", "=b", "A B=c"] {
        assert_eq!(pair(text), Err("expected `NAME=value`".into()), "{text}");
    }
}
