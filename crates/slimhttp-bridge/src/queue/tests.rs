//! The queue: order, bound, waiting and waking, and the watchdog's facts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use slimhttp_server::Callee;
use slimhttp_site::route::{HandlerId, Params};
use tokio::sync::oneshot;

use super::{QUICK, Queue, Watchdog};
use crate::fair_queue::Rejection;
use crate::job::{Call, Job, Pull};
use crate::job_id::JobId;
use crate::outcome::{CallOutcome, ChunkOutcome};
use crate::reply::{ChunkReply, Reply};

const LONG: Duration = Duration::from_secs(20);

fn call(path: &str) -> (Job, oneshot::Receiver<CallOutcome>) {
    let (reply, answer) = Reply::channel(None);
    let callee = Callee::Route(HandlerId(0), Params::new());
    let request = crate::tests::request(path);
    (Job::Call(Call { id: JobId(0), callee, request, reply }), answer)
}

fn pull() -> (Job, oneshot::Receiver<ChunkOutcome>) {
    let (reply, piece) = ChunkReply::channel(None);
    (Job::Pull(Pull { stream: JobId(0), subject: "GET /stream".into(), host: None, reply }), piece)
}

fn wait_until(is_true: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_true() && begin.elapsed() < LONG {
        std::thread::yield_now();
    }
}

fn subject(job: &Job) -> String {
    job.subject().to_string()
}

#[test]
fn first_in_is_first_out() {
    let queue = Queue::new(9);
    let mut answers = Vec::new();
    for path in ["/a", "/b", "/c"] {
        let (job, answer) = call(path);
        queue.push([job]).outcome().expect("has room");
        answers.push(answer);
    }
    let mut seen = Vec::new();
    let mut taken = queue.next(None);
    while let Some((run, job, _)) = taken {
        seen.push(subject(&job));
        taken = queue.next(Some(run));
    }
    assert_eq!(seen, ["GET /a", "GET /b", "GET /c"]);
    assert!(queue.is_quiet());
}

#[test]
fn a_full_queue_refuses_calls_and_takes_chunks() {
    let queue = Queue::new(2);
    let kept = [call("/1"), call("/2")].map(|(job, answer)| {
        queue.push([job]).outcome().expect("has room");
        answer
    });
    assert_eq!(queue.push([call("/3").0]).outcome(), Err(Rejection::Full));
    assert!(queue.push([pull().0]).outcome().is_ok(), "a response under way goes on");
    drop(kept);
    queue.capacity.client_left();
    let (job, answer) = call("/4");
    assert!(queue.push([job]).outcome().is_ok(), "calls that nobody waits for take no room");
    let (_, job, _) = queue.next(None).expect("has a job");
    assert_eq!(subject(&job), "GET /4");
    drop(answer);
}

#[test]
fn a_closed_queue_gives_back_what_waits_and_takes_nothing() {
    let queue = Queue::new(9);
    let (job, mut answer) = call("/a");
    queue.push([job]).outcome().expect("has room");
    drop(queue.close());
    assert!(matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
    assert_eq!(queue.push([call("/b").0]).outcome(), Err(Rejection::Closed));
    queue.wait(LONG);
}

#[test]
fn waiting_ends_with_a_job_a_wake_a_release_or_the_time() {
    type Event = fn(&Queue);
    let events: [(&str, Event); 4] = [
        ("job", |queue| assert!(queue.push([call("/a").0]).outcome().is_ok())),
        ("wake", Queue::wake),
        ("release", |queue| queue.release(JobId(7))),
        ("close", |queue| drop(queue.close())),
    ];
    for (name, event) in events {
        for early in [true, false] {
            let queue = Arc::new(Queue::new(9));
            let begin = Instant::now();
            let other = queue.clone();
            let happening = std::thread::spawn(move || {
                if !early {
                    std::thread::sleep(Duration::from_millis(20));
                }
                event(&other);
            });
            if early {
                happening.join().expect("does not panic");
                queue.wait(LONG);
            } else {
                queue.wait(LONG);
                happening.join().expect("does not panic");
            }
            assert!(begin.elapsed() < LONG / 2, "{name}, early: {early}");
        }
    }
    let begin = Instant::now();
    Queue::new(9).wait(Duration::from_millis(30));
    assert!(begin.elapsed() >= Duration::from_millis(30));
}

#[test]
fn a_wake_that_met_nobody_is_spent_by_one_wait() {
    let queue = Queue::new(9);
    queue.wake();
    queue.wait(LONG);
    let begin = Instant::now();
    queue.wait(Duration::from_millis(30));
    assert!(begin.elapsed() >= Duration::from_millis(30));
}

#[test]
fn every_waiting_thread_gets_a_job_of_its_own() {
    let queue = Arc::new(Queue::new(99));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let queue = queue.clone();
            std::thread::spawn(move || {
                let begin = Instant::now();
                while begin.elapsed() < LONG {
                    if queue.wait(LONG) {
                        queue.arrive();
                    }
                    if let Some((_, job, _)) = queue.next(None) {
                        return Some(subject(&job));
                    }
                }
                None
            })
        })
        .collect();
    let mut answers = Vec::new();
    for path in ["/1", "/2", "/3", "/4"] {
        let (job, answer) = call(path);
        queue.push([job]).outcome().expect("has room");
        answers.push(answer);
    }
    // None of them ends its job: as the watchdog does, others are woken for what waits.
    wait_until(|| queue.stalled(LONG).is_none());
    let mut seen: Vec<_> =
        threads.into_iter().map(|thread| thread.join().expect("does not panic")).collect();
    seen.sort();
    assert_eq!(seen, ["GET /1", "GET /2", "GET /3", "GET /4"].map(|path| Some(path.to_owned())));
}

