//! The socket as the library sees it when it speaks HTTP/2: the heads of the frames
//! that come in are looked at, and in one turn so much is read and written. Frames
//! that answer nothing, such as PING, do not make a connection less idle: its time
//! counts from the end of the last exchange.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use slimhttp_site::http2::frames::Frames;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::send_budget::SendBudget;
use crate::clock;
use crate::connection_state::{ConnectionState, Ending};
use crate::read_buffer;

/// Bytes read and written in one turn, beyond which the connection gives way: each
/// is a fraction of a millisecond, if every frame is one of a few bytes too.
const TURN: usize = 32 * 1024;
const TURN_WRITTEN: usize = 256 * 1024;

/// What a connection has done in this turn of its task. One thread's own: the task's.
#[derive(Debug, Default)]
pub(super) struct Pace {
    read: AtomicUsize,
    written: AtomicUsize,
}

impl Pace {
    /// A turn begins.
    pub(super) fn begin(&self) {
        self.read.store(0, Ordering::Relaxed);
        self.written.store(0, Ordering::Relaxed);
    }
}

/// Whether it is time to give way; the task is woken to go on in its next turn.
fn enough(done: &AtomicUsize, most: usize, context: &Context<'_>) -> bool {
    let enough = done.load(Ordering::Relaxed) >= most;
    if enough {
        context.waker().wake_by_ref();
    }
    enough
}

/// A socket that is watched.
pub(super) struct Socket<S> {
    socket: S,
    frames: Frames,
    state: Arc<ConnectionState>,
    budget: Arc<SendBudget>,
    pace: Arc<Pace>,
    /// In milliseconds, by [`clock`].
    born: u64,
    /// Whether no more is read: the client only keeps us busy.
    deaf: bool,
}

impl<S> Socket<S> {
    pub(super) fn new(
        socket: S,
        state: Arc<ConnectionState>,
        budget: Arc<SendBudget>,
        pace: Arc<Pace>,
    ) -> Self {
        let born = clock::milliseconds();
        Self { socket, frames: Frames::default(), state, budget, pace, born, deaf: false }
    }

    fn judge(&mut self, bytes: &[u8]) {
        self.frames.feed(bytes);
        self.state.within_block(self.frames.is_in_head());
        let seconds = clock::milliseconds().saturating_sub(self.born) / 1000;
        if let Some(flood) = self.frames.flood(self.budget.taken(), seconds) {
            tracing::debug!("an HTTP/2 client is sent away: {flood:?}");
            self.state.finish(Ending::SentAway);
            self.deaf = true;
        }
    }
}

impl<S: AsyncRead + Unpin> Read for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // Its time is over: nobody need be woken for what it sends.
        if this.deaf || enough(&this.pace.read, TURN, context) {
            return Poll::Pending;
        }
        read_buffer::with(|buffer| {
            let size = cursor.remaining().min(buffer.len());
            let mut buffer = ReadBuf::new(&mut buffer[..size]);
            ready!(Pin::new(&mut this.socket).poll_read(context, &mut buffer))?;
            let bytes = buffer.filled();
            this.pace.read.fetch_add(bytes.len(), Ordering::Relaxed);
            this.judge(bytes);
            cursor.put_slice(bytes);
            Poll::Ready(Ok(()))
        })
    }
}

impl<S: AsyncWrite + Unpin> Socket<S> {
    /// Writes by `write`, unless this turn has written enough.
    fn pace(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if enough(&self.pace.written, TURN_WRITTEN, context) {
            return Poll::Pending;
        }
        let outcome = write(Pin::new(&mut self.socket), context);
        self.state.write_blocked(outcome.is_pending());
        if let Poll::Ready(Ok(written)) = &outcome {
            self.pace.written.fetch_add(*written, Ordering::Relaxed);
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> Write for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pace(context, |socket, context| socket.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pace(context, |socket, context| socket.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.socket).poll_flush(context);
        self.state.write_blocked(outcome.is_pending());
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
