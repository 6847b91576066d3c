//! What the two ends of a WebSocket share: a queue of messages each way, how the WebSocket is
//! closed, and who is to be woken. `channel::handler` is what the handler calls, on whichever
//! thread it runs; `channel::connection` what the connection's task calls, on its I/O thread.
//!
//! All of it is behind one lock, which is held for a few instructions. Nobody is called and
//! nothing long is freed with the lock held: a change says who is to be woken ([`Wake`]), and
//! that is done once the lock is let go. The task is woken by its waker; a handler by `notify`,
//! once after a call of it that ended in "not yet", or on a condition variable where its
//! thread waits.

mod connection;
mod handler;

use std::collections::VecDeque;
use std::fmt;
use std::task::Waker;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, MutexGuard};
use slimhttp_site::websocket::WebSocketLimits;

use crate::websocket::message::{CloseFrame, Message, PingId};
use crate::websocket::queue::{BoundedQueue, Capacity};

/// What both ends of one WebSocket hold.
pub(crate) struct Channel {
    state: Mutex<State>,
    /// For threads of the handler that wait.
    changed: Condvar,
    /// For a handler that does not wait.
    notify: Box<dyn Fn() + Send + Sync>,
    pub(crate) subprotocol: Option<Box<str>>,
    /// Of each queue.
    capacity: Capacity,
}

#[derive(Debug, Default)]
struct State {
    /// Messages from the client that the handler has not taken.
    incoming: BoundedQueue<Message>,
    /// How many bytes the message takes of which a part has come.
    partial: usize,
    /// What the task has not sent.
    outgoing: BoundedQueue<Outgoing>,
    pings: Pings,
    /// How this side wants to close.
    closing: Option<CloseFrame>,
    /// How it was closed.
    closed: Option<CloseFrame>,
    /// Whether the handler has ended.
    is_handler_done: bool,
    /// Whether `notify` is to be called at the next change.
    wants_notify: bool,
    /// Threads of the handler that wait.
    waiting_threads: usize,
    /// The task's.
    waker: Option<Waker>,
}

/// Pings that were sent.
#[derive(Debug, Default)]
struct Pings {
    /// Those that the client has not answered, oldest first.
    unanswered: VecDeque<(PingId, Bytes)>,
    /// The number of the last one.
    last: u64,
    /// The number of the last one that was answered.
    answered: u64,
}

/// What the task is to send.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Message(Message),
    Ping(Bytes),
    /// The last of all.
    Close(CloseFrame),
}

/// Who is to be woken after a change.
#[must_use]
struct Wake {
    task: Option<Waker>,
    notify: bool,
    threads: bool,
}

impl State {
    /// Something has changed that concerns the handler.
    fn wake_handler(&mut self) -> Wake {
        let notify = std::mem::take(&mut self.wants_notify);
        Wake { task: None, notify, threads: self.waiting_threads > 0 }
    }

    /// Something has changed that concerns the task.
    fn wake_task(&mut self) -> Wake {
        Wake { task: self.waker.take(), notify: false, threads: false }
    }

    /// Whether nothing can be sent any more.
    fn is_closed(&self) -> bool {
        self.closing.is_some() || self.closed.is_some()
    }
}

impl Channel {
    /// An open one. `notify` is called on the I/O thread of the connection, and must not wait.
    pub(crate) fn new(
        limits: &WebSocketLimits,
        subprotocol: Option<Box<str>>,
        notify: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            notify,
            subprotocol,
            capacity: Capacity { items: limits.queue, bytes: limits.max_message },
        }
    }

    /// Whether the client is not to be read.
    fn is_incoming_full(&self, state: &State) -> bool {
        state.incoming.is_full_beside(state.partial, self.capacity)
    }

    fn is_outgoing_full(&self, state: &State) -> bool {
        state.outgoing.is_full(self.capacity)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Wakes, with the lock let go.
    fn wake(&self, state: MutexGuard<'_, State>, wake: Wake) {
        drop(state);
        if let Some(waker) = wake.task {
            waker.wake();
        }
        if wake.threads {
            self.changed.notify_all();
        }
        if wake.notify {
            (self.notify)();
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("state", &self.state).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
