//! What the strict framing has found wrong on a connection: written once by whoever reads its
//! socket for hyper, read by whoever answers it afterwards, on the connection's I/O thread.

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

/// Shared by the connection and the socket that hyper has for a while.
pub(crate) type FaultCell = Arc<OnceLock<FramingFault>>;
