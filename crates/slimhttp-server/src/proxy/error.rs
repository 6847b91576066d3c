//! What the errors of an upstream's connection mean: which status they become, and whether
//! the request may be sent once more.

use std::error::Error;
use std::io;

use hyper_util::client::legacy::Error as ClientError;
use slimhttp_site::refusal::Refusal;

use crate::upstream::connector::Exhausted;

/// An error and what caused it, outermost first.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| (*error).source())
}

/// The whole chain of causes on one line.
pub(super) fn cause(error: &ClientError) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

pub(super) fn refusal_of(error: &ClientError) -> Refusal {
    let late = |io: &io::Error| io.kind() == io::ErrorKind::TimedOut;
    if causes(error).any(|cause| cause.is::<Exhausted>()) {
        Refusal::Unavailable
    } else if causes(error).any(|cause| cause.downcast_ref().is_some_and(late)) {
        Refusal::GatewayTimeout
    } else {
        Refusal::BadGateway
    }
}

/// Whether a connection ended before a byte of the response had come.
pub(super) fn was_closed_unanswered(error: &ClientError) -> bool {
    if error.is_connect() {
        return false;
    }
    causes(error).any(|cause| {
        let closed = |error: &hyper::Error| error.is_incomplete_message() || error.is_canceled();
        let reset = |error: &io::Error| {
            use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
            matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
        };
        cause.downcast_ref().is_some_and(closed) || cause.downcast_ref().is_some_and(reset)
    })
}
