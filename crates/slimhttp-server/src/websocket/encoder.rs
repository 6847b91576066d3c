//! What we send: messages → frames → bytes, by RFC 6455 section 5. A long
//! message is compressed in chunks, a frame each, so that no other connection of the
//! thread waits for it. Pure: no socket and no clock. The task of the connection
//! (`upgrade::websocket`) asks for frames while there is room and writes what is pending.

use bytes::{Buf, Bytes};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::websocket::deflate::compress;
use crate::websocket::message::{CloseFrame, Message};

/// A message shorter than this is not worth compressing: without those before it
/// there is nothing to find in it.
const MIN_COMPRESSED: usize = 256;

/// How much of a message is compressed at a time: well below a millisecond's work.
const CHUNK: usize = 32 * 1024;

/// A payload from this length on is not copied.
const MIN_UNCOPIED: usize = 8 * 1024;

/// Pending bytes at which no more frames are made.
const HIGH_WATER: usize = 16 * 1024;

/// What a buffer that is empty may keep of its room.
const IDLE_CAPACITY: usize = 1024;

/// The writing side of one WebSocket.
pub(crate) struct Encoder {
    compresses: bool,
    /// Bytes to be sent, the first `sent` of which are.
    buffer: Vec<u8>,
    sent: usize,
    /// A long payload, which stands behind the buffer and is not copied into it.
    payload: Bytes,
    /// Frames behind that.
    after_payload: Vec<u8>,
    /// A message that is being compressed, and how many bytes of it are.
    compressing: Option<(Message, usize)>,
}

impl Encoder {
    pub(crate) fn new(compresses: bool) -> Self {
        Self {
            compresses,
            buffer: Vec::new(),
            sent: 0,
            payload: Bytes::new(),
            after_payload: Vec::new(),
            compressing: None,
        }
    }

    /// The next bytes to be sent; empty where there are none.
    pub(crate) fn pending(&self) -> &[u8] {
        let buffered = &self.buffer[self.sent..];
        if buffered.is_empty() { &self.payload } else { buffered }
    }

    /// Whether there is nothing to be sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending().is_empty() && self.compressing.is_none()
    }

    /// Whether a further frame may be made.
    pub(crate) fn has_room(&self) -> bool {
        self.compressing.is_none() && self.is_below_high_water()
    }

    fn is_below_high_water(&self) -> bool {
        self.payload.is_empty() && self.buffer.len() - self.sent < HIGH_WATER
    }

    /// So many of the [`Self::pending`] bytes have been sent.
    pub(crate) fn advance(&mut self, count: usize) {
        if self.sent < self.buffer.len() {
            self.sent += count;
            if self.sent == self.buffer.len() {
                self.sent = 0;
                self.buffer.clear();
                // An idle connection holds no memory for it.
                self.buffer.shrink_to(IDLE_CAPACITY);
            }
        } else {
            self.payload.advance(count);
            if self.payload.is_empty() {
                self.buffer = std::mem::take(&mut self.after_payload);
            }
        }
    }

    /// Makes the frame of a message, or its first one; see [`Self::continue_message`]. One
    /// that does not begin by getting shorter is sent as it is.
    pub(crate) fn message(&mut self, message: Message) {
        let bytes = message.as_bytes();
        if !self.compresses || bytes.len() < MIN_COMPRESSED {
            return self.uncompressed(message);
        }
        let first = &bytes[..bytes.len().min(CHUNK)];
        let is_whole = first.len() == bytes.len();
        let mut compressed = Vec::new();
        compress(first, is_whole, &mut compressed);
        if compressed.len() >= first.len() {
            return self.uncompressed(message);
        }
        self.frame(message.opcode(), is_whole, true, &compressed);
        if !is_whole {
            self.compressing = Some((message, CHUNK));
        }
    }

    /// Makes a further frame of a message that is being compressed.
    pub(crate) fn continue_message(&mut self) {
        if !self.is_below_high_water() {
            return;
        }
        let Some((message, done)) = self.compressing.take() else { return };
        let bytes = message.as_bytes();
        let end = bytes.len().min(done + CHUNK);
        let is_last = end == bytes.len();
        let mut compressed = Vec::new();
        compress(&bytes[done..end], is_last, &mut compressed);
        self.frame(OpCode::Data(Data::Continue), is_last, false, &compressed);
        if !is_last {
            self.compressing = Some((message, end));
        }
    }

    /// Whether a message is being compressed.
    pub(crate) fn is_compressing(&self) -> bool {
        self.compressing.is_some()
    }

    /// Makes the one frame of a message as it is.
    fn uncompressed(&mut self, message: Message) {
        let bytes = message.as_bytes();
        if bytes.len() < MIN_UNCOPIED {
            self.frame(message.opcode(), true, false, bytes);
        } else {
            self.header(message.opcode(), true, false, bytes.len());
            self.payload = message.into_bytes();
        }
    }

    /// Makes a ping.
    pub(crate) fn ping(&mut self, payload: &[u8]) {
        self.frame(OpCode::Control(Control::Ping), true, false, payload);
    }

    /// Makes a pong.
    pub(crate) fn pong(&mut self, payload: &[u8]) {
        self.frame(OpCode::Control(Control::Pong), true, false, payload);
    }

    /// Makes the close frame; without a code where there is `None`. It is the last frame: a
    /// message of which not all has been compressed is never complete.
    pub(crate) fn close(&mut self, frame: Option<&CloseFrame>) {
        self.compressing = None;
        let payload = match frame {
            Some(frame) => [&frame.code.to_be_bytes(), frame.reason.as_bytes()].concat(),
            None => Vec::new(),
        };
        self.frame(OpCode::Control(Control::Close), true, false, &payload);
    }

    fn frame(&mut self, opcode: OpCode, is_final: bool, rsv1: bool, payload: &[u8]) {
        self.header(opcode, is_final, rsv1, payload.len());
        self.tail().extend_from_slice(payload);
    }

    fn header(&mut self, opcode: OpCode, is_final: bool, rsv1: bool, length: usize) {
        let header = FrameHeader { is_final, rsv1, opcode, ..FrameHeader::default() };
        // Writing to a `Vec` does not fail.
        let _ = header.format(length as u64, self.tail());
    }

    /// Where a further frame stands.
    fn tail(&mut self) -> &mut Vec<u8> {
        if self.payload.is_empty() { &mut self.buffer } else { &mut self.after_payload }
    }
}

#[cfg(test)]
mod tests;
