//! Responses as they are written, and what a server makes of its client. `reading` has the tests
//! of what is a request.

mod reading;
mod vectors;

use super::*;

const LIMITS: Limits = Limits { max_head: 8192, max_fields: 100, max_target: 4096 };

/// Answers without fields; what was written.
fn answer(server: &mut Server, status: StatusCode, length: Option<u64>) -> String {
    respond(server, status, &HeaderMap::new(), length).0
}

fn respond(
    server: &mut Server,
    status: StatusCode,
    fields: &HeaderMap,
    length: Option<u64>,
) -> (String, Framing) {
    let mut out = Vec::new();
    let response = Response { status, fields, length, date: None };
    let framing = server.send_response(&mut out, &response).expect("a response is due");
    (String::from_utf8(out).expect("ASCII"), framing)
}

#[test]
fn an_engine_at_rest_is_small() {
    assert!(size_of::<Server>() <= 64, "{}", size_of::<Server>());
}
/// Reads one whole request without content, or its head.
fn ask(server: &mut Server, request: &str) {
    let mut scratch = Scratch::default();
    let received = server.read(request.as_bytes(), &mut scratch).expect("a request");
    assert!(matches!(received.event, RequestEvent::Head(_)), "{request}");
    assert_eq!(received.consumed, request.len());
}

fn asked(request: &str) -> Server {
    let mut server = Server::new(LIMITS);
    ask(&mut server, request);
    server
}

fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    fields
        .iter()
        .map(|&(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::from_static(value))
        })
        .collect()
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const GET_10: &str = "GET / HTTP/1.0\r\n\r\n";
const GET_10_KEPT: &str = "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n";
const GET_CLOSE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
const CONNECT: &str = "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n";

#[test]
fn a_response_is_framed_as_its_request_and_status_have_it() {
    use Framing::{Chunked, Length, None as Nothing, UntilClose};
    for (request, status, length, framing, head) in [
        (GET, 200, Some(5), Length(5), "200 OK\r\ncontent-length: 5\r\n"),
        (GET, 200, Some(0), Nothing, "200 OK\r\ncontent-length: 0\r\n"),
        (GET, 200, None, Chunked, "200 OK\r\ntransfer-encoding: chunked\r\n"),
        (GET, 204, Some(0), Nothing, "204 No Content\r\n"),
        (GET, 205, Some(5), Nothing, "205 Reset Content\r\ncontent-length: 0\r\n"),
        (GET, 205, None, Nothing, "205 Reset Content\r\ncontent-length: 0\r\n"),
        (HEAD, 205, Some(5), Nothing, "205 Reset Content\r\ncontent-length: 0\r\n"),
        (GET, 304, Some(5), Nothing, "304 Not Modified\r\ncontent-length: 5\r\n"),
        (GET, 304, None, Nothing, "304 Not Modified\r\n"),
        (GET, 599, Some(0), Nothing, "599 \r\ncontent-length: 0\r\n"),
        (HEAD, 200, Some(5), Nothing, "200 OK\r\ncontent-length: 5\r\n"),
        (HEAD, 200, None, Nothing, "200 OK\r\n"),
        (
            GET_CLOSE,
            200,
            None,
            Chunked,
            "200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n",
        ),
        (GET_10, 200, Some(5), Length(5), "200 OK\r\ncontent-length: 5\r\nconnection: close\r\n"),
        (GET_10, 200, None, UntilClose, "200 OK\r\nconnection: close\r\n"),
        (
            GET_10_KEPT,
            200,
            Some(5),
            Length(5),
            "200 OK\r\ncontent-length: 5\r\nconnection: keep-alive\r\n",
        ),
        (GET_10_KEPT, 200, None, UntilClose, "200 OK\r\nconnection: close\r\n"),
        (UPGRADE, 101, None, Nothing, "101 Switching Protocols\r\n"),
        (UPGRADE, 200, Some(0), Nothing, "200 OK\r\ncontent-length: 0\r\n"),
        (CONNECT, 200, Some(0), Nothing, "200 OK\r\n"),
        (CONNECT, 205, None, Nothing, "205 Reset Content\r\n"),
        (CONNECT, 405, Some(5), Length(5), "405 Method Not Allowed\r\ncontent-length: 5\r\n"),
    ] {
        let mut server = asked(request);
        let status = StatusCode::from_u16(status).unwrap();
        let (out, got) = respond(&mut server, status, &HeaderMap::new(), length);
        assert_eq!((out, got), (format!("HTTP/1.1 {head}\r\n"), framing), "{request}");
        if framing == Nothing {
            assert_eq!(server.send_data(1).unwrap_err(), SendError::OutOfTurn);
        }
    }
}

