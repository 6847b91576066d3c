//! Messages as bytes. What is written is a valid message: names, values, methods and statuses
//! are valid by their types, and the framing is the engine's own.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::fault::SendError;
use crate::framing::Framing;
use crate::section::names;

/// What stands around a piece of content: the size of a chunk and its end, or nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct DataFrame {
    /// The size of a chunk, and the end of its line.
    line: [u8; 18],
    length: u8,
}

impl DataFrame {
    /// What goes before the piece.
    pub fn before(&self) -> &[u8] {
        &self.line[..usize::from(self.length)]
    }

    /// What goes behind it.
    pub fn behind(&self) -> &'static [u8] {
        if self.length == 0 { b"" } else { b"\r\n" }
    }

    /// A chunk (RFC 9112 section 7.1) of so many bytes, never 0.
    fn chunk(size: u64) -> Self {
        let mut frame = Self::default();
        let digits = (64 - size.leading_zeros()).div_ceil(4);
        for digit in (0..digits).rev() {
            frame.push(b"0123456789abcdef"[(size >> (4 * digit)) as usize & 0xf]);
        }
        frame.push(b'\r');
        frame.push(b'\n');
        frame
    }

    fn push(&mut self, byte: u8) {
        self.line[usize::from(self.length)] = byte;
        self.length += 1;
    }
}

/// The content of the message that is being written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outgoing {
    /// So many bytes are left.
    Length(u64),
    Chunked,
    UntilClose,
}

impl Outgoing {
    /// Content so framed; of none there are 0 bytes.
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::None => Self::Length(0),
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked,
            Framing::UntilClose => Self::UntilClose,
        }
    }

    /// Frames a piece of so many bytes.
    pub(crate) fn data(&mut self, length: u64) -> Result<DataFrame, SendError> {
        match self {
            Self::Length(left) => {
                *left = left.checked_sub(length).ok_or(SendError::TooMuch)?;
                Ok(DataFrame::default())
            }
            Self::Chunked if length > 0 => Ok(DataFrame::chunk(length)),
            Self::Chunked | Self::UntilClose => Ok(DataFrame::default()),
        }
    }

    /// Writes what ends the content.
    pub(crate) fn end(
        &self,
        out: &mut Vec<u8>,
        trailers: Option<&HeaderMap>,
    ) -> Result<(), SendError> {
        match self {
            Self::Length(1..) => return Err(SendError::TooLittle),
            Self::Length(0) | Self::UntilClose => {}
            Self::Chunked => {
                out.extend_from_slice(b"0\r\n");
                for (name, value) in trailers.into_iter().flatten() {
                    // RFC 9110 section 6.5.1: framing and routing are no trailers.
                    if !is_engines_own(name) && name != http::header::HOST {
                        field(out, name.as_str(), value.as_bytes());
                    }
                }
                out.extend_from_slice(b"\r\n");
            }
        }
        Ok(())
    }
}

/// The head of a final response that is sent more than once, but for its `Date` and its end:
/// on a connection of HTTP/1.1 that stays, with content of a known length, or none.
#[derive(Clone, Debug)]
pub struct PreparedHead {
    bytes: Bytes,
    status: StatusCode,
    length: Option<u64>,
}

impl PreparedHead {
    /// `length` is that of the content; what `fields` say of framing and of the connection is
    /// left out, and so is their `Date`. `None` where the response cannot be sent on any
    /// connection: its fields say `Connection`, its status is none of a final response, it has
    /// content and `length` is missing.
    pub fn new(status: StatusCode, fields: &HeaderMap, length: Option<u64>) -> Option<Self> {
        let lacks_length = length.is_none() && may_send_content(status);
        if fields.contains_key(CONNECTION) || status.is_informational() || lacks_length {
            return None;
        }
        let length = said_length(status, length);
        let mut out = Vec::with_capacity(256);
        status_line(&mut out, status);
        for (name, value) in fields {
            if may_say(name, false) && name != DATE {
                field(&mut out, name.as_str(), value.as_bytes());
            }
        }
        if let Some(length) = length {
            content_length(&mut out, length);
        }
        Some(Self { bytes: out.into(), status, length })
    }

    /// How many bytes it holds.
    #[expect(clippy::len_without_is_empty, reason = "a head is never empty")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How the content is framed, unless it is left out.
    pub(crate) fn framing(&self) -> Framing {
        match self.length {
            Some(length) if length > 0 && may_send_content(self.status) => Framing::Length(length),
            _ => Framing::None,
        }
    }
}

/// Whether a response with this status has content (RFC 9112 section 6.3), where its request
/// does not say otherwise.
pub(crate) fn has_content(status: StatusCode) -> bool {
    !status.is_informational()
        && status != StatusCode::NO_CONTENT
        && status != StatusCode::NOT_MODIFIED
}

/// Whether content may be sent in a response with this status. A 205 that is read ends where its
/// fields say, but none that is sent has any (RFC 9110 section 15.3.6).
pub(crate) fn may_send_content(status: StatusCode) -> bool {
    has_content(status) && status != StatusCode::RESET_CONTENT
}

/// The `Content-Length` of a response with this status (RFC 9110 section 8.6), whose content, or
/// that of a GET, is of this length.
pub(crate) fn said_length(status: StatusCode, length: Option<u64>) -> Option<u64> {
    match status {
        StatusCode::RESET_CONTENT => Some(0),
        _ => length.filter(|_| !status.is_informational() && status != StatusCode::NO_CONTENT),
    }
}

/// Whether a field is the engine's to say: one of framing, or of what older recipients take for
/// the connection, which they do whether or not `Connection` names it (RFC 9112 appendix C.2.2).
pub(crate) fn is_engines_own(name: &HeaderName) -> bool {
    name == CONTENT_LENGTH
        || name == TRANSFER_ENCODING
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// Whether a response may have this field of its owner's. `says_connection`: their `Connection` is
/// sent, and with it `Upgrade`, which means nothing alone (RFC 9110 section 7.8).
pub(crate) fn may_say(name: &HeaderName, says_connection: bool) -> bool {
    !is_engines_own(name) && (says_connection || (name != CONNECTION && name != UPGRADE))
}

/// Whether `Connection` names this option (RFC 9110 section 7.6.1).
pub(crate) fn connection_says(fields: &HeaderMap, option: &[u8]) -> bool {
    fields.get_all(CONNECTION).iter().any(|value| names(value.as_bytes(), option))
}

/// How every status line begins: a response is of HTTP/1.1, to clients of HTTP/1.0 too (RFC 9110
/// section 2.5).
pub(crate) const STATUS_LINE_START: &[u8] = b"HTTP/1.1 ";

pub(crate) fn status_line(out: &mut Vec<u8>, status: StatusCode) {
    out.extend_from_slice(STATUS_LINE_START);
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

pub(crate) fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

pub(crate) fn content_length(out: &mut Vec<u8>, length: u64) {
    let mut digits = [0; 20];
    let (mut at, mut left) = (digits.len(), length);
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    field(out, "content-length", &digits[at..]);
}

/// Writes `Date` (RFC 9110 section 6.6.1).
pub(crate) fn date(out: &mut Vec<u8>, date: &HeaderValue) {
    field(out, "date", date.as_bytes());
}

#[cfg(test)]
mod tests;
