//! What a client sends: bytes → frames → messages, by RFC 6455 section 5, strictly.
//! Nothing is kept but the message that is coming in, unmasked and unpacked as
//! it comes. No call of [`Decoder::feed`] is much work, whatever was sent: who
//! calls it looks at the clock in between. Pure: no socket and no clock.

use std::io::Cursor;

use bytes::Bytes;
use smallvec::SmallVec;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use crate::websocket::deflate::{Unpacked, Unpacker};
use crate::websocket::message::{Closure, LONGEST_CONTROL, Message, may_be_sent};

/// The longest head of a frame, in bytes.
const LONGEST_HEAD: usize = 14;

/// Packed bytes that are looked at in one go. They may come to a thousandfold.
const PIECE: usize = 1024;

/// The longest packed form of a message of at most `limit` bytes: what packs with
/// fixed codes makes 9 bits of 8, and there may be some empty blocks. Without this
/// bound, bytes that unpack to nothing would have none.
fn longest_packed(limit: usize) -> u64 {
    let limit = limit as u64;
    limit + limit / 8 + 1024
}

/// What has come in.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    /// A whole message.
    Message(Message),
    /// A ping, to be answered with the same bytes.
    Ping(Bytes),
    /// The answer to a ping.
    Pong(Bytes),
    /// The client closes; `None` where it says no code.
    Close(Option<Closure>),
}

/// Why nothing more can be read: how we close.
pub(crate) type Fault = Closure;

fn fault(code: CloseCode, why: &'static str) -> Fault {
    Closure { code: code.into(), reason: why.into() }
}

fn broken(why: &'static str) -> Fault {
    fault(CloseCode::Protocol, why)
}

/// The reading side of one WebSocket.
pub(crate) struct Decoder {
    /// The longest message, in bytes.
    limit: usize,
    /// Whether compression was agreed on.
    compressed: bool,
    /// The beginning of a head of which the rest has not come yet.
    head: SmallVec<[u8; LONGEST_HEAD]>,
    /// The frame that is coming in.
    frame: Option<Frame>,
    /// The payload of the control frame that is coming in.
    control: Vec<u8>,
    /// The message that is coming in.
    message: Option<Partial>,
}

/// A frame of which the payload is coming in.
struct Frame {
    opcode: OpCode,
    is_final: bool,
    /// Turned so that its first byte is for the next byte of the payload.
    mask: [u8; 4],
    left: u64,
}

/// A message of which a part has come.
struct Partial {
    is_text: bool,
    /// What is known to be text, so that it is looked at but once.
    text: String,
    /// What is behind that; all there is where it is no text.
    bytes: Vec<u8>,
    packed: Option<Packed>,
}

/// The packed form of a message.
struct Packed {
    unpacker: Unpacker,
    /// Its bytes, those that a head has announced among them.
    announced: u64,
}

impl Decoder {
    pub(crate) fn new(limit: usize, compressed: bool) -> Self {
        Self {
            limit,
            compressed,
            head: SmallVec::new(),
            frame: None,
            control: Vec::new(),
            message: None,
        }
    }

    /// How much memory is held by the message that is coming in, in bytes.
    pub(crate) fn held(&self) -> usize {
        self.message.as_ref().map_or(0, |it| it.text.capacity() + it.bytes.capacity())
    }

    /// Reads on, no farther than to the end of a frame: how many of `bytes` have
    /// been read, at least one, and what is complete by them.
    pub(crate) fn feed(&mut self, bytes: &mut [u8]) -> Result<(usize, Option<Event>), Fault> {
        let mut read = 0;
        if self.frame.is_none() {
            let Some(length) = self.feed_head(bytes)? else { return Ok((bytes.len(), None)) };
            read = length;
        }
        let Some(frame) = &mut self.frame else { return Ok((read, None)) };
        let is_packed = self.message.as_ref().is_some_and(|message| message.packed.is_some());
        let most = if is_packed { PIECE } else { usize::MAX };
        let here = most.min(bytes.len() - read).min(usize::try_from(frame.left).unwrap_or(most));
        let piece = &mut bytes[read..read + here];
        unmask(piece, &mut frame.mask);
        frame.left -= here as u64;
        let (is_complete, opcode, is_final) = (frame.left == 0, frame.opcode, frame.is_final);
        if is_complete {
            self.frame = None;
        }
        let event = match opcode {
            OpCode::Control(control) => {
                self.control.extend_from_slice(piece);
                match is_complete {
                    true => Some(controlled(control, std::mem::take(&mut self.control))?),
                    false => None,
                }
            }
            OpCode::Data(_) => self.feed_message(piece, is_complete && is_final)?,
        };
        Ok((read + here, event))
    }

