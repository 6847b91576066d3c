//! The bytes that are to be sent and that the socket has not taken yet. Owned by the task of one
//! connection.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// Slices given to the system at once.
const SLICES: usize = 16;

/// Bytes in the order of sending. Holds no memory while it is empty.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    pieces: VecDeque<Bytes>,
    length: usize,
}

impl WriteQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.length += bytes.len();
            self.pieces.push_back(bytes);
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
                *slice = IoSlice::new(piece);
                count += 1;
            }
            let sent =
                ready!(Pin::new(&mut *socket).poll_write_vectored(context, &slices[..count]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(sent);
        }
        self.pieces = VecDeque::new();
        Pin::new(socket).poll_flush(context)
    }

    fn advance(&mut self, mut sent: usize) {
        self.length -= sent;
        while let Some(piece) = self.pieces.front_mut() {
            if sent < piece.len() {
                piece.advance(sent);
                return;
            }
            sent -= piece.len();
            self.pieces.pop_front();
        }
    }
}
