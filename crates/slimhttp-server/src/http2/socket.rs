//! The socket as hyper has it when it speaks HTTP/2: the heads of the frames that come in
//! are inspected, and in one turn so much is read and written. Frames that answer nothing,
//! such as PING, do not make a connection less idle: its time counts from the end of the
//! last exchange. Polled by hyper, in the connection's task.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Read, ReadBufCursor, Write};
use slimhttp_site::http2::frames::Frames;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http2::send_budget::SendBudget;
use crate::net::connection_state::{CloseMode, ConnectionState};
use crate::net::read_buffer;
use crate::sys::clock;

/// Bytes read and written in one turn, beyond which the connection gives way.
const TURN: usize = 32 * 1024;
const TURN_WRITTEN: usize = 256 * 1024;

/// Frames in one turn. Content is held until the request that it belongs to is polled,
/// and hyper ends a connection on which some 2000 short pieces are held.
const TURN_FRAMES: usize = 200;

/// For how long one turn reads: what hyper does for a frame does not follow
/// from the frame's length.
const TURN_TIME: Duration = Duration::from_millis(1);

/// Bytes read at once, all of which hyper works off before the clock is looked
/// at again, where frames are as short on the average as [`SHORT`].
const READ_OF_SHORT: usize = 2 * 1024;
const SHORT: usize = 64;

/// What a connection has done in this turn of its task. One thread's own: the task's.
#[derive(Debug)]
pub(super) struct Pace {
    read: AtomicUsize,
    frames: AtomicUsize,
    written: AtomicUsize,
    /// When this turn has begun to read, in nanoseconds since `born`; 0: it has not.
    since: AtomicU64,
    born: Instant,
    /// For how long it may.
    most: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self::of(TURN_TIME)
    }
}

impl Pace {
    fn of(most: Duration) -> Self {
        let (read, frames, written, since) = Default::default();
        Self { read, frames, written, since, born: Instant::now(), most }
    }

    /// A turn begins.
    pub(super) fn begin(&self) {
        self.read.store(0, Ordering::Relaxed);
        self.frames.store(0, Ordering::Relaxed);
        self.written.store(0, Ordering::Relaxed);
        self.since.store(0, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    fn record_read(&self, count: usize) {
        self.read.fetch_add(count, Ordering::Relaxed);
        if self.since.load(Ordering::Relaxed) == 0 {
            self.since.store(self.now(), Ordering::Relaxed);
        }
    }

    fn has_read_enough(&self) -> bool {
        let since = self.since.load(Ordering::Relaxed);
        let long = || u128::from(self.now().saturating_sub(since)) >= self.most.as_nanos();
        self.read.load(Ordering::Relaxed) >= TURN
            || self.frames.load(Ordering::Relaxed) >= TURN_FRAMES
            || (since != 0 && long())
    }

    fn has_written_enough(&self) -> bool {
        self.written.load(Ordering::Relaxed) >= TURN_WRITTEN
    }
}

/// Whether it is time to give way; the task is woken to go on in its next turn.
fn gives_way(enough: bool, context: &Context<'_>) -> bool {
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
    /// Whether the frames that came last are short. The first ones are.
    short: bool,
    /// Whether no more is read: the client only keeps us busy.
    stopped_reading: bool,
}

impl<S> Socket<S> {
    pub(super) fn new(
        socket: S,
        state: Arc<ConnectionState>,
        budget: Arc<SendBudget>,
        pace: Arc<Pace>,
    ) -> Self {
        let born = clock::milliseconds();
        let frames = Frames::default();
        Self { socket, frames, state, budget, pace, born, short: true, stopped_reading: false }
    }

    fn inspect(&mut self, bytes: &[u8]) {
        let before = self.frames.begun();
        self.frames.feed(bytes);
        let begun = usize::try_from(self.frames.begun() - before).unwrap_or(usize::MAX);
        self.pace.frames.fetch_add(begun, Ordering::Relaxed);
        self.short = begun.saturating_mul(SHORT) > bytes.len();
        self.state.set_in_header_block(self.frames.is_in_head());
        let seconds = clock::milliseconds().saturating_sub(self.born) / 1000;
        if let Some(flood) = self.frames.flood(self.budget.sent(), seconds) {
            tracing::debug!("an HTTP/2 client is sent away: {flood:?}");
            self.state.request_close(CloseMode::Rejected);
            self.stopped_reading = true;
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
        // Its time is over: the task need not be woken for what it sends.
        if this.stopped_reading || gives_way(this.pace.has_read_enough(), context) {
            return Poll::Pending;
        }
        read_buffer::with(|buffer| {
            let most = if this.short { READ_OF_SHORT } else { usize::MAX };
            let size = cursor.remaining().min(buffer.len()).min(most);
            let mut buffer = ReadBuf::new(&mut buffer[..size]);
            ready!(Pin::new(&mut this.socket).poll_read(context, &mut buffer))?;
            let bytes = buffer.filled();
            this.pace.record_read(bytes.len());
            this.inspect(bytes);
            if this.stopped_reading {
                return Poll::Pending;
            }
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
        if gives_way(self.pace.has_written_enough(), context) {
            return Poll::Pending;
        }
        let outcome = write(Pin::new(&mut self.socket), context);
        self.state.set_write_blocked(outcome.is_pending());
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
        self.state.set_write_blocked(outcome.is_pending());
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
