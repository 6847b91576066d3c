//! When the jobs of an I/O thread go into the queues.

use slimhttp_server::Callee;
use slimhttp_site::route::Params;

use super::*;
use crate::job::Call;
use crate::reply::Reply;
use crate::side::handler_id;

fn submit_call(bridge: &Arc<Bridge>, side: Side) {
    let call = submit(bridge, |completions| {
        let (reply, answer) = Reply::channel(completions);
        let callee = Callee::Route(handler_id(0, side), Params::new());
        let request = crate::tests::request("/");
        let call = Call { id: bridge.next_id(), callee, request, reply };
        let submission = match side {
            Side::Thread => Submission::Job(Job::Call(call)),
            Side::Loop => Submission::LoopJob(LoopJob::Call(call)),
        };
        (submission, answer)
    });
    // Nobody waits for the job, which stays.
    drop(call);
}

/// How many jobs wait for threads and for the event loop.
fn queued(bridge: &Bridge) -> (usize, usize) {
    let jobs = std::iter::from_fn(|| bridge.next(None)).count();
    (jobs, bridge.loop_queue.take().len())
}

#[test]
fn what_is_submitted_together_is_queued_together() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("has descriptors");
    runtime.block_on(async {
        for side in [Side::Thread, Side::Loop, Side::Thread] {
            submit_call(&bridge, side);
        }
        assert_eq!(queued(&bridge), (0, 0), "the thread has other tasks to poll");
        tokio::task::yield_now().await;
        assert_eq!(queued(&bridge), (2, 1));
        tokio::task::yield_now().await;
        assert_eq!(queued(&bridge), (0, 0), "once");
    });
}

#[test]
fn a_full_submission_queue_does_not_wait() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("has descriptors");
    runtime.block_on(async {
        for _ in 0..MOST + 1 {
            submit_call(&bridge, Side::Thread);
        }
        assert_eq!(queued(&bridge), (MOST, 0));
        tokio::task::yield_now().await;
        assert_eq!(queued(&bridge), (1, 0));
    });
}

#[test]
fn without_a_runtime_a_job_is_queued_at_once() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    submit_call(&bridge, Side::Thread);
    submit_call(&bridge, Side::Loop);
    assert_eq!(queued(&bridge), (1, 1));
}
