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
