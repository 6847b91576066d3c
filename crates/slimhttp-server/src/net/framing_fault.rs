//! What the strict framing found wrong on a connection, as its parts tell one another.

use std::sync::{Arc, OnceLock};

use slimhttp_site::refusal::Refusal;

/// What the framing found wrong, and the request line it was found in.
#[derive(Debug)]
pub(crate) struct FramingFault {
    /// What to answer.
    pub(crate) refusal: Refusal,
    /// As sent, for the log.
    pub(crate) request_line: String,
    /// Whether it was found in a head, so that nobody has answered it yet.
    pub(crate) in_head: bool,
}

/// Shared with the connection, which outlives hyper's hold on the socket.
pub(crate) type FaultCell = Arc<OnceLock<FramingFault>>;
