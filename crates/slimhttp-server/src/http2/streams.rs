//! The requests of one HTTP/2 connection, run by the connection's own task. Hyper
//! would have each be a task: then a client that asks for a hundred things at once
//! has a hundred turns of the thread for each one of a client that asks for one.
//!
//! It works as a runtime does: a request is polled when its waker was called, and so
//! many in one turn. One whose client takes nothing of its response for too long is
//! dropped, by which hyper resets its stream.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::{Instant, Sleep};

use crate::http2::send_budget::SendBudget;
use crate::http2::wait::Wait;
use crate::sys::clock;

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes requests from hyper, for the connection's task.
#[derive(Clone, Default)]
pub(super) struct Spawner(Arc<Mutex<Vec<Running>>>);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawner {
    fn execute(&self, request: F) {
        // Called while the connection is polled, and that asks for them afterwards.
        lock(&self.0).push(Box::pin(request));
    }
}

/// The requests that run. They end with it.
pub(super) struct Streams {
    spawner: Spawner,
    slots: Vec<Slot>,
    free: Vec<usize>,
    ready: Arc<Ready>,
    budget: Arc<SendBudget>,
    /// How long a stream may wait for its client.
    timeout: Box<dyn Fn() -> Duration + Send>,
    /// When they are looked at for that; set while one waits. Kept for the next.
    timer: Option<Pin<Box<Sleep>>>,
    timed: bool,
}

struct Slot {
    request: Option<Running>,
    /// How its response waits, once that has begun.
    wait: Option<Arc<Wait>>,
    waker: Arc<SlotWaker>,
}

/// The slots to be polled next, and the task to be woken for them.
#[derive(Default)]
struct Ready {
    queue: Mutex<VecDeque<usize>>,
    task: AtomicWaker,
}

struct SlotWaker {
    index: usize,
    /// Whether the slot stands in the queue.
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for SlotWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            lock(&self.ready.queue).push_back(self.index);
            self.ready.task.wake();
        }
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        // Each holds a spawner, and so the others that have come and have no slot.
        lock(&self.spawner.0).clear();
    }
}

impl Streams {
    pub(super) fn new(
        spawner: Spawner,
        budget: Arc<SendBudget>,
        timeout: impl Fn() -> Duration + Send + 'static,
    ) -> Self {
        Self {
            spawner,
            slots: Vec::new(),
            free: Vec::new(),
            ready: Arc::default(),
            budget,
            timeout: Box::new(timeout),
            timer: None,
            timed: false,
        }
    }

    /// Polls those that are ready, at most so many; how many it were.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, most: usize) -> usize {
        // Before the queue is looked at: what becomes ready meanwhile wakes the task again.
        self.ready.task.register(context.waker());
        self.admit();
        let polled = self.poll_ready(most);
        self.drop_stalled(context);
        polled
    }

    fn poll_ready(&mut self, most: usize) -> usize {
        for polled in 0..most {
            let Some(index) = lock(&self.ready.queue).pop_front() else { return polled };
            self.poll_slot(index);
        }
        most
    }

    /// Whether the client has ever asked for anything.
    pub(super) fn have_begun(&self) -> bool {
        !self.slots.is_empty() || !lock(&self.spawner.0).is_empty()
    }

    /// Whether none runs.
    pub(super) fn have_ended(&self) -> bool {
        self.slots.len() == self.free.len() && lock(&self.spawner.0).is_empty()
    }

    /// Whether some are to be polled.
    pub(super) fn has_ready(&self) -> bool {
        !lock(&self.ready.queue).is_empty()
    }

    /// Gives a slot to those that have come.
    fn admit(&mut self) {
        let arrived = std::mem::take(&mut *lock(&self.spawner.0));
        for request in arrived {
            let index = self.free.pop().unwrap_or(self.slots.len());
            if index == self.slots.len() {
                let (queued, ready) = (AtomicBool::new(false), self.ready.clone());
                let waker = Arc::new(SlotWaker { index, queued, ready });
                self.slots.push(Slot { request: None, wait: None, waker });
            }
            let slot = &mut self.slots[index];
            slot.request = Some(request);
            // One that an earlier request of this slot has left there will do.
            if !slot.waker.queued.swap(true, Ordering::AcqRel) {
                lock(&self.ready.queue).push_back(index);
            }
        }
    }

    fn poll_slot(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        // Before the poll: a waker that is called within it counts.
        slot.waker.queued.store(false, Ordering::Release);
        let Some(request) = &mut slot.request else { return };
        let waker = Waker::from(slot.waker.clone());
        let mut context = Context::from_waker(&waker);
        // As tokio's tasks do: what one request panics about is no other's affair.
        let poll = AssertUnwindSafe(|| request.as_mut().poll(&mut context));
        let outcome = std::panic::catch_unwind(poll);
        if let Some(begun) = self.budget.begun() {
            slot.wait = Some(begun);
        }
        if !matches!(outcome, Ok(Poll::Pending)) {
            (slot.request, slot.wait) = (None, None);
            self.free.push(index);
        } else if !self.timed && slot.waits_since().is_some() {
            self.set_timer((self.timeout)());
        }
    }

    /// Sets the timer.
    fn set_timer(&mut self, time: Duration) {
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(Instant::now() + time),
            none => *none = Some(Box::pin(tokio::time::sleep(time))),
        }
        self.timed = true;
    }

    /// Drops the requests whose clients have taken nothing for too long.
    fn drop_stalled(&mut self, context: &mut Context<'_>) {
        while self.timed
            && let Some(timer) = &mut self.timer
            && timer.as_mut().poll(context).is_ready()
        {
            self.timed = false;
            let timeout = (self.timeout)();
            let (now, mut next) = (clock::milliseconds(), None::<Duration>);
            for (index, slot) in self.slots.iter_mut().enumerate() {
                let Some(since) = slot.waits_since() else { continue };
                let left = timeout.saturating_sub(Duration::from_millis(now.saturating_sub(since)));
                if left.is_zero() {
                    tracing::debug!("a stream of HTTP/2 is reset: its client does not read it");
                    (slot.request, slot.wait) = (None, None);
                    self.free.push(index);
                } else {
                    next = Some(next.map_or(left, |next| next.min(left)));
                }
            }
            if let Some(next) = next {
                self.set_timer(next);
            }
        }
    }
}

impl Slot {
    /// Since when its response waits for the client, if it does.
    fn waits_since(&self) -> Option<u64> {
        self.wait.as_ref()?.since()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

#[cfg(test)]
mod tests;
