//! Which requests belong on a connection.

use super::*;

#[test]
fn a_host_is_compared_as_it_is_written() {
    for (written, name, is_same) in [
        ("a.example", "a.example", true),
        ("a.example:443", "a.example", true),
        ("a.example:0443", "a.example", true),
        ("a.example:80", "a.example", false),
        ("a.example:", "a.example", false),
        ("a.example:x", "a.example", false),
        ("a.example.", "a.example", false),
        ("A.example", "a.example", false),
        ("a.example.b", "a.example", false),
        ("b.a.example", "a.example", false),
        ("", "a.example", false),
    ] {
        assert_eq!(is_host(written.as_bytes(), name, 443), is_same, "{written}");
    }
}
