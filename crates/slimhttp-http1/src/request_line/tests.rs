//! The line of a refused head, for a log.

use super::*;

#[test]
fn what_is_valid_of_a_line_is_shown() {
    for (bytes, shown) in [
        ("", ""),
        ("\r", ""),
        ("\r\n", ""),
        ("\r\nGET / HTTP/1.1\r\n", "GET / HTTP/1.1"),
        ("GET / HTTP/1.1\r\nHost : a\r\n", "GET / HTTP/1.1"),
        ("GET / HTTP/1.1", "GET / HTTP/1.1"),
        ("GET / HTTP/1.1\r", "GET / HTTP/1.1"),
        ("GET / HTTP/1.1\rX", "GET / HTTP/1.1"),
        ("GET / HTTP/1.1\n", "GET / HTTP/1.1"),
        ("PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0"),
        ("GET /a?b HTT", "GET /a?b HTT"),
        ("GET /#x HTTP/1.1\r\n", "GET /"),
        ("GET /\u{e9} HTTP/1.1\r\n", "GET /"),
        ("GET /\x1b[0m", "GET /"),
        ("GET  / HTTP/1.1\r\n", "GET "),
        ("G@T / HTTP/1.1\r\n", "G"),
        ("GET http://a/b c", "GET http://a/b "),
        ("\x16\x03\x01", ""),
    ] {
        assert_eq!(request_line(bytes.as_bytes()), shown, "{bytes:?}");
    }
}

#[test]
fn what_is_shown_of_a_line_is_bounded() {
    let line = format!("GET /{} HTTP/1.0", "x".repeat(70_000));
    assert_eq!(request_line(format!("{line}\r\n\r\n").as_bytes()), line[..256]);
    assert_eq!(request_line("x".repeat(70_000).as_bytes()), "x".repeat(64));
}
