//! The mailbox: when somebody knocks, and that every letter arrives.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use slimhttp_server::handler::Answer;

use super::{Gathering, LONGEST, MOST, Mailbox, Postman};
use crate::reply::Reply;

#[derive(Default)]
struct Knocks(AtomicUsize);

impl Wake for Knocks {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A mailbox with a postman that rests, and how often it was woken.
struct House {
    mailbox: Arc<Mailbox>,
    postman: Postman,
    knocks: Arc<Knocks>,
}

impl House {
    fn new() -> Self {
        let mailbox = Arc::new(Mailbox::default());
        let mut house =
            Self { mailbox: mailbox.clone(), postman: Postman(mailbox), knocks: Arc::default() };
        house.walk();
        house
    }

    /// The postman goes round.
    fn walk(&mut self) {
        let waker = Waker::from(self.knocks.clone());
        let postman = std::pin::Pin::new(&mut self.postman);
        assert!(Future::poll(postman, &mut Context::from_waker(&waker)).is_pending());
    }

    fn send(&self, count: usize) -> Vec<tokio::sync::oneshot::Receiver<crate::outcome::Verdict>> {
        let channels = (0..count).map(|_| Reply::channel(Some(self.mailbox.clone())));
        channels
            .map(|(reply, answer)| {
                reply.send(Ok(Answer::Pass));
                answer
            })
            .collect()
    }

    fn knocks(&self) -> usize {
        self.knocks.0.load(Ordering::Relaxed)
    }
}

#[test]
fn a_letter_is_announced_at_once_and_handed_over_by_the_postman() {
    let mut house = House::new();
    let mut answers = house.send(2);
    assert_eq!(house.knocks(), 1, "it is on its way after the first");
    assert!(answers.iter_mut().all(|answer| answer.try_recv().is_err()));
    house.walk();
    assert!(answers.iter_mut().all(|answer| matches!(answer.try_recv(), Ok(Ok(Answer::Pass)))));
    drop(house.send(1));
    assert_eq!(house.knocks(), 2);
}

#[test]
fn gathered_letters_are_announced_once_at_the_latest_in_the_end() {
    let house = House::new();
    let gathering = Gathering::begin(Instant::now());
    let _answers = house.send(3);
    assert_eq!(house.knocks(), 0);
    drop(gathering);
    assert_eq!(house.knocks(), 1);
    drop(Gathering::begin(Instant::now()));
    assert_eq!(house.knocks(), 1, "nothing was gathered");
}

#[test]
fn many_letters_and_much_time_do_not_wait_for_the_end() {
    let mut house = House::new();
    let begin = Instant::now();
    let mut gathering = Gathering::begin(begin);
    let _many = house.send(MOST);
    assert_eq!(house.knocks(), 1);
    house.walk();
    let _one = house.send(1);
    gathering.look(begin + LONGEST / 2);
    assert_eq!(house.knocks(), 1);
    gathering.look(begin + LONGEST + Duration::from_nanos(1));
    assert_eq!(house.knocks(), 2);
}

#[test]
fn a_turn_within_a_job_ends_without_the_other() {
    let mut house = House::new();
    let outer = Gathering::begin(Instant::now());
    let _first = house.send(1);
    let inner = Gathering::begin(Instant::now());
    let _second = house.send(1);
    drop(inner);
    assert_eq!(house.knocks(), 1);
    house.walk();
    let _third = house.send(1);
    assert_eq!(house.knocks(), 1, "the outer one goes on gathering");
    drop(outer);
    assert_eq!(house.knocks(), 2);
}

#[test]
fn whoever_looks_after_the_mailboxes_finds_what_lies_there() {
    let (bridge, _ear) = crate::tests::bridge();
    let house = House::new();
    bridge.add_mailbox(&house.mailbox);
    bridge.knock();
    assert_eq!(house.knocks(), 0, "there is nothing");
    let _gathering = Gathering::begin(Instant::now());
    let _answers = house.send(1);
    bridge.knock();
    assert_eq!(house.knocks(), 1);
    assert!(!house.mailbox.state.lock().unwrap_or_else(PoisonError::into_inner).letters.is_empty());
}

#[test]
fn a_closed_mailbox_keeps_nothing() {
    let house = House::new();
    let _gathering = Gathering::begin(Instant::now());
    let mut before = house.send(2);
    house.mailbox.close();
    let mut after = house.send(1);
    assert!(before.iter_mut().chain(&mut after).all(|answer| answer.try_recv().is_ok()));
    assert_eq!(Arc::strong_count(&house.mailbox), 3, "the house's two and the gathering's");
}
