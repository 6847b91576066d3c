//! What is read of a media type.

use super::*;

#[test]
fn the_essence_is_what_stands_before_the_parameters() {
    let cases = [
        ("text/html", "text/html"),
        ("text/html;charset=utf-8", "text/html"),
        ("Text/HTML ; charset=utf-8; a=b", "Text/HTML"),
    ];
    for (media_type, expect) in cases {
        assert_eq!(essence(&HeaderValue::from_static(media_type)), expect.as_bytes());
    }
}

#[test]
fn parameters_of_a_content_type() {
    let cases = [
        ("text/plain", "charset", None),
        ("text/plain;charset=utf-8", "charset", Some("utf-8")),
        ("text/plain; CHARSET = utf-8 ", "charset", Some("utf-8")),
        ("text/plain; charset=\"utf-8\"", "charset", Some("utf-8")),
        ("text/plain; charset=a; charset=b", "charset", Some("a")),
        ("multipart/form-data; boundary=\"a;b\"; charset=x", "charset", Some("x")),
        ("multipart/form-data; boundary=\"a;b\"; charset=x", "boundary", Some("a;b")),
        ("multipart/form-data; boundary=\"a\\\"b\"", "boundary", Some("a\"b")),
        ("multipart/form-data; boundary=\"open", "boundary", Some("open")),
        ("multipart/form-data; boundary=\"a\"stray; x=y", "x", Some("y")),
        ("multipart/form-data; flag; boundary=a", "boundary", Some("a")),
        ("multipart/form-data; flag; other", "boundary", None),
        ("multipart/form-data;;; boundary=", "boundary", Some("")),
        ("multipart/form-data; =; boundary=a", "boundary", Some("a")),
        ("", "boundary", None),
    ];
    for (written, name, expected) in cases {
        assert_eq!(parameter(written, name).as_deref(), expected, "{name} of {written:?}");
    }
}
