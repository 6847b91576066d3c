//! The completion queue of an I/O thread: the answers and chunks that threads of the interpreter
//! have made for its connections. Any thread pushes; a task on the I/O thread drains it and fills
//! the slots that its connections wait for. Nothing here waits.
//!
//! To wake an I/O thread costs more than to answer a small request, so a thread that does one job
//! after the other batches its notifications: the I/O thread is woken once for several completions.
//! None is held back for long: the batch is notified before its thread rests, after `MOST`
//! completions and after `LONGEST`, and by the watchdog where a single job takes longer.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

use crate::outcome::{CallOutcome, ChunkOutcome};

/// How many completions are batched before their I/O threads are notified.
const MOST: usize = 32;
/// How long completions are batched, where each job is short.
const LONGEST: Duration = Duration::from_micros(200);

/// What comes back, with the slot that its I/O thread waits for.
#[derive(Debug)]
pub(crate) enum Completion {
    /// The answer to a call.
    Call(oneshot::Sender<CallOutcome>, CallOutcome),
    /// A chunk of a stream.
    Chunk(oneshot::Sender<ChunkOutcome>, ChunkOutcome),
    /// There is something for a task of the I/O thread to look at.
    Wake(Waker),
}

impl Completion {
    /// Fills the slot. Where the client has left it is dropped.
    pub(crate) fn fill_slot(self) {
        match self {
            Self::Call(slot, outcome) => drop(slot.send(outcome)),
            Self::Chunk(slot, piece) => drop(slot.send(piece)),
            Self::Wake(waker) => waker.wake(),
        }
    }
}

/// The completions for one I/O thread. Shared by it and every thread of the interpreter.
#[derive(Debug, Default)]
pub struct CompletionQueue {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    completions: Vec<Completion>,
    /// Wakes the task that drains the queue, while that waits.
    waker: Option<Waker>,
    /// Whether the I/O thread may be gone, and its task with it.
    closed: bool,
}

impl CompletionQueue {
    /// Puts a completion in and sees to it that its I/O thread is notified.
    pub(crate) fn push(self: &Arc<Self>, completion: Completion) {
        let mut state = self.lock();
        if state.closed {
            drop(state);
            return completion.fill_slot();
        }
        state.completions.push(completion);
        drop(state);
        let batched = BATCHED.with_borrow_mut(|batched| match batched {
            Some(batched) => batched.add(self),
            None => false,
        });
        if !batched {
            self.notify();
        }
    }

    /// Wakes the I/O thread's task if there is something for it.
    pub fn notify(&self) {
        let mut state = self.lock();
        if state.completions.is_empty() {
            return;
        }
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Fills the slots of what is here, and from now on every slot at once. A completion may hold
    /// what holds this queue, so none may stay.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let completions = std::mem::take(&mut state.completions);
        drop(state);
        completions.into_iter().for_each(Completion::fill_slot);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// Drains a completion queue, as a task on the I/O thread whose it is. It never ends by itself.
pub(crate) struct DrainCompletions(pub Arc<CompletionQueue>);

impl Future for DrainCompletions {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock();
        let completions = std::mem::take(&mut state.completions);
        state.waker = Some(context.waker().clone());
        drop(state);
        completions.into_iter().for_each(Completion::fill_slot);
        Poll::Pending
    }
}

thread_local! {
    /// What this thread batches; `None` while it notifies for every completion.
    static BATCHED: RefCell<Option<Batched>> = const { RefCell::new(None) };
}

/// The completion queues whose I/O threads are to be notified.
#[derive(Default)]
struct Batched {
    completion_queues: Vec<Arc<CompletionQueue>>,
    completions: usize,
}

impl Batched {
    /// Whether the notification may wait.
    fn add(&mut self, completions: &Arc<CompletionQueue>) -> bool {
        if self.completions + 1 >= MOST {
            self.notify();
            return false;
        }
        self.completions += 1;
        if !self.completion_queues.iter().any(|known| Arc::ptr_eq(known, completions)) {
            self.completion_queues.push(completions.clone());
        }
        true
    }

    fn notify(&mut self) {
        self.completions = 0;
        for completions in self.completion_queues.drain(..) {
            completions.notify();
        }
    }
}

/// Notifies of what this thread holds back: its job goes on, and what it has sent does not wait
/// for the end of that.
pub fn notify_batched() {
    BATCHED.with_borrow_mut(|batched| batched.as_mut().map(Batched::notify));
}

/// Whether this thread holds completions back. Whoever may run for long behind that arms the
/// watchdog, which notifies in its place.
pub fn holds_completions() -> bool {
    BATCHED.with_borrow(|batched| batched.as_ref().is_some_and(|it| it.completions > 0))
}

/// While it lives this thread batches its notifications.
pub struct Batch {
    since: Instant,
    /// The batch of before, where a job has begun a turn of its own.
    outer: Option<Batched>,
}

impl Batch {
    /// Batches from now on.
    pub fn begin(now: Instant) -> Self {
        let outer = BATCHED.with_borrow_mut(|batched| batched.replace(Batched::default()));
        Self { since: now, outer }
    }

    /// Batches from now on, unless this thread does already.
    pub fn begin_unless_begun() -> Option<Self> {
        let is_begun = BATCHED.with_borrow(Option::is_some);
        (!is_begun).then(|| Self::begin(Instant::now()))
    }

    /// Notifies if completions have been held back for long; called between two jobs.
    pub fn notify_if_late(&mut self, now: Instant) {
        if now.duration_since(self.since) > LONGEST {
            self.since = now;
            BATCHED.with_borrow_mut(|batched| batched.as_mut().map(Batched::notify));
        }
    }

    /// Whether a notification is due.
    pub fn holds_completions(&self) -> bool {
        holds_completions()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let batched =
            BATCHED.with_borrow_mut(|batched| std::mem::replace(batched, self.outer.take()));
        if let Some(mut batched) = batched {
            batched.notify();
        }
    }
}

#[cfg(test)]
mod tests;
