//! What handlers have answered on one HTTP/2 connection and its client has not taken.
//! What a handler returns whole is in memory to its last byte until that is sent, and a
//! client may ask for many answers, open its windows wide, and read none of them.
//!
//! While more is held than is allowed no further handler begins for the connection,
//! unless few answers are held at all: one that a client leaves unread stops no other.
//! Nobody waits for long: where nothing is sent, `send_timeout` ends the connection.
//!
//! The exchanges of the connection wait for room on its I/O thread; answers are counted where a
//! handler gives them, and dropped, on any thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;

/// So many answers may be held, however long they are.
const FEW: usize = 4;

/// The answers that one connection holds.
#[derive(Debug)]
pub(crate) struct UnsentAnswers {
    limit: usize,
    bytes: AtomicUsize,
    count: AtomicUsize,
    /// Notified whenever there is room again.
    freed: Notify,
}

impl UnsentAnswers {
    /// None yet, of which `limit` bytes may be held.
    pub(crate) fn new(limit: usize) -> Self {
        let (bytes, count) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { limit, bytes, count, freed: Notify::new() }
    }

    /// Whether a handler may begin.
    pub(crate) fn has_room(&self) -> bool {
        // In one order with `release`: who finds no room is notified of it later.
        self.bytes.load(Ordering::SeqCst) < self.limit || self.count.load(Ordering::SeqCst) < FEW
    }

    /// Waits until a handler may begin.
    pub(crate) async fn room(&self) {
        loop {
            // Made before the look: it is notified of what happens after it.
            let freed = self.freed.notified();
            if self.has_room() {
                return;
            }
            freed.await;
        }
    }

    /// Counts a content that is in memory, until it is dropped.
    pub(crate) fn hold(self: &Arc<Self>, content: Bytes) -> Bytes {
        self.bytes.fetch_add(content.len(), Ordering::SeqCst);
        self.count.fetch_add(1, Ordering::SeqCst);
        Bytes::from_owner(Held { content, answers: self.clone() })
    }

    fn release(&self, length: usize) {
        self.bytes.fetch_sub(length, Ordering::SeqCst);
        self.count.fetch_sub(1, Ordering::SeqCst);
        if self.has_room() {
            self.freed.notify_waiters();
        }
    }
}

/// The content of an answer, counted while anybody has any of it.
struct Held {
    content: Bytes,
    answers: Arc<UnsentAnswers>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The memory first: who is notified may take as much again.
        let length = std::mem::take(&mut self.content).len();
        self.answers.release(length);
    }
}

#[cfg(test)]
mod tests;
