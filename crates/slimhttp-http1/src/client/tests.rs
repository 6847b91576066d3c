//! Requests as they are written, and responses as they are read.

use http::HeaderValue;

use super::*;

const LIMITS: Limits = Limits { max_head: 8192, max_fields: 100, max_target: 4096 };

fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    fields
        .iter()
        .map(|&(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::from_static(value))
        })
        .collect()
}

/// A client that has sent a request, and what it has sent.
fn sent(method: &Method, fields: &HeaderMap, framing: Framing) -> (Client, String) {
    let (mut client, mut out) = (Client::new(LIMITS), Vec::new());
    let request = Request { method, target: "/", fields, framing };
    client.send_request(&mut out, &request).expect("a request");
    (client, String::from_utf8(out).expect("ASCII"))
}

fn asked(method: &Method) -> Client {
    sent(method, &map(&[("host", "a")]), Framing::None).0
}

/// What was read of responses, as text.
fn read(client: &mut Client, pieces: &[&[u8]]) -> Result<String, Fault> {
    let (mut scratch, mut bytes, mut read) = (Scratch::default(), Vec::new(), String::new());
    for piece in pieces {
        bytes.extend_from_slice(piece);
        loop {
            let received = client.read(&bytes, &mut scratch)?;
            let consumed = received.consumed;
            match received.event {
                ResponseEvent::Incomplete | ResponseEvent::Switched => {
                    bytes.drain(..consumed);
                    break;
                }
                ResponseEvent::Interim(head) => show(&mut read, "interim", &head),
                ResponseEvent::Head(head) => show(&mut read, "head", &head),
                ResponseEvent::Data(data) => read += &data.escape_ascii().to_string(),
                ResponseEvent::End(fields) => {
                    read += "|";
                    for field in fields.iter() {
                        read += &format!("{}={}|", field.name, field.value.escape_ascii());
                    }
                }
            }
            bytes.drain(..consumed);
        }
    }
    Ok(read)
}

fn show(out: &mut String, kind: &str, head: &ResponseHead<'_>) {
    *out += &format!("{kind} {} {:?} {:?}", head.status().as_u16(), head.version(), head.framing());
    for field in head.fields().iter() {
        *out += &format!(" {}={}", field.name, field.value.escape_ascii());
    }
    *out += ">";
}

#[test]
fn a_request_says_how_its_content_is_framed() {
    let fields = map(&[("host", "a"), ("content-length", "9"), ("transfer-encoding", "x")]);
    for (method, framing, said) in [
        (Method::GET, Framing::None, ""),
        (Method::POST, Framing::None, "content-length: 0\r\n"),
        (Method::POST, Framing::Length(5), "content-length: 5\r\n"),
        (Method::GET, Framing::Length(5), "content-length: 5\r\n"),
        (Method::PUT, Framing::Chunked, "transfer-encoding: chunked\r\n"),
    ] {
        let (client, out) = sent(&method, &fields, framing);
        assert_eq!(out, format!("{method} / HTTP/1.1\r\nhost: a\r\n{said}\r\n"));
        let complete = client.client_state() == State::Done;
        assert_eq!(complete, framing == Framing::None);
    }
    let (_, out) = sent(&Method::GET, &HeaderMap::new(), Framing::None);
    assert_eq!(out, "GET / HTTP/1.1\r\nhost: \r\n\r\n");
}

#[test]
fn a_target_is_visible_ascii() {
    let fields = HeaderMap::new();
    for target in ["", "/ ", "/a b", "/\r\n", "/\u{e9}", "/\x7f", "/#a"] {
        let request =
            Request { method: &Method::GET, target, fields: &fields, framing: Framing::None };
        let mut client = Client::new(LIMITS);
        let refused = client.send_request(&mut Vec::new(), &request);
        assert_eq!(refused, Err(SendError::InvalidTarget), "{target:?}");
        assert_eq!(client.client_state(), State::Idle);
    }
}

