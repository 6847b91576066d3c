//! Every vector is read at once, byte by byte and cut at every place, and comes
//! to the same verdict; what passes is held against what `httparse` and `http`
//! make of it.

use super::vectors::{BODIES, CUTS, FIELDS, LINES, STREAMS};
use super::*;

const LIMITS: Limits = Limits { max_head: 8192, max_headers: 100, max_uri: 4096 };
const CHUNKED_HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// All that can be seen of a stream that was fed in some pieces.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    pass: usize,
    fault: Option<Refusal>,
    phase: Phase,
    heads: u64,
    is_complete: bool,
    line: String,
}

impl Verdict {
    fn of(limits: Limits, pieces: &[&[u8]]) -> Self {
        let mut framing = Framing::new(limits);
        let mut pass = 0;
        let mut fault = None;
        for piece in pieces {
            let fed = framing.feed(piece);
            assert!(fed.pass <= piece.len());
            match &fault {
                None => assert!(fed.fault.is_some() || fed.pass == piece.len()),
                Some(_) => assert_eq!((fed.pass, &fed.fault), (0, &fault), "after a fault"),
            }
            pass += fed.pass;
            fault = fed.fault;
        }
        Self {
            pass,
            fault,
            phase: framing.phase(),
            heads: framing.heads_read(),
            is_complete: framing.message_complete(),
            line: framing.request_line().to_owned(),
        }
    }

    fn status(&self) -> u16 {
        match (&self.fault, self.phase) {
            (Some(refusal), _) => refusal.status().as_u16(),
            (None, Phase::Idle) => 200,
            (None, _) => 100,
        }
    }

    fn messages(&self) -> u64 {
        self.heads - u64::from(!self.is_complete)
    }
}

/// Reads `stream` at once, byte by byte and in two pieces of every size.
fn read(limits: Limits, stream: &[u8]) -> Verdict {
    let verdict = Verdict::of(limits, &[stream]);
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(Verdict::of(limits, &bytes), verdict, "byte by byte: {:?}", Shown(stream));
    for cut in 0..=stream.len() {
        let (one, other) = stream.split_at(cut);
        assert_eq!(Verdict::of(limits, &[one, other]), verdict, "{cut}: {:?}", Shown(stream));
    }
    verdict
}

/// Bytes as text with escapes.
struct Shown<'a>(&'a [u8]);

impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
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
            // Whatever body a head announces, it is fine by itself.
            None if verdict.heads == 1 => 200,
            None => verdict.status(),
        };
        assert_eq!(got, status, "{:?}: {verdict:?}", Shown(&stream));
        if let Some(messages) = messages {
            assert_eq!(verdict.messages(), messages, "{:?}", Shown(&stream));
        }
    }
}

/// Up to the first content, for which `feed` takes over.
#[test]
fn heads_read_one_by_one_come_to_the_same_verdict() {
    for (stream, ..) in vectors() {
        let whole = Verdict::of(LIMITS, &[&stream]);
        for cut in 0..=stream.len() {
            let mut framing = Framing::new(LIMITS);
            let (mut at, mut fault, mut content) = (0, None, false);
            for end in [cut, stream.len()] {
                while at < end && fault.is_none() && !content {
                    match framing.feed_head(&stream[at..end]) {
                        HeadRead::Partial => at = end,
                        HeadRead::Fault(refusal) => fault = Some(refusal),
                        HeadRead::Complete { length, has_content } => {
                            assert!(stream[..at + length].ends_with(b"\r\n\r\n"));
                            (at, content) = (at + length, has_content);
                        }
                    }
                }
            }
            if content {
                assert!(framing.heads_read() <= whole.heads, "{:?}", Shown(&stream));
            } else {
                let read = (framing.heads_read(), fault);
                assert_eq!(read, (whole.heads, whole.fault.clone()), "{cut}: {:?}", Shown(&stream));
            }
        }
    }
}

#[test]
fn a_fault_stops_before_the_offending_byte() {
    for (passes, stops) in CUTS {
        let verdict = read(LIMITS, &[*passes, *stops].concat());
        assert_eq!(verdict.phase, Phase::Faulted);
        assert_eq!(verdict.pass, passes.len(), "{:?} {:?}", Shown(passes), Shown(stops));
    }
}

/// What every accepted head must be, to the libraries behind this guard too.
fn check_head(head: &[u8]) {
    for (at, &byte) in head.iter().enumerate() {
        assert!(byte != b'\r' || head[at + 1] == b'\n', "bare CR: {:?}", Shown(head));
        assert!(byte != b'\n' || head[at - 1] == b'\r', "bare LF: {:?}", Shown(head));
    }
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut fields);
    let read = request.parse(head);
    assert_eq!(read, Ok(httparse::Status::Complete(head.len())), "{:?}", Shown(head));
    let target = request.path.expect("complete");
    assert!(target.parse::<http::Uri>().is_ok(), "{target}");
    let method = request.method.expect("complete");
    assert!(http::Method::from_bytes(method.as_bytes()).is_ok(), "{method}");
    for field in request.headers {
        assert!(http::HeaderName::from_bytes(field.name.as_bytes()).is_ok(), "{}", field.name);
        assert!(http::HeaderValue::from_bytes(field.value).is_ok(), "{:?}", Shown(field.value));
    }
}

