//! Where each HTTP/1 message begins and ends (RFC 9112), read strictly before
//! anybody acts on it: who answers sees the same bytes, and the first one that
//! two recipients could understand differently never reaches anybody.
//!
//! It is a state machine over bytes: whether a byte passes depends on the bytes before
//! it and on itself, never on how they were cut into reads. So a stream gets the same
//! verdict however it arrives, and a fault is found at the earliest byte that shows it.
//! What a head says as a whole (no `Host`, a `CONNECT` with content) is checked at the
//! last CR: a head with a fault is never passed on complete.
//!
//! Checked elsewhere: the syntax of `Host`, percent-encoding and dot
//! segments of the target, the length of a body, methods, `Expect`, `Upgrade`.

mod authority;
mod chunks;
mod class;
mod coding;
mod fields;
mod line;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

use crate::protocol::refusal::Refusal;
use chunks::Chunks;
use fields::{BodyLength, Fields, Section};
use line::RequestLine;

/// How much of a head is read before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The bytes of a head, from the method to the empty line that ends it, and
    /// again of a trailer section: beyond them 431.
    pub max_head: usize,
    /// The field lines of a head, and again of a trailer section: beyond them
    /// 431.
    pub max_headers: usize,
    /// The bytes of a request target: beyond them 414. Never more than 65,534,
    /// the longest that the `http` crate holds.
    pub max_uri: usize,
}

/// What [`Framing::feed`] says of the bytes it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fed {
    /// How many of them are fine; all, unless there is a fault.
    pub pass: usize,
    /// How many of them come before the head in which the fault is, if it is in
    /// one: who passes on no more than these gives away no part of a bad head
    /// that came in one piece. As `pass` otherwise.
    pub before_head: usize,
    /// What is wrong with the byte behind those that are fine, and the status to
    /// answer.
    pub fault: Option<Refusal>,
}

/// What [`Framing::feed_head`] says of the bytes it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadRead {
    /// All of them are fine, and the head goes on.
    Partial,
    /// The head ends behind so many of them.
    Complete {
        /// How many bytes were read, an empty line before the head included.
        length: usize,
        /// Whether content follows.
        has_content: bool,
    },
    /// What is wrong, and the status to answer.
    Fault(Refusal),
}

/// Where in the stream of messages a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Between messages: no byte of the next one has come. The empty line that
    /// may stand before a request belongs to none (RFC 9112 section 2.2).
    Idle,
    /// Within a request line or header section.
    Head,
    /// Within a body; its trailer section included.
    Body,
    /// Not HTTP any more, see [`Framing::pass_through`].
    Through,
    /// A fault was found; nothing passes.
    Faulted,
}

/// Reads the framing of one connection's requests, in whatever pieces they
/// come. It allocates nothing for a head that arrives in one piece, and a head
/// that arrives byte by byte costs in proportion to its length.
#[derive(Debug)]
pub struct Framing {
    /// The limits of the head that is being read.
    limits: Limits,
    /// The limits of the heads after it.
    next_limits: Limits,
    stage: Stage,
    /// How many bytes the section being read may still have.
    room: usize,
    line: RequestLine,
    fields: Fields,
    chunks: Chunks,
    heads: u64,
    complete: bool,
    fault: Option<Refusal>,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing yet.
    Gap,
    /// An empty line before a request line, its CR read.
    GapLf,
    /// Nothing yet, after an empty line.
    GapBlank,
    Line,
    Fields,
    /// Content of a declared length, with so many bytes left, never 0.
    Content(u64),
    Chunks,
    Trailers,
    Through,
}

/// A fault, and where: the index of the byte that must not pass.
#[derive(Debug)]
struct Fault {
    at: usize,
    refusal: Refusal,
}

impl Fault {
    fn new(at: usize, refusal: Refusal) -> Self {
        Self { at, refusal }
    }

    fn bad(at: usize, why: &'static str) -> Self {
        Self::new(at, Refusal::BadRequest(why))
    }
}

/// How far a part of a message was read: to its end, which is behind so many
/// bytes, or through all the bytes without an end.
type Read = Result<Option<usize>, Fault>;

