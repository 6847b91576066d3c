//! Raw responses, well formed and not, a case per line.

use super::*;

fn check(raw: &str, status: u16, fields: &[(&str, &str)], body: &str) {
    let reply = parse(raw.as_bytes()).unwrap_or_else(|fault| panic!("{raw:?}: {fault}"));
    let found: Vec<_> = reply
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), std::str::from_utf8(value.as_bytes()).unwrap()))
        .collect();
    assert_eq!(reply.status.as_u16(), status, "{raw:?}");
    assert_eq!(found, fields, "{raw:?}");
    assert_eq!(&raw[reply.body_start..], body, "{raw:?}");
}

#[test]
fn c8_3_raw_responses() {
    type Case<'c> = (&'c str, u16, &'c [(&'c str, &'c str)], &'c str);
    let cases: &[Case<'_>] = &[
        ("HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nbody", 200, &[("x-a", "b")], "body"),
        ("HTTP/1.0 404 Not Found\r\n\r\n", 404, &[], ""),
        ("HTTP/1.1 299 Anything goes\r\n\r\nbody", 299, &[], "body"),
        ("HTTP/1.1 599 \r\n\r\n", 599, &[], ""),
        // RFC 9112 section 2.2: a bare LF ends a line.
        ("HTTP/1.1 200 OK\nX-A: b\n\nbody", 200, &[("x-a", "b")], "body"),
        ("HTTP/1.1 200 OK\r\nX-A: b\n\r\nbody", 200, &[("x-a", "b")], "body"),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", 200, &[], ""),
        // Section 4: the reason is optional, and says nothing.
        ("HTTP/1.1 200\r\n\r\nbody", 200, &[], "body"),
        ("HTTP/1.1  200  OK\r\n\r\nbody", 200, &[], "body"),
        // Section 5.1, 5.2: blanks before a colon, folded lines.
        ("HTTP/1.1 200 OK\r\nX-A : b\r\n\r\n", 200, &[("x-a", "b")], ""),
        ("HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\n\r\n", 200, &[("x-a", "b   c")], ""),
        ("HTTP/1.1 200 OK\r\nX-A:\r\n\r\n", 200, &[("x-a", "")], ""),
        ("HTTP/1.1 200 OK\r\nX-A: ä\r\n\r\nö", 200, &[("x-a", "ä")], "ö"),
        (
            "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n",
            200,
            &[("set-cookie", "a"), ("set-cookie", "b")],
            "",
        ),
        // Everything behind the first empty line is body.
        ("HTTP/1.1 200 OK\r\n\r\n\r\n\r\n", 200, &[], "\r\n\r\n"),
        ("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 200, &[], "HTTP/1.1 200 OK\r\n\r\n"),
        // No empty line: no body.
        ("HTTP/1.1 200 OK", 200, &[], ""),
        ("HTTP/1.1 200", 200, &[], ""),
        ("HTTP/1.1 200 OK\r\n", 200, &[], ""),
        ("HTTP/1.1 200 OK\r\nX-A: b", 200, &[("x-a", "b")], ""),
        ("HTTP/1.1 200 OK\nX-A: b\n", 200, &[("x-a", "b")], ""),
        // RFC 9110 section 7.6.1: framing and connection are ours.
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nX-A: b\r\nConnection: close, X-Own\r\n\
             X-Own: 1\r\nTransfer-Encoding: chunked\r\nKeep-Alive: timeout=5\r\nTrailer: X-T\r\n\
             Upgrade: h2c\r\nProxy-Connection: close\r\n\r\nbody",
            200,
            &[("x-a", "b")],
            "body",
        ),
    ];
    for (raw, status, fields, body) in cases {
        check(raw, *status, fields, body);
    }
}

#[test]
fn c8_3_malformed_raw_responses() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_FIELDS + 1));
    let cases = [
        ("", "no complete head"),
        ("HTTP/1.", "`HTTP/1.0` or `HTTP/1.1`"),
        ("HTTP/1.1", "`HTTP/1.0` or `HTTP/1.1`"),
        ("HTTP/1.2 200 OK\r\n\r\n", "`HTTP/1.0` or `HTTP/1.1`"),
        ("HTTP/2 200 OK\r\n\r\n", "`HTTP/1.0` or `HTTP/1.1`"),
        ("hello", "`HTTP/1.0` or `HTTP/1.1`"),
        ("HTTP/1.1 OK\r\n\r\n", "status line"),
        ("HTTP/1.1 20\r\n\r\n", "status line"),
        ("HTTP/1.1 2000 OK\r\n\r\n", "status line"),
        ("HTTP/1.1 000 OK\r\n\r\n", "between 200 and 999"),
        ("HTTP/1.1 100 Continue\r\n\r\n", "interim"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "interim"),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "header name"),
        ("HTTP/1.1 200 OK\r\n: b\r\n\r\n", "header name"),
        ("HTTP/1.1 200 OK\r\nX-A: a\0b\r\n\r\n", "header value"),
        ("HTTP/1.1 200 OK\r\nX-A: a\rb\r\n\r\n", "header value"),
        (&many, "128"),
    ];
    for (raw, expect) in cases {
        let found = parse(raw.as_bytes()).map(|reply| reply.status);
        assert!(found.is_err_and(|fault| fault.contains(expect)), "{raw:?}: {found:?}");
    }
}

#[test]
fn c8_3_only_a_version_makes_bytes_raw() {
    assert!(looks_raw(b"HTTP/1.1 200 OK\r\n\r\n"));
    for body in [&b""[..], b"hello", b"HTTP/2 200", b" HTTP/1.1 200 OK"] {
        assert!(!looks_raw(body), "{body:?}");
    }
}

#[test]
fn c9_a_switch_of_protocols() {
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                   Connection: Upgrade\r\nContent-Length: 3\r\n\r\n\x81\x02hi";
    let head = parse_switch(switch).unwrap().unwrap();
    assert_eq!(head.status, 101);
    assert_eq!((&head.headers["upgrade"], head.headers.len()), (&"websocket".parse().unwrap(), 2));
    assert_eq!(&switch[head.body_start..], b"\x81\x02hi");
    for (raw, found) in [
        (&b"HTTP/1.1 200 OK\r\n\r\n"[..], Ok(false)),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n", Ok(false)),
        (b"nonsense", Err(())),
    ] {
        let switch = parse_switch(raw).map(|head| head.is_some()).map_err(drop);
        assert_eq!(switch, found, "{}", raw.escape_ascii());
    }
}
