//! A WebSocket, as an application accepts or denies it, and what goes over it. The application
//! picks the subprotocol, so the channel to the connection is made as it accepts.

use ::http::HeaderMap;
use ::http::header::{
    CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_PROTOCOL, TRANSFER_ENCODING, UPGRADE,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use slimhttp_bridge::job::Call;
use slimhttp_server::websocket::{
    self, ABNORMAL, CloseFrame, HandlerGuard, INTERNAL, Message, NORMAL, TryRecvError,
    TrySendError, WebSocket as Socket,
};
use slimhttp_server::{Answer, Request};
use slimhttp_site::refusal::Refusal;
use slimhttp_site::websocket::Handshake;

use crate::run::asgi::awaiting::Awaited;
use crate::run::asgi::exchange::{Exchange, Rest};
use crate::run::asgi::message::{
    ResponseEvent, body, bytes_of, fields, get, out_of_place, start, wrong_type,
};
use crate::run::asgi::response::{End, NotSent, Responder, Sent};

/// What an application has received and sent.
pub(super) struct WebSocket {
    phase: Phase,
    /// Whether the application knows that there is a client.
    has_connected: bool,
    /// The handshake's, until it is accepted; of one that is denied.
    pub(super) response: Responder,
    /// Whether the application knows that its client has left.
    pub(super) was_told: bool,
}

enum Phase {
    /// The handshake waits.
    Connecting(Handshake),
    /// It is answered by a response.
    Denying,
    Open {
        socket: Socket,
        guard: HandlerGuard,
        /// Whether the application has closed it.
        is_closed: bool,
    },
    /// It was refused, or the application has ended.
    Over,
}

/// What a message asks.
pub(super) enum Asked {
    /// `websocket.accept`.
    Accept { subprotocol: Option<String>, fields: HeaderMap },
    /// `websocket.send`.
    Send(Message),
    /// `websocket.close`.
    Close(CloseFrame),
    /// A message of `websocket.http.response`.
    Response(ResponseEvent),
}

/// A message for the application.
pub(super) enum Received {
    /// `websocket.connect`.
    Connect,
    /// `websocket.receive`.
    Message(Message),
    /// `websocket.disconnect`.
    Disconnect(CloseFrame),
}

impl WebSocket {
    /// Of a call that asks for it.
    pub(super) fn new(call: Call, handshake: Handshake) -> Self {
        Self {
            phase: Phase::Connecting(handshake),
            has_connected: false,
            response: Responder::in_place_of_websocket(call),
            was_told: false,
        }
    }

    /// The next message, if it is there.
    pub(super) fn poll_receive(&mut self) -> Option<Received> {
        if !std::mem::replace(&mut self.has_connected, true) {
            return Some(Received::Connect);
        }
        let frame = match &self.phase {
            Phase::Connecting(_) | Phase::Denying if !self.response.is_over() => {
                return None;
            }
            Phase::Connecting(_) | Phase::Denying | Phase::Over => {
                CloseFrame { code: ABNORMAL, reason: "".into() }
            }
            Phase::Open { socket, .. } => match socket.try_recv() {
                Ok(message) => return Some(Received::Message(message)),
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Closed(frame)) => frame,
            },
        };
        self.was_told = true;
        Some(Received::Disconnect(frame))
    }

    /// Does what a message asks; what is awaited until there is room for another one.
    ///
    /// # Errors
    /// See [`NotSent`].
    pub(super) fn send(
        &mut self,
        asked: Asked,
        exchange: &Exchange,
    ) -> Result<Option<Awaited>, NotSent> {
        match (&mut self.phase, asked) {
            (Phase::Connecting(_), Asked::Accept { subprotocol, fields }) => {
                self.accept(subprotocol, fields, exchange)?;
            }
            (Phase::Connecting(_), Asked::Close(_)) => {
                if self.response.is_gone() {
                    return Err(NotSent::Gone);
                }
                self.response.refuse(
                    Refusal::Forbidden,
                    "the application has not accepted the WebSocket".to_owned(),
                );
                self.phase = Phase::Over;
            }
            (Phase::Connecting(_) | Phase::Denying, Asked::Response(event)) => {
                let sent = self.response.send(event, exchange)?;
                self.phase = Phase::Denying;
                return Ok(sent.awaited());
            }
            (Phase::Open { is_closed: false, .. }, Asked::Send(message)) => {
                return Ok(match self.send_message(message.clone())? {
                    Sent::Ready | Sent::PassedOver => None,
                    Sent::Full => Some(Awaited::WebSocketSend(message)),
                });
            }
            (Phase::Open { socket, is_closed, .. }, Asked::Close(frame)) if !*is_closed => {
                *is_closed = true;
                socket.close(frame);
            }
            (phase, asked) => {
                return Err(out_of_place(asked.name(), phase.name()).into());
            }
        }
        Ok(None)
    }

    /// Puts a message in the queue of those to be sent.
    ///
    /// # Errors
    /// See [`NotSent`].
    pub(super) fn send_message(&mut self, message: Message) -> Result<Sent, NotSent> {
        let Phase::Open { socket, .. } = &self.phase else { return Err(NotSent::Gone) };
        match socket.try_send(message) {
            Ok(()) => Ok(Sent::Ready),
            Err(TrySendError::Full) => Ok(Sent::Full),
            Err(TrySendError::Closed) => Err(NotSent::Gone),
        }
    }

    fn accept(
        &mut self,
        subprotocol: Option<String>,
        fields: HeaderMap,
        exchange: &Exchange,
    ) -> Result<(), NotSent> {
        if self.response.is_gone() {
            return Err(NotSent::Gone);
        }
        if let Some(chosen) = &subprotocol
            && !subprotocols(&exchange.request).any(|offered| offered == chosen)
        {
            let wrong = format!("the client has not offered the subprotocol {chosen:?}");
            return Err(PyValueError::new_err(wrong).into());
        }
        let Phase::Connecting(handshake) = std::mem::replace(&mut self.phase, Phase::Over) else {
            unreachable!("it has been looked at");
        };
        let handshake =
            Handshake { subprotocol: subprotocol.map(String::into_boxed_str), ..handshake };
        let limits = exchange.request.scope.options.websocket.clone();
        let (socket, guard, pending) = websocket::open(handshake, limits, exchange.waker());
        if let Some(call) = self.response.take_call() {
            call.answer(Ok(Answer::WebSocket(Box::new(pending.with_fields(fields)))));
        }
        self.phase = Phase::Open { socket, guard, is_closed: false };
        Ok(())
    }

    /// The application has ended, `has_failed` by an exception.
    pub(super) fn end(&mut self, has_failed: bool) -> Rest {
        let was_told = self.was_told;
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Open { socket, guard, is_closed } => {
                let has_left = socket.is_closed() && !is_closed;
                guard.finish(if has_failed { INTERNAL } else { NORMAL });
                if has_left { Rest::Gone { was_told } } else { Rest::Nothing }
            }
            Phase::Connecting(_) | Phase::Denying => match self.response.end() {
                End::Unanswered(call) => Rest::Call(call),
                End::BrokenOff => Rest::Unfinished("before its response was complete"),
                End::Complete => Rest::Nothing,
                End::Gone => Rest::Gone { was_told },
                End::Unwanted if was_told => Rest::Unwanted,
                End::Unwanted => Rest::Unfinished("before its response was complete"),
            },
            Phase::Over => Rest::Nothing,
        }
    }
}

