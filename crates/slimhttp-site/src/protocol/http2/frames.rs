//! Counts the frames of a client by their heads (RFC 9113 section 4.1): whether it is
//! within a header block, and how much of what it sends is of no use. The server's HTTP/2
//! socket feeds it every byte that it reads, before the engine of HTTP/2 sees it.
//!
//! Payloads are not read: the engine does that. By these counts a header block that is
//! sent drop by drop is bounded in time, and a flood of frames ends the connection.

/// The client's connection preface (RFC 9113 section 3.4).
const PREFACE: u32 = 24;

/// The length of a frame's head.
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// Bytes of frames of no use that any connection may send.
const ALLOWANCE: u64 = 64 * 1024;

/// Bytes of such frames for each useful byte, sent or received: the acknowledgements of
/// a download in small pieces are longer than the pieces.
const FOR_EACH_BYTE: u64 = 8;

/// Bytes of such frames for each second: a connection may live for days.
const FOR_EACH_SECOND: u64 = 1024;

/// `SETTINGS` frames, and as many more as there are seconds. Each may change the
/// window of every open stream (RFC 9113 section 6.9.2), so useful bytes allow for no
/// more of them; a client that adapts its windows to the bandwidth sends some ten.
const MAX_SETTINGS: u64 = 100;

/// With so many streams reset by the client (RST_STREAM), it matters whether those are
/// most of its streams: a rapid reset attack.
const MANY_RESETS: u64 = 500;

/// The frames of one connection.
#[derive(Debug)]
pub struct Frames {
    at: At,
    /// Whether a header block has begun whose last frame has not.
    in_block: bool,
    /// Bytes of header blocks and content.
    useful: u64,
    /// Bytes of all else, heads of frames without content included.
    idle: u64,
    opened: u64,
    resets: u64,
    /// `SETTINGS` frames that are no acknowledgement.
    changes: u64,
    /// All frames.
    begun: u64,
}

/// Where in the bytes of the client we are.
#[derive(Clone, Copy, Debug)]
enum At {
    Preface(u32),
    /// Within the head of a frame.
    Head([u8; HEAD], usize),
    /// Within a payload, of which so much is to come.
    Payload {
        left: u32,
        of_block: bool,
    },
}

/// Why a connection is ended: the client floods it with frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// Frames of no use: `PING`, `SETTINGS`, `WINDOW_UPDATE`,
    /// `PRIORITY`, empty `DATA` and what is unknown.
    IdleFrames,
    /// Changed settings, again and again.
    Settings,
    /// Most of its requests were reset.
    Resets,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            at: At::Preface(PREFACE),
            in_block: false,
            useful: 0,
            idle: 0,
            opened: 0,
            resets: 0,
            changes: 0,
            begun: 0,
        }
    }
}

impl Frames {
    /// Whether the rest of the preface or of a header block is still to come.
    pub fn is_in_head(&self) -> bool {
        match self.at {
            At::Preface(left) => left < PREFACE,
            At::Head(..) => self.in_block,
            At::Payload { of_block, .. } => of_block || self.in_block,
        }
    }

    /// How many frames have begun.
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// Counts what the client has sent.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match &mut self.at {
                At::Preface(left) => {
                    let taken = bytes.len().min(*left as usize);
                    *left -= u32::try_from(taken).unwrap_or(PREFACE);
                    bytes = &bytes[taken..];
                    if *left == 0 {
                        self.at = At::Head([0; HEAD], 0);
                    }
                }
                At::Head(head, filled) => {
                    let taken = bytes.len().min(HEAD - *filled);
                    head[*filled..*filled + taken].copy_from_slice(&bytes[..taken]);
                    *filled += taken;
                    bytes = &bytes[taken..];
                    if *filled == HEAD {
                        let head = *head;
                        self.begin(head);
                    }
                }
                At::Payload { left, .. } => {
                    let taken = bytes.len().min(*left as usize);
                    *left -= u32::try_from(taken).unwrap_or(*left);
                    bytes = &bytes[taken..];
                    if *left == 0 {
                        self.at = At::Head([0; HEAD], 0);
                    }
                }
            }
        }
    }

    /// A frame of which the head is complete.
    fn begin(&mut self, [a, b, c, kind, flags, ..]: [u8; HEAD]) {
        let length = u32::from_be_bytes([0, a, b, c]);
        let of_block = matches!(kind, HEADERS | CONTINUATION);
        self.begun += 1;
        self.opened += u64::from(kind == HEADERS);
        self.changes += u64::from(kind == SETTINGS && flags & ACK == 0);
        self.resets += u64::from(kind == RST_STREAM);
        if of_block {
            self.in_block = flags & END_HEADERS == 0;
        }
        let is_useful = match kind {
            DATA => length > 0 || flags & END_STREAM != 0,
            HEADERS => true,
            CONTINUATION => length > 0,
            _ => false,
        };
        if is_useful {
            self.useful += u64::from(length);
        } else {
            self.idle += HEAD as u64 + u64::from(length);
        }
        self.at = match length {
            0 => At::Head([0; HEAD], 0),
            left => At::Payload { left, of_block },
        };
    }

    /// Whether the client floods the connection. `sent` are the bytes of content that were
    /// sent to it, `seconds` the age of the connection.
    pub fn flood(&self, sent: u64, seconds: u64) -> Option<Flood> {
        let worth = self.useful.saturating_add(sent).saturating_mul(FOR_EACH_BYTE);
        let time = seconds.saturating_mul(FOR_EACH_SECOND);
        let allowed = ALLOWANCE.saturating_add(worth).saturating_add(time);
        if self.idle > allowed {
            return Some(Flood::IdleFrames);
        }
        if self.changes > MAX_SETTINGS.saturating_add(seconds) {
            return Some(Flood::Settings);
        }
        let most = self.resets >= MANY_RESETS && self.resets * 2 > self.opened;
        most.then_some(Flood::Resets)
    }
}

#[cfg(test)]
mod tests;
