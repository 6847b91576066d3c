//! Requests as they are written, and responses as they are read.

mod vectors;

use http::HeaderValue;

use super::*;
use vectors::{ACCEPTED, REFUSED, RequestKind};

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

impl RequestKind {
    /// A client that has sent such a request.
    fn client(self) -> Client {
        let fields = map(&[("host", "a"), ("connection", "x, Upgrade"), ("upgrade", "y")]);
        match self {
            Self::Get => asked(&Method::GET),
            Self::Head => asked(&Method::HEAD),
            Self::Connect => asked(&Method::CONNECT),
            Self::Upgrade => sent(&Method::GET, &fields, Framing::None).0,
        }
    }
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
fn an_engine_at_rest_is_small() {
    assert!(size_of::<Client>() <= 64, "{}", size_of::<Client>());
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
fn what_is_no_valid_request_is_not_sent_and_changes_nothing() {
    use Framing::{Chunked, Length, None as Nothing, UntilClose};
    use SendError::{InvalidFraming, InvalidHost, InvalidTarget};
    let one = map(&[("host", "a")]);
    let mut two = one.clone();
    two.append(HOST, HeaderValue::from_static("a"));
    let (options, trace) = (Method::OPTIONS, Method::TRACE);
    for (method, target, fields, framing, expected) in [
        (&options, "*", &one, Nothing, Ok(())),
        (&options, "*", &one, Length(1), Ok(())),
        (&Method::GET, "*", &one, Nothing, Err(InvalidTarget)),
        (&Method::GET, "/", &two, Nothing, Err(InvalidHost)),
        (&Method::POST, "/", &one, UntilClose, Err(InvalidFraming)),
        (&trace, "/", &one, Nothing, Ok(())),
        (&trace, "/", &one, Length(1), Err(InvalidFraming)),
        (&trace, "/", &one, Chunked, Err(InvalidFraming)),
        (&Method::CONNECT, "a:1", &one, Nothing, Ok(())),
        (&Method::CONNECT, "a:1", &one, Chunked, Err(InvalidFraming)),
    ] {
        let (mut client, mut out) = (Client::new(LIMITS), Vec::new());
        let sent = client.send_request(&mut out, &Request { method, target, fields, framing });
        assert_eq!(sent, expected, "{method} {target} {framing:?}");
        assert_eq!(out.is_empty(), expected.is_err());
        assert_eq!(client.client_state() == State::Idle, expected.is_err());
    }
}

#[test]
fn fields_of_the_connection_are_sent_where_they_mean_something() {
    let fields = |connection| {
        map(&[("host", "a"), ("keep-alive", "1"), ("proxy-connection", "x"), ("upgrade", "y")])
            .into_iter()
            .chain(map(&[("connection", connection)]))
            .map(|(name, value)| (name.expect("one of each"), value))
            .collect::<HeaderMap>()
    };
    for (connection, sent_on) in
        [("x", "connection: x\r\n"), ("x, upgrade", "upgrade: y\r\nconnection: x, upgrade\r\n")]
    {
        let (_, out) = sent(&Method::GET, &fields(connection), Framing::None);
        assert_eq!(out, format!("GET / HTTP/1.1\r\nhost: a\r\n{sent_on}\r\n"));
    }
}

/// Reads a response at once, byte by byte and cut at every place; what was read of it, and whether
/// the connection may be used again.
fn read_cut(asked: RequestKind, response: &str) -> (Result<String, Fault>, bool) {
    let bytes = response.as_bytes();
    let of = |pieces: &[&[u8]]| {
        let mut client = asked.client();
        (read(&mut client, pieces), client.is_reusable())
    };
    let whole = of(&[bytes]);
    let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(of(&pieces), whole, "{response:?}");
    for cut in 0..=bytes.len() {
        let (one, other) = bytes.split_at(cut);
        assert_eq!(of(&[one, other]), whole, "{cut}: {response:?}");
    }
    whole
}

#[test]
fn responses_are_read_to_their_end_however_they_are_cut() {
    for &(asked, response, shown, is_reusable) in ACCEPTED {
        let read = read_cut(asked, response);
        assert_eq!(read, (Ok(shown.to_owned()), is_reusable), "{asked:?} {response:?}");
    }
}

#[test]
fn what_is_no_response_is_a_fault_however_it_is_cut() {
    for (response, fault) in REFUSED {
        let read = read_cut(RequestKind::Get, response);
        assert_eq!(read, (Err(fault.clone()), false), "{response:?}");
    }
}

#[test]
fn limits_hold_for_responses() {
    const SMALL: Limits = Limits { max_head: 40, max_fields: 2, max_target: 0 };
    for (response, fault) in [
        ("HTTP/1.1 200 OK\r\nA: 0123456789012345\r\n\r\n", None),
        ("HTTP/1.1 200 OK\r\nA: 01234567890123456\r\n\r\n", Some(Fault::HeadTooLong)),
        ("HTTP/1.1 200 a reason that is too long to be read", Some(Fault::HeadTooLong)),
        ("HTTP/1.1 200 OK\nA: b\n c\n d\nA: b\n\n", None),
        ("HTTP/1.1 200 OK\nA: b\nA: b\nA: b\n\n", Some(Fault::TooManyFields)),
    ] {
        let mut client = asked(&Method::GET);
        client.set_limits(SMALL);
        assert_eq!(read(&mut client, &[response.as_bytes()]).err(), fault, "{response}");
    }
}

/// Nothing but the length of a head bounds its folds. Were each of them to cost what stands before
/// it, this would take hours.
#[test]
fn a_fold_costs_no_more_than_its_own_bytes() {
    const LARGE: Limits = Limits { max_head: 16 << 20, max_fields: 2, max_target: 0 };
    for (fold, value) in [(" \n", ""), ("\t a \r\n", "a")] {
        let folds = fold.repeat(1_000_000);
        let head = format!("HTTP/1.1 204 x\nA:\n{folds}B: c\n\n");
        let (mut client, mut scratch) = (asked(&Method::GET), Scratch::default());
        client.set_limits(LARGE);
        // All but the end by itself, so that what is kept between two reads counts, too.
        let cut = head.len() - 3;
        let read = client.read(&head.as_bytes()[..cut], &mut scratch).expect("the head's begin");
        assert!(matches!(read.event, ResponseEvent::Incomplete));
        let read = client.read(head.as_bytes(), &mut scratch).expect("a head");
        let ResponseEvent::Head(read) = read.event else { panic!("a whole head") };
        let values: Vec<_> = read.fields().iter().map(|field| field.value.into_owned()).collect();
        let folded = vec![value; if value.is_empty() { 1 } else { 1_000_000 }].join(" ");
        assert!(values == [folded.into_bytes(), b"c".to_vec()], "{fold:?}");
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
    assert!(read(&mut client, &[interim; MOST_INTERIM as usize]).is_ok());
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

#[test]
fn bytes_behind_a_response_are_known_without_reading_them() {
    for response in ["HTTP/1.1 204 x\r\n\r\n", "HTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\nx"] {
        let (mut client, mut scratch) = (asked(&Method::GET), Scratch::default());
        let bytes = [response.as_bytes(), b"!"].concat();
        let mut at = 0;
        while client.server_state() != State::MustClose {
            at += client.read(&bytes[at..], &mut scratch).unwrap().consumed;
        }
        assert_eq!((at, client.is_reusable()), (response.len(), false));
    }
}

#[test]
fn the_padding_of_a_chunk_size_is_bounded() {
    let head = "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    for (padding, chunks, is_read) in [(256, 1, true), (257, 1, false), (256, 64, false)] {
        let content = format!("1{}\r\nx\r\n", " ".repeat(padding)).repeat(chunks);
        let response = head.clone() + &content;
        let read = read(&mut asked(&Method::GET), &[response.as_bytes()]);
        assert_eq!(read.is_ok(), is_read, "{padding} {chunks}: {read:?}");
    }
}

#[test]
fn content_may_be_taken_off_the_socket_by_other_means() {
    let mut client = asked(&Method::GET);
    assert_eq!(client.content_left(), None, "there is no response");
    let head = b"HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\nabc";
    assert_eq!(
        read(&mut client, &[head]),
        Ok("head 200 HTTP/1.1 Length(9) Content-Length=9>abc".into())
    );
    assert_eq!(client.content_left(), Some(6));
    client.skip_content(4);
    assert_eq!(client.content_left(), Some(2));
    assert_eq!(read(&mut client, &[b"hi"]), Ok("hi|".into()));
    assert_eq!(client.content_left(), None, "it is complete");
    assert!(client.is_reusable());

    let mut client = asked(&Method::GET);
    let head = b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n";
    read(&mut client, &[head]).expect("a head");
    assert_eq!(client.content_left(), None, "chunks have to be read");
}

#[test]
fn each_response_has_its_own_interim_ones() {
    let mut client = asked(&Method::GET);
    let responses = "HTTP/1.1 102 x\r\n\r\n".repeat(16) + "HTTP/1.1 204 x\r\n\r\n";
    for _ in 0..2 {
        read(&mut client, &[responses.as_bytes()]).unwrap();
        let fields = map(&[("host", "a")]);
        let request =
            Request { method: &Method::GET, target: "/", fields: &fields, framing: Framing::None };
        client.send_request(&mut Vec::new(), &request).unwrap();
    }
}

#[test]
fn a_response_says_whether_its_connection_persists() {
    for (head, keeps_alive) in [
        ("HTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\n", true),
        ("HTTP/1.1 200 x\r\n\r\n", false),
        ("HTTP/1.0 200 x\r\nConnection: keep-alive\r\n\r\n", false),
    ] {
        let (mut client, mut scratch) = (asked(&Method::GET), Scratch::default());
        let received = client.read(head.as_bytes(), &mut scratch).unwrap();
        let ResponseEvent::Head(read) = received.event else { panic!("{head}") };
        assert_eq!(read.keeps_alive(), keeps_alive, "{head}");
    }
}

#[test]
fn a_fault_is_found_at_the_earliest_byte_that_shows_it() {
    for (fine, stray) in [
        ("HT", "X"),
        ("HTTP/1.1 ", "0"),
        ("HTTP/1.1 20", "x"),
        ("HTTP/1.1 200", "0"),
        ("HTTP/2.0", " "),
        ("HTTP/1.1 200 x\r", "H"),
        ("HTTP/1.1 200 x\r\n", " "),
        ("HTTP/1.1 200 x\r\nA ", "b"),
        ("HTTP/1.1 200 x\r\nContent-Length: 1x", "\r"),
        ("HTTP/1.1 200 x\r\nContent-Length: 1\nContent-Length: 2", "\n"),
        ("HTTP/1.0 200 x\r\nTransfer-Encoding", ":"),
        ("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n", " "),
        ("HTTP/1.1 204 x\r\n\r\n", "\r"),
    ] {
        assert!(read(&mut asked(&Method::GET), &[fine.as_bytes()]).is_ok(), "{fine:?}");
        let with_one_more = [fine, stray].concat();
        assert!(read(&mut asked(&Method::GET), &[with_one_more.as_bytes()]).is_err(), "{fine:?}");
    }
}
