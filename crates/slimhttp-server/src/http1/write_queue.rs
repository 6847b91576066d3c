//! The bytes that are to be sent and that the socket has not taken yet. Owned by the task of one
//! connection.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;

/// Slices given to the system at once.
const SLICES: usize = 16;

/// What stands around a chunk is no longer than this: the digits of its size, and a line's end.
const SHORT: usize = 18;

/// A piece up to this size is copied behind another short one, so that a stream of many short
/// pieces is no long queue.
const COPIED: usize = 256;

/// So many bytes are copied behind one another at most.
const JOINED: usize = 16 * 1024;

/// Bytes in the order of sending. Holds no memory while it is empty.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    pieces: VecDeque<Piece>,
    length: usize,
    /// Whether the socket may hold bytes of its own, as TLS does.
    is_unflushed: bool,
}

#[derive(Debug)]
enum Piece {
    Shared(Bytes),
    /// Bytes that stand here, and how many of them are sent, and are there.
    Short([u8; SHORT], u8, u8),
    /// Short ones behind one another.
    Joined(BytesMut),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Short(bytes, sent, length) => &bytes[usize::from(*sent)..usize::from(*length)],
            Self::Joined(bytes) => bytes,
        }
    }

    /// Copies few bytes behind its own, where these are few too; whether it has.
    fn join(&mut self, bytes: &[u8]) -> bool {
        match self {
            Self::Short(short, _, length) if usize::from(*length) + bytes.len() <= SHORT => {
                let start = usize::from(*length);
                short[start..start + bytes.len()].copy_from_slice(bytes);
                *length += u8::try_from(bytes.len()).expect("it is short");
                true
            }
            Self::Short(..) => {
                let own = self.bytes();
                let mut joined = BytesMut::with_capacity(2 * (own.len() + bytes.len()));
                joined.extend_from_slice(own);
                joined.extend_from_slice(bytes);
                *self = Self::Joined(joined);
                true
            }
            Self::Joined(joined) if joined.len() + bytes.len() <= JOINED => {
                joined.extend_from_slice(bytes);
                true
            }
            Self::Joined(_) | Self::Shared(_) => false,
        }
    }

    /// So many more of its bytes are sent, but not all.
    fn advance(&mut self, count: usize) {
        match self {
            Self::Shared(bytes) => bytes.advance(count),
            Self::Short(_, sent, _) => *sent += u8::try_from(count).expect("it is short"),
            Self::Joined(bytes) => bytes.advance(count),
        }
    }
}

impl WriteQueue {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0 && !self.is_unflushed
    }

    /// Bytes were given to the socket before any that are pushed from now on.
    pub(super) fn set_unflushed(&mut self) {
        self.is_unflushed = true;
    }

    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() && !self.join(&bytes) {
            self.length += bytes.len();
            self.pieces.push_back(Piece::Shared(bytes));
        }
    }

    /// Copies few bytes behind the last piece, where that is short too; whether it has.
    fn join(&mut self, bytes: &[u8]) -> bool {
        let joins =
            bytes.len() <= COPIED && self.pieces.back_mut().is_some_and(|last| last.join(bytes));
        if joins {
            self.length += bytes.len();
        }
        joins
    }

    /// The same of few bytes, which are copied.
    pub(super) fn push_short(&mut self, bytes: &[u8]) {
        if bytes.len() > SHORT {
            return self.push(Bytes::copy_from_slice(bytes));
        }
        if !bytes.is_empty() && !self.join(bytes) {
            let mut short = [0; SHORT];
            short[..bytes.len()].copy_from_slice(bytes);
            self.length += bytes.len();
            let length = u8::try_from(bytes.len()).expect("it is short");
            self.pieces.push_back(Piece::Short(short, 0, length));
        }
    }

    /// Sends all of it.
    pub(super) fn poll_send(
        &mut self,
        socket: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.length > 0 {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                *slice = IoSlice::new(piece.bytes());
                count += 1;
            }
            let sent =
                ready!(Pin::new(&mut *socket).poll_write_vectored(context, &slices[..count]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.is_unflushed = true;
            self.advance(sent);
        }
        self.pieces = VecDeque::new();
        ready!(Pin::new(socket).poll_flush(context))?;
        self.is_unflushed = false;
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut sent: usize) {
        self.length -= sent;
        while let Some(piece) = self.pieces.front_mut() {
            let length = piece.bytes().len();
            if sent < length {
                piece.advance(sent);
                return;
            }
            sent -= length;
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
