//! Every vector is read at once, byte by byte and cut at every place, and comes to the same
//! verdict.

use super::vectors::{BODIES, CUTS, FIELDS, LINES, STREAMS};
use super::*;

const CHUNKED_HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// All that can be seen of a stream that was fed in some pieces, each request answered.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    fault: Option<Fault>,
    heads: u64,
    messages: u64,
    content: Vec<u8>,
    trailers: usize,
    is_within: bool,
    /// Bytes of a request that is never read.
    is_over: bool,
}

impl Verdict {
    fn of(limits: Limits, pieces: &[&[u8]]) -> Self {
        let mut server = Server::new(limits);
        let mut scratch = Scratch::default();
        let (mut verdict, mut bytes) = (Self::default(), Vec::new());
        for piece in pieces {
            bytes.extend_from_slice(piece);
            while verdict.step(&mut server, &mut scratch, &mut bytes) {}
        }
        verdict.is_within = server.is_in_head() || matches!(server.client_state(), State::SendBody);
        verdict
    }

    /// Reads one event and answers what is complete. Whether there may be more.
    fn step(&mut self, server: &mut Server, scratch: &mut Scratch, bytes: &mut Vec<u8>) -> bool {
        let received = match server.read(bytes, scratch) {
            Ok(received) => received,
            Err(fault) => {
                assert!(self.fault.as_ref().is_none_or(|before| *before == fault), "one fault");
                assert_eq!(server.client_state(), State::Error);
                self.fault = Some(fault);
                return false;
            }
        };
        assert!(self.fault.is_none(), "nothing behind a fault");
        match received.event {
            RequestEvent::Incomplete => {
                bytes.drain(..received.consumed);
                return false;
            }
            RequestEvent::Paused => {
                self.is_over = true;
                return false;
            }
            RequestEvent::Switched => unreachable!("nothing is switched"),
            RequestEvent::Head(head) => {
                self.heads += 1;
                self.messages += u64::from(head.framing() == Framing::None);
            }
            RequestEvent::Data(data) => self.content.extend_from_slice(data),
            RequestEvent::End(fields) => {
                self.messages += 1;
                self.trailers += fields.len();
            }
        }
        bytes.drain(..received.consumed);
        let is_whole =
            matches!(server.client_state(), State::Done | State::MustClose | State::MightSwitch);
        if is_whole && server.server_state() == State::SendResponse {
            answer(server, StatusCode::NOT_FOUND, Some(0));
        }
        true
    }

    fn status(&self) -> u16 {
        match &self.fault {
            Some(Fault::Malformed(_)) => 400,
            Some(Fault::TargetTooLong) => 414,
            Some(Fault::HeadTooLong | Fault::TooManyFields) => 431,
            Some(Fault::MethodTooLong | Fault::UnknownCoding) => 501,
            Some(Fault::UnsupportedVersion) => 505,
            Some(Fault::ContentTooLong) => 413,
            Some(fault) => panic!("{fault}"),
            None if self.is_within => 100,
            None => 200,
        }
    }
}

/// Reads `stream` at once, byte by byte and in two pieces of every size.
fn read(limits: Limits, stream: &[u8]) -> Verdict {
    let verdict = Verdict::of(limits, &[stream]);
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(Verdict::of(limits, &bytes), verdict, "byte by byte: {}", stream.escape_ascii());
    for cut in 0..=stream.len() {
        let (one, other) = stream.split_at(cut);
        assert_eq!(Verdict::of(limits, &[one, other]), verdict, "{cut}: {}", stream.escape_ascii());
    }
    verdict
}

/// Every vector as a stream, with the messages and the status it comes to.
fn vectors() -> Vec<(Vec<u8>, Option<u64>, u16)> {
    let messages = |status| match status {
        200 => Some(1),
        _ => Some(0),
    };
    let lines = LINES
        .iter()
        .map(|&(line, status)| ([line, b"\r\nHost: a\r\n\r\n"].concat(), messages(status), status));
    let fields = FIELDS.iter().map(|&(fields, status)| {
        ([b"GET / HTTP/1.1\r\nHost: a\r\n", fields, b"\r\n"].concat(), None, status)
    });
    let bodies = BODIES
        .iter()
        .map(|&(body, status)| ([CHUNKED_HEAD, body].concat(), messages(status), status));
    let streams =
        STREAMS.iter().map(|&(stream, messages, status)| (stream.to_vec(), Some(messages), status));
    lines.chain(fields).chain(bodies).chain(streams).collect()
}

