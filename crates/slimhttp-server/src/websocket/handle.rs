//! The two ends of a WebSocket as others hold them: the handler's, and the one that is on its
//! way to the I/O thread that has the connection.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use slimhttp_site::websocket::{Handshake, WebSocketLimits};

use crate::websocket::channel::Channel;
use crate::websocket::message::{CloseFrame, Message, PingId, TryRecvError, TrySendError};

/// The handler's end. It may be used on any thread, by several at once.
///
/// What is called `try_…` never waits. Where it finds nothing, a queue that is full, or a ping
/// without its pong, the `notify` of [`open`] is called once when that may have changed. What
/// is called `…_timeout` keeps the calling thread for `timeout` at most, and as long as it
/// takes where that is `None`; I/O threads must not call it.
#[derive(Clone, Debug)]
pub struct WebSocket(Arc<Channel>);

impl WebSocket {
    /// The next message.
    ///
    /// # Errors
    /// [`TryRecvError`].
    pub fn try_recv(&self) -> Result<Message, TryRecvError> {
        self.0.try_recv()
    }

    /// As [`Self::try_recv`], and waits for it.
    ///
    /// # Errors
    /// [`TryRecvError`]; `Empty` where the time is over.
    pub fn recv_timeout(&self, timeout: Option<Duration>) -> Result<Message, TryRecvError> {
        self.0.recv_timeout(timeout)
    }

    /// Whether a message may be sent now.
    ///
    /// # Errors
    /// [`TrySendError`].
    pub fn try_ready(&self) -> Result<(), TrySendError> {
        self.0.try_ready()
    }

    /// As [`Self::try_ready`], and waits until one may.
    ///
    /// # Errors
    /// [`TrySendError`]; `Full` where the time is over.
    pub fn ready_timeout(&self, timeout: Option<Duration>) -> Result<(), TrySendError> {
        self.0.ready_timeout(timeout)
    }

    /// Puts a message in the queue of those to be sent.
    ///
    /// # Errors
    /// [`TrySendError`].
    pub fn try_send(&self, message: Message) -> Result<(), TrySendError> {
        self.0.try_send(message)
    }

    /// Puts a ping in the same queue. `payload` has at most 125 bytes; without
    /// one it gets a number that no other ping has.
    ///
    /// # Errors
    /// [`TrySendError`].
    pub fn try_ping(&self, payload: Option<Bytes>) -> Result<PingId, TrySendError> {
        self.0.try_ping(payload)
    }

    /// Whether the client has sent the pong for that ping, or for one sent after it.
    ///
    /// # Errors
    /// How the WebSocket was closed before.
    pub fn has_pong(&self, ping: PingId) -> Result<bool, CloseFrame> {
        self.0.has_pong(ping)
    }

    /// As [`Self::has_pong`], and waits for it.
    ///
    /// # Errors
    /// As [`Self::has_pong`].
    pub fn pong_timeout(
        &self,
        ping: PingId,
        timeout: Option<Duration>,
    ) -> Result<bool, CloseFrame> {
        self.0.pong_timeout(ping, timeout)
    }

    /// Closes, behind what waits to be sent. A second call does nothing.
    pub fn close(&self, frame: CloseFrame) {
        self.0.close(frame);
    }

    /// Whether nothing can be sent any more: it is closed, or closing.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// How it is closed, or closing; `None` while it is open.
    pub fn close_frame(&self) -> Option<CloseFrame> {
        self.0.close_frame()
    }

    /// How it was closed; `None` while it is open or closing.
    pub fn try_closed(&self) -> Option<CloseFrame> {
        self.0.try_closed()
    }

    /// As [`Self::try_closed`], and waits until it is.
    pub fn closed_timeout(&self, timeout: Option<Duration>) -> Option<CloseFrame> {
        self.0.closed_timeout(timeout)
    }

    /// The protocol that was agreed on.
    pub fn subprotocol(&self) -> Option<&str> {
        self.0.subprotocol.as_deref()
    }
}

/// Held while a handler is at work. The connection's exchange counts as in flight until this is
/// dropped, so that a server that stops waits for it.
#[derive(Debug)]
pub struct HandlerGuard(Arc<Channel>);

impl HandlerGuard {
    /// The handler has ended with that code: it closes the WebSocket, if nobody has.
    pub fn finish(self, code: u16) {
        self.0.close(CloseFrame::without_reason(code));
    }
}

impl Drop for HandlerGuard {
    fn drop(&mut self) {
        self.0.handler_done();
    }
}

/// The connection's end, on its way to the I/O thread. Dropping it ends the WebSocket, as the
/// loss of its connection does.
#[derive(Debug)]
pub struct PendingWebSocket {
    pub(crate) channel: Arc<Channel>,
    pub(crate) handshake: Handshake,
    pub(crate) limits: Arc<WebSocketLimits>,
    /// What the 101 says beside what the handshake demands.
    pub(crate) fields: HeaderMap,
}

impl PendingWebSocket {
    /// With fields of the handler's in the 101. Those by which the handshake is answered are the
    /// server's own, and are none of these.
    #[must_use]
    pub fn with_fields(mut self, fields: HeaderMap) -> Self {
        self.fields = fields;
        self
    }
}

impl Drop for PendingWebSocket {
    fn drop(&mut self) {
        self.channel.disconnected();
    }
}

/// A WebSocket as the handshake and the limits say. `notify` is called as [`WebSocket`] says,
/// on the I/O thread that has the connection or on one of the handler's, and must not wait.
pub fn open(
    handshake: Handshake,
    limits: Arc<WebSocketLimits>,
    notify: impl Fn() + Send + Sync + 'static,
) -> (WebSocket, HandlerGuard, PendingWebSocket) {
    let channel = Channel::new(&limits, handshake.subprotocol.clone(), Box::new(notify));
    let channel = Arc::new(channel);
    let pending =
        PendingWebSocket { channel: channel.clone(), handshake, limits, fields: HeaderMap::new() };
    (WebSocket(channel.clone()), HandlerGuard(channel), pending)
}
