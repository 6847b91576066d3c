//! Every way to refuse a request, and its status. No other file chooses a failure status, but for
//! 412 and 416 of files and listings, which follow from their validators and ranges (`file_reply`,
//! and the listings of slimhttp-server); so the list of what a client can be told is complete here.

use http::{HeaderMap, StatusCode};
use slimhttp_http1::Fault;

use crate::protocol::methods::Methods;

/// A request that is not answered with what it asked for, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request is malformed; the text says how (RFC 9112, for the log).
    BadRequest(&'static str),
    /// HTTP has come without TLS to a port that speaks it, and nobody knows where to send it.
    PlainToTls,
    /// The content is not what it says to be: no JSON, no form. The response says
    /// why.
    MalformedContent,
    /// The client's address is not allowed, or the origin of the page that opens
    /// a WebSocket.
    Forbidden,
    /// Nothing answers for this target.
    NotFound,
    /// The target exists, but not for this method. RFC 9110 section 15.5.6.
    MethodNotAllowed(Methods),
    /// The client took too long to send its request.
    RequestTimeout,
    /// The body is longer than `max_body` (bytes).
    ContentTooLarge(u64),
    /// The request target is longer than `max_uri`.
    UriTooLong,
    /// The header section is longer than `max_head` or has too many fields.
    HeaderTooLarge,
    /// A WebSocket is all there is, and none was asked for, or one of a version
    /// that this server does not speak. RFC 9110 section 15.5.22, RFC 6455
    /// section 4.4.
    UpgradeRequired,
    /// An `Expect` other than `100-continue`.
    ExpectationFailed,
    /// The connection was made for another host, with a certificate or demands that are not those
    /// of this one. RFC 9110 section 15.5.20.
    Misdirected,
    /// A handler raised or returned nonsense, or the server failed inside.
    Internal,
    /// A method or transfer coding that no part of this server knows.
    NotImplemented,
    /// The upstream refused, reset or answered nonsense.
    BadGateway,
    /// Too much is waiting, or the server is stopping.
    Unavailable,
    /// The program that answers here has not started; whether it may yet, by itself.
    NotStarted {
        /// It is starting, or something in its place.
        is_starting: bool,
    },
    /// The body finds no room among those that are held: see `max_body_memory`.
    MemoryFull,
    /// The upstream did not answer in time.
    GatewayTimeout,
    /// An HTTP version that this server does not speak. RFC 9110 section 15.6.6.
    VersionNotSupported,
    /// The request has come through this very scope before. RFC 5842 section 7.2.
    LoopDetected,
    /// A handler raised an error with a status of its choice.
    Raised(Box<Raised>),
}

/// The error response that a handler has raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    /// The status.
    pub status: StatusCode,
    /// The text for the client.
    pub text: Option<String>,
    /// Header fields of the answer.
    pub fields: HeaderMap,
}

impl Refusal {
    /// The status that says so.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::PlainToTls | Self::MalformedContent => {
                StatusCode::BAD_REQUEST
            }
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::ContentTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::HeaderTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::UpgradeRequired => StatusCode::UPGRADE_REQUIRED,
            Self::ExpectationFailed => StatusCode::EXPECTATION_FAILED,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Self::BadGateway => StatusCode::BAD_GATEWAY,
            Self::Unavailable | Self::NotStarted { .. } | Self::MemoryFull => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::VersionNotSupported => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::LoopDetected => StatusCode::LOOP_DETECTED,
            Self::Raised(raised) => raised.status,
        }
    }
}

/// What is answered to a request that is none.
impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed(why) => Self::BadRequest(why),
            Fault::TargetTooLong => Self::UriTooLong,
            Fault::HeadTooLong | Fault::TooManyFields => Self::HeaderTooLarge,
            // RFC 9112 sections 3 and 6.1.
            Fault::MethodTooLong | Fault::UnknownCoding => Self::NotImplemented,
            Fault::UnsupportedVersion => Self::VersionNotSupported,
            Fault::ContentTooLong => Self::ContentTooLarge(u64::MAX - 2),
            Fault::Incomplete => Self::BadRequest("the body ended early"),
            // Of responses alone.
            Fault::TooManyInterim | Fault::Unsolicited => Self::BadGateway,
        }
    }
}