#[test]
fn a_response_is_read_to_its_end() {
    for (method, response, shown, is_reusable) in [
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            "head 200 HTTP/1.1 Length(2) Content-Length=2>hi|",
            true,
        ),
        (
            Method::GET,
            "HTTP/1.1 200\r\nContent-Length: 2, 2\r\n\r\nhi",
            "head 200 HTTP/1.1 Length(2) Content-Length=2, 2>hi|",
            true,
        ),
        (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n", "head 204 HTTP/1.1 None>", true),
        (
            Method::GET,
            "HTTP/1.1 304 x\r\nContent-Length: 7\r\n\r\n",
            "head 304 HTTP/1.1 None Content-Length=7>",
            true,
        ),
        (
            Method::HEAD,
            "HTTP/1.1 200 x\r\nContent-Length: 7\r\n\r\n",
            "head 200 HTTP/1.1 None Content-Length=7>",
            true,
        ),
        (
            Method::GET,
            "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n",
            "head 200 HTTP/1.1 Chunked Transfer-Encoding=chunked>hi|A=b|",
            true,
        ),
        (
            Method::GET,
            "HTTP/1.1 200 x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "head 200 HTTP/1.1 Chunked Content-Length=1 Transfer-Encoding=chunked>|",
            false,
        ),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
            "head 200 HTTP/1.1 Length(2) Connection=close Content-Length=2>hi|",
            false,
        ),
        (
            Method::GET,
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            "head 200 HTTP/1.0 None Content-Length=0>",
            false,
        ),
        (
            Method::GET,
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
            "head 200 HTTP/1.0 None Connection=keep-alive Content-Length=0>",
            true,
        ),
        (
            Method::GET,
            "HTTP/1.7 200 OK\r\nContent-Length: 0\r\n\r\n",
            "head 200 HTTP/1.1 None Content-Length=0>",
            true,
        ),
        (
            Method::GET,
            "HTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 100 x\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
            "interim 103 HTTP/1.1 None A=b>interim 100 HTTP/1.1 None>head 204 HTTP/1.1 None>",
            true,
        ),
        (Method::GET, "\r\nHTTP/1.1 204 x\r\n\r\n", "head 204 HTTP/1.1 None>", true),
        (Method::GET, "\nHTTP/1.1 204 x\n\n", "head 204 HTTP/1.1 None>", true),
        (
            Method::GET,
            "HTTP/1.1 204 x\nA : b\nC: d\r\n\te\r\n f \r\n\nF",
            "head 204 HTTP/1.1 None A=b C=d e f>",
            false,
        ),
    ] {
        let mut client = asked(&method);
        // What is behind a response may come in the same piece or later.
        let whole = response.strip_suffix("F").unwrap_or(response);
        let bytes: Vec<&[u8]> = whole.as_bytes().chunks(1).collect();
        let mut bytewise = asked(&method);
        assert_eq!(read(&mut bytewise, &bytes).as_deref(), Ok(shown), "{response}");
        if whole == response {
            assert_eq!(read(&mut client, &[response.as_bytes()]).as_deref(), Ok(shown));
            assert_eq!(client.is_reusable(), is_reusable, "{response}");
            assert_eq!(bytewise.is_reusable(), is_reusable, "{response}");
        } else {
            assert_eq!(read(&mut client, &[response.as_bytes()]), Err(Fault::Unsolicited));
        }
    }
}

#[test]
fn content_without_a_length_ends_with_the_connection() {
    let mut client = asked(&Method::GET);
    let shown = read(&mut client, &[b"HTTP/1.1 200 x\r\n\r\nhi", b" there"]).unwrap();
    assert_eq!(shown, "head 200 HTTP/1.1 UntilClose>hi there");
    assert_eq!(client.read_end(b""), Ok(true));
    assert_eq!((client.server_state(), client.is_reusable()), (State::Closed, false));

    for response in ["", "HTTP/1.1 2", "HTTP/1.1 200 x\r\nContent-Length: 2\r\n\r\nh"] {
        let mut client = asked(&Method::GET);
        read(&mut client, &[response.as_bytes()]).unwrap();
        assert_eq!(client.read_end(b""), Err(Fault::Incomplete), "{response}");
    }
    let mut client = Client::new(LIMITS);
    assert_eq!(client.read_end(b""), Ok(false));
    assert_eq!(client.client_state(), State::MustClose);
}

