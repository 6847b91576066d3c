//! What a client sends: bytes → frames → messages, by RFC 6455 section 5, strictly.
//! Nothing is kept but the message that is coming in, unmasked and decompressed as
//! it comes. No call of [`Decoder::feed`] is much work, whatever was sent: its caller, the
//! task of the connection (`upgrade::websocket`), looks at the clock in between. Pure: no
//! socket and no clock.

use std::io::Cursor;

use bytes::Bytes;
use smallvec::SmallVec;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use crate::websocket::deflate::{DecompressError, Decompressor};
use crate::websocket::message::{CloseFrame, MAX_CONTROL_PAYLOAD, Message, may_be_sent};

/// The longest header of a frame, in bytes.
const MAX_HEADER_LEN: usize = 14;

/// Compressed bytes that one call decompresses. They may inflate a thousandfold.
const COMPRESSED_CHUNK: usize = 1024;

/// The longest compressed form of a message of at most `limit` bytes: fixed codes
/// make 9 bits of 8, and there may be some empty blocks. Without this
/// bound, bytes that inflate to nothing would have none.
fn max_compressed_len(limit: usize) -> u64 {
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
    Close(Option<CloseFrame>),
}

/// Why nothing more can be read: how we close.
fn close_with(code: CloseCode, why: &'static str) -> CloseFrame {
    CloseFrame { code: code.into(), reason: why.into() }
}

fn protocol_error(why: &'static str) -> CloseFrame {
    close_with(CloseCode::Protocol, why)
}

/// The reading side of one WebSocket.
pub(crate) struct Decoder {
    /// The longest message, in bytes.
    limit: usize,
    /// Whether compression was agreed on.
    compressed: bool,
    /// The beginning of a header of which the rest has not come yet.
    header: SmallVec<[u8; MAX_HEADER_LEN]>,
    /// The frame that is coming in.
    frame: Option<Frame>,
    /// The payload of the control frame that is coming in.
    control: Vec<u8>,
    /// The message that is coming in.
    message: Option<PartialMessage>,
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
struct PartialMessage {
    is_text: bool,
    /// What is known to be UTF-8, so that no byte is validated twice.
    text: String,
    /// What is behind that; all there is where it is binary.
    bytes: Vec<u8>,
    compressed: Option<Compressed>,
}

/// The compressed form of a message.
struct Compressed {
    decompressor: Decompressor,
    /// Its bytes, those that a header has announced among them.
    announced: u64,
}

impl Decoder {
    pub(crate) fn new(limit: usize, compressed: bool) -> Self {
        Self {
            limit,
            compressed,
            header: SmallVec::new(),
            frame: None,
            control: Vec::new(),
            message: None,
        }
    }

    /// How much memory the message that is coming in takes, in bytes.
    pub(crate) fn buffered(&self) -> usize {
        self.message.as_ref().map_or(0, |it| it.text.capacity() + it.bytes.capacity())
    }

