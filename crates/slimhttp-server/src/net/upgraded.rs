//! A client's connection that has stopped being HTTP (RFC 9110 section 7.8): its bytes, with what
//! the client sent ahead in front.
//!
//! An exchange that may answer 101 has an [`OnUpgrade`]. Once the 101 is written the task of the
//! connection hands the socket over and ends; from then on the task of the upgrade has it, on the
//! same I/O thread.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use crate::net::connection_state::ConnectionState;
use crate::net::stream::Stream;

/// What the connection of a request becomes if it is answered with 101. Waits on the connection's
/// I/O thread, and may be dropped.
#[derive(Debug)]
pub(crate) struct OnUpgrade(oneshot::Receiver<Upgraded>);

/// The other end, which the connection's task has. Dropped where there is no 101.
#[derive(Debug)]
pub(crate) struct UpgradeSender(oneshot::Sender<Upgraded>);

/// Both ends, for a request that offers to switch protocols.
pub(crate) fn channel() -> (UpgradeSender, OnUpgrade) {
    let (sender, receiver) = oneshot::channel();
    (UpgradeSender(sender), OnUpgrade(receiver))
}

impl OnUpgrade {
    /// The connection, once the 101 has been written.
    ///
    /// # Errors
    /// It ended before that, or there was no 101.
    pub(crate) async fn upgraded(self) -> io::Result<Upgraded> {
        self.0.await.map_err(|_| io::ErrorKind::ConnectionAborted.into())
    }
}

impl UpgradeSender {
    /// Hands the connection over. Who waited for it may have given up: then it ends.
    pub(crate) fn hand_over(self, upgraded: Upgraded) {
        let _ = self.0.send(upgraded);
    }
}

/// The bytes of such a connection. That its client takes none is recorded, as before.
pub(crate) struct Upgraded {
    socket: Box<dyn Stream>,
    /// Read from the socket and by nobody yet.
    unread: Bytes,
    state: Arc<ConnectionState>,
}

impl Upgraded {
    /// `unread` was read from the socket before the switch, behind the request.
    pub(crate) fn new(socket: impl Stream, unread: Bytes, state: Arc<ConnectionState>) -> Self {
        Self { socket: Box::new(socket), unread, state }
    }

    /// The bare socket, and what was read from it already.
    pub(crate) fn into_socket(self) -> (Box<dyn Stream>, Bytes) {
        (self.socket, self.unread)
    }

    fn record_blocked<T>(&self, outcome: Poll<T>) -> Poll<T> {
        self.state.set_write_blocked(outcome.is_pending());
        outcome
    }
}

impl std::fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upgraded").field("unread", &self.unread.len()).finish_non_exhaustive()
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.socket).poll_read(context, buffer);
        }
        let count = self.unread.len().min(buffer.remaining());
        buffer.put_slice(&self.unread[..count]);
        self.unread.advance(count);
        if self.unread.is_empty() {
            // It is a piece of what was read with it.
            self.unread = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Upgraded {
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
        self.record_blocked(outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// A connection on which 101 has been written, for tests.
#[cfg(test)]
pub(crate) fn switched(socket: impl Stream, unread: &'static [u8]) -> OnUpgrade {
    let (sender, upgrade) = channel();
    let state = Arc::new(ConnectionState::new());
    sender.hand_over(Upgraded::new(socket, Bytes::from_static(unread), state));
    upgrade
}

#[cfg(test)]
mod tests;
