//! What we send: messages → frames → bytes, by RFC 6455 section 5. A long
//! message is packed in pieces, a frame each, so that no other connection of the
//! worker waits for it. Pure: no socket and no clock.

use bytes::{Buf, Bytes};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::websocket::deflate::pack;
use crate::websocket::message::{Closure, Message};

/// A message shorter than this is not worth packing: without those before it
/// there is nothing to find in it.
const WORTH_PACKING: usize = 256;

/// How much of a message is packed at a time: well below a millisecond's work.
const PIECE: usize = 32 * 1024;

/// A payload from this length on is not copied.
const LONG: usize = 8 * 1024;

/// Bytes that wait, at which no more frames are made.
const ENOUGH: usize = 16 * 1024;

/// What a buffer that is empty may keep of its room.
const ROOM_AT_REST: usize = 1024;

/// The writing side of one WebSocket.
pub(crate) struct Encoder {
    compresses: bool,
    /// Bytes to be sent, the first `sent` of which are.
    buffer: Vec<u8>,
    sent: usize,
    /// A long payload, behind the buffer.
    long: Bytes,
    /// Frames behind that.
    behind: Vec<u8>,
    /// A message that is being packed, and how much of it is.
    packing: Option<(Message, usize)>,
}

impl Encoder {
    pub(crate) fn new(compresses: bool) -> Self {
        Self {
            compresses,
            buffer: Vec::new(),
            sent: 0,
            long: Bytes::new(),
            behind: Vec::new(),
            packing: None,
        }
    }

    /// The next bytes to be sent; empty where none wait.
    pub(crate) fn waiting(&self) -> &[u8] {
        let buffered = &self.buffer[self.sent..];
        if buffered.is_empty() { &self.long } else { buffered }
    }

    /// Whether nothing waits to be sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting().is_empty() && self.packing.is_none()
    }

    /// Whether a further frame may be made.
    pub(crate) fn has_room(&self) -> bool {
        self.packing.is_none() && self.can_go_on()
    }

    fn can_go_on(&self) -> bool {
        self.long.is_empty() && self.buffer.len() - self.sent < ENOUGH
    }

    /// So many of the [`Self::waiting`] bytes have been sent.
    pub(crate) fn advance(&mut self, count: usize) {
        if self.sent < self.buffer.len() {
            self.sent += count;
            if self.sent == self.buffer.len() {
                self.sent = 0;
                self.buffer.clear();
                // A connection at rest holds nothing.
                self.buffer.shrink_to(ROOM_AT_REST);
            }
        } else {
            self.long.advance(count);
            if self.long.is_empty() {
                self.buffer = std::mem::take(&mut self.behind);
            }
        }
    }

    /// Makes the frame of a message, or its first one; see [`Self::go_on`]. One
    /// that does not begin by getting shorter is sent as it is.
    pub(crate) fn message(&mut self, message: Message) {
        let bytes = message.as_bytes();
        if !self.compresses || bytes.len() < WORTH_PACKING {
            return self.plain(message);
        }
        let first = &bytes[..bytes.len().min(PIECE)];
        let is_whole = first.len() == bytes.len();
        let mut packed = Vec::new();
        pack(first, is_whole, &mut packed);
        if packed.len() >= first.len() {
            return self.plain(message);
        }
        self.frame(message.opcode(), is_whole, true, &packed);
        if !is_whole {
            self.packing = Some((message, PIECE));
        }
    }

    /// Makes a further frame of a message that is being packed.
    pub(crate) fn go_on(&mut self) {
        if !self.can_go_on() {
            return;
        }
        let Some((message, done)) = self.packing.take() else { return };
        let bytes = message.as_bytes();
        let end = bytes.len().min(done + PIECE);
        let is_last = end == bytes.len();
        let mut packed = Vec::new();
        pack(&bytes[done..end], is_last, &mut packed);
        self.frame(OpCode::Data(Data::Continue), is_last, false, &packed);
        if !is_last {
            self.packing = Some((message, end));
        }
    }

    /// Whether a message is being packed.
    pub(crate) fn is_packing(&self) -> bool {
        self.packing.is_some()
    }

    fn plain(&mut self, message: Message) {
        let bytes = message.as_bytes();
        if bytes.len() < LONG {
            self.frame(message.opcode(), true, false, bytes);
        } else {
            self.head(message.opcode(), true, false, bytes.len());
            self.long = message.into_bytes();
        }
    }

    pub(crate) fn ping(&mut self, payload: &[u8]) {
        self.frame(OpCode::Control(Control::Ping), true, false, payload);
    }

    pub(crate) fn pong(&mut self, payload: &[u8]) {
        self.frame(OpCode::Control(Control::Pong), true, false, payload);
    }

    /// `None` says no code. It is the last frame: a message of which not all has
    /// been packed is never complete.
    pub(crate) fn close(&mut self, closure: Option<&Closure>) {
        self.packing = None;
        let payload = match closure {
            Some(closure) => [&closure.code.to_be_bytes(), closure.reason.as_bytes()].concat(),
            None => Vec::new(),
        };
        self.frame(OpCode::Control(Control::Close), true, false, &payload);
    }

    fn frame(&mut self, opcode: OpCode, is_final: bool, rsv1: bool, payload: &[u8]) {
        self.head(opcode, is_final, rsv1, payload.len());
        self.end_of_line().extend_from_slice(payload);
    }

    fn head(&mut self, opcode: OpCode, is_final: bool, rsv1: bool, length: usize) {
        let header = FrameHeader { is_final, rsv1, opcode, ..FrameHeader::default() };
        // Writing to a `Vec` does not fail.
        let _ = header.format(length as u64, self.end_of_line());
    }

    /// Where a further frame stands.
    fn end_of_line(&mut self) -> &mut Vec<u8> {
        if self.long.is_empty() { &mut self.buffer } else { &mut self.behind }
    }
}

#[cfg(test)]
mod tests;
