//! WebSockets: a connection that carries messages both ways, between its client
//! and a handler. RFC 6455, and RFC 7692 for compression.
//!
//! The handler holds a [`WebSocket`], the worker that has the connection a
//! [`Carriage`]; between them lie two bounded queues. A queue that is full stops
//! whoever fills it: the client is not read, the handler is told to wait. Neither
//! side ever waits for the other with a lock held.
//!
//! `line` is what the two share, `carrier` moves bytes, `inbound` and `outbound`
//! know the frames, `deflate` the compression.

mod carrier;
mod deflate;
mod inbound;
mod line;
mod outbound;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use slimhttp_site::refusal::Refusal;
use slimhttp_site::websocket::{Deflate, Handshake, WebSocketLimits};
use tungstenite::Utf8Bytes;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::exchange::ConnectionContext;
use crate::message::body::Body;
use line::Line;

/// Nothing wrong: the purpose is fulfilled.
pub const NORMAL: u16 = 1000;
/// The server goes, or nobody has said anything for long.
pub const GOING_AWAY: u16 = 1001;
/// In place of a code: the client has closed without one.
pub const NO_CODE: u16 = 1005;
/// In place of a code: the connection is gone, and nobody has closed.
pub const ABNORMAL: u16 = 1006;
/// The handler has failed.
pub const INTERNAL: u16 = 1011;

/// What is sent or has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text.
    Text(Utf8Bytes),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(bytes) => bytes,
        }
    }

    fn opcode(&self) -> OpCode {
        OpCode::Data(match self {
            Self::Text(_) => Data::Text,
            Self::Binary(_) => Data::Binary,
        })
    }
}

/// How a WebSocket was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closure {
    /// The code, RFC 6455 section 7.4.
    pub code: u16,
    /// Why, in words; often empty.
    pub reason: Box<str>,
}

impl Closure {
    /// A closure that this side sends.
    ///
    /// # Errors
    /// What was expected of the code or of the reason.
    pub fn new(code: u16, reason: &str) -> Result<Self, &'static str> {
        if !inbound::may_be_sent(code) {
            return Err("a close code that may be sent: 1000 to 1003, 1007 to 1014, 3000 to 4999");
        }
        if reason.len() > inbound::LONGEST_CONTROL - 2 {
            return Err("a reason of at most 123 bytes");
        }
        Ok(Self { code, reason: reason.into() })
    }

    fn bare(code: u16) -> Self {
        Self { code, reason: "".into() }
    }
}

/// What a handler finds that asks for a message.
#[derive(Debug)]
pub enum Received {
    /// The next one.
    Message(Message),
    /// None has come yet.
    Nothing,
    /// None will come any more.
    Closed(Closure),
}

/// Why something was not taken to be sent.
#[derive(Debug, PartialEq, Eq)]
pub enum SendFault {
    /// As much waits as may.
    Full,
    /// The WebSocket is closed, or closing.
    Closed,
}

/// Names a ping that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PingId(pub u64);

/// The handler's end. Nothing here waits, but what says so.
///
/// Whoever is told that there is [`Received::Nothing`], that a queue is full, or
/// that a ping is not answered yet, has the bell of [`open`] rung once when that
/// may have changed.
#[derive(Clone, Debug)]
pub struct WebSocket(Arc<Line>);

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
    pub fn is_answered(&self, ping: PingId) -> Result<bool, Closure> {
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
    ) -> Result<bool, Closure> {
        self.0.is_answered_within(ping, patience)
    }

    /// Closes, behind what waits to be sent. A second call does nothing.
    pub fn close(&self, closure: Closure) {
        self.0.close(closure);
    }

    /// Whether nothing can be sent any more.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// How it is closed, or closing; `None` while it is open.
    pub fn closure(&self) -> Option<Closure> {
        self.0.closure()
    }

    /// How it has ended; `None` before, and the bell is rung when it has.
    pub fn ended(&self) -> Option<Closure> {
        self.0.ended()
    }

    /// Waits until it has ended, at most `patience`.
    pub fn ended_within(&self, patience: Option<Duration>) -> Option<Closure> {
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
pub struct Tenure(Arc<Line>);

impl Tenure {
    /// Notes how the handler has ended: it closes the WebSocket, if nobody has.
    pub fn finish(self, code: u16) {
        self.0.close(Closure::bare(code));
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// The connection's end, on its way to the worker.
#[derive(Debug)]
pub struct Carriage {
    line: Arc<Line>,
    handshake: Handshake,
    limits: Arc<WebSocketLimits>,
}

/// A WebSocket as the handshake and the limits say. `bell` is called on the
/// worker's thread, as [`WebSocket`] says, and must not wait.
pub fn open(
    handshake: Handshake,
    limits: Arc<WebSocketLimits>,
    bell: impl Fn() + Send + Sync + 'static,
) -> (WebSocket, Tenure, Carriage) {
    let line = Arc::new(Line::new(&limits, handshake.subprotocol.clone(), Box::new(bell)));
    let carriage = Carriage { line: line.clone(), handshake, limits };
    (WebSocket(line.clone()), Tenure(line), carriage)
}

impl Carriage {
    /// Takes over the connection once the client has been told, and gives what
    /// tells it. The exchange counts as in flight until all has ended.
    pub(crate) fn begin(
        self,
        upgrade: Option<OnUpgrade>,
        connection: &Arc<ConnectionContext>,
    ) -> Result<Response<Body>, Refusal> {
        let upgrade = upgrade.ok_or(Refusal::UpgradeRequired)?;
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        let Handshake { key, subprotocol, deflate } = &self.handshake;
        // Base64 is a field value.
        if let Ok(accept) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        // The client has sent it in a field value.
        if let Some(Ok(protocol)) = subprotocol.as_deref().map(HeaderValue::from_str) {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        if let Some(agreed) = deflate.map(Deflate::field) {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, agreed);
        }
        carrier::spawn(self, upgrade, connection);
        Ok(response)
    }
}

impl Drop for Carriage {
    fn drop(&mut self) {
        self.line.lost();
    }
}