#[test]
fn what_is_no_response_is_a_fault_however_it_is_cut() {
    use Fault::{Malformed, UnknownCoding, UnsupportedVersion};
    for (response, fault) in [
        ("HTTP/2.0 200 x\r\n", UnsupportedVersion),
        ("HTTP/1.1 099 x\r\n", Malformed("malformed status")),
        ("HTTP/1.1 20 x\r\n", Malformed("malformed status")),
        ("HTTP/1.1 2000 x\r\n", Malformed("malformed status")),
        ("HTTP/1.1  200 x\r\n", Malformed("malformed status")),
        ("HTTP 200\r\n", Malformed("no version of HTTP in the status line")),
        ("ICY 200 OK\r\n", Malformed("no version of HTTP in the status line")),
        ("HTTP/1.1 200 a\0\r\n", Malformed("a control byte in the reason")),
        ("HTTP/1.1 200 a\rb\r\n", Malformed("bare CR in the status line")),
        ("HTTP/1.1 200 x\r\n A: b\r\n\r\n", Malformed("space before the first field")),
        ("HTTP/1.1 200 x\r\nA: b\rc\r\n\r\n", Malformed("bare CR in a field")),
        ("HTTP/1.1 200 x\r\nA b: c\r\n\r\n", Malformed("a field without a colon")),
        ("HTTP/1.1 200 x\r\nA\r\n\r\n", Malformed("a field without a colon")),
        ("HTTP/1.1 200 x\r\n: b\r\n\r\n", Malformed("a field without a name")),
        (
            "HTTP/1.1 200 x\r\nContent-Length: 1, 2\r\n\r\n",
            Malformed("Content-Length says different lengths"),
        ),
        (
            "HTTP/1.1 200 x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            Malformed("Content-Length says different lengths"),
        ),
        (
            "HTTP/1.1 200 x\r\nContent-Length: +1\r\n\r\n",
            Malformed("Content-Length is not a number"),
        ),
        (
            "HTTP/1.1 200 x\r\nContent-Length: 1\r\n 2\r\n\r\n",
            Malformed("a folded field of framing or of the connection"),
        ),
        (
            "HTTP/1.1 200 x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
            Malformed("Transfer-Encoding does not end with chunked"),
        ),
        ("HTTP/1.1 200 x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", UnknownCoding),
        (
            "HTTP/1.1 200 x\r\nTransfer-Encoding: gzip\r\n\r\n",
            Malformed("Transfer-Encoding does not end with chunked"),
        ),
        (
            "HTTP/1.0 200 x\r\nTransfer-Encoding: chunked\r\n\r\n",
            Malformed("Transfer-Encoding in HTTP/1.0"),
        ),
        (
            "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n2\nhi\r\n",
            Malformed("malformed chunk size"),
        ),
        (
            "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n",
            Malformed("bare LF"),
        ),
        ("HTTP/1.1 101 x\r\n\r\n", Malformed("101 to a request that offers nothing")),
        ("\r\n\r\nHTTP/1.1 200 x\r\n\r\n", Malformed("empty lines before a start line")),
    ] {
        let bytes = response.as_bytes();
        let whole = read(&mut asked(&Method::GET), &[bytes]);
        assert_eq!(whole, Err(fault.clone()), "{response}");
        let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&mut asked(&Method::GET), &pieces), Err(fault), "{response}");
    }
}

#[test]
fn nobody_has_asked_for_a_response_between_two_exchanges() {
    let mut client = Client::new(LIMITS);
    assert_eq!(read(&mut client, &[b"H"]), Err(Fault::Unsolicited));
    assert_eq!(read(&mut client, &[b""]), Err(Fault::Unsolicited), "from then on");
    let mut client = asked(&Method::GET);
    let response = b"HTTP/1.1 204 x\r\n\r\n";
    read(&mut client, &[response]).unwrap();
    assert!(client.is_reusable());
    assert_eq!(read(&mut client, &[response]), Err(Fault::Unsolicited));
    assert!(!client.is_reusable());
}

#[test]
fn interim_responses_are_bounded() {
    let interim = b"HTTP/1.1 102 x\r\n\r\n".as_slice();
    let mut client = asked(&Method::GET);
    assert!(read(&mut client, &[interim; 16]).is_ok());
    assert_eq!(read(&mut client, &[interim]), Err(Fault::TooManyInterim));
}

#[test]
fn a_response_may_come_before_the_request_is_complete() {
    let fields = map(&[("host", "a")]);
    let (mut client, _) = sent(&Method::POST, &fields, Framing::Length(2));
    read(&mut client, &[b"HTTP/1.1 204 x\r\n\r\n"]).unwrap();
    assert_eq!((client.server_state(), client.is_reusable()), (State::Done, false));
    client.send_data(2).unwrap();
    client.send_end(&mut Vec::new(), None).unwrap();
    assert!(client.is_reusable());
}

#[test]
fn protocols_are_switched_where_that_was_offered() {
    let fields = map(&[("host", "a"), ("connection", "x, upgrade"), ("upgrade", "x")]);
    let (mut client, _) = sent(&Method::GET, &fields, Framing::None);
    let shown = read(&mut client, &[b"HTTP/1.1 101 x\r\n\r\n\0"]).unwrap();
    assert_eq!(shown, "head 101 HTTP/1.1 None>");
    assert_eq!(client.server_state(), State::Switched);

    let (mut client, _) = sent(&Method::GET, &fields, Framing::None);
    read(&mut client, &[b"HTTP/1.1 204 x\r\n\r\n"]).unwrap();
    assert!(client.is_reusable());

    // RFC 9110 section 9.3.6: what such a response says of content is ignored.
    let mut client = asked(&Method::CONNECT);
    let response = b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n\0";
    let shown = read(&mut client, &[response]).unwrap();
    assert_eq!(shown, "head 200 HTTP/1.1 None Transfer-Encoding=chunked>");
    assert_eq!(client.client_state(), State::Switched);
    let mut client = asked(&Method::CONNECT);
    read(&mut client, &[b"HTTP/1.1 403 x\r\nContent-Length: 1\r\n\r\nx"]).unwrap();
    assert!(client.is_reusable());
}