#[test]
fn fields_of_framing_and_of_the_connection_are_the_engines_own() {
    let fields = map(&[
        ("x", "1"),
        ("content-length", "77"),
        ("transfer-encoding", "gzip"),
        ("connection", "x-y, close"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "x"),
        ("upgrade", "y"),
        ("date", "yesterday"),
    ]);
    let mut server = asked(GET);
    let date = HeaderValue::from_static("today");
    let response =
        Response { status: StatusCode::OK, fields: &fields, length: Some(1), date: Some(&date) };
    let mut out = Vec::new();
    server.send_response(&mut out, &response).unwrap();
    let head = "HTTP/1.1 200 OK\r\nx: 1\r\ndate: yesterday\r\ncontent-length: 1\r\nconnection: close\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), head);

    let fields = map(&[("connection", "upgrade"), ("upgrade", "x")]);
    let (out, _) = respond(&mut asked(GET_CLOSE), StatusCode::UPGRADE_REQUIRED, &fields, Some(0));
    let head = "HTTP/1.1 426 Upgrade Required\r\nconnection: upgrade\r\nupgrade: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    assert_eq!(out, head);
    let (out, _) = respond(&mut asked(UPGRADE), StatusCode::SWITCHING_PROTOCOLS, &fields, None);
    assert_eq!(
        out,
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"
    );
}

#[test]
fn content_is_as_long_as_was_announced() {
    let mut server = asked(GET);
    let mut out = Vec::new();
    answer(&mut server, StatusCode::OK, Some(3));
    assert_eq!(server.send_end(&mut out, None), Err(SendError::TooLittle));
    assert_eq!(server.send_data(4).unwrap_err(), SendError::TooMuch);
    let frame = server.send_data(3).unwrap();
    assert_eq!((frame.before(), frame.behind()), (&b""[..], &b""[..]));
    assert_eq!(server.send_end(&mut out, None), Ok(()));
    assert!(server.is_ready_for_next());
    assert_eq!(server.send_end(&mut out, None), Err(SendError::OutOfTurn));
    assert!(out.is_empty());
}

#[test]
fn chunks_say_their_size_in_hexadecimal() {
    let mut server = asked(GET);
    answer(&mut server, StatusCode::OK, None);
    for (size, line) in [
        (1, "1\r\n"),
        (15, "f\r\n"),
        (16, "10\r\n"),
        (0xabc_def, "abcdef\r\n"),
        (u64::MAX, "ffffffffffffffff\r\n"),
    ] {
        let frame = server.send_data(size).unwrap();
        assert_eq!((frame.before(), frame.behind()), (line.as_bytes(), &b"\r\n"[..]));
    }
    let frame = server.send_data(0).unwrap();
    assert_eq!((frame.before(), frame.behind()), (&b""[..], &b""[..]));
    let mut out = Vec::new();
    let trailers = map(&[("x", "1"), ("content-length", "5"), ("host", "a")]);
    server.send_end(&mut out, Some(&trailers)).unwrap();
    assert_eq!(out, b"0\r\nx: 1\r\n\r\n");
}

#[test]
fn a_further_request_waits_for_the_response() {
    let mut scratch = Scratch::default();
    let mut server = asked(GET);
    for bytes in [&b"\0"[..], b"\r\n", b"GET"] {
        let received = server.read(bytes, &mut scratch).unwrap();
        assert!(matches!((received.consumed, received.event), (0, RequestEvent::Paused)));
    }
    answer(&mut server, StatusCode::OK, Some(0));
    assert!(server.is_ready_for_next());
    ask(&mut server, GET_CLOSE);
    answer(&mut server, StatusCode::OK, Some(0));
    assert!(!server.is_ready_for_next());
    assert_eq!(server.client_state(), State::MustClose);
    let received = server.read(b"GET", &mut scratch).unwrap();
    assert!(matches!((received.consumed, received.event), (0, RequestEvent::Paused)));
}

