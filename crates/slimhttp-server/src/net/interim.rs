//! Interim responses (1xx, RFC 9110 section 15.2) on their way from whoever answers a request to
//! its client: the 103 of an upstream, or of an application.
//!
//! The protocol takes them after each poll of the exchange and sends them before the final response.
//! Who pushes within such a poll, on the connection's I/O thread, wakes nobody; who does at another
//! time, or on another thread, wakes the connection's task behind it
//! ([`push_interim`](super::connection_state::ConnectionState::push_interim)).

use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use slimhttp_http1::MOST_INTERIM;

use crate::sys::clock::LogThrottle;

/// Interim responses that are to be sent for the exchange in flight of one connection. Of
/// HTTP/1.1 alone: over HTTP/2 there is no way to send them, and to an older client none may be.
#[derive(Debug, Default)]
pub(crate) struct InterimQueue(Mutex<Vec<(StatusCode, HeaderMap)>>);

impl InterimQueue {
    /// One more. There is room for all that an upstream may send before its final response; who
    /// sends more is told of in the log now and then, for the client does not get it.
    pub(crate) fn push(&self, status: StatusCode, fields: HeaderMap) {
        let mut queue = self.0.lock();
        if queue.len() < usize::from(MOST_INTERIM) {
            queue.push((status, fields));
            return;
        }
        drop(queue);
        // An application may push as many as it likes.
        static THROTTLE: LogThrottle = LogThrottle::new();
        if THROTTLE.allow() {
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