/// Feeds `stream` byte by byte and checks every head that is accepted.
fn check_heads(stream: &[u8]) -> u64 {
    let mut framing = Framing::new(LIMITS);
    let mut start = 0;
    for (at, byte) in stream.chunks(1).enumerate() {
        let heads = framing.heads_read();
        if framing.feed(byte).fault.is_some() {
            break;
        }
        if framing.heads_read() > heads {
            check_head(&stream[start..=at]);
        }
        if framing.phase() == Phase::Idle && framing.message_complete() && byte != b"\r" {
            start = at + 1;
        }
    }
    framing.heads_read()
}

#[test]
fn accepted_heads_are_what_the_libraries_read() {
    let heads: u64 = vectors().iter().map(|(stream, ..)| check_heads(stream)).sum();
    assert!(heads > 100, "{heads}");
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
fn mutations_are_judged_alike_however_they_are_cut() {
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
        b"\x0b",
        b"\x7f",
        b"\x80",
        b"\xff",
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
    let (mut accepted, mut refused) = (0u64, 0u64);
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
        assert_eq!(Verdict::of(LIMITS, &bytes), verdict, "{:?}", Shown(&stream));
        let pieces: Vec<&[u8]> = stream.chunks(1 + random.below(40)).collect();
        assert_eq!(Verdict::of(LIMITS, &pieces), verdict, "{:?}", Shown(&stream));
        accepted += check_heads(&stream);
        refused += u64::from(verdict.fault.is_some());
    }
    assert!(accepted > 1000 && refused > 1000, "{accepted} {refused}");
}

