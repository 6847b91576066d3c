//! Closing so that the client reads our last response (RFC 9112 section 9.6): our side is closed,
//! and what the client still sends is read and dropped. Closing altogether would make the system
//! reset the connection, and drop our last response with it on the client's side.
//!
//! The last thing that a connection's task does, on its I/O thread. The bounds fit slow links and
//! fast ones, as those of nginx do (`lingering_time`, `lingering_timeout`).

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::net::connection_state::{CloseMode, ConnectionState, ReadPhase};
use crate::net::read_buffer;
use crate::net::time_slice::TimeSlice;

/// How long a client may go on sending after our last response.
const LINGER_TIME: Duration = Duration::from_secs(30);

/// How long it may send nothing meanwhile.
const LINGER_TIMEOUT: Duration = Duration::from_secs(5);

/// How many bytes it may send, unless it has announced more: what is bounded by this is work of
/// ours, and a client that sends a whole upload before it looks at the answer is no attacker.
const LINGER_BYTES: u64 = 64 * 1024 * 1024;

/// How long it may go on at least where the connection is asked to end: by then a client that
/// reads has our response.
const LINGER_LEAST: Duration = Duration::from_secs(1);

/// Closes our side and reads on, until the client closes its own or has had its time. `announced`
/// is how much of its last request's content is still to come, as far as it has said.
///
/// The connection counts as one that has nothing to do: it gives way to others, and to the end of
/// the server.
pub(crate) async fn linger(
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
    state: &ConnectionState,
    announced: u64,
) {
    state.record_read(ReadPhase::Idle);
    let now = Instant::now();
    let mut lingering = Lingering {
        began: now,
        heard: now,
        left: LINGER_BYTES.max(announced),
        is_closed: false,
        timer: Box::pin(tokio::time::sleep(LINGER_TIMEOUT)),
    };
    while std::future::poll_fn(|context| lingering.poll(socket, state, context)).await {
        tokio::task::yield_now().await;
    }
}

/// A connection that lingers.
struct Lingering {
    began: Instant,
    /// When a byte came last.
    heard: Instant,
    /// How many bytes may still come.
    left: u64,
    /// Whether our side is closed.
    is_closed: bool,
    timer: Pin<Box<Sleep>>,
}

impl Lingering {
    /// Ready when the task is to yield (`true`), or all is over.
    fn poll(
        &mut self,
        socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
        state: &ConnectionState,
        context: &mut Context<'_>,
    ) -> Poll<bool> {
        state.register(context.waker());
        let time = match state.close_mode() {
            CloseMode::No | CloseMode::AfterRequest => LINGER_TIME,
            // Behind the 408 of a head that took too long, the mode stays.
            CloseMode::Gracefully | CloseMode::HeadTimeout => LINGER_LEAST,
            CloseMode::Rejected | CloseMode::Cut => return Poll::Ready(false),
        };
        if !self.is_closed
            && let Poll::Ready(closed) = Pin::new(&mut *socket).poll_shutdown(context)
        {
            if closed.is_err() {
                return Poll::Ready(false);
            }
            self.is_closed = true;
        }
        let slice = TimeSlice::begin();
        loop {
            let read = read_buffer::with(|buffer| {
                let mut buffer = ReadBuf::new(buffer);
                let read = Pin::new(&mut *socket).poll_read(context, &mut buffer);
                read.map(|read| read.map_or(0, |()| buffer.filled().len() as u64))
            });
            match read {
                Poll::Pending => break,
                Poll::Ready(0) => return Poll::Ready(false),
                Poll::Ready(count) if count > self.left => return Poll::Ready(false),
                Poll::Ready(count) => self.left -= count,
            }
            self.heard = Instant::now();
            if slice.is_over() {
                return Poll::Ready(true);
            }
        }
        let end = (self.began + time).min(self.heard + LINGER_TIMEOUT);
        if self.timer.deadline() != end {
            self.timer.as_mut().reset(end);
        }
        self.timer.as_mut().poll(context).map(|()| false)
    }
}

#[cfg(test)]
mod tests;
