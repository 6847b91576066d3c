//! Which connections are asked to rest, and when they do.

use super::*;
use crate::context::testing::Task;
use crate::net::connection_state::{CloseMode, ReadPhase};

/// Long after the machine began, which is since when the connections of these tests are idle.
const LATER: u64 = 1_000_000_000;

fn idle() -> ConnectionState {
    let state = ConnectionState::created_at(0);
    state.set_may_rest(true);
    state
}

#[test]
fn a_connection_rests_that_has_been_idle_for_a_while() {
    let (state, (task, waker)) = (idle(), Task::new());
    state.register(&waker);
    let moment = u64::try_from(REST_AFTER.as_millis()).expect("is short");
    assert!(!state.request_rest(moment - 1), "not yet");
    assert!(!state.take_rest_request(), "nobody has asked");
    assert!(state.request_rest(moment));
    assert_eq!(task.wakes(), 1);
    assert!(!state.request_rest(moment), "is asked once");
    assert!(state.take_rest_request());
    assert!(!state.take_rest_request(), "is taken");
    assert!(!state.request_rest(moment), "rests, and has no task to be woken");
    state.set_may_rest(true);
    assert!(state.request_rest(moment), "could rest again");
}

#[test]
fn a_connection_that_needs_its_task_is_not_asked() {
    let state = ConnectionState::created_at(0);
    assert!(!state.request_rest(LATER), "unless it says so");
    state.set_may_rest(true);
    state.set_may_rest(false);
    assert!(!state.request_rest(LATER));
}

#[test]
fn a_connection_that_has_something_to_do_is_not_asked() {
    let check = |what: &str, prepare: fn(&ConnectionState)| {
        let state = idle();
        prepare(&state);
        assert!(!state.request_rest(LATER), "{what}");
    };
    check("an exchange", ConnectionState::begin_exchange);
    check("a part of a head", |state| state.record_read(ReadPhase::Head));
    check("a part of a body", |state| state.record_read(ReadPhase::Body));
    check("a part of an answer", |state| state.set_write_blocked(true));
    check("another protocol", ConnectionState::set_upgraded);
    check("to end", |state| state.request_close(CloseMode::Gracefully));
}

#[test]
fn what_happens_after_the_request_keeps_the_task() {
    let check = |what: &str, happen: fn(&ConnectionState)| {
        let state = idle();
        assert!(state.request_rest(LATER));
        happen(&state);
        assert!(!state.take_rest_request(), "{what}");
        assert_eq!(state.rest.load(Ordering::Relaxed), POSSIBLE, "{what}: it could later");
    };
    check("a request has come and is answered", |state| {
        state.record_read(ReadPhase::Idle);
        state.begin_exchange();
        state.end_exchange();
    });
    check("a head has begun", |state| state.record_read(ReadPhase::Head));
    check("is to end", |state| state.request_close(CloseMode::Gracefully));
}
