//! The table of names that Python's half is held against too, and texts.

use toml_edit::DocumentMut;

use super::{is_secret, masked};

#[test]
fn names_are_judged_as_the_table_says() {
    let table: DocumentMut =
        include_str!("../../../../tests/data/secret_names.toml").parse().expect("TOML");
    for (list, expected) in [("secret", true), ("harmless", false)] {
        for name in table[list].as_array().expect("a list") {
            let name = name.as_str().expect("a text");
            assert_eq!(is_secret(name), expected, "{name}");
            let query = format!("/x?a=1&{name}=v;b=2");
            let shown = if expected { format!("/x?a=1&{name}=***;b=2") } else { query.clone() };
            assert_eq!(masked(&query), shown);
        }
    }
}

#[test]
fn texts_are_shown_without_secrets() {
    for (text, expected) in [
        ("/plain", "/plain"),
        ("/x?code=1&q=2", "/x?code=***&q=2"),
        ("/x?q=2&code=a=b:c&r", "/x?q=2&code=***&r"),
        ("/x?code=", "/x?code="),
        // By whatever spelling: a server reads the same name.
        ("/x?%63od%65=1", "/x?%63od%65=***"),
        ("/x?user%5Bpassword%5D=1", "/x?user%5Bpassword%5D=***"),
        ("https://a.example/cb?state=s#code=c", "https://a.example/cb?state=***#code=***"),
        (
            "Redirect { location: \"/cb?code=1\", status: 302 }",
            "Redirect { location: \"/cb?code=***\", status: 302 }",
        ),
        ("text/html;q=0.9, */*;q=0.8", "text/html;q=0.9, */*;q=0.8"),
        ("https://user:pass@a.example:80/x", "https://user:***@a.example:80/x"),
        ("https://user:p:a=s@a.example/", "https://user:***@a.example/"),
        ("https://a.example:80/x@y", "https://a.example:80/x@y"),
        ("mailto:a@b.example", "mailto:a@b.example"),
    ] {
        assert_eq!(masked(text), expected, "{text}");
    }
}
