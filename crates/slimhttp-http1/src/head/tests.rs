//! Heads as their owners see them.

use super::*;
use crate::limits::Limits;
use crate::reader::Reader;
use crate::scratch::Part;

const LIMITS: Limits = Limits { max_head: 8192, max_fields: 100, max_target: 4096 };

/// Reads a whole head.
fn read(part: Part, head: &str, scratch: &mut Scratch) {
    let read = Reader::new(LIMITS).read_head(part, head.as_bytes(), scratch);
    assert_eq!(read.expect("a head").end, Some(head.len()), "{head}");
}

#[test]
fn a_request_is_as_it_was_sent() {
    let bytes = "PoST /a?b=%20 HTTP/1.1\r\nhOST: a\r\nX:\t 1 2 \t\r\nx: 3\r\nEmpty:\r\n\r\n";
    let mut scratch = Scratch::default();
    read(Part::Request, bytes, &mut scratch);
    let head = RequestHead::new(bytes.as_bytes(), &scratch);
    assert_eq!((head.method(), head.target()), ("PoST", "/a?b=%20"));
    assert_eq!((head.version(), head.bytes()), (Version::HTTP_11, bytes.as_bytes()));
    let fields: Vec<_> =
        head.fields().iter().map(|field| (field.name, field.value.into_owned())).collect();
    let sent = [("hOST", "a"), ("X", "1 2"), ("x", "3"), ("Empty", "")];
    assert_eq!(fields, sent.map(|(name, value)| (name, value.as_bytes().to_vec())));
    assert_eq!((head.fields().len(), head.fields().is_empty()), (4, false));

    let parts = head.to_parts().unwrap();
    assert_eq!((parts.method.as_str(), parts.version), ("PoST", Version::HTTP_11));
    assert_eq!(parts.uri, "/a?b=%20");
    assert_eq!(parts.headers, head.fields().to_map().unwrap());
    let both: Vec<_> = parts.headers.get_all("x").iter().collect();
    assert_eq!(both, ["1 2", "3"]);
    assert_eq!((parts.headers["host"].as_bytes(), parts.headers.len()), (&b"a"[..], 4));
}

#[test]
fn what_a_request_says_of_its_connection_is_known() {
    // Whether it keeps the connection, waits to be told to continue, offers an upgrade.
    for (line, fields, says) in [
        ("GET / HTTP/1.1", "", (true, false, false)),
        ("GET / HTTP/1.1", "Connection: close\r\n", (false, false, false)),
        ("GET / HTTP/1.1", "Connection: x,\t Close ,y\r\n", (false, false, false)),
        ("GET / HTTP/1.1", "Connection: x\r\nConnection: close\r\n", (false, false, false)),
        ("GET / HTTP/1.1", "Connection: keep-alive, close\r\n", (false, false, false)),
        ("GET / HTTP/1.1", "Connection: closed\r\n", (true, false, false)),
        ("GET / HTTP/1.1", "Connection: \"close\"\r\n", (true, false, false)),
        ("GET / HTTP/1.0", "", (false, false, false)),
        ("GET / HTTP/1.0", "Connection: Keep-Alive\r\n", (true, false, false)),
        ("GET / HTTP/1.0", "Connection: close, keep-alive\r\n", (false, false, false)),
        ("GET / HTTP/1.5", "", (true, false, false)),
        ("PUT / HTTP/1.1", "Expect: 100-Continue\r\nContent-Length: 1\r\n", (true, true, false)),
        ("PUT / HTTP/1.1", "Expect: x, 100-continue\r\nContent-Length: 1\r\n", (true, true, false)),
        (
            "PUT / HTTP/1.1",
            "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n",
            (true, true, false),
        ),
        ("PUT / HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n", (true, false, false)),
        ("PUT / HTTP/1.1", "Expect: 100-continue\r\n", (true, false, false)),
        ("PUT / HTTP/1.1", "Expect: 200-ok\r\nContent-Length: 1\r\n", (true, false, false)),
        ("PUT / HTTP/1.0", "Expect: 100-continue\r\nContent-Length: 1\r\n", (false, false, false)),
        ("GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: x\r\n", (true, false, true)),
        ("GET / HTTP/1.1", "Upgrade: x\r\nConnection: y, Upgrade\r\n", (true, false, true)),
        ("GET / HTTP/1.1", "Connection: upgrade\r\n", (true, false, false)),
        ("GET / HTTP/1.1", "Upgrade: x\r\n", (true, false, false)),
        ("GET / HTTP/1.0", "Connection: upgrade\r\nUpgrade: x\r\n", (false, false, false)),
    ] {
        let bytes = format!("{line}\r\nHost: a\r\n{fields}\r\n");
        let mut scratch = Scratch::default();
        read(Part::Request, &bytes, &mut scratch);
        let head = RequestHead::new(bytes.as_bytes(), &scratch);
        let said = (head.keeps_alive(), head.expects_continue(), head.offers_upgrade());
        assert_eq!(said, says, "{bytes}");
    }
}

#[test]
fn a_fold_becomes_a_space() {
    let bytes = "HTTP/1.1 200 OK\r\nA: 1 \r\n\t 2\r\n  \r\n 3\r\nB : b\r\nC:\n\tc\n\n";
    let mut scratch = Scratch::default();
    read(Part::Response, bytes, &mut scratch);
    let head = ResponseHead::new(bytes.as_bytes(), &scratch, Framing::None);
    let fields: Vec<_> = head.fields().iter().map(|field| (field.name, field.value)).collect();
    let values = [("A", "1 2  3"), ("B", "b"), ("C", "c")];
    assert_eq!(fields, values.map(|(name, value)| (name, Cow::from(value.as_bytes().to_vec()))));
    let is_owned: Vec<_> = fields.iter().map(|(_, value)| matches!(value, Cow::Owned(_))).collect();
    assert_eq!(is_owned, [true, false, true]);

    let parts = head.to_parts().unwrap();
    assert_eq!((parts.status, parts.version), (StatusCode::OK, Version::HTTP_11));
    assert_eq!(parts.headers["a"], "1 2  3");
    assert_eq!(parts.headers["b"], "b");
}