impl Phase {
    /// Why a message does not stand in its place.
    fn name(&self) -> &'static str {
        match self {
            Self::Connecting(_) => "the WebSocket is not accepted",
            Self::Denying => "the WebSocket is denied",
            Self::Open { is_closed: false, .. } => "the WebSocket is open",
            Self::Open { .. } | Self::Over => "the WebSocket is closed",
        }
    }
}

impl Asked {
    /// Reads a message.
    ///
    /// # Errors
    /// `TypeError`, `ValueError`; `RuntimeError` where its type is unknown.
    pub(super) fn read(message: &Bound<'_, PyDict>, kind: &Bound<'_, PyString>) -> PyResult<Self> {
        let py = message.py();
        let is = |name: &Bound<'_, PyString>| kind.as_any().eq(name);
        if is(intern!(py, "websocket.send"))? {
            return message_of(message).map(Self::Send);
        }
        if is(intern!(py, "websocket.accept"))? {
            return accept_of(message);
        }
        if is(intern!(py, "websocket.close"))? {
            return close_of(message).map(Self::Close);
        }
        if is(intern!(py, "websocket.http.response.start"))? {
            return start(message).map(Self::Response);
        }
        if is(intern!(py, "websocket.http.response.body"))? {
            return body(message).map(Self::Response);
        }
        Err(out_of_place(&kind.to_cow()?, "a WebSocket has none of this type"))
    }