#[test]
fn a_pipelined_stream_passes_whole() {
    let messages: [&[u8]; 6] = [
        b"GET /?x HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
        b"\r\nHEAD http://a:80/ HTTP/1.1\r\nHost: A\r\n\r\n",
        b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: b\r\n\r\n3;x\r\nabc\r\n0\r\nA: b\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: \r\nContent-Length: 0\r\n\r\n",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    ];
    let stream = messages.concat().repeat(200);
    for size in [1, 2, 3, 7, 64, 1000, 65_536, stream.len()] {
        let pieces: Vec<&[u8]> = stream.chunks(size).collect();
        let verdict = Verdict::of(LIMITS, &pieces);
        assert_eq!((verdict.pass, verdict.status()), (stream.len(), 200), "{size}");
        assert_eq!((verdict.messages(), verdict.line.as_str()), (1200, "GET / HTTP/1.0"));
    }
}

/// Reads a head of `uri` target bytes and `fields`, and says its status.
fn limited(limits: Limits, uri: usize, fields: &str) -> u16 {
    let target = format!("/{}", "x".repeat(uri - 1));
    read(limits, format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes()).status()
}

#[test]
fn limits_are_reached_to_the_byte() {
    // `GET / HTTP/1.1`, `Host: a` and the empty line are 27 bytes and 1 field.
    const HEAD: Limits = Limits { max_head: 37, max_headers: 100, max_uri: 100 };
    const URI: Limits = Limits { max_head: 1000, max_headers: 100, max_uri: 10 };
    const COUNT: Limits = Limits { max_head: 1000, max_headers: 3, max_uri: 100 };
    for (limits, uri, fields, status) in [
        (HEAD, 1, "A: 12345\r\n", 200),
        (HEAD, 1, "A: 123456\r\n", 431),
        (HEAD, 11, "", 200),
        (HEAD, 12, "", 431),
        (HEAD, 80, "", 414),
        (URI, 10, "", 200),
        (URI, 11, "", 414),
        (COUNT, 1, "A: b\r\nA: b\r\n", 200),
        (COUNT, 1, "A: b\r\nA: b\r\nA: b\r\n", 431),
    ] {
        assert_eq!(limited(limits, uri, fields), status, "{limits:?} {uri} {fields:?}");
    }
}

#[test]
fn limits_hold_for_lines_without_an_end() {
    let long = |beginning: &[u8], rest: &[u8]| [beginning, &rest.repeat(70_000)].concat();
    let wide = Limits { max_head: usize::MAX, max_headers: usize::MAX, max_uri: usize::MAX };
    for (limits, stream, pass, status) in [
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
        for size in [1, 1000, stream.len()] {
            let pieces: Vec<&[u8]> = stream.chunks(size).collect();
            let verdict = Verdict::of(limits, &pieces);
            assert_eq!((verdict.pass, verdict.status()), (pass, status), "{:?}", verdict.line);
        }
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
fn phases_follow_the_messages() {
    let mut framing = Framing::new(LIMITS);
    assert_eq!((framing.phase(), framing.request_line()), (Phase::Idle, ""));
    for (bytes, phase, is_complete, line) in [
        ("\r\n", Phase::Idle, true, ""),
        ("G", Phase::Head, true, "G"),
        ("ET /a?b HTT", Phase::Head, true, "GET /a?b HTT"),
        ("P/1.1\r\n", Phase::Head, true, "GET /a?b HTTP/1.1"),
        ("Host: a\r\n\r", Phase::Head, true, "GET /a?b HTTP/1.1"),
        ("\n", Phase::Idle, true, "GET /a?b HTTP/1.1"),
        ("\r", Phase::Idle, true, "GET /a?b HTTP/1.1"),
        ("\nPUT /", Phase::Head, true, "PUT /"),
        (" HTTP/1.0\r\nContent-Length: 2\r\n\r\n", Phase::Body, false, "PUT / HTTP/1.0"),
        ("x", Phase::Body, false, "PUT / HTTP/1.0"),
        ("x", Phase::Idle, true, "PUT / HTTP/1.0"),
        ("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-", Phase::Head, true, "PUT / HTTP/1.1"),
        ("Encoding: chunked\r\n\r\n", Phase::Body, false, "PUT / HTTP/1.1"),
        ("1\r\nx\r\n0\r\nA: b", Phase::Body, false, "PUT / HTTP/1.1"),
        ("\r\n\r\n", Phase::Idle, true, "PUT / HTTP/1.1"),
    ] {
        assert_eq!(
            framing.feed(bytes.as_bytes()),
            Fed { pass: bytes.len(), before_head: bytes.len(), fault: None }
        );
        assert_eq!((framing.phase(), framing.message_complete()), (phase, is_complete), "{bytes}");
        assert_eq!(framing.request_line(), line);
    }
    assert_eq!(framing.heads_read(), 3);
}

#[test]
fn an_upgraded_connection_passes_everything() {
    let mut framing = Framing::new(LIMITS);
    framing.feed(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n");
    framing.pass_through();
    assert_eq!(framing.feed(b"\n\0\xff GET"), Fed { pass: 7, before_head: 7, fault: None });
    assert_eq!((framing.phase(), framing.message_complete()), (Phase::Through, true));
}

#[test]
fn a_fault_outlasts_pass_through() {
    let mut framing = Framing::new(LIMITS);
    let fault = framing.feed(b"GET /#").fault;
    framing.pass_through();
    assert_eq!(framing.feed(b" HTTP/1.1\r\n"), Fed { pass: 0, before_head: 0, fault });
    assert_eq!((framing.phase(), framing.request_line()), (Phase::Faulted, "GET /"));
}

#[test]
fn new_limits_hold_from_the_next_head_on() {
    let request = b"GET /abc HTTP/1.0\r\n\r\n";
    let mut framing = Framing::new(LIMITS);
    framing.feed(&request[..5]);
    framing.set_limits(Limits { max_uri: 3, ..LIMITS });
    assert_eq!(framing.feed(&request[5..]).fault, None);
    let fault = Some(Refusal::UriTooLong);
    assert_eq!(framing.feed(request), Fed { pass: 7, before_head: 0, fault });
}

#[test]
fn the_line_for_the_log_is_bounded() {
    let line = format!("GET /{} HTTP/1.0", "x".repeat(1000));
    let verdict = read(LIMITS, format!("{line}\r\n\r\n").as_bytes());
    assert_eq!(verdict.line, line[..256]);
}

#[test]
fn a_bad_head_is_told_from_what_comes_before_it() {
    let good = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi".as_slice();
    let chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice();
    for (bytes, pass, before_head) in [
        ([good, b"GET / HTTP/2.0\r\n\r\n"].concat(), good.len() + 14, good.len()),
        ([good, b"\r\nGET /\x01"].concat(), good.len() + 7, good.len()),
        (b"GET / HTTP/1.1\r\nHost : a\r\n".to_vec(), 20, 0),
        ([chunked, b"x"].concat(), chunked.len(), chunked.len()),
        ([good, good].concat(), 2 * good.len(), 2 * good.len()),
    ] {
        let fed = Framing::new(LIMITS).feed(&bytes);
        assert_eq!((fed.pass, fed.before_head), (pass, before_head), "{}", bytes.escape_ascii());
    }
    // A head that began earlier has been given away already.
    let mut framing = Framing::new(LIMITS);
    assert_eq!(framing.feed(b"GET / HTTP/1.1\r\n").before_head, 16);
    assert_eq!(framing.feed(b"Host : a\r\n").before_head, 0);
}
