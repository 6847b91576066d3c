//! Why an upstream gave no response, and how far the request had come: what `proxy` chooses a
//! status by, and whether the request may be sent once more. The errors of hyper's client are
//! read here and nowhere else.

use std::error::Error;
use std::fmt;
use std::io;

use hyper_util::client::legacy::Error as ClientError;

use crate::upstream::connector::Exhausted;

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
    /// The connection ended before a byte of the response. A kept connection that the upstream
    /// closes in the very moment of its next request ends so.
    ClosedUnanswered,
    /// The upstream may have acted on it.
    Unknown,
}

/// A request that got no response. As text it is the chain of its causes on one line.
#[derive(Debug)]
pub(crate) struct UpstreamError {
    pub(crate) fault: UpstreamFault,
    pub(crate) progress: Progress,
    causes: String,
}

impl UpstreamError {
    /// One that no connection has caused, for tests.
    #[cfg(test)]
    pub(crate) fn new(fault: UpstreamFault, progress: Progress) -> Self {
        Self { fault, progress, causes: format!("{fault:?}") }
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.causes)
    }
}

impl From<ClientError> for UpstreamError {
    fn from(error: ClientError) -> Self {
        let chain: Vec<_> = causes(&error).map(ToString::to_string).collect();
        Self {
            fault: fault(&error),
            progress: progress(&error, error.is_connect()),
            causes: chain.join(": "),
        }
    }
}

/// An error and what caused it, outermost first.
pub(super) fn causes<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| (*error).source())
}

fn fault(error: &(dyn Error + 'static)) -> UpstreamFault {
    let timed_out = |io: &io::Error| io.kind() == io::ErrorKind::TimedOut;
    if causes(error).any(|cause| cause.is::<Exhausted>()) {
        UpstreamFault::Exhausted
    } else if causes(error).any(|cause| cause.downcast_ref().is_some_and(timed_out)) {
        UpstreamFault::TimedOut
    } else {
        UpstreamFault::Failed
    }
}

fn progress(error: &(dyn Error + 'static), is_connect: bool) -> Progress {
    if is_connect {
        return Progress::NotConnected;
    }
    let closed = |error: &hyper::Error| error.is_incomplete_message() || error.is_canceled();
    let reset = |error: &io::Error| {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
    };
    let is_closed = |cause: &(dyn Error + 'static)| {
        cause.downcast_ref().is_some_and(closed) || cause.downcast_ref().is_some_and(reset)
    };
    if causes(error).any(is_closed) { Progress::ClosedUnanswered } else { Progress::Unknown }
}

#[cfg(test)]
mod tests;
