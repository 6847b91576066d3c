//! Which task a request to end wakes, and how often; what is asked for before, within and
//! between two polls.

use std::pin::pin;
use std::task::Context;

use super::*;
use crate::context::testing::Task;

#[test]
fn what_is_asked_for_before_the_first_poll_needs_no_wake_up() {
    let (state, (task, waker)) = (ConnectionState::new(), Task::new());
    state.request_close(CloseMode::Cut);
    let mut work = pin!(run_until_cut(&state, std::future::pending::<()>()));
    let outcome = work.as_mut().poll(&mut Context::from_waker(&waker));
    assert_eq!(outcome, Poll::Ready(Err(CloseMode::Cut)));
    assert_eq!(task.wakes(), 0);
}

#[test]
fn what_is_asked_for_within_a_poll_wakes_the_task_that_is_polled() {
    let (state, (task, waker)) = (ConnectionState::new(), Task::new());
    let mut polls = 0;
    let asks = std::future::poll_fn(|_| {
        polls += 1;
        state.request_close(CloseMode::Cut);
        Poll::<()>::Pending
    });
    {
        let mut work = pin!(run_until_cut(&state, asks));
        let mut context = Context::from_waker(&waker);
        assert_eq!(work.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(task.wakes(), 1);
        assert_eq!(work.as_mut().poll(&mut context), Poll::Ready(Err(CloseMode::Cut)));
    }
    assert_eq!(polls, 1, "what is cut is polled no more");
}

#[test]
fn what_is_asked_for_between_polls_wakes_the_task_once() {
    let (state, (task, waker)) = (ConnectionState::new(), Task::new());
    let mut work = pin!(run_until_cut(&state, std::future::pending::<()>()));
    let mut context = Context::from_waker(&waker);
    assert_eq!(work.as_mut().poll(&mut context), Poll::Pending);
    state.request_close(CloseMode::Gracefully);
    assert_eq!(task.wakes(), 1);
    // It has been woken and has not looked yet.
    state.request_close(CloseMode::Gracefully);
    state.request_close(CloseMode::Rejected);
    assert_eq!(task.wakes(), 1);
    assert_eq!(work.as_mut().poll(&mut context), Poll::Ready(Err(CloseMode::Rejected)));
}

#[test]
fn each_poll_registers_the_task_anew() {
    let (state, (task, waker)) = (ConnectionState::new(), Task::new());
    let mut work = pin!(run_until_cut(&state, std::future::pending::<()>()));
    let mut context = Context::from_waker(&waker);
    assert_eq!(work.as_mut().poll(&mut context), Poll::Pending);
    state.request_close(CloseMode::Gracefully);
    assert_eq!(work.as_mut().poll(&mut context), Poll::Pending, "its work goes on");
    state.request_close(CloseMode::Gracefully);
    assert_eq!(task.wakes(), 1, "no news");
    state.request_close(CloseMode::Cut);
    assert_eq!(task.wakes(), 2);
}

#[test]
fn work_that_is_done_ends_without_a_wake_up() {
    let (state, (task, waker)) = (ConnectionState::new(), Task::new());
    let mut context = Context::from_waker(&waker);
    state.request_close(CloseMode::Gracefully);
    let mut work = pin!(run_until_cut(&state, std::future::ready(7)));
    assert_eq!(work.as_mut().poll(&mut context), Poll::Ready(Ok(7)));
    assert_eq!(task.wakes(), 0);
}

#[test]
fn an_upgraded_connection_is_cut_by_whoever_carries_its_bytes() {
    let state = ConnectionState::new();
    let ((own, own_waker), (other, other_waker)) = (Task::new(), Task::new());
    {
        let mut own_work = pin!(run_until_cut(&state, std::future::pending::<()>()));
        assert!(own_work.as_mut().poll(&mut Context::from_waker(&own_waker)).is_pending());
        state.set_upgraded();
    }
    // Its own task has ended. Before the other one is polled it cannot be woken, but it looks.
    state.unregister();
    drop(own_waker);
    assert_eq!(Arc::strong_count(&own), 1, "nothing keeps it");
    let mut cut = pin!(state.until_upgrade_cut());
    assert!(cut.as_mut().poll(&mut Context::from_waker(&other_waker)).is_pending());
    state.request_close(CloseMode::Gracefully);
    assert_eq!((own.wakes(), other.wakes()), (0, 1));
    assert!(
        cut.as_mut().poll(&mut Context::from_waker(&other_waker)).is_pending(),
        "bytes that are not HTTP are not ended by a word to HTTP"
    );
    state.request_close(CloseMode::Cut);
    assert_eq!((own.wakes(), other.wakes()), (0, 2));
    assert!(cut.as_mut().poll(&mut Context::from_waker(&other_waker)).is_ready());
}

#[test]
fn a_cut_while_the_101_is_sent_is_seen_by_both_tasks() {
    for own_comes_last in [false, true] {
        let state = ConnectionState::new();
        let ((own, own_waker), (other, other_waker)) = (Task::new(), Task::new());
        let (mut own_context, mut other_context) =
            (Context::from_waker(&own_waker), Context::from_waker(&other_waker));
        let mut own_work = pin!(run_until_cut(&state, std::future::pending::<()>()));
        let mut cut = pin!(state.until_upgrade_cut());
        state.set_upgraded();
        assert!(own_work.as_mut().poll(&mut own_context).is_pending());
        assert!(cut.as_mut().poll(&mut other_context).is_pending());
        if own_comes_last {
            assert!(own_work.as_mut().poll(&mut own_context).is_pending());
        }
        state.request_close(CloseMode::Cut);
        assert_eq!((own.wakes(), other.wakes()), (1, 1));
        let outcome = own_work.as_mut().poll(&mut own_context);
        assert_eq!(outcome, Poll::Ready(Err(CloseMode::Cut)));
        assert!(cut.as_mut().poll(&mut other_context).is_ready());
    }
}

#[test]
fn a_cut_between_the_two_tasks_of_an_upgraded_connection_is_seen() {
    let state = ConnectionState::new();
    let ((own, own_waker), (other, other_waker)) = (Task::new(), Task::new());
    {
        let mut own_work = pin!(run_until_cut(&state, std::future::pending::<()>()));
        assert!(own_work.as_mut().poll(&mut Context::from_waker(&own_waker)).is_pending());
        state.set_upgraded();
    }
    state.request_close(CloseMode::Cut);
    assert_eq!(own.wakes(), 1, "to wake a task that has ended does nothing");
    let mut cut = pin!(state.until_upgrade_cut());
    assert!(cut.as_mut().poll(&mut Context::from_waker(&other_waker)).is_ready());
    assert_eq!(other.wakes(), 0);
}

#[tokio::test]
async fn another_thread_that_asks_at_any_moment_is_heard() {
    for round in 0..500 {
        let state = Arc::new(ConnectionState::new());
        let asking = {
            let state = state.clone();
            std::thread::spawn(move || {
                for _ in 0..round % 50 {
                    std::hint::spin_loop();
                }
                state.request_close(CloseMode::Cut);
            })
        };
        let cut = tokio::time::timeout(Duration::from_secs(60), state.until_cut());
        cut.await.expect("no wake-up is lost");
        asking.join().expect("it panics nowhere");
    }
}