    /// Reads on, no farther than to the end of a frame: how many of `bytes` have
    /// been read, at least one, and what is complete by them.
    ///
    /// # Errors
    /// How to close: nothing more can be read.
    pub(crate) fn feed(&mut self, bytes: &mut [u8]) -> Result<(usize, Option<Event>), CloseFrame> {
        let mut read = 0;
        if self.frame.is_none() {
            let Some(length) = self.feed_header(bytes)? else { return Ok((bytes.len(), None)) };
            read = length;
        }
        let Some(frame) = &mut self.frame else { return Ok((read, None)) };
        let is_compressed =
            self.message.as_ref().is_some_and(|message| message.compressed.is_some());
        let most = if is_compressed { COMPRESSED_CHUNK } else { usize::MAX };
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
                    true => Some(control_event(control, std::mem::take(&mut self.control))?),
                    false => None,
                }
            }
            OpCode::Data(_) => self.feed_message(piece, is_complete && is_final)?,
        };
        Ok((read + here, event))
    }

    /// Reads a header; how many of `bytes` belong to it, once it is complete.
    fn feed_header(&mut self, bytes: &[u8]) -> Result<Option<usize>, CloseFrame> {
        let before = self.header.len();
        let most = MAX_HEADER_LEN - before;
        self.header.extend_from_slice(&bytes[..bytes.len().min(most)]);
        let mut cursor = Cursor::new(&self.header);
        let parsed =
            FrameHeader::parse(&mut cursor).map_err(|_| protocol_error("an unknown opcode"))?;
        // At most 14.
        let end = cursor.position() as usize;
        let Some((header, length)) = parsed else { return Ok(None) };
        self.header.clear();
        if header.len(length) != end || length > i64::MAX as u64 {
            // Section 5.2: the shortest form, and no sign.
            return Err(protocol_error("a length in the wrong form"));
        }
        self.begin_frame(&header, length)?;
        Ok(Some(end - before))
    }

    /// Validates a header, and begins its frame.
    fn begin_frame(&mut self, header: &FrameHeader, length: u64) -> Result<(), CloseFrame> {
        let Some(mask) = header.mask else {
            return Err(protocol_error("a frame without a mask"));
        };
        if header.rsv2 || header.rsv3 {
            return Err(protocol_error("a reserved bit"));
        }
        match header.opcode {
            OpCode::Control(_) => {
                if header.rsv1 {
                    return Err(protocol_error("a compressed control frame"));
                }
                if !header.is_final {
                    return Err(protocol_error("a control frame in pieces"));
                }
                if length > MAX_CONTROL_PAYLOAD as u64 {
                    return Err(protocol_error("a long control frame"));
                }
            }
            OpCode::Data(Data::Continue) => {
                if header.rsv1 {
                    return Err(protocol_error("a reserved bit"));
                }
                let Some(message) = &mut self.message else {
                    return Err(protocol_error("a continuation of nothing"));
                };
                message.announce(length, self.limit)?;
            }
            OpCode::Data(kind) => {
                if header.rsv1 && !self.compressed {
                    return Err(protocol_error("a reserved bit"));
                }
                if self.message.is_some() {
                    return Err(protocol_error("a message within another"));
                }
                let compressed = || Compressed { decompressor: Decompressor::new(), announced: 0 };
                let mut message = PartialMessage {
                    is_text: kind == Data::Text,
                    text: String::new(),
                    bytes: Vec::new(),
                    compressed: header.rsv1.then(compressed),
                };
                message.announce(length, self.limit)?;
                self.message = Some(message);
            }
        }
        self.frame =
            Some(Frame { opcode: header.opcode, is_final: header.is_final, mask, left: length });
        Ok(())
    }

    fn feed_message(&mut self, piece: &[u8], is_last: bool) -> Result<Option<Event>, CloseFrame> {
        let Some(message) = &mut self.message else { return Ok(None) };
        let limit = self.limit - message.text.len();
        match &mut message.compressed {
            None => message.bytes.extend_from_slice(piece),
            Some(Compressed { decompressor, .. }) => {
                decompressor
                    .decompress(piece, &mut message.bytes, limit)
                    .map_err(decompress_failed)?;
            }
        }
        if !is_last {
            return if message.is_text { message.validate_text().map(|()| None) } else { Ok(None) };
        }
        let Some(mut message) = self.message.take() else { return Ok(None) };
        if let Some(Compressed { decompressor, .. }) = message.compressed.take() {
            decompressor.finish(&mut message.bytes, limit).map_err(decompress_failed)?;
        }
        message.complete().map(|message| Some(Event::Message(message)))
    }
}

impl PartialMessage {
    /// A frame of it comes. What cannot fit is refused before it does.
    fn announce(&mut self, length: u64, limit: usize) -> Result<(), CloseFrame> {
        let room = match &self.compressed {
            None => (limit - self.text.len() - self.bytes.len()) as u64,
            Some(compressed) => max_compressed_len(limit) - compressed.announced,
        };
        if length > room {
            return Err(too_long());
        }
        if let Some(compressed) = &mut self.compressed {
            compressed.announced += length;
        }
        Ok(())
    }

    /// Validates text that has come; a character at its end may not be complete.
    /// What cannot become UTF-8 any more is found out before the message ends.
    fn validate_text(&mut self) -> Result<(), CloseFrame> {
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
    fn complete(mut self) -> Result<Message, CloseFrame> {
        if !self.is_text {
            self.bytes.shrink_to_fit();
            return Ok(Message::Binary(self.bytes.into()));
        }
        if self.text.is_empty() {
            self.text = String::from_utf8(self.bytes).map_err(|_| not_utf8())?;
        } else {
            self.validate_text()?;
            if !self.bytes.is_empty() {
                return Err(not_utf8());
            }
        }
        self.text.shrink_to_fit();
        Ok(Message::Text(self.text.into()))
    }
}

fn too_long() -> CloseFrame {
    close_with(CloseCode::Size, "a message that is too long")
}

fn not_utf8() -> CloseFrame {
    close_with(CloseCode::Invalid, "text that is not UTF-8")
}

fn decompress_failed(why: DecompressError) -> CloseFrame {
    match why {
        DecompressError::TooLong => too_long(),
        DecompressError::Corrupt => {
            close_with(CloseCode::Invalid, "a message that cannot be unpacked")
        }
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

fn control_event(control: Control, payload: Vec<u8>) -> Result<Event, CloseFrame> {
    match control {
        Control::Ping => Ok(Event::Ping(payload.into())),
        Control::Pong => Ok(Event::Pong(payload.into())),
        Control::Close | Control::Reserved(_) => close_event(&payload).map(Event::Close),
    }
}

/// Section 5.5.1, and 7.4 for the codes.
fn close_event(payload: &[u8]) -> Result<Option<CloseFrame>, CloseFrame> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() {
            Ok(None)
        } else {
            Err(protocol_error("half a close code"))
        };
    };
    let code = u16::from_be_bytes(*code);
    if !may_be_sent(code) {
        return Err(protocol_error("a close code that means nothing"));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| not_utf8())?;
    Ok(Some(CloseFrame { code, reason: reason.into() }))
}

#[cfg(test)]
#[path = "decoder/tests.rs"]
mod tests;