#[test]
fn another_thread_is_woken_behind_a_slow_job_only() {
    let queue = Queue::new(9);
    let mut answers = Vec::new();
    let mut push = |path| {
        let (job, answer) = call(path);
        queue.push([job]).outcome().expect("has room");
        answers.push(answer);
    };
    let notified = || queue.lock().notified;
    let leave_wait = || {
        let mut state = queue.lock();
        state.idle -= 1;
        state.notified -= 1;
        state.arriving += 1;
    };
    let grow_old = || {
        for running in &mut queue.lock().running {
            running.since -= 2 * QUICK;
        }
    };
    queue.lock().idle = 4;
    push("/1");
    push("/2");
    assert_eq!(notified(), 1, "one for both");
    leave_wait();
    push("/3");
    assert_eq!(notified(), 0, "it is on its way");
    queue.arrive();
    let (first, ..) = queue.next(None).expect("a job");
    push("/4");
    assert_eq!(notified(), 0, "its job is quick so far");
    let (second, ..) = queue.next(Some(first)).expect("a job");
    assert_eq!(notified(), 0, "it was quick");
    grow_old();
    assert!(queue.stalled(LONG).is_some());
    assert_eq!(notified(), 1, "the watchdog sees that it is slow");
    leave_wait();
    queue.arrive();
    queue.next(None).expect("a job");
    assert_eq!(notified(), 1, "the next one comes behind a slow one");
    leave_wait();
    queue.arrive();
    grow_old();
    queue.finish(second);
    push("/5");
    assert_eq!(notified(), 1, "all that run are slow");
}

#[test]
fn a_release_wakes_a_thread_while_another_one_has_a_job() {
    let queue = Queue::new(9);
    let (job, _answer) = call("/");
    queue.push([job]).outcome().expect("has room");
    queue.next(None).expect("a job");
    queue.lock().idle = 1;
    queue.release(JobId(1));
    assert_eq!(queue.lock().notified, 1);
}

#[test]
fn c8_7_a_job_that_holds_others_up_is_told_once() {
    let queue = Queue::new(9);
    let jobs = ["/slow", "/1", "/2"].map(call);
    let mut answers = Vec::new();
    for (job, answer) in jobs {
        queue.push([job]).outcome().expect("has room");
        answers.push(answer);
    }
    let (run, _, watch) = queue.next(None).expect("has a job");
    assert_eq!(watch, Watchdog::Arm, "two wait and no thread is free");
    assert!(queue.stalled(LONG).is_some_and(|stalled| stalled.is_empty()), "it is not long yet");
    let stalled = queue.stalled(Duration::ZERO).expect("something waits");
    assert_eq!(stalled.len(), 1);
    assert_eq!(stalled[0].subject.to_string(), "GET /slow");
    assert_eq!((stalled[0].waiting, stalled[0].threads), (2, 1));
    assert!(queue.stalled(Duration::ZERO).is_some_and(|stalled| stalled.is_empty()));
    let (run, _, watch) = queue.next(Some(run)).expect("has a job");
    assert_eq!(watch, Watchdog::Leave, "it is watched already");
    let (run, _, _) = queue.next(Some(run)).expect("has a job");
    assert!(queue.stalled(Duration::ZERO).is_none(), "nothing waits");
    queue.finish(run);
    assert!(queue.is_quiet());
}
