//! The waker of one part of a connection's task, which polls its parts more than once in a turn
//! (a poll of the task). What wakes a part before its last poll of a turn is done by that poll:
//! only what wakes it later schedules a further turn.
//!
//! Wakers may be called on any thread. Each call is a read-modify-write of one atomic, and so is
//! each look of the task at it: what was done before a call is seen by the poll that follows the
//! look, or the look has come first and the call schedules a turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Wake, Waker};

/// The task is within a turn.
const RUNNING: u8 = 1;
/// The part was woken since it was polled last.
const WOKEN: u8 = 2;

/// The waker of one part, held by the task.
pub(super) struct TurnWaker {
    shared: Arc<Shared>,
    /// Of `shared`.
    waker: Waker,
}

struct Shared {
    task: Waker,
    state: AtomicU8,
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.fetch_or(WOKEN, Ordering::AcqRel) & RUNNING == 0 {
            self.task.wake_by_ref();
        }
    }
}

/// Of a part that has not been polled.
impl Default for TurnWaker {
    fn default() -> Self {
        Self::new(Waker::noop().clone())
    }
}

impl TurnWaker {
    fn new(task: Waker) -> Self {
        let shared = Arc::new(Shared { task, state: AtomicU8::new(0) });
        Self { waker: Waker::from(shared.clone()), shared }
    }

    /// A turn of the task begins, which `task` wakes from now on. Every part is polled in it.
    pub(super) fn begin_turn(&mut self, task: &Waker) {
        if !self.shared.task.will_wake(task) {
            // Who still has the old one wakes the task by the old waker, as it would by itself.
            *self = Self::new(task.clone());
        }
        self.shared.state.fetch_or(RUNNING, Ordering::AcqRel);
    }

    /// With what the part is polled now.
    pub(super) fn context(&self) -> Context<'_> {
        self.shared.state.swap(RUNNING, Ordering::AcqRel);
        Context::from_waker(&self.waker)
    }

    /// The turn ends; whether the part was woken since it was polled last.
    pub(super) fn end_turn(&self) -> bool {
        self.shared.state.swap(0, Ordering::AcqRel) & WOKEN != 0
    }
}

#[cfg(test)]
mod tests;
