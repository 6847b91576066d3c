//! What a WebSocket carries, and how it ends: messages, pings, close codes. RFC 6455
//! sections 5.5, 5.6 and 7.4.

use bytes::Bytes;
use tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::websocket::Utf8Bytes;

/// Nothing wrong: the purpose is fulfilled.
pub const NORMAL: u16 = 1000;
/// The server goes, or no message has gone either way for long.
pub const GOING_AWAY: u16 = 1001;
/// In place of a code: the client's close frame has none.
pub const NO_CODE: u16 = 1005;
/// In place of a code: the connection is gone without a close frame.
pub const ABNORMAL: u16 = 1006;
/// The handler has failed.
pub const INTERNAL: u16 = 1011;

/// The longest payload of a control frame, in bytes (section 5.5).
pub(crate) const MAX_CONTROL_PAYLOAD: usize = 125;

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

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(bytes) => bytes,
        }
    }

    pub(crate) fn opcode(&self) -> OpCode {
        OpCode::Data(match self {
            Self::Text(_) => Data::Text,
            Self::Binary(_) => Data::Binary,
        })
    }
}

/// How a WebSocket is closed: what its close frame says, or a code that stands for there being
/// none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// The code, RFC 6455 section 7.4; also [`NO_CODE`] and [`ABNORMAL`].
    pub code: u16,
    /// Why, in words; often empty.
    pub reason: Box<str>,
}

impl CloseFrame {
    /// A close frame that this side sends.
    ///
    /// # Errors
    /// What was expected of the code or of the reason.
    pub fn new(code: u16, reason: &str) -> Result<Self, &'static str> {
        if !may_be_sent(code) {
            return Err("a close code that may be sent: 1000 to 1003, 1007 to 1014, 3000 to 4999");
        }
        if reason.len() > MAX_CONTROL_PAYLOAD - 2 {
            return Err("a reason of at most 123 bytes");
        }
        Ok(Self { code, reason: reason.into() })
    }

    pub(crate) fn without_reason(code: u16) -> Self {
        Self { code, reason: "".into() }
    }
}

/// Why there is no message.
#[derive(Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// None has come yet.
    Empty,
    /// None will come any more.
    Closed(CloseFrame),
}

/// Why something was not put into the queue of what is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub enum TrySendError {
    /// As much waits as may.
    Full,
    /// The WebSocket is closed, or closing.
    Closed,
}

/// Names a ping that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PingId(pub u64);

/// Whether a close code may stand in a frame: those of RFC 6455 section 7.4 and
/// of the registry that it founded, and those of libraries and programs.
pub(crate) fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