#[test]
fn content_that_comes_behind_its_response_is_read() {
    let mut scratch = Scratch::default();
    let mut server = asked(POST);
    answer(&mut server, StatusCode::OK, Some(0));
    assert_eq!((server.client_state(), server.server_state()), (State::SendBody, State::Done));
    let received = server.read(b"helloGET", &mut scratch).unwrap();
    assert!(matches!((received.consumed, received.event), (5, RequestEvent::Data(b"hello"))));
    let received = server.read(b"GET", &mut scratch).unwrap();
    assert!(matches!((received.consumed, received.event), (0, RequestEvent::End(_))));
    assert!(server.is_ready_for_next());
    ask(&mut server, GET);
}

#[test]
fn a_client_that_closes_its_side_is_answered() {
    let mut server = asked(GET);
    server.read_end(b"").unwrap();
    assert_eq!(server.client_state(), State::Closed);
    assert!(answer(&mut server, StatusCode::OK, Some(0)).contains("connection: close\r\n"));
    assert_eq!(server.server_state(), State::MustClose);

    // What it has asked for before it closed is answered too.
    let mut server = asked(GET);
    server.read_end(GET.as_bytes()).unwrap();
    assert!(!answer(&mut server, StatusCode::OK, Some(0)).contains("connection"));
    ask(&mut server, GET);
    server.read_end(b"").unwrap();
    answer(&mut server, StatusCode::OK, Some(0));
    assert_eq!(server.server_state(), State::MustClose);
}

#[test]
fn a_client_that_closes_within_a_request_has_sent_none() {
    for (request, end) in [
        ("", Ok(())),
        ("\r\n", Ok(())),
        ("\r", Ok(())),
        ("G", Err(Fault::Incomplete)),
        ("GET / HTTP/1.1\r\nHost: a\r\n", Err(Fault::Incomplete)),
    ] {
        let (mut server, mut scratch) = (Server::new(LIMITS), Scratch::default());
        let consumed = server.read(request.as_bytes(), &mut scratch).unwrap().consumed;
        assert_eq!(server.read_end(&request.as_bytes()[consumed..]), end, "{request}");
        assert_eq!(server.read(b"G", &mut scratch).is_err(), end.is_err());
    }
    let mut server = asked(POST);
    assert_eq!(server.read_end(b""), Err(Fault::Incomplete));
    assert!(answer(&mut server, StatusCode::BAD_REQUEST, Some(0)).contains("connection: close"));
    assert_eq!(server.server_state(), State::MustClose);
}