impl Framing {
    /// The beginning of a connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            next_limits: limits,
            stage: Stage::Gap,
            room: 0,
            line: RequestLine::default(),
            fields: Fields::default(),
            chunks: Chunks::default(),
            heads: 0,
            complete: true,
            fault: None,
        }
    }

    /// Reads on. All of `bytes` is fine unless a fault is found; then
    /// [`Fed::pass`] says how many of them come before it. After a fault every
    /// call passes nothing and repeats it.
    pub fn feed(&mut self, bytes: &[u8]) -> Fed {
        if let Some(refusal) = &self.fault {
            return Fed { pass: 0, before_head: 0, fault: Some(refusal.clone()) };
        }
        let mut at = 0;
        let mut head = 0;
        while at < bytes.len() {
            if self.stage == Stage::Gap {
                head = at;
            }
            match self.step(&bytes[at..]) {
                Ok(taken) => at += taken,
                Err(fault) => {
                    self.fault = Some(fault.refusal.clone());
                    let pass = at + fault.at;
                    let before_head = if self.complete { head } else { pass };
                    return Fed { pass, before_head, fault: Some(fault.refusal) };
                }
            }
        }
        Fed { pass: bytes.len(), before_head: bytes.len(), fault: None }
    }

    /// Reads on, no further than to the end of the head that is being read, or
    /// of the next one. For who stands between two messages or within a head.
    pub fn feed_head(&mut self, bytes: &[u8]) -> HeadRead {
        if let Some(refusal) = &self.fault {
            return HeadRead::Fault(refusal.clone());
        }
        let heads = self.heads;
        let mut at = 0;
        while at < bytes.len() {
            match self.step(&bytes[at..]) {
                Ok(taken) => at += taken,
                Err(fault) => {
                    self.fault = Some(fault.refusal.clone());
                    return HeadRead::Fault(fault.refusal);
                }
            }
            if self.heads > heads {
                return HeadRead::Complete { length: at, has_content: !self.complete };
            }
        }
        HeadRead::Partial
    }

    /// Where the connection stands.
    pub fn phase(&self) -> Phase {
        if self.fault.is_some() {
            return Phase::Faulted;
        }
        match self.stage {
            Stage::Gap | Stage::GapLf | Stage::GapBlank => Phase::Idle,
            Stage::Line | Stage::Fields => Phase::Head,
            Stage::Content(_) | Stage::Chunks | Stage::Trailers => Phase::Body,
            Stage::Through => Phase::Through,
        }
    }

    /// Whether the next byte begins a message and what comes before it, so that
    /// another reader may go on from here as from the beginning of a connection.
    pub fn is_between(&self) -> bool {
        self.stage == Stage::Gap && self.fault.is_none()
    }

    /// The request line that was read last, or what has come of it, up to a
    /// fault; for the log. At most its first 256 bytes, all of them visible
    /// ASCII or single spaces; empty before the first.
    pub fn request_line(&self) -> &str {
        self.line.text()
    }

    /// From now on the bytes are not HTTP (a connection was upgraded):
    /// everything passes. After a fault it is too late: nothing does.
    pub fn pass_through(&mut self) {
        self.stage = Stage::Through;
    }

    /// Whether the message whose head was read last has been read to its end.
    /// True before the first, and within the head of the next.
    pub fn message_complete(&self) -> bool {
        self.complete
    }

    /// How many heads have been read to their end: the requests that the HTTP
    /// library has been given.
    pub fn heads_read(&self) -> u64 {
        self.heads
    }

    /// Sets new limits, from the next head on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.next_limits = limits;
    }

    /// Reads one part of a message as far as `bytes`, which is not empty, goes;
    /// returns how many of them it took.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        match self.stage {
            Stage::Gap | Stage::GapLf | Stage::GapBlank => self.read_gap(bytes[0]),
            Stage::Line | Stage::Fields | Stage::Trailers => self.read_section(bytes),
            Stage::Content(left) => {
                let taken = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                match left - taken as u64 {
                    0 => self.end_message(),
                    left => self.stage = Stage::Content(left),
                }
                Ok(taken)
            }
            Stage::Chunks => match self.chunks.read(bytes)? {
                Some(taken) => {
                    self.room = self.limits.max_head;
                    self.fields.begin(Section::Trailers);
                    self.stage = Stage::Trailers;
                    Ok(taken)
                }
                None => Ok(bytes.len()),
            },
            Stage::Through => Ok(bytes.len()),
        }
    }

    /// A byte between two messages. One empty line is allowed there, for the
    /// clients of old that end a body with one (RFC 9112 section 2.2).
    fn read_gap(&mut self, byte: u8) -> Result<usize, Fault> {
        match (self.stage, byte) {
            (Stage::Gap, b'\r') => self.stage = Stage::GapLf,
            (Stage::GapLf, b'\n') => self.stage = Stage::GapBlank,
            (Stage::GapLf, _) => return Err(Fault::bad(0, "bare CR before the request line")),
            (_, b'\n') => return Err(Fault::bad(0, "bare LF before the request line")),
            (_, b'\r') => return Err(Fault::bad(0, "empty lines before the request line")),
            _ => {
                self.limits = self.next_limits;
                self.room = self.limits.max_head;
                self.line.begin();
                self.stage = Stage::Line;
                return Ok(0);
            }
        }
        Ok(1)
    }

    /// Reads what counts against `max_head`: a request line, fields, trailers.
    fn read_section(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let window = &bytes[..bytes.len().min(self.room)];
        if window.is_empty() {
            let in_target = self.stage == Stage::Line && self.line.in_target();
            let refusal = if in_target { Refusal::UriTooLong } else { Refusal::HeaderTooLarge };
            return Err(Fault::new(0, refusal));
        }
        let end = match self.stage {
            Stage::Line => self.line.read(window, self.limits.max_uri)?,
            _ => self.fields.read(window, &self.line, self.limits.max_headers)?,
        };
        let taken = end.unwrap_or(window.len());
        self.room -= taken;
        if end.is_some() {
            match self.stage {
                Stage::Line => {
                    self.fields.begin(Section::Head);
                    self.stage = Stage::Fields;
                }
                Stage::Fields => self.end_head(),
                _ => self.end_message(),
            }
        }
        Ok(taken)
    }

    fn end_head(&mut self) {
        self.heads += 1;
        self.complete = false;
        match self.fields.content() {
            BodyLength::Length(0) => self.end_message(),
            BodyLength::Length(length) => self.stage = Stage::Content(length),
            BodyLength::Chunked => {
                self.chunks = Chunks::default();
                self.stage = Stage::Chunks;
            }
        }
    }

    fn end_message(&mut self) {
        self.complete = true;
        self.stage = Stage::Gap;
    }
}
