//! A stream of requests: what is read of it does not hang on how it was cut, and another parser
//! reads the same heads.

use http::{HeaderMap, StatusCode};
use slimhttp_http1::{
    Framing, Limits, RequestEvent, RequestHead, Response, Scratch, Server, State, request_line,
};

use crate::spelled::{Words, texts};
use crate::{cuts, fields};

const LIMITS: Limits = Limits { max_head: 600, max_fields: 8, max_target: 100 };

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
    b"Connection: upgrade\r\nUpgrade: x\r\n",
    b"Connection: close\r\n",
    b"X: \xff\r\n",
    b" folded\r\n",
    b"\x0b",
];

/// The first byte says how long the pieces are.
pub(crate) fn check(input: &[u8]) {
    let Some((&first, rest)) = input.split_first() else { return };
    for stream in texts(rest, &WORDS) {
        let [whole, pieces, two] = cuts(&stream, first).map(|pieces| read(&pieces));
        assert_eq!(pieces, whole, "{}", stream.escape_ascii());
        assert_eq!(two, whole, "{}", stream.escape_ascii());
        // What is shown of a line is visible ASCII and its beginning.
        let line = request_line(&stream);
        assert!(line.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{line}");
        let begins = stream.strip_prefix(b"\r\n").unwrap_or(&stream);
        assert!(begins.starts_with(line.as_bytes()), "{line}");
    }
}

/// All that is read of a stream, as text; each whole request is answered.
fn read(pieces: &[&[u8]]) -> String {
    let (mut server, mut scratch) = (Server::new(LIMITS), Scratch::default());
    let (mut bytes, mut read) = (Vec::new(), String::new());
    for piece in pieces {
        bytes.extend_from_slice(piece);
        while step(&mut server, &mut scratch, &mut bytes, &mut read) {}
    }
    let end = server.read_end(&bytes);
    format!("{read} {end:?} {:?} {:?}", server.client_state(), server.server_state())
}

/// Whether there may be more.
fn step(
    server: &mut Server,
    scratch: &mut Scratch,
    bytes: &mut Vec<u8>,
    read: &mut String,
) -> bool {
    let Ok(received) = server.read(bytes, scratch) else { return false };
    let consumed = received.consumed;
    assert!(consumed <= bytes.len());
    match received.event {
        RequestEvent::Incomplete => {
            bytes.drain(..consumed);
            return false;
        }
        RequestEvent::Paused | RequestEvent::Switched => {
            assert_eq!(consumed, 0);
            return false;
        }
        RequestEvent::Head(head) => {
            agree(&head);
            let shown = head.fields();
            let lines = shown.iter().map(|field| (field.name, field.value.to_vec()));
            *read += &format!(
                "{} {} {:?} {:?} {}{}{}{}|",
                head.method(),
                head.target(),
                head.version(),
                head.framing(),
                head.keeps_alive(),
                head.expects_continue(),
                head.offers_upgrade(),
                fields(lines),
            );
        }
        RequestEvent::Data(data) => {
            assert!(!data.is_empty());
            *read += &data.escape_ascii().to_string();
        }
        RequestEvent::End(trailers) => {
            let lines = trailers.iter().map(|field| (field.name, field.value.to_vec()));
            *read += &format!("|{}|", fields(lines));
        }
    }
    bytes.drain(..consumed);
    answer(server);
    true
}

fn answer(server: &mut Server) {
    let is_whole = !matches!(server.client_state(), State::Idle | State::SendBody);
    if is_whole && server.server_state() == State::SendResponse {
        let (status, fields) = (StatusCode::NOT_FOUND, &HeaderMap::new());
        let response = Response { status, fields, length: Some(0), date: None };
        let framing = server.send_response(&mut Vec::new(), &response);
        assert_eq!(framing, Ok(Framing::None));
    }
}

/// Another parser reads the same head, and the `http` crate holds it.
fn agree(head: &RequestHead<'_>) {
    let bytes = head.bytes();
    let shown = bytes.escape_ascii().to_string();
    let line = bytes.windows(2).position(|pair| pair == b"\r\n").expect("a line");
    let mut usual = bytes.to_vec();
    if !matches!(bytes[line - 1], b'0' | b'1') {
        // Versions above 1.1, which that parser does not know.
        usual[line - 1] = b'1';
    }
    let mut lines = [httparse::EMPTY_HEADER; 8];
    let mut request = httparse::Request::new(&mut lines);
    let parsed = request.parse(&usual);
    assert_eq!(parsed, Ok(httparse::Status::Complete(bytes.len())), "{shown}");
    assert_eq!(request.method, Some(head.method()), "{shown}");
    assert_eq!(request.path, Some(head.target()), "{shown}");
    let fields = head.fields();
    let ours: Vec<_> = fields.iter().map(|field| (field.name, field.value.to_vec())).collect();
    let theirs: Vec<_> =
        request.headers.iter().map(|field| (field.name, field.value.to_vec())).collect();
    assert_eq!(ours, theirs, "{shown}");

    let parts = head.to_parts().unwrap_or_else(|fault| panic!("{fault}: {shown}"));
    assert_eq!((parts.method.as_str(), parts.version), (head.method(), head.version()), "{shown}");
    assert_eq!(parts.headers.len(), head.fields().len(), "{shown}");
}
