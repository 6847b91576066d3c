//! What comes back from the interpreter to an I/O thread: for a call, and for a chunk of a stream.

use bytes::Bytes;
use slimhttp_server::{Answer, HandlerFault};

/// What comes back for a call.
pub type CallOutcome = Result<Answer, HandlerFault>;

/// What comes back for a chunk that was asked for.
#[derive(Debug)]
pub enum ChunkOutcome {
    /// The next bytes; may be empty.
    Chunk(Bytes),
    /// There are no more.
    End,
    /// The iterator raised; it has been logged.
    Fault,
}