#[test]
fn vectors_come_to_their_verdict_however_they_are_cut() {
    for (stream, messages, status) in vectors() {
        let verdict = read(LIMITS, &stream);
        let got = match messages {
            Some(_) => verdict.status(),
            // Whatever content a head announces, it is fine by itself.
            None if verdict.heads == 1 => 200,
            None => verdict.status(),
        };
        assert_eq!(got, status, "{}: {verdict:?}", stream.escape_ascii());
        if let Some(messages) = messages {
            assert_eq!(verdict.messages, messages, "{}", stream.escape_ascii());
        }
    }
}

#[test]
fn a_fault_is_found_at_the_earliest_byte_that_shows_it() {
    for (passes, stops) in CUTS {
        let shown = format!("{} {}", passes.escape_ascii(), stops.escape_ascii());
        assert_eq!(Verdict::of(LIMITS, &[passes]).fault, None, "{shown}");
        let with_one_more = [*passes, &stops[..1]].concat();
        assert_ne!(Verdict::of(LIMITS, &[&with_one_more]).fault, None, "{shown}");
    }
}

#[test]
fn new_limits_hold_from_the_next_head_on() {
    let request = b"GET /abc HTTP/1.1\r\nHost: a\r\n\r\n";
    let (mut server, mut scratch) = (Server::new(LIMITS), Scratch::default());
    server.read(&request[..5], &mut scratch).unwrap();
    server.set_limits(Limits { max_target: 3, ..LIMITS });
    let received = server.read(request, &mut scratch).unwrap();
    assert!(matches!(received.event, RequestEvent::Head(_)));
    answer(&mut server, StatusCode::OK, Some(0));
    assert_eq!(server.read(request, &mut scratch).unwrap_err(), Fault::TargetTooLong);
}

/// Reads a head of `target` target bytes and `fields`, and says its status.
fn limited(limits: Limits, target: usize, fields: &str) -> u16 {
    let target = format!("/{}", "x".repeat(target - 1));
    read(limits, format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes()).status()
}

#[test]
fn limits_are_reached_to_the_byte() {
    // `GET / HTTP/1.1`, `Host: a` and the empty line are 27 bytes and 1 field.
    const HEAD: Limits = Limits { max_head: 37, max_fields: 100, max_target: 100 };
    const TARGET: Limits = Limits { max_head: 1000, max_fields: 100, max_target: 10 };
    const COUNT: Limits = Limits { max_head: 1000, max_fields: 3, max_target: 100 };
    for (limits, target, fields, status) in [
        (HEAD, 1, "A: 12345\r\n", 200),
        (HEAD, 1, "A: 123456\r\n", 431),
        (HEAD, 11, "", 200),
        (HEAD, 12, "", 431),
        (HEAD, 80, "", 414),
        (TARGET, 10, "", 200),
        (TARGET, 11, "", 414),
        (COUNT, 1, "A: b\r\nA: b\r\n", 200),
        (COUNT, 1, "A: b\r\nA: b\r\nA: b\r\n", 431),
    ] {
        assert_eq!(limited(limits, target, fields), status, "{limits:?} {target} {fields:?}");
    }
}

#[test]
fn limits_hold_for_lines_without_an_end() {
    let long = |beginning: &[u8], rest: &[u8]| [beginning, &rest.repeat(70_000)].concat();
    let wide = Limits { max_head: usize::MAX, max_fields: usize::MAX, max_target: usize::MAX };
    for (limits, stream, passes, status) in [
        (LIMITS, long(b"GET /", b"x"), 4 + 4096, 414),
        (LIMITS, long(b"GET http://", b"x"), 4 + 4096, 414),
        (LIMITS, long(b"CONNECT ", b"x"), 8 + 4096, 414),
        (LIMITS, long(b"GET /?", b"?"), 4 + 4096, 414),
        (wide, long(b"GET /", b"x"), 4 + 65_534, 414),
        (LIMITS, long(b"GET / HTTP/1.1\r\n", b"x"), 8192, 431),
        (LIMITS, long(b"GET / HTTP/1.1\r\nA: ", b"x"), 8192, 431),
        (LIMITS, long(b"GET / HTTP/1.1\r\nContent-Length: ", b"0"), 8192, 431),
        (LIMITS, long(b"GET / HTTP/1.1\r\n", b"A:\r\n"), 16 + 100 * 4, 431),
        (wide, long(b"", b"x"), 64, 501),
        (LIMITS, long(CHUNKED_HEAD, b"0"), CHUNKED_HEAD.len() + 16, 400),
    ] {
        let shown = stream[..passes.min(40)].escape_ascii();
        assert_eq!(Verdict::of(limits, &[&stream]).status(), status, "{shown}");
        let (fine, rest) = stream.split_at(passes);
        assert_eq!(Verdict::of(limits, &[fine]).fault, None, "{shown}");
        assert_eq!(Verdict::of(limits, &[fine, &rest[..1]]).status(), status, "{shown}");
    }
}