    /// Whether those who receive are to look again.
    pub(super) fn changes_what_comes(&self) -> bool {
        !matches!(self, Self::Send(_))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Accept { .. } => "websocket.accept",
            Self::Send(_) => "websocket.send",
            Self::Close(_) => "websocket.close",
            Self::Response(event) => event.name(true),
        }
    }
}

fn accept_of(message: &Bound<'_, PyDict>) -> PyResult<Asked> {
    let py = message.py();
    let subprotocol = match get(message, intern!(py, "subprotocol"))? {
        None => None,
        Some(none) if none.is_none() => None,
        Some(name) if name.is_instance_of::<PyString>() => Some(name.extract::<String>()?),
        Some(other) => return Err(wrong_type("`subprotocol` is str", &other)),
    };
    let fields = fields(message)?;
    let own = [
        CONNECTION,
        CONTENT_LENGTH,
        SEC_WEBSOCKET_ACCEPT,
        SEC_WEBSOCKET_EXTENSIONS,
        SEC_WEBSOCKET_PROTOCOL,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    match own.into_iter().find(|name| fields.contains_key(name)) {
        None => Ok(Asked::Accept { subprotocol, fields }),
        Some(name) => Err(PyValueError::new_err(format!(
            "the header `{name}` of an accepted WebSocket is the server's own"
        ))),
    }
}

fn message_of(message: &Bound<'_, PyDict>) -> PyResult<Message> {
    let py = message.py();
    let given = |key| get(message, key).map(|value| value.filter(|value| !value.is_none()));
    match (given(intern!(py, "bytes"))?, given(intern!(py, "text"))?) {
        (Some(bytes), None) => Ok(Message::Binary(bytes_of(&bytes, "`bytes` is bytes")?)),
        (None, Some(text)) => match text.cast::<PyString>() {
            Ok(text) => Ok(Message::Text(text.to_cow()?.into_owned().into())),
            Err(_) => Err(wrong_type("`text` is str", &text)),
        },
        _ => Err(PyTypeError::new_err("`websocket.send` has either `bytes` or `text`")),
    }
}

fn close_of(message: &Bound<'_, PyDict>) -> PyResult<CloseFrame> {
    let py = message.py();
    let code = match get(message, intern!(py, "code"))? {
        None => i64::from(NORMAL),
        Some(code) => code.extract().map_err(|_| wrong_type("`code` is int", &code))?,
    };
    let reason = match get(message, intern!(py, "reason"))? {
        None => String::new(),
        Some(none) if none.is_none() => String::new(),
        Some(reason) => reason.extract().map_err(|_| wrong_type("`reason` is str", &reason))?,
    };
    // What is no code at all is not one that may be sent.
    CloseFrame::new(u16::try_from(code).unwrap_or(0), &reason)
        .map_err(|expected| PyValueError::new_err(format!("expected {expected}")))
}

/// The subprotocols that the client offers, in their order.
pub(super) fn subprotocols(request: &Request) -> impl Iterator<Item = &str> {
    let fields = request.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let members = fields.filter_map(|field| field.to_str().ok()).flat_map(|text| text.split(','));
    members.map(str::trim).filter(|member| !member.is_empty())
}

impl Received {
    /// As the dict that it is.
    ///
    /// # Errors
    /// When Python has no memory.
    pub(super) fn into_message(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let dict = PyDict::new(py);
        let kind = intern!(py, "type");
        match self {
            Self::Connect => dict.set_item(kind, intern!(py, "websocket.connect"))?,
            Self::Message(message) => {
                dict.set_item(kind, intern!(py, "websocket.receive"))?;
                match message {
                    Message::Text(text) => dict.set_item(intern!(py, "text"), text.as_str())?,
                    Message::Binary(bytes) => {
                        dict.set_item(intern!(py, "bytes"), PyBytes::new(py, &bytes))?;
                    }
                }
            }
            Self::Disconnect(frame) => {
                dict.set_item(kind, intern!(py, "websocket.disconnect"))?;
                dict.set_item(intern!(py, "code"), frame.code)?;
                dict.set_item(intern!(py, "reason"), &*frame.reason)?;
            }
        }
        Ok(dict.into_any())
    }
}
