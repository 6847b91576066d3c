//! The requests of one HTTP/2 connection, run by the connection's own task. The
//! library would have each be a task: then a client that asks for a hundred things at
//! once has a hundred turns of the worker for each one of a client that asks for one.
//!
//! It works as a runtime does: a request is polled when its waker was called, and so
//! many in one turn. One whose client takes nothing of its response for too long is
//! dropped, by which the library resets its stream.

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

use crate::hyper_compat::http2::send_budget::SendBudget;
use crate::hyper_compat::http2::wait::Wait;
use crate::sys::clock;

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes requests from the library, for the connection's task.
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
    places: Vec<Place>,
    free: Vec<usize>,
    ready: Arc<Ready>,
    budget: Arc<SendBudget>,
    /// How long a stream may wait for its client.
    patience: Box<dyn Fn() -> Duration + Send>,
    /// When they are looked at for that; set while one waits. Kept for the next.
    timer: Option<Pin<Box<Sleep>>>,
    timed: bool,
}

struct Place {
    request: Option<Running>,
    /// How its response waits, once that has begun.
    wait: Option<Arc<Wait>>,
    waker: Arc<PlaceWaker>,
}

/// The places to be polled next, and the task to be woken for them.
#[derive(Default)]
struct Ready {
    queue: Mutex<VecDeque<usize>>,
    task: AtomicWaker,
}

struct PlaceWaker {
    index: usize,
    /// Whether the place stands in the queue.
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for PlaceWaker {
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
        // Each holds a spawner, and so the others that have come and have no place.
        lock(&self.spawner.0).clear();
    }
}

impl Streams {
    pub(super) fn new(
        spawner: Spawner,
        budget: Arc<SendBudget>,
        patience: impl Fn() -> Duration + Send + 'static,
    ) -> Self {
        Self {
            spawner,
            places: Vec::new(),
            free: Vec::new(),
            ready: Arc::default(),
            budget,
            patience: Box::new(patience),
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
        self.give_up(context);
        polled
    }

    fn poll_ready(&mut self, most: usize) -> usize {
        for polled in 0..most {
            let Some(index) = lock(&self.ready.queue).pop_front() else { return polled };
            self.poll_place(index);
        }
        most
    }

    /// Whether some are to be polled.
    pub(super) fn has_ready(&self) -> bool {
        !lock(&self.ready.queue).is_empty()
    }

    /// Gives a place to those that have come.
    fn admit(&mut self) {
        let arrived = std::mem::take(&mut *lock(&self.spawner.0));
        for request in arrived {
            let index = self.free.pop().unwrap_or(self.places.len());
            if index == self.places.len() {
                let (queued, ready) = (AtomicBool::new(false), self.ready.clone());
                let waker = Arc::new(PlaceWaker { index, queued, ready });
                self.places.push(Place { request: None, wait: None, waker });
            }
            let place = &mut self.places[index];
            place.request = Some(request);
            // One that an earlier request of this place has left there will do.
            if !place.waker.queued.swap(true, Ordering::AcqRel) {
                lock(&self.ready.queue).push_back(index);
            }
        }
    }

    fn poll_place(&mut self, index: usize) {
        let place = &mut self.places[index];
        // Before the poll: a waker that is called within it counts.
        place.waker.queued.store(false, Ordering::Release);
        let Some(request) = &mut place.request else { return };
        let waker = Waker::from(place.waker.clone());
        let mut context = Context::from_waker(&waker);
        // As tokio's tasks do: what one request panics about is no other's affair.
        let poll = AssertUnwindSafe(|| request.as_mut().poll(&mut context));
        let outcome = std::panic::catch_unwind(poll);
        if let Some(begun) = self.budget.begun() {
            place.wait = Some(begun);
        }
        if !matches!(outcome, Ok(Poll::Pending)) {
            (place.request, place.wait) = (None, None);
            self.free.push(index);
        } else if !self.timed && place.waits_since().is_some() {
            self.look_in((self.patience)());
        }
    }

    /// Sets the timer.
    fn look_in(&mut self, time: Duration) {
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(Instant::now() + time),
            none => *none = Some(Box::pin(tokio::time::sleep(time))),
        }
        self.timed = true;
    }

    /// Drops the requests whose clients have taken nothing for too long.
    fn give_up(&mut self, context: &mut Context<'_>) {
        while self.timed
            && let Some(timer) = &mut self.timer
            && timer.as_mut().poll(context).is_ready()
        {
            self.timed = false;
            let patience = (self.patience)();
            let (now, mut next) = (clock::milliseconds(), None::<Duration>);
            for (index, place) in self.places.iter_mut().enumerate() {
                let Some(since) = place.waits_since() else { continue };
                let left =
                    patience.saturating_sub(Duration::from_millis(now.saturating_sub(since)));
                if left.is_zero() {
                    tracing::debug!("a stream of HTTP/2 is reset: its client does not read it");
                    (place.request, place.wait) = (None, None);
                    self.free.push(index);
                } else {
                    next = Some(next.map_or(left, |next| next.min(left)));
                }
            }
            if let Some(next) = next {
                self.look_in(next);
            }
        }
    }
}

impl Place {
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
