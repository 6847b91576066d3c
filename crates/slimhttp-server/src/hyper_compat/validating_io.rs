//! The socket as hyper has it: every byte read first passes the strict framing of
//! [`slimhttp_site::framing`], so that nothing lenient in hyper ever acts on a malformed
//! request. Polled by hyper, in the connection's task.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::rt::{Read, ReadBufCursor, Write};
use slimhttp_site::framing::{Framing, Phase};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::live::store::Live;
use crate::net::connection_state::{ConnectionState, ReadPhase};
use crate::net::framing_fault::{FaultCell, FramingFault};
use crate::net::read_buffer;

/// A socket whose requests are validated as they are read.
pub(crate) struct ValidatingIo<S> {
    socket: S,
    /// What was read before and not validated, and comes before what the socket
    /// has.
    unread: Bytes,
    framing: Framing,
    /// Where the limits of the next head stand.
    live: Arc<Live>,
    state: Arc<ConnectionState>,
    fault: FaultCell,
    /// Exchanges that this connection had begun before.
    begun_before: u64,
    /// Whether hyper was given the end of the bytes because of a fault in a head,
    /// with every earlier request answered: the fault is ours to answer, and our
    /// side stays open for that.
    pub(crate) gave_up: bool,
}

impl<S> ValidatingIo<S> {
    /// A socket from which `unread` was read already.
    pub(crate) fn http1(
        socket: S,
        unread: Bytes,
        live: Arc<Live>,
        state: Arc<ConnectionState>,
        fault: FaultCell,
    ) -> Self {
        let framing = Framing::new(live.cached().site.service.head_limits());
        let begun_before = state.exchanges_begun();
        Self { socket, unread, framing, live, state, fault, begun_before, gave_up: false }
    }

    /// Whether the last request was read to its end.
    pub(crate) fn message_complete(&self) -> bool {
        self.framing.message_complete()
    }

    /// Whether every request that was read has been answered and sent, and no
    /// byte of another one has come.
    fn is_at_rest(&self) -> bool {
        let framing = &self.framing;
        framing.is_between()
            && self.unread.is_empty()
            && !self.state.is_upgraded()
            && !self.state.is_busy()
            && !self.state.is_write_blocked()
            && self.state.exchanges_begun() - self.begun_before == framing.heads_read()
    }

    pub(crate) fn into_socket(self) -> S {
        self.socket
    }

    /// The socket, and what was read from it before and given to nobody.
    pub(crate) fn into_parts(self) -> (S, Bytes) {
        (self.socket, self.unread)
    }
}

impl<S: AsyncRead + Unpin> ValidatingIo<S> {
    /// Validates `bytes`; how many of them hyper may have.
    fn validate(&mut self, bytes: &[u8]) -> usize {
        let framing = &mut self.framing;
        if self.state.is_upgraded() {
            framing.pass_through();
        } else if framing.phase() == Phase::Idle {
            framing.set_limits(self.live.cached().site.service.head_limits());
        }
        let fed = framing.feed(bytes);
        self.state.record_read(match framing.phase() {
            Phase::Idle | Phase::Faulted => ReadPhase::Idle,
            Phase::Head => ReadPhase::Head,
            Phase::Body => ReadPhase::Body,
            Phase::Through => ReadPhase::Upgraded,
        });
        if let Some(refusal) = fed.fault {
            let request_line = framing.request_line().to_string();
            // A fault in a body leaves the message of the last head incomplete.
            let in_head = framing.message_complete();
            let _ = self.fault.set(FramingFault { refusal, request_line, in_head });
        }
        fed.before_head
    }

    /// Gives hyper what is valid of `bytes`.
    fn pass_on(
        &mut self,
        bytes: &[u8],
        context: &mut Context<'_>,
        cursor: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let pass = self.validate(bytes);
        cursor.put_slice(&bytes[..pass]);
        if pass == 0 && self.fault.get().is_some() {
            // An empty read would mean that the client has gone.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> Read for ValidatingIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(fault) = this.fault.get() {
            // Requests that hyper has been given, but not yet given to us.
            let given = this.framing.heads_read();
            if !fault.in_head {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::InvalidData)));
            }
            if this.state.is_busy() || this.state.exchanges_begun() - this.begun_before < given {
                // Earlier requests of this connection are answered first.
                this.state.park_reading();
                return Poll::Pending;
            }
            this.gave_up = true;
            return Poll::Ready(Ok(()));
        }
        if !this.unread.is_empty() {
            let bytes = this.unread.split_to(cursor.remaining().min(this.unread.len()));
            return this.pass_on(&bytes, context, &mut cursor);
        }
        read_buffer::with(|buffer| {
            let size = cursor.remaining().min(buffer.len());
            let mut buffer = ReadBuf::new(&mut buffer[..size]);
            let read = Pin::new(&mut this.socket).poll_read(context, &mut buffer);
            if read.is_pending() {
                this.state.set_engine_idle(this.is_at_rest());
            }
            ready!(read)?;
            let bytes = buffer.filled();
            if bytes.is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.pass_on(bytes, context, &mut cursor)
        })
    }
}

impl<S: AsyncWrite + Unpin> ValidatingIo<S> {
    fn record_blocked<T>(&self, outcome: Poll<T>) -> Poll<T> {
        self.state.set_write_blocked(outcome.is_pending());
        outcome
    }
}

impl<S: AsyncWrite + Unpin> Write for ValidatingIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.record_blocked(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.record_blocked(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.socket).poll_flush(context);
        let outcome = self.record_blocked(outcome);
        // Hyper need not read a further request of its own accord.
        if outcome.is_ready() {
            self.state.set_engine_idle(self.is_at_rest());
        }
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.gave_up {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
