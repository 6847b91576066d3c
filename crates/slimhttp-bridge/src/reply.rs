//! Where an answer goes that a job asks for: a slot that the I/O thread waits for, filled by way of
//! that thread's completion queue, or at once where it has none. Sent from any thread; never waits.
//! A slot whose other end is gone says that the client has left.

use std::sync::Arc;

use slimhttp_server::HandlerFault;
use tokio::sync::oneshot;

use crate::completion::{Completion, CompletionQueue};
use crate::outcome::{CallOutcome, ChunkOutcome};

/// Where the answer to a call goes. Dropped without one it says that the
/// server has stopped; dropped by a panic, that the handler has failed.
#[derive(Debug)]
pub struct Reply {
    /// `None` once the answer is sent.
    slot: Option<oneshot::Sender<CallOutcome>>,
    completions: Option<Arc<CompletionQueue>>,
}

impl Reply {
    /// A reply, and the slot that it fills, by way of that completion queue if there is one.
    pub fn channel(
        completions: Option<Arc<CompletionQueue>>,
    ) -> (Self, oneshot::Receiver<CallOutcome>) {
        let (slot, answer) = oneshot::channel();
        (Self { slot: Some(slot), completions }, answer)
    }

    /// Whether nobody waits for it any more.
    pub fn is_closed(&self) -> bool {
        self.slot.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// A reply for a chunk, by way of the same completion queue: for the body of this answer.
    pub fn chunk_reply(&self) -> (ChunkReply, oneshot::Receiver<ChunkOutcome>) {
        ChunkReply::channel(self.completions.clone())
    }

    /// The completion queue of the I/O thread that waits for it, if it has one.
    pub fn completions(&self) -> Option<Arc<CompletionQueue>> {
        self.completions.clone()
    }

    /// Sends the answer. Where the client has left it is dropped.
    pub fn send(mut self, outcome: CallOutcome) {
        self.deliver(outcome);
    }

    fn deliver(&mut self, outcome: CallOutcome) {
        if let Some(slot) = self.slot.take() {
            deliver(self.completions.as_ref(), Completion::Call(slot, outcome));
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
    slot: oneshot::Sender<ChunkOutcome>,
    completions: Option<Arc<CompletionQueue>>,
}

impl ChunkReply {
    /// As [`Reply::channel`].
    pub fn channel(
        completions: Option<Arc<CompletionQueue>>,
    ) -> (Self, oneshot::Receiver<ChunkOutcome>) {
        let (slot, piece) = oneshot::channel();
        (Self { slot, completions }, piece)
    }

    /// Whether nobody waits for it any more.
    pub fn is_closed(&self) -> bool {
        self.slot.is_closed()
    }

    /// Sends what was asked for. Where the client has left it is dropped: the body has released
    /// its iterator.
    pub fn send(self, piece: ChunkOutcome) {
        deliver(self.completions.as_ref(), Completion::Chunk(self.slot, piece));
    }
}

fn deliver(completions: Option<&Arc<CompletionQueue>>, completion: Completion) {
    match completions {
        Some(completions) => completions.push(completion),
        None => completion.fill_slot(),
    }
}