    /// Reads a head; how many of `bytes` belong to it, once it is complete.
    fn feed_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let before = self.head.len();
        let most = LONGEST_HEAD - before;
        self.head.extend_from_slice(&bytes[..bytes.len().min(most)]);
        let mut cursor = Cursor::new(&self.head);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| broken("an unknown opcode"))?;
        // At most 14.
        let end = cursor.position() as usize;
        let Some((header, length)) = parsed else { return Ok(None) };
        self.head.clear();
        if header.len(length) != end || length > i64::MAX as u64 {
            // Section 5.2: the shortest form, and no sign.
            return Err(broken("a length in the wrong form"));
        }
        self.begin(&header, length)?;
        Ok(Some(end - before))
    }

    /// Judges a head.
    fn begin(&mut self, header: &FrameHeader, length: u64) -> Result<(), Fault> {
        let Some(mask) = header.mask else {
            return Err(broken("a frame without a mask"));
        };
        if header.rsv2 || header.rsv3 {
            return Err(broken("a reserved bit"));
        }
        match header.opcode {
            OpCode::Control(_) => {
                if header.rsv1 {
                    return Err(broken("a compressed control frame"));
                }
                if !header.is_final {
                    return Err(broken("a control frame in pieces"));
                }
                if length > LONGEST_CONTROL as u64 {
                    return Err(broken("a long control frame"));
                }
            }
            OpCode::Data(Data::Continue) => {
                if header.rsv1 {
                    return Err(broken("a reserved bit"));
                }
                let Some(message) = &mut self.message else {
                    return Err(broken("a continuation of nothing"));
                };
                message.announce(length, self.limit)?;
            }
            OpCode::Data(kind) => {
                if header.rsv1 && !self.compressed {
                    return Err(broken("a reserved bit"));
                }
                if self.message.is_some() {
                    return Err(broken("a message within another"));
                }
                let packed = || Packed { unpacker: Unpacker::new(), announced: 0 };
                let mut message = Partial {
                    is_text: kind == Data::Text,
                    text: String::new(),
                    bytes: Vec::new(),
                    packed: header.rsv1.then(packed),
                };
                message.announce(length, self.limit)?;
                self.message = Some(message);
            }
        }
        self.frame =
            Some(Frame { opcode: header.opcode, is_final: header.is_final, mask, left: length });
        Ok(())
    }

    fn feed_message(&mut self, piece: &[u8], is_last: bool) -> Result<Option<Event>, Fault> {
        let Some(message) = &mut self.message else { return Ok(None) };
        let limit = self.limit - message.text.len();
        match &mut message.packed {
            None => message.bytes.extend_from_slice(piece),
            Some(Packed { unpacker, .. }) => {
                unpacker.unpack(piece, &mut message.bytes, limit).map_err(unpacked)?;
            }
        }
        if !is_last {
            return if message.is_text { message.take_text().map(|()| None) } else { Ok(None) };
        }
        let Some(mut message) = self.message.take() else { return Ok(None) };
        if let Some(Packed { unpacker, .. }) = message.packed.take() {
            unpacker.finish(&mut message.bytes, limit).map_err(unpacked)?;
        }
        message.complete().map(|message| Some(Event::Message(message)))
    }
}

impl Partial {
    /// A frame of it comes. What cannot fit is refused before it does.
    fn announce(&mut self, length: u64, limit: usize) -> Result<(), Fault> {
        let room = match &self.packed {
            None => (limit - self.text.len() - self.bytes.len()) as u64,
            Some(packed) => longest_packed(limit) - packed.announced,
        };
        if length > room {
            return Err(too_long());
        }
        if let Some(packed) = &mut self.packed {
            packed.announced += length;
        }
        Ok(())
    }

    /// Looks at text that has come; a character at its end may not be complete.
    /// What cannot become UTF-8 any more need not be waited for.
    fn take_text(&mut self) -> Result<(), Fault> {
        let text = match std::str::from_utf8(&self.bytes) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() => {
                let valid = &self.bytes[..error.valid_up_to()];
                std::str::from_utf8(valid).map_err(|_| not_utf8())?
            }
            Err(_) => return Err(not_utf8()),
        };
        let valid = text.len();
        self.text.push_str(text);
        self.bytes.drain(..valid);
        Ok(())
    }

    /// The message, all of which has come. It was given room for more than it came to.
    fn complete(mut self) -> Result<Message, Fault> {
        if !self.is_text {
            self.bytes.shrink_to_fit();
            return Ok(Message::Binary(self.bytes.into()));
        }
        if self.text.is_empty() {
            self.text = String::from_utf8(self.bytes).map_err(|_| not_utf8())?;
        } else {
            self.take_text()?;
            if !self.bytes.is_empty() {
                return Err(not_utf8());
            }
        }
        self.text.shrink_to_fit();
        Ok(Message::Text(self.text.into()))
    }
}

fn too_long() -> Fault {
    fault(CloseCode::Size, "a message that is too long")
}

fn not_utf8() -> Fault {
    fault(CloseCode::Invalid, "text that is not UTF-8")
}

fn unpacked(why: Unpacked) -> Fault {
    match why {
        Unpacked::TooLong => too_long(),
        Unpacked::Broken => fault(CloseCode::Invalid, "a message that cannot be unpacked"),
    }
}

/// Section 5.3. Leaves the mask as the next byte needs it.
fn unmask(piece: &mut [u8], mask: &mut [u8; 4]) {
    let mut words = piece.chunks_exact_mut(4);
    for word in &mut words {
        for (byte, key) in word.iter_mut().zip(*mask) {
            *byte ^= key;
        }
    }
    let rest = words.into_remainder();
    for (byte, key) in rest.iter_mut().zip(*mask) {
        *byte ^= key;
    }
    mask.rotate_left(rest.len());
}

fn controlled(control: Control, payload: Vec<u8>) -> Result<Event, Fault> {
    match control {
        Control::Ping => Ok(Event::Ping(payload.into())),
        Control::Pong => Ok(Event::Pong(payload.into())),
        Control::Close | Control::Reserved(_) => closed(&payload).map(Event::Close),
    }
}

/// Section 5.5.1, and 7.4 for the codes.
fn closed(payload: &[u8]) -> Result<Option<Closure>, Fault> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(broken("half a close code")) };
    };
    let code = u16::from_be_bytes(*code);
    if !may_be_sent(code) {
        return Err(broken("a close code that means nothing"));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| not_utf8())?;
    Ok(Some(Closure { code, reason: reason.into() }))
}

#[cfg(test)]
#[path = "decoder/tests.rs"]
mod tests;
