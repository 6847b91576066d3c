//! A stream of responses to one request: what is read of it does not hang on how it was cut, and
//! another parser, as lenient as it can be, reads the same heads.

use http::{HeaderMap, HeaderValue, Method, header};
use slimhttp_http1::{Client, Framing, Limits, Request, ResponseEvent, ResponseHead, Scratch};

use crate::spelled::{Words, texts};
use crate::{cuts, fields};

const LIMITS: Limits = Limits { max_head: 600, max_fields: 8, max_target: 100 };

const WORDS: Words = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 204\r\n",
    b"HTTP/1.0 200 OK\n",
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
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"5;a=b\r\n",
    b"ffffffffffffffff\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n",
    b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\n",
    b"A : b\r\n",
    b"B: c\r\n\td\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: close\r\n",
    b"X: \xff\r\n",
    b" folded\r\n",
    b"\x0b",
];

/// The first byte says how long the pieces are, the second what was asked.
pub(crate) fn check(input: &[u8]) {
    let [first, asked, rest @ ..] = input else { return };
    for stream in texts(rest, &WORDS) {
        let [whole, pieces, two] = cuts(&stream, *first).map(|pieces| read(&pieces, *asked));
        assert_eq!(pieces, whole, "{}", stream.escape_ascii());
        assert_eq!(two, whole, "{}", stream.escape_ascii());
    }
}

/// A client that has sent a request.
fn client(asked: u8) -> Client {
    let mut client = Client::new(LIMITS);
    let mut fields = HeaderMap::new();
    let method = match asked % 4 {
        0 => Method::GET,
        1 => Method::HEAD,
        2 => Method::CONNECT,
        _ => {
            fields.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            fields.insert(header::UPGRADE, HeaderValue::from_static("x"));
            Method::GET
        }
    };
    let request = Request { method: &method, target: "/", fields: &fields, framing: Framing::None };
    client.send_request(&mut Vec::new(), &request).expect("a request");
    client
}

/// All that is read of a stream, as text.
fn read(pieces: &[&[u8]], asked: u8) -> String {
    let (mut client, mut scratch) = (client(asked), Scratch::default());
    let (mut bytes, mut read) = (Vec::new(), String::new());
    for piece in pieces {
        bytes.extend_from_slice(piece);
        while step(&mut client, &mut scratch, &mut bytes, &mut read) {}
    }
    let end = client.read_end(&bytes);
    format!("{read} {end:?} {:?} {:?}", client.client_state(), client.server_state())
}

/// Whether there may be more.
fn step(
    client: &mut Client,
    scratch: &mut Scratch,
    bytes: &mut Vec<u8>,
    read: &mut String,
) -> bool {
    let Ok(received) = client.read(bytes, scratch) else { return false };
    let consumed = received.consumed;
    assert!(consumed <= bytes.len());
    match received.event {
        ResponseEvent::Incomplete => {
            bytes.drain(..consumed);
            return false;
        }
        ResponseEvent::Switched => {
            assert_eq!(consumed, 0);
            // These are nobody's here.
            bytes.clear();
            return false;
        }
        ResponseEvent::Interim(head) => *read += &show(&head),
        ResponseEvent::Head(head) => *read += &show(&head),
        ResponseEvent::Data(data) => {
            assert!(!data.is_empty());
            *read += &data.escape_ascii().to_string();
        }
        ResponseEvent::End(trailers) => {
            let lines = trailers.iter().map(|field| (field.name, field.value.to_vec()));
            *read += &format!("|{}|", fields(lines));
        }
    }
    bytes.drain(..consumed);
    true
}

fn show(head: &ResponseHead<'_>) -> String {
    agree(head);
    let shown = head.fields();
    let lines = shown.iter().map(|field| (field.name, field.value.to_vec()));
    format!(
        "{} {:?} {:?} {}{}|",
        head.status().as_u16(),
        head.version(),
        head.framing(),
        head.keeps_alive(),
        fields(lines),
    )
}

/// Another parser reads the same head, and the `http` crate holds it.
fn agree(head: &ResponseHead<'_>) {
    let bytes = head.bytes();
    let shown = bytes.escape_ascii().to_string();
    let mut usual = bytes.to_vec();
    if !matches!(bytes[7], b'0' | b'1') {
        // Versions above 1.1, which that parser does not know.
        usual[7] = b'1';
    }
    let mut config = httparse::ParserConfig::default();
    config
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true);
    let mut lines = [httparse::EMPTY_HEADER; 8];
    let mut response = httparse::Response::new(&mut lines);
    let parsed = config.parse_response(&mut response, &usual);
    assert_eq!(parsed, Ok(httparse::Status::Complete(bytes.len())), "{shown}");
    assert_eq!(response.code, Some(head.status().as_u16()), "{shown}");
    let fields = head.fields();
    let ours: Vec<_> = fields.iter().map(|field| (field.name, field.value.to_vec())).collect();
    let theirs: Vec<_> =
        response.headers.iter().map(|field| (field.name, unfolded(field.value))).collect();
    assert_eq!(ours, theirs, "{shown}");

    let parts = head.to_parts().unwrap_or_else(|fault| panic!("{fault}: {shown}"));
    assert_eq!((parts.status, parts.version), (head.status(), head.version()), "{shown}");
    assert_eq!(parts.headers.len(), head.fields().len(), "{shown}");
}

/// A value whose folds are spaces, without the white space around it.
fn unfolded(value: &[u8]) -> Vec<u8> {
    let lines = value.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines.collect::<Vec<_>>().join(&b' ').trim_ascii().to_vec()
}
