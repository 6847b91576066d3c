//! What of a request is to be written next: its head with the first piece of its content, then a
//! piece at a time, each in its frame. All of it goes to the system in one call.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use slimhttp_http1::DataFrame;
use tokio::io::AsyncWrite as _;

use crate::upstream::silence::Silence;
use crate::upstream::socket::UpstreamSocket;

/// Room for a head that the thread keeps.
const KEPT: usize = 16 * 1024;

thread_local! {
    /// What the last head of this thread was written in. It goes along with a request, and comes
    /// back as soon as the system has taken the head.
    static HEAD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Bytes in the order of sending.
#[derive(Debug, Default)]
pub(super) struct SendQueue {
    /// A head, or what goes before a piece.
    before: Vec<u8>,
    /// How many bytes of it are written.
    written: usize,
    piece: Bytes,
    /// What goes behind the piece.
    behind: &'static [u8],
    /// The end of chunked content.
    end: Vec<u8>,
    /// Whether the system has taken anything.
    has_sent: bool,
}

impl SendQueue {
    /// Of a request that `write` begins.
    ///
    /// # Errors
    /// Those of `write`.
    pub(super) fn begin<E>(write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Self, E> {
        let mut before = HEAD.take();
        write(&mut before)?;
        Ok(Self { before, ..Self::default() })
    }

    /// Whether there is nothing to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.written == self.before.len()
            && self.piece.is_empty()
            && self.behind.is_empty()
            && self.end.is_empty()
    }

    /// Whether a piece, or the end, may be put behind what there is.
    pub(super) fn takes_piece(&self) -> bool {
        self.piece.is_empty() && self.behind.is_empty() && self.end.is_empty()
    }

    /// Whether the system has taken anything.
    pub(super) fn has_sent(&self) -> bool {
        self.has_sent
    }

    pub(super) fn push(&mut self, frame: &DataFrame, piece: Bytes) {
        self.before.extend_from_slice(frame.before());
        self.piece = piece;
        self.behind = frame.behind();
    }

    /// Where the end of the content is to be written.
    pub(super) fn end(&mut self) -> &mut Vec<u8> {
        &mut self.end
    }

    /// Gives back the piece of which nothing is written.
    pub(super) fn take_piece(&mut self) -> Bytes {
        std::mem::take(&mut self.piece)
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// The socket's.
    pub(super) fn poll_write(
        &mut self,
        socket: &mut UpstreamSocket,
        silence: &mut Silence,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let before = &self.before[self.written..];
            let socket = Pin::new(&mut *socket);
            let is_alone = self.piece.is_empty() && self.behind.is_empty() && self.end.is_empty();
            let written = if is_alone {
                ready!(socket.poll_write(context, before))?
            } else {
                let slices = [before, &self.piece, self.behind, &self.end].map(IoSlice::new);
                ready!(socket.poll_write_vectored(context, &slices))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            silence.end();
            self.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        self.has_sent = true;
        let of_before = written.min(self.before.len() - self.written);
        self.written += of_before;
        written -= of_before;
        if self.written == self.before.len() && self.written > 0 {
            self.written = 0;
            self.before.clear();
            if self.before.capacity() <= KEPT {
                HEAD.set(std::mem::take(&mut self.before));
            } else {
                self.before = Vec::new();
            }
        }
        let of_piece = written.min(self.piece.len());
        self.piece.advance(of_piece);
        written -= of_piece;
        let of_behind = written.min(self.behind.len());
        self.behind = &self.behind[of_behind..];
        written -= of_behind;
        self.end.drain(..written);
    }
}

#[cfg(test)]
mod tests;
