//! WebSockets: a connection that carries messages both ways, between its client
//! and a handler. RFC 6455, and RFC 7692 for compression.
//!
//! The handler holds a [`WebSocket`], on any thread; the task of the connection, on its I/O
//! thread, holds what a [`PendingWebSocket`] carried there. Between them lie two bounded
//! queues. A queue that is full stops whoever fills it: the client is not read, the handler
//! waits or is notified. Neither side ever waits for the other with a lock held.
//!
//! `channel` is what the two share, `decoder` and `encoder` know the frames, `deflate` the
//! compression; the task that moves bytes stands in `upgrade::websocket`.

pub(crate) mod channel;
pub(crate) mod decoder;
mod deflate;
pub(crate) mod encoder;
mod handle;
mod message;
mod queue;

pub use handle::{HandlerGuard, PendingWebSocket, WebSocket, open};
pub use message::{
    ABNORMAL, CloseFrame, GOING_AWAY, INTERNAL, Message, NO_CODE, NORMAL, PingId, TryRecvError,
    TrySendError,
};
/// The text of a message: [`bytes::Bytes`] that are known to be UTF-8.
pub use tungstenite::Utf8Bytes;
