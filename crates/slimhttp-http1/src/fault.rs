//! What can be wrong: with what a peer sends, and with what an owner of an engine asks for.

use std::fmt;

/// What is wrong with the bytes of the peer. Nothing that comes behind it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is malformed; the text says how.
    Malformed(&'static str),
    /// A request target is longer than [`Limits::max_target`](crate::Limits::max_target) (RFC 9112
    /// section 3: 414).
    TargetTooLong,
    /// A head or a trailer section is longer than
    /// [`Limits::max_head`](crate::Limits::max_head) (RFC 6585 section 5: 431).
    HeadTooLong,
    /// It has more field lines than [`Limits::max_fields`](crate::Limits::max_fields).
    TooManyFields,
    /// A method that is longer than any that is known (RFC 9112 section 3: 501).
    MethodTooLong,
    /// A transfer coding other than `chunked` (RFC 9112 section 6.1: 501).
    UnknownCoding,
    /// A major version other than 1 (RFC 9110 section 15.6.6: 505).
    UnsupportedVersion,
    /// A length of content that no recipient takes (RFC 9110 section 15.5.14: 413).
    ContentTooLong,
    /// The bytes ended within a message (RFC 9112 section 8).
    Incomplete,
    /// More interim responses than anybody needs, and none that is final (RFC 9110 section 15.2).
    TooManyInterim,
    /// Bytes of a server that no request has asked for (RFC 9112 section 9.2).
    Unsolicited,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed(why) => why,
            Self::TargetTooLong => "too long a request target",
            Self::HeadTooLong => "too long a head or trailer section",
            Self::TooManyFields => "too many fields",
            Self::MethodTooLong => "too long a method",
            Self::UnknownCoding => "a transfer coding other than chunked",
            Self::UnsupportedVersion => "a version other than HTTP/1",
            Self::ContentTooLong => "too large a Content-Length",
            Self::Incomplete => "the bytes end within a message",
            Self::TooManyInterim => "too many interim responses",
            Self::Unsolicited => "bytes that no request has asked for",
        })
    }
}

impl std::error::Error for Fault {}

/// What an engine does not write, for it would be no message, or not the one that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// Nothing of the kind may be sent in the present state.
    OutOfTurn,
    /// More content than was announced.
    TooMuch,
    /// The end of the content before all that was announced.
    TooLittle,
    /// A target with bytes that no target has, or that does not fit the method.
    InvalidTarget,
    /// More than one `Host` (RFC 9112 section 3.2).
    InvalidHost,
    /// Content of a request whose method has none, or that would end with the connection.
    InvalidFraming,
    /// A status that is none of a final, or of an interim, response.
    InvalidStatus,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfTurn => "nothing of the kind may be sent now",
            Self::TooMuch => "more content than was announced",
            Self::TooLittle => "less content than was announced",
            Self::InvalidTarget => "a request target that is none of this method",
            Self::InvalidHost => "more than one Host",
            Self::InvalidFraming => "content that such a request does not have",
            Self::InvalidStatus => "a status that such a response does not have",
        })
    }
}

impl std::error::Error for SendError {}
