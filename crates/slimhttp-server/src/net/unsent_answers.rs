//! What handlers have answered on one HTTP/2 connection and its client has not taken.
//! What a handler returns whole is in memory to its last byte until that is sent, and a
//! client may ask for many answers, open its windows wide, and read none of them.
//!
//! While more is held than is allowed no further handler begins for the connection,
//! unless few answers are held at all: one that a client leaves unread stops no other.
//! Nobody waits for long: where nothing is sent, `send_timeout` ends the connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;

/// So many answers may be held, however long they are.
const FEW: usize = 4;

/// The answers that one connection holds.
#[derive(Debug)]
pub(crate) struct UnsentAnswers {
    most: usize,
    bytes: AtomicUsize,
    count: AtomicUsize,
    /// Told whenever there is room again.
    room: Notify,
}

impl UnsentAnswers {
    /// None, of which `most` bytes may be held.
    pub(crate) fn new(most: usize) -> Self {
        let (bytes, count) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { most, bytes, count, room: Notify::new() }
    }

    /// Whether a handler may begin.
    pub(crate) fn has_room(&self) -> bool {
        // All of one order with `release`: who finds no room is told of it later.
        self.bytes.load(Ordering::SeqCst) < self.most || self.count.load(Ordering::SeqCst) < FEW
    }

    /// Waits until a handler may begin.
    pub(crate) async fn room(&self) {
        loop {
            // Made before the look: it is told of what happens behind it.
            let told = self.room.notified();
            if self.has_room() {
                return;
            }
            told.await;
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
            self.room.notify_waiters();
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
        // The memory first: then it is somebody else's to take.
        let length = std::mem::take(&mut self.content).len();
        self.answers.release(length);
    }
}

#[cfg(test)]
mod tests;
