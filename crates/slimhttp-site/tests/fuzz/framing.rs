//! A stream of requests: the verdict does not hang on how it was cut.

use slimhttp_site::framing::{Framing, Limits};

use crate::spelled::{Words, texts};

const LIMITS: Limits = Limits { max_head: 600, max_headers: 8, max_uri: 100 };

const WORDS: Words = [
    b"GET / HTTP/1.1\r\n",
    b"POST /a HTTP/1.1\r\n",
    b"Host: a\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"0\r\n\r\n",
    b"3\r\nabc\r\n",
    b"abc",
    b"\n",
    b"\r",
    b"\0",
    b"\t",
    b" ",
    b":",
    b"Content-Length: 18446744073709551615\r\n",
    b"Content-Length: 3, 3\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"HTTP/1.0\r\n",
    b"5;a=b\r\n",
    b"ffffffffffffffff\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n",
    b"OPTIONS * HTTP/1.1\r\n",
    b"GET http://a/ HTTP/1.1\r\n",
    b"Host: b\r\n",
    b"Expect: 100-continue\r\n",
    b"\n",
    b"Connection: close\r\n",
    b"X: \xff\r\n",
    b" folded\r\n",
    b"\x0b",
];

/// The first byte says how long the pieces are.
pub(crate) fn check(input: &[u8]) {
    let Some((&first, rest)) = input.split_first() else { return };
    for stream in texts(rest, &WORDS) {
        check_stream(&stream, first);
    }
}

fn check_stream(stream: &[u8], first: u8) {
    let whole = verdict(&[stream]);
    let pieces: Vec<&[u8]> = stream.chunks(usize::from(first % 16) + 1).collect();
    assert_eq!(verdict(&pieces), whole, "{}", stream.escape_ascii());
    let (one, other) = stream.split_at(stream.len() * usize::from(first) / 255);
    assert_eq!(verdict(&[one, other]), whole, "{}", stream.escape_ascii());

    // What passed would pass again, and no fault is found before its byte.
    let (pass, ..) = whole;
    let (again, fault, ..) = verdict(&[&stream[..pass]]);
    assert_eq!((again, fault), (pass, None), "{}", stream.escape_ascii());
}

/// How many bytes pass, the fault if there is one, and where the stream stands.
fn verdict(pieces: &[&[u8]]) -> (usize, Option<u16>, String, u64) {
    let mut framing = Framing::new(LIMITS);
    let (mut pass, mut fault) = (0, None);
    for piece in pieces {
        let fed = framing.feed(piece);
        assert!(fed.before_head <= fed.pass && fed.pass <= piece.len());
        assert!(fed.fault.is_some() || fed.pass == piece.len());
        pass += fed.pass;
        fault = fed.fault.map(|refusal| refusal.status().as_u16());
        if fault.is_some() {
            break;
        }
    }
    (pass, fault, format!("{:?}", framing.phase()), framing.heads_read())
}