#[test]
fn what_is_no_request_is_refused_and_the_connection_ends() {
    let (mut server, mut scratch) = (Server::new(LIMITS), Scratch::default());
    assert!(server.read(b"HEAD /#", &mut scratch).is_err());
    let out = answer(&mut server, StatusCode::BAD_REQUEST, Some(0));
    assert_eq!(out, "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    assert_eq!(server.server_state(), State::MustClose);

    // One that does not become whole in time.
    let mut server = Server::new(LIMITS);
    server.read(b"GET", &mut scratch).unwrap();
    assert!(server.is_in_head());
    assert!(answer(&mut server, StatusCode::REQUEST_TIMEOUT, Some(0)).contains("close"));
    let states = (server.client_state(), server.server_state());
    assert_eq!(states, (State::MustClose, State::MustClose));
}

#[test]
fn a_connection_is_closed_on_demand() {
    let mut server = Server::new(LIMITS);
    server.close();
    ask(&mut server, GET);
    assert!(answer(&mut server, StatusCode::OK, Some(0)).contains("connection: close"));
    assert_eq!(server.client_state(), State::MustClose);

    let mut server = asked(GET);
    answer(&mut server, StatusCode::OK, Some(5));
    server.close();
    server.send_data(5).unwrap();
    server.send_end(&mut Vec::new(), None).unwrap();
    assert_eq!(server.server_state(), State::MustClose);
}

#[test]
fn protocols_are_switched_where_that_was_offered() {
    for (request, status) in [(UPGRADE, 101), (CONNECT, 200)] {
        let mut server = asked(request);
        assert_eq!(server.client_state(), State::MightSwitch);
        answer(&mut server, StatusCode::from_u16(status).unwrap(), None);
        let states = (server.client_state(), server.server_state());
        assert_eq!(states, (State::Switched, State::Switched));
        let mut scratch = Scratch::default();
        let received = server.read(b"\0\n", &mut scratch).unwrap();
        assert!(matches!((received.consumed, received.event), (0, RequestEvent::Switched)));
        assert_eq!(server.read_end(b""), Ok(()));
    }
    let mut server = asked(GET);
    let fields = HeaderMap::new();
    let response = Response {
        status: StatusCode::SWITCHING_PROTOCOLS,
        fields: &fields,
        length: None,
        date: None,
    };
    let refused = server.send_response(&mut Vec::new(), &response);
    assert_eq!(refused, Err(SendError::OutOfTurn));
}

#[test]
fn interim_responses_come_before_the_final_one() {
    let mut out = Vec::new();
    let mut server = asked(POST);
    let fields = map(&[
        ("link", "x"),
        ("content-length", "1"),
        ("connection", "close"),
        ("upgrade", "x"),
        ("keep-alive", "timeout=5"),
    ]);
    server.send_interim(&mut out, StatusCode::CONTINUE, &HeaderMap::new()).unwrap();
    server.send_interim(&mut out, StatusCode::EARLY_HINTS, &fields).unwrap();
    let written = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
    assert_eq!(String::from_utf8(std::mem::take(&mut out)).unwrap(), written);
    for status in [StatusCode::OK, StatusCode::SWITCHING_PROTOCOLS] {
        let refused = server.send_interim(&mut out, status, &fields);
        assert_eq!(refused, Err(SendError::InvalidStatus));
    }
    answer(&mut server, StatusCode::OK, Some(0));
    let late = server.send_interim(&mut out, StatusCode::CONTINUE, &fields);
    assert_eq!(late, Err(SendError::OutOfTurn));

    let mut server = asked(GET_10);
    server.send_interim(&mut out, StatusCode::EARLY_HINTS, &fields).unwrap();
    assert!(out.is_empty());
}

#[test]
fn a_byte_sent_ahead_is_part_of_what_follows() {
    let mut out = Vec::new();
    let mut server = asked(GET);
    for _ in 0.."HTTP/1.1 ".len() {
        assert!(server.send_probe(&mut out));
    }
    assert!(!server.send_probe(&mut out), "the status is not known");
    assert_eq!(out, b"HTTP/1.1 ");
    let fields = HeaderMap::new();
    server.send_interim(&mut out, StatusCode::EARLY_HINTS, &fields).unwrap();
    assert!(server.send_probe(&mut out));
    let response = Response { status: StatusCode::OK, fields: &fields, length: None, date: None };
    server.send_response(&mut out, &response).unwrap();
    let zeros = [5, 1, 3].map(|tried| {
        let sent = (0..tried).filter(|_| server.send_probe(&mut out)).count();
        out.extend_from_slice(server.send_data(1).unwrap().before());
        out.extend_from_slice(b"x\r\n");
        sent
    });
    assert_eq!(zeros, [4, 1, 1], "few before a chunk, and few of a message");
    server.send_end(&mut out, None).unwrap();
    let written = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\
                   \r\n\r\n00001\r\nx\r\n01\r\nx\r\n01\r\nx\r\n0\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), written);

    for request in [GET, GET_10, GET_10_KEPT, HEAD] {
        for ahead in 0..=9 {
            let (mut server, mut probed) = (asked(request), Vec::new());
            for _ in 0..ahead {
                assert!(server.send_probe(&mut probed));
            }
            let response =
                Response { status: StatusCode::OK, fields: &fields, length: Some(0), date: None };
            server.send_response(&mut probed, &response).unwrap();
            let mut plain = Vec::new();
            asked(request).send_response(&mut plain, &response).unwrap();
            assert_eq!(probed, plain, "{request}, {ahead}");
        }
    }

    let mut out = Vec::new();
    assert!(!Server::new(LIMITS).send_probe(&mut out), "before a request");
    let mut server = asked(GET);
    answer(&mut server, StatusCode::OK, Some(5));
    assert!(!server.send_probe(&mut out), "within content of a known length");
    assert!(out.is_empty());
}

