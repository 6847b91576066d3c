//! The preface with which HTTP/2 begins, looked for on a plain connection whose client may know
//! beforehand that HTTP/2 is spoken there (RFC 9113 section 3.3). Asked by `serve/connection.rs`,
//! in the connection's task, before anything of it is read.

use std::pin::pin;
use std::task::Poll;

use tokio::net::TcpStream;

use crate::net::connection_state::{CloseMode, ConnectionState, ReadPhase};
use crate::net::proxy_header::peek_more;

/// RFC 9113 section 3.4. No request of HTTP/1 has its first line.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether a connection begins with HTTP/2; what has come of it stays where it is. `None` where it
/// is to end.
///
/// Before its first byte the connection is idle. What may still become a preface has the time of
/// a head, of which it is one; the first byte that is none of it tells that it is HTTP/1.
pub(crate) async fn is_http2(socket: &TcpStream, state: &ConnectionState) -> Option<bool> {
    state.record_read(ReadPhase::Idle);
    let mut bytes = [0; PREFACE.len()];
    let mut known = 0;
    while known < PREFACE.len() {
        known = match more(socket, state, &mut bytes, known).await? {
            Some(more) if PREFACE.starts_with(&bytes[..more]) => more,
            // HTTP/1, or a client that has left: whoever reads it sees that.
            _ => return Some(false),
        };
        state.record_read(ReadPhase::Head);
    }
    Some(true)
}

/// Waits for more than `known` bytes; how many have come, or no more will. `None` where the
/// connection is to end before.
async fn more(
    socket: &TcpStream,
    state: &ConnectionState,
    bytes: &mut [u8],
    known: usize,
) -> Option<Option<usize>> {
    let mut peeked = pin!(peek_more(socket, bytes, known));
    std::future::poll_fn(|context| {
        state.register(context.waker());
        if let Poll::Ready(peeked) = peeked.as_mut().poll(context) {
            return Poll::Ready(Some(peeked.ok().flatten()));
        }
        match state.close_mode() {
            // A request that has begun is answered.
            CloseMode::Gracefully if known > 0 => Poll::Pending,
            mode if mode.ends_idle() => Poll::Ready(None),
            _ => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests;
