//! Where an answer goes that a job asks for: a slot that the I/O thread waits for, filled by way of
//! that thread's completion queue, or at once where it has none. Sent from any thread; never waits.
//! A slot whose other end is gone says that the client has left.

use std::sync::Arc;

use slimhttp_server::handler::HandlerFault;
use tokio::sync::oneshot;

use crate::completion::{Letter, Mailbox};
use crate::outcome::{Piece, Verdict};

/// Where the answer to a call goes. Dropped without one it tells that the
/// server has stopped; dropped by a panic, that the handler has failed.
#[derive(Debug)]
pub struct Reply {
    /// `None` once the answer is sent.
    slot: Option<oneshot::Sender<Verdict>>,
    mailbox: Option<Arc<Mailbox>>,
}

impl Reply {
    /// A reply, and where it is waited for. It goes by `mailbox` if there is one.
    pub fn channel(mailbox: Option<Arc<Mailbox>>) -> (Self, oneshot::Receiver<Verdict>) {
        let (slot, answer) = oneshot::channel();
        (Self { slot: Some(slot), mailbox }, answer)
    }

    /// Whether nobody waits for it any more.
    pub fn is_closed(&self) -> bool {
        self.slot.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Sends the answer. A client that has left does not hear it.
    pub fn send(mut self, verdict: Verdict) {
        self.deliver(verdict);
    }

    fn deliver(&mut self, verdict: Verdict) {
        if let Some(slot) = self.slot.take() {
            deliver(self.mailbox.as_ref(), Letter::Verdict(slot, verdict));
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.deliver(Err(HandlerFault::Raised { page: None }));
        }
    }
}

/// Where a chunk goes. Dropped without one it ends the body early.
#[derive(Debug)]
pub struct ChunkReply {
    slot: oneshot::Sender<Piece>,
    mailbox: Option<Arc<Mailbox>>,
}

impl ChunkReply {
    /// As [`Reply::channel`].
    pub fn channel(mailbox: Option<Arc<Mailbox>>) -> (Self, oneshot::Receiver<Piece>) {
        let (slot, piece) = oneshot::channel();
        (Self { slot, mailbox }, piece)
    }

    /// Whether nobody waits for it any more.
    pub fn is_closed(&self) -> bool {
        self.slot.is_closed()
    }

    /// Sends what was asked for. A client that has left gives its ticket back
    /// itself.
    pub fn send(self, piece: Piece) {
        deliver(self.mailbox.as_ref(), Letter::Piece(self.slot, piece));
    }
}

fn deliver(mailbox: Option<&Arc<Mailbox>>, letter: Letter) {
    match mailbox {
        Some(mailbox) => mailbox.deliver(letter),
        None => letter.hand_over(),
    }
}
