//! Why an upstream gave no response, and how far the request had come: what `proxy` chooses a
//! status by, and whether the request may be sent once more. The text is one line for the person
//! who runs the server.

use std::fmt;
use std::io;
use std::time::Duration;

use slimhttp_http1::{Fault, Limits};

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpstreamFault {
    /// This process has no descriptor left for a connection.
    Exhausted,
    /// The upstream did not connect, or was silent, for longer than it may be.
    TimedOut,
    /// Anything else: it refused the connection, broke it off, or sent what is no HTTP.
    Failed,
}

/// How far the request had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There was no connection: no upstream has seen any of it.
    NotConnected,
    /// There was one, and it took no byte of the request.
    Unsent,
    /// The connection ended before a byte of the response. A kept connection that the upstream
    /// closes in the very moment of its next request ends so.
    Unanswered,
    /// The upstream may have acted on it.
    Unknown,
}

/// A request that got no response, or not all of it.
#[derive(Debug)]
pub(crate) struct UpstreamError {
    pub(crate) fault: UpstreamFault,
    pub(crate) progress: Progress,
    cause: String,
}

impl UpstreamError {
    pub(crate) fn new(fault: UpstreamFault, progress: Progress, cause: impl Into<String>) -> Self {
        Self { fault, progress, cause: cause.into() }
    }

    /// There is no descriptor left for a connection: no upstream can help that.
    pub(super) fn exhausted() -> Self {
        let cause = "no descriptor is left for a connection: see the limit of open files";
        Self::new(UpstreamFault::Exhausted, Progress::NotConnected, cause)
    }

    /// Nothing has moved on its connection for `limit`.
    pub(super) fn silent(limit: Duration) -> Self {
        let cause = format!("nothing came for {limit:?}: see `proxy_read_timeout`");
        Self::new(UpstreamFault::TimedOut, Progress::Unknown, cause)
    }

    /// Its connection has failed.
    pub(super) fn broken(error: &io::Error, progress: Progress) -> Self {
        Self::new(UpstreamFault::Failed, progress, format!("the connection broke off: {error}"))
    }

    /// It has closed its connection.
    pub(super) fn closed(progress: Progress) -> Self {
        let cause = match progress {
            Progress::Unanswered => "it closed the connection before it answered",
            _ => "it closed the connection within its answer",
        };
        Self::new(UpstreamFault::Failed, progress, cause)
    }

    /// It has sent what is no response, or one beyond the limits.
    pub(super) fn invalid(fault: &Fault, limits: Limits) -> Self {
        let cause = match fault {
            Fault::HeadTooLong => format!(
                "it sent a head longer than `proxy_max_response_head` ({} bytes)",
                limits.max_head
            ),
            Fault::TooManyFields => format!(
                "it sent more header fields than `proxy_max_response_headers` ({})",
                limits.max_fields
            ),
            Fault::Incomplete => return Self::closed(Progress::Unknown),
            other => format!("it sent no valid answer: {other}"),
        };
        Self::new(UpstreamFault::Failed, Progress::Unknown, cause)
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for UpstreamError {}
