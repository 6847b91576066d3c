//! When an I/O thread is notified, and that every completion arrives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use slimhttp_server::Answer;

use super::{Batch, CompletionQueue, DrainCompletions, LONGEST, MOST, notify_batched};
use crate::reply::Reply;

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A completion queue with its task, which waits, and how often that was woken.
struct Fixture {
    completions: Arc<CompletionQueue>,
    drain: DrainCompletions,
    wakes: Arc<Wakes>,
}

impl Fixture {
    fn new() -> Self {
        let completions = Arc::new(CompletionQueue::default());
        let mut fixture = Self {
            completions: completions.clone(),
            drain: DrainCompletions(completions),
            wakes: Arc::default(),
        };
        fixture.drain();
        fixture
    }

    /// The task drains the queue.
    fn drain(&mut self) {
        let waker = Waker::from(self.wakes.clone());
        let drain = std::pin::Pin::new(&mut self.drain);
        assert!(Future::poll(drain, &mut Context::from_waker(&waker)).is_pending());
    }

    fn send(
        &self,
        count: usize,
    ) -> Vec<tokio::sync::oneshot::Receiver<crate::outcome::CallOutcome>> {
        let channels = (0..count).map(|_| Reply::channel(Some(self.completions.clone())));
        channels
            .map(|(reply, answer)| {
                reply.send(Ok(Answer::Pass));
                answer
            })
            .collect()
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }
}

#[test]
fn a_completion_is_notified_at_once_and_handed_over_by_the_task() {
    let mut fixture = Fixture::new();
    let mut answers = fixture.send(2);
    assert_eq!(fixture.wakes(), 1, "it is on its way after the first");
    assert!(answers.iter_mut().all(|answer| answer.try_recv().is_err()));
    fixture.drain();
    assert!(answers.iter_mut().all(|answer| matches!(answer.try_recv(), Ok(Ok(Answer::Pass)))));
    drop(fixture.send(1));
    assert_eq!(fixture.wakes(), 2);
}

#[test]
fn batched_completions_are_notified_once_at_the_latest_in_the_end() {
    let fixture = Fixture::new();
    let batch = Batch::begin(Instant::now());
    let _answers = fixture.send(3);
    assert_eq!(fixture.wakes(), 0);
    drop(batch);
    assert_eq!(fixture.wakes(), 1);
    drop(Batch::begin(Instant::now()));
    assert_eq!(fixture.wakes(), 1, "nothing was batched");
}

#[test]
fn a_job_that_goes_on_notifies_of_what_it_has_sent() {
    let mut fixture = Fixture::new();
    let _batch = Batch::begin(Instant::now());
    let _answers = fixture.send(1);
    assert_eq!(fixture.wakes(), 0);
    notify_batched();
    assert_eq!(fixture.wakes(), 1);
    fixture.drain();
    notify_batched();
    assert_eq!(fixture.wakes(), 1, "nothing is held back");
}

#[test]
fn many_completions_and_much_time_do_not_wait_for_the_end() {
    let mut fixture = Fixture::new();
    let begin = Instant::now();
    let mut batch = Batch::begin(begin);
    let _many = fixture.send(MOST);
    assert_eq!(fixture.wakes(), 1);
    fixture.drain();
    let _one = fixture.send(1);
    batch.notify_if_late(begin + LONGEST / 2);
    assert_eq!(fixture.wakes(), 1);
    batch.notify_if_late(begin + LONGEST + Duration::from_nanos(1));
    assert_eq!(fixture.wakes(), 2);
}

#[test]
fn a_turn_within_a_job_ends_without_the_other() {
    let mut fixture = Fixture::new();
    let outer = Batch::begin(Instant::now());
    let _first = fixture.send(1);
    let inner = Batch::begin(Instant::now());
    let _second = fixture.send(1);
    drop(inner);
    assert_eq!(fixture.wakes(), 1);
    fixture.drain();
    let _third = fixture.send(1);
    assert_eq!(fixture.wakes(), 1, "the outer one goes on batching");
    drop(outer);
    assert_eq!(fixture.wakes(), 2);
}

#[test]
fn the_watchdog_notifies_what_is_held_back() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let fixture = Fixture::new();
    bridge.add_completion_queue(&fixture.completions);
    bridge.notify_io_threads();
    assert_eq!(fixture.wakes(), 0, "there is nothing");
    let _gathering = Batch::begin(Instant::now());
    let _answers = fixture.send(1);
    bridge.notify_io_threads();
    assert_eq!(fixture.wakes(), 1);
    assert!(!fixture.completions.state.lock().completions.is_empty());
}

#[test]
fn a_closed_queue_keeps_nothing() {
    let fixture = Fixture::new();
    let _gathering = Batch::begin(Instant::now());
    let mut before = fixture.send(2);
    fixture.completions.close();
    let mut after = fixture.send(1);
    assert!(before.iter_mut().chain(&mut after).all(|answer| answer.try_recv().is_ok()));
    assert_eq!(Arc::strong_count(&fixture.completions), 3, "the fixture's two and the batch's");
}
