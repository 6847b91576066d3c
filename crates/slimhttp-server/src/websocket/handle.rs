//! The two ends of a WebSocket as others hold them: the handler's, and the one that is on its
//! way to the I/O thread that has the connection.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use slimhttp_site::websocket::{Handshake, WebSocketLimits};

use crate::websocket::channel::Channel;
use crate::websocket::message::{CloseFrame, Message, PingId, Received, SendFault};

/// The handler's end. Nothing here waits, but what says so.
///
/// Whoever is told that there is [`Received::Nothing`], that a queue is full, or
/// that a ping is not answered yet, has the bell of [`open`] rung once when that
/// may have changed.
#[derive(Clone, Debug)]
pub struct WebSocket(Arc<Channel>);

impl WebSocket {
    /// The next message.
    pub fn receive(&self) -> Received {
        self.0.receive()
    }

    /// Waits for the next message, at most `patience`; without one as long as it
    /// takes.
    pub fn receive_within(&self, patience: Option<Duration>) -> Received {
        self.0.receive_within(patience)
    }

    /// Whether a message may be sent now. `Err` where none may any more.
    ///
    /// # Errors
    /// [`SendFault`].
    pub fn room(&self) -> Result<(), SendFault> {
        self.0.room()
    }

    /// Waits until a message may be sent, at most `patience`.
    ///
    /// # Errors
    /// [`SendFault`].
    pub fn room_within(&self, patience: Option<Duration>) -> Result<(), SendFault> {
        self.0.room_within(patience)
    }

    /// Puts a message in the queue of those to be sent.
    ///
    /// # Errors
    /// [`SendFault`].
    pub fn send(&self, message: Message) -> Result<(), SendFault> {
        self.0.send(message)
    }

    /// Puts a ping in the same queue. `payload` has at most 125 bytes; without
    /// one it gets a number that no other ping has.
    ///
    /// # Errors
    /// [`SendFault`].
    pub fn ping(&self, payload: Option<Bytes>) -> Result<PingId, SendFault> {
        self.0.ping(payload)
    }

    /// Whether that ping, or one sent after it, was answered.
    ///
    /// # Errors
    /// How the WebSocket has ended before.
    pub fn is_answered(&self, ping: PingId) -> Result<bool, CloseFrame> {
        self.0.is_answered(ping)
    }

    /// Waits until it is so, at most `patience`.
    ///
    /// # Errors
    /// As [`Self::is_answered`].
    pub fn is_answered_within(
        &self,
        ping: PingId,
        patience: Option<Duration>,
    ) -> Result<bool, CloseFrame> {
        self.0.is_answered_within(ping, patience)
    }

    /// Closes, behind what waits to be sent. A second call does nothing.
    pub fn close(&self, closure: CloseFrame) {
        self.0.close(closure);
    }

    /// Whether nothing can be sent any more.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// How it is closed, or closing; `None` while it is open.
    pub fn closure(&self) -> Option<CloseFrame> {
        self.0.closure()
    }

    /// How it has ended; `None` before, and the bell is rung when it has.
    pub fn ended(&self) -> Option<CloseFrame> {
        self.0.ended()
    }

    /// Waits until it has ended, at most `patience`.
    pub fn ended_within(&self, patience: Option<Duration>) -> Option<CloseFrame> {
        self.0.ended_within(patience)
    }

    /// The protocol that was agreed on.
    pub fn subprotocol(&self) -> Option<&str> {
        self.0.subprotocol.as_deref()
    }
}

/// That a handler is at work. The connection's place is kept until this is
/// dropped, so that a server that stops waits for it.
#[derive(Debug)]
pub struct HandlerGuard(Arc<Channel>);

impl HandlerGuard {
    /// Notes how the handler has ended: it closes the WebSocket, if nobody has.
    pub fn finish(self, code: u16) {
        self.0.close(CloseFrame::without_reason(code));
    }
}

impl Drop for HandlerGuard {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// The connection's end, on its way to the worker.
#[derive(Debug)]
pub struct PendingWebSocket {
    pub(crate) line: Arc<Channel>,
    pub(crate) handshake: Handshake,
    pub(crate) limits: Arc<WebSocketLimits>,
}

/// A WebSocket as the handshake and the limits say. `bell` is called on the
/// worker's thread, as [`WebSocket`] says, and must not wait.
pub fn open(
    handshake: Handshake,
    limits: Arc<WebSocketLimits>,
    bell: impl Fn() + Send + Sync + 'static,
) -> (WebSocket, HandlerGuard, PendingWebSocket) {
    let line = Arc::new(Channel::new(&limits, handshake.subprotocol.clone(), Box::new(bell)));
    let pending = PendingWebSocket { line: line.clone(), handshake, limits };
    (WebSocket(line.clone()), HandlerGuard(line), pending)
}

impl Drop for PendingWebSocket {
    fn drop(&mut self) {
        self.line.lost();
    }
}
