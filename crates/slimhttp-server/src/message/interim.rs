//! Interim responses (1xx, RFC 9110 section 15.2) on their way from whoever answers a request to
//! its client: an upstream's 103, for one.
//!
//! Pushed within a poll of the exchange, on the connection's I/O thread. The protocol takes them
//! after each of these polls and sends them before the final response, so a push wakes nobody.
//! Whoever would push at another time, or on another thread, has to wake the connection's task.

use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use slimhttp_http1::MOST_INTERIM;

/// Interim responses that are to be sent for the exchange in flight of one connection. Of
/// HTTP/1.1 alone: over HTTP/2 there is no way to send them, and to an older client none may be.
#[derive(Debug, Default)]
pub(crate) struct InterimQueue(Mutex<Vec<(StatusCode, HeaderMap)>>);

impl InterimQueue {
    /// One more. There is room for all that an upstream may send before its final response; who
    /// sends more is told of in the log, for the client does not get it.
    pub(crate) fn push(&self, status: StatusCode, fields: HeaderMap) {
        let mut queue = self.0.lock();
        if queue.len() < usize::from(MOST_INTERIM) {
            queue.push((status, fields));
        } else {
            tracing::warn!(
                "an interim response of the status {status} is dropped: {MOST_INTERIM} wait"
            );
        }
    }

    /// Takes all of them, in their order.
    pub(crate) fn take(&self) -> Vec<(StatusCode, HeaderMap)> {
        std::mem::take(&mut self.0.lock())
    }
}

#[cfg(test)]
mod tests;
