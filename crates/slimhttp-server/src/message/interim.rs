//! Interim responses (1xx, RFC 9110 section 15.2) on their way from whoever answers a request to
//! its client: an upstream's 103, for one.
//!
//! Pushed within a poll of the exchange, on the connection's I/O thread. The protocol takes them
//! after each of these polls and sends them before the final response, so a push wakes nobody.
//! Whoever would push at another time, or on another thread, has to wake the connection's task.

use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;

/// So many wait for their client at most: further ones are dropped, for a client needs none of
/// them.
const MOST: usize = 8;

/// Interim responses that are to be sent for the exchange in flight of one connection. Of
/// HTTP/1.1 alone: over HTTP/2 there is no way to send them, and to an older client none may be.
#[derive(Debug, Default)]
pub(crate) struct InterimQueue(Mutex<Vec<(StatusCode, HeaderMap)>>);

impl InterimQueue {
    /// One more.
    pub(crate) fn push(&self, status: StatusCode, fields: HeaderMap) {
        let mut queue = self.0.lock();
        if queue.len() < MOST {
            queue.push((status, fields));
        }
    }

    /// Takes all of them, in their order.
    pub(crate) fn take(&self) -> Vec<(StatusCode, HeaderMap)> {
        std::mem::take(&mut self.0.lock())
    }
}

#[cfg(test)]
mod tests;
