//! The loop's queue: its bound, and the facts of the watchdog.

use std::time::Duration;

use slimhttp_server::Callee;
use slimhttp_site::route::{HandlerId, Params};
use tokio::sync::oneshot;

use super::{LoopJob, LoopQueue};
use crate::fair_queue::Rejection;
use crate::job::Call;
use crate::job_id::JobId;
use crate::outcome::CallOutcome;
use crate::queue::Watchdog;
use crate::reply::Reply;

const LONG: Duration = Duration::from_secs(20);

fn call(number: u64) -> (LoopJob, oneshot::Receiver<CallOutcome>) {
    let (reply, answer) = Reply::channel(None);
    let callee = Callee::Route(HandlerId(1), Params::new());
    let request = crate::tests::request("/");
    (LoopJob::Call(Call { id: JobId(number), callee, request, reply }), answer)
}

/// A queue that a loop listens to.
fn queue(limit: usize) -> LoopQueue {
    let queue = LoopQueue::new(limit);
    queue.descriptor().expect("has descriptors");
    queue
}

#[test]
fn c8_5_calls_that_nobody_waits_for_take_no_room() {
    let queue = queue(2);
    let [left, stayed] = [1, 2].map(|number| {
        let (job, answer) = call(number);
        queue.push([job]).outcome().expect("has room");
        answer
    });
    let (third, _third_answer) = call(3);
    assert_eq!(queue.push([third]).outcome().err(), Some(Rejection::Full));
    drop(left);
    queue.cancel(JobId(1));
    let (fourth, _fourth_answer) = call(4);
    assert!(queue.push([fourth]).outcome().is_ok());
    let (fifth, _fifth_answer) = call(5);
    assert_eq!(queue.push([fifth]).outcome().err(), Some(Rejection::Full));
    let jobs = queue.take();
    let [LoopJob::Call(second), LoopJob::Call(fourth)] = jobs.as_slice() else {
        panic!("{jobs:?}")
    };
    assert_eq!((second.id, fourth.id), (JobId(2), JobId(4)));
    drop(stayed);
}

#[test]
fn c8_7_a_loop_that_takes_nothing_is_told_once() {
    let queue = queue(9);
    let [_first, _second] = [(1, Watchdog::Arm), (2, Watchdog::Leave)].map(|(number, watch)| {
        let (job, answer) = call(number);
        assert_eq!(queue.push([job]).outcome().ok(), Some(watch));
        answer
    });
    let mut answers = Vec::new();
    queue.cancel(JobId(7));
    assert!(queue.blocked(LONG).is_some_and(|blocked| blocked.is_none()), "it is not long yet");
    for _ in 0..2 {
        let blocked = queue.blocked(Duration::ZERO).flatten().expect("two wait");
        assert_eq!(blocked.waiting, 2);
        assert!(queue.blocked(Duration::ZERO).is_some_and(|blocked| blocked.is_none()));
        // Taken: what comes now and is not taken is another blockage.
        drop(queue.take());
        let (job, answer) = call(3);
        assert_eq!(queue.push([job]).outcome().ok(), Some(Watchdog::Leave));
        queue.push([LoopJob::Resume(JobId(4))]).outcome().expect("has room");
        answers.push(answer);
    }
    drop(queue.take());
    assert!(queue.blocked(Duration::ZERO).is_none(), "nobody waits");
    queue.cancel(JobId(7));
    assert!(queue.blocked(Duration::ZERO).is_none(), "who has left does not wait");
    let (job, _answer) = call(6);
    assert_eq!(queue.push([job]).outcome().ok(), Some(Watchdog::Arm));
}

#[test]
fn c8_6_content_that_has_come_is_told_whether_calls_have_room_or_not() {
    let queue = queue(1);
    let (first, _answer) = call(1);
    queue.push([first]).outcome().expect("has room");
    assert!(queue.push([LoopJob::Content(JobId(2))]).outcome().is_ok());
    let (second, _second_answer) = call(3);
    assert_eq!(queue.push([second]).outcome().err(), Some(Rejection::Full));
    let jobs = queue.take();
    assert!(matches!(jobs.as_slice(), [_, LoopJob::Content(JobId(2))]), "{jobs:?}");
}