#[test]
fn chunk_extensions_and_trailers_are_bounded() {
    let body = |body: String| read(LIMITS, &[CHUNKED_HEAD, body.as_bytes()].concat()).status();
    let extension = |length: usize| format!("1;{}\r\nx\r\n", "a".repeat(length - 1));
    assert_eq!(body(extension(256) + "0\r\n\r\n"), 200);
    assert_eq!(body(extension(257) + "0\r\n\r\n"), 400);
    assert_eq!(body(format!("0\r\n{}\r\n", "A:\r\n".repeat(100))), 200);
    assert_eq!(body(format!("0\r\n{}\r\n", "A:\r\n".repeat(101))), 431);

    let whole = |bytes: String| Verdict::of(LIMITS, &[CHUNKED_HEAD, bytes.as_bytes()]).status();
    assert_eq!(whole(extension(256).repeat(63) + &extension(255) + "0\r\n\r\n"), 200);
    assert_eq!(whole(extension(256).repeat(64) + "0\r\n\r\n"), 400);
    let trailer = |length: usize| format!("0\r\nA:{}\r\n\r\n", "x".repeat(length - 6));
    assert_eq!(whole(trailer(8192)), 200);
    assert_eq!(whole(trailer(8193)), 431);
}

#[test]
fn a_pipelined_stream_is_read_whole() {
    let messages: [&[u8]; 6] = [
        b"GET /?x HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
        b"\r\nHEAD http://a:80/ HTTP/1.1\r\nHost: A\r\n\r\n",
        b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: b\r\n\r\n3;x\r\nabc\r\n0\r\nA: b\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: \r\nContent-Length: 0\r\n\r\n",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    ];
    let stream = messages.concat().repeat(200);
    for size in [1, 2, 3, 7, 64, 1000, stream.len()] {
        let pieces: Vec<&[u8]> = stream.chunks(size).collect();
        let verdict = Verdict::of(LIMITS, &pieces);
        assert_eq!((verdict.status(), verdict.messages, verdict.trailers), (200, 1200, 200));
        assert_eq!(verdict.content, b"\r\n\r\nabc".repeat(200));
    }
}

/// So a head that comes byte by byte costs in proportion to its length.
#[test]
fn what_was_read_of_a_head_is_not_read_again() {
    let head = b"GET /a HTTP/1.1\r\nHost: a\r\nCookie: abcdefgh\r\nX: y\r\n\r\n";
    let (mut server, mut scratch) = (Server::new(LIMITS), Scratch::default());
    for end in 1..=head.len() {
        // The bytes before the last one are none that a head has. Names and values that mean
        // something are looked at where they end.
        let mut bytes = vec![0; end];
        for known in [16..26, end - 1..end] {
            let known = known.start.min(end)..known.end.min(end);
            bytes[known.clone()].copy_from_slice(&head[known]);
        }
        let received = server.read(&bytes, &mut scratch).unwrap();
        let is_whole = matches!(received.event, RequestEvent::Head(_));
        assert_eq!(is_whole, end == head.len(), "{end}");
        assert_eq!(server.is_in_head(), !is_whole);
    }
}

/// A linear congruential generator: the same numbers every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

#[test]
fn mutations_come_to_their_verdict_however_they_are_cut() {
    const SPLICES: &[&[u8]] = &[
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n\r\n",
        b" ",
        b"\t",
        b"\0",
        b":",
        b";",
        b",",
        b"0",
        b"5",
        b"f",
        b"#",
        b"\x7f",
        b"\x80",
        b"Host: a\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"GET / HTTP/1.1\r\n",
        b"http://a",
        b"chunked",
        b"\"",
    ];
    let seeds = vectors();
    let mut random = Random(20);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut stream = seeds[random.below(seeds.len())].0.clone();
        stream.extend_from_slice(&seeds[random.below(seeds.len())].0);
        for _ in 0..random.below(4) {
            let from = random.below(stream.len());
            let to = stream.len().min(from + random.below(3));
            let splice = SPLICES[random.below(SPLICES.len())];
            stream.splice(from..to, splice.iter().copied());
        }
        let verdict = Verdict::of(LIMITS, &[&stream]);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(Verdict::of(LIMITS, &bytes), verdict, "{}", stream.escape_ascii());
        let pieces: Vec<&[u8]> = stream.chunks(1 + random.below(40)).collect();
        assert_eq!(Verdict::of(LIMITS, &pieces), verdict, "{}", stream.escape_ascii());
        accepted += verdict.heads;
        refused += u64::from(verdict.fault.is_some());
    }
    assert!(accepted > 1000 && refused > 1000, "{accepted} {refused}");
}