#[test]
fn a_prepared_head_is_sent_again_and_again() {
    let fields = map(&[
        ("x", "1"),
        ("content-length", "9"),
        ("date", "yesterday"),
        ("upgrade", "x"),
        ("keep-alive", "timeout=5"),
    ]);
    let date = HeaderValue::from_static("today");
    let head = PreparedHead::new(StatusCode::OK, &fields, Some(5)).unwrap();
    let written = "HTTP/1.1 200 OK\r\nx: 1\r\ncontent-length: 5\r\ndate: today\r\n\r\n";
    assert_eq!(head.len(), written.len() - "date: today\r\n\r\n".len());
    for (request, framing) in [(GET, Framing::Length(5)), (HEAD, Framing::None)] {
        let (mut server, mut out) = (asked(request), Vec::new());
        assert!(server.may_send_prepared());
        assert!(server.send_probe(&mut out));
        assert_eq!(server.send_prepared(&mut out, &head, &date), Ok(framing));
        assert_eq!(String::from_utf8(out).unwrap(), written);
        assert_eq!(server.is_ready_for_next(), framing == Framing::None);
    }
    let head = PreparedHead::new(StatusCode::NOT_MODIFIED, &fields, None).unwrap();
    let sent = asked(GET).send_prepared(&mut Vec::new(), &head, &date);
    assert_eq!(sent, Ok(Framing::None));
    let reset = PreparedHead::new(StatusCode::RESET_CONTENT, &HeaderMap::new(), None).unwrap();
    let mut out = Vec::new();
    assert_eq!(asked(GET).send_prepared(&mut out, &reset, &date), Ok(Framing::None));
    let written = "HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\ndate: today\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), written);

    for request in [GET_10, GET_10_KEPT, GET_CLOSE, CONNECT] {
        assert!(!asked(request).may_send_prepared(), "{request}");
        let refused = asked(request).send_prepared(&mut Vec::new(), &head, &date);
        assert_eq!(refused, Err(SendError::OutOfTurn));
    }
    let mut server = asked(GET);
    server.close();
    assert!(!server.may_send_prepared());
    assert!(!Server::new(LIMITS).may_send_prepared());
    assert!(PreparedHead::new(StatusCode::OK, &map(&[("connection", "x")]), Some(1)).is_none());
    assert!(PreparedHead::new(StatusCode::OK, &HeaderMap::new(), None).is_none());
    assert!(PreparedHead::new(StatusCode::CONTINUE, &fields, None).is_none());
}

#[test]
fn each_response_has_its_own_bytes_ahead() {
    let mut server = Server::new(LIMITS);
    for _ in 0..2 {
        ask(&mut server, GET);
        let mut probes = 0;
        for _ in 0..20 {
            probes += usize::from(server.send_probe(&mut Vec::new()));
            server
                .send_interim(&mut Vec::new(), StatusCode::PROCESSING, &HeaderMap::new())
                .unwrap();
        }
        assert_eq!(probes, 16);
        answer(&mut server, StatusCode::OK, Some(0));
    }
}

#[test]
fn a_refusal_knows_nothing_of_the_request_before_it() {
    let mut server = asked("HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    answer(&mut server, StatusCode::OK, Some(5));
    assert!(server.read(b"\0", &mut Scratch::default()).is_err());
    let (out, framing) = respond(&mut server, StatusCode::BAD_REQUEST, &HeaderMap::new(), None);
    assert_eq!(framing, Framing::Chunked, "{out}");
}

#[test]
fn what_is_out_of_turn_is_not_written_and_changes_nothing() {
    let (mut server, mut out, fields) = (Server::new(LIMITS), Vec::new(), HeaderMap::new());
    let status = StatusCode::SWITCHING_PROTOCOLS;
    let response = Response { status, fields: &fields, length: None, date: None };
    assert_eq!(server.send_response(&mut out, &response), Err(SendError::OutOfTurn));
    let interim = server.send_interim(&mut out, StatusCode::CONTINUE, &fields);
    assert_eq!(interim, Err(SendError::OutOfTurn));
    assert_eq!(server.send_end(&mut out, None), Err(SendError::OutOfTurn));
    assert!(out.is_empty());
    ask(&mut server, GET);
    assert!(!answer(&mut server, StatusCode::OK, Some(0)).contains("connection"));
}
