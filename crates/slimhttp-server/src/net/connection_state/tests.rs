//! When a connection is asked to end and when it is cut: at times that the tests set.

use futures_util::FutureExt;
use slimhttp_site::config::Config;

use super::*;
use crate::live::testing::live;

mod waking;

/// The times that hold where none are configured.
pub(in crate::net) fn limits() -> Service {
    let limits = Service::clone(&live(false, Config::default()).current().site.service);
    let seconds = Duration::from_secs;
    let expected = [seconds(20), seconds(60), seconds(60), seconds(75), seconds(10)];
    let Service { header_timeout, body_timeout, send_timeout, idle_timeout, grace_period, .. } =
        limits;
    assert_eq!(
        [header_timeout, body_timeout, send_timeout, idle_timeout, grace_period],
        expected,
        "the numbers of these tests"
    );
    limits
}

/// What becomes of a connection that nothing happens to for so long from now on.
fn after(state: &ConnectionState, milliseconds: u64, limits: &Service) -> CloseMode {
    state.enforce_timeouts(ConnectionState::now() + milliseconds, limits);
    state.close_mode()
}

/// What is more than a tick of the clock, and less than any of the times.
const MOMENT: u64 = 500;

/// More than any machine has been on for.
const AGES: u64 = 1_000_000_000_000;

type Prepare = fn(&ConnectionState);

#[test]
fn each_thing_that_a_client_owes_has_its_time() {
    let limits = limits();
    let check = |what: &str, prepare: Prepare, seconds: u64, expected: CloseMode| {
        let state = ConnectionState::new();
        prepare(&state);
        assert_eq!(after(&state, seconds * 1000 - MOMENT, &limits), CloseMode::No, "{what}");
        assert_eq!(after(&state, seconds * 1000 + MOMENT, &limits), expected, "{what}");
    };
    check("a request", |state| state.record_read(ReadPhase::Idle), 75, CloseMode::Gracefully);
    check(
        "a handshake",
        |state| state.record_read(ReadPhase::AwaitingTls),
        20,
        CloseMode::HeadTimeout,
    );
    check("a whole head", |state| state.record_read(ReadPhase::Head), 20, CloseMode::HeadTimeout);
    check("a whole block", |state| state.set_in_header_block(true), 20, CloseMode::HeadTimeout);
    check("a body", |state| state.record_read(ReadPhase::Body), 60, CloseMode::Cut);
    check("to take bytes", |state| state.set_write_blocked(true), 60, CloseMode::Cut);
    let beside_another = |state: &ConnectionState| {
        state.begin_exchange();
        state.set_in_header_block(true);
    };
    check("a whole block, though another is in work", beside_another, 20, CloseMode::HeadTimeout);
    let of_a_stream = |state: &ConnectionState| {
        state.begin_exchange();
        state.begin_unsent();
    };
    check("to take bytes of a stream", of_a_stream, 60, CloseMode::Cut);
}

#[test]
fn nobody_is_cut_while_somebody_else_is_waited_for() {
    let limits = limits();
    let check = |what: &str, prepare: Prepare| {
        let state = ConnectionState::new();
        prepare(&state);
        assert_eq!(after(&state, AGES, &limits), CloseMode::No, "{what}");
        assert_eq!(state.idle_since(), None, "{what}");
    };
    check("its request is in work", ConnectionState::begin_exchange);
    check("a head behind one that is", |state| {
        state.begin_exchange();
        state.record_read(ReadPhase::Head);
    });
    check("it is HTTP no longer", |state| {
        state.begin_exchange();
        state.set_upgraded();
    });
    check("the bytes are an upstream's", |state| state.record_read(ReadPhase::Upgraded));
}

#[test]
fn who_is_asked_to_go_is_cut_where_it_does_not() {
    let limits = limits();
    let check = |what: &str, prepare: Prepare, ending: CloseMode, seconds: u64| {
        let state = ConnectionState::new();
        prepare(&state);
        state.request_close(ending);
        assert_eq!(after(&state, seconds * 1000 - MOMENT, &limits), ending, "{what}");
        assert_eq!(after(&state, seconds * 1000 + MOMENT, &limits), CloseMode::Cut, "{what}");
    };
    check("it is idle", |_| {}, CloseMode::Gracefully, 2);
    check("it takes nothing", |state| state.set_write_blocked(true), CloseMode::Gracefully, 60);
    check("its head is late", |state| state.set_in_header_block(true), CloseMode::HeadTimeout, 2);
    check(
        "its head is late beside a request",
        ConnectionState::begin_exchange,
        CloseMode::HeadTimeout,
        10,
    );
}

#[test]
fn who_is_asked_to_go_is_served_first() {
    let limits = limits();
    let state = ConnectionState::new();
    state.request_close(CloseMode::Gracefully);
    state.set_in_header_block(true);
    assert_eq!(after(&state, 20_000 - MOMENT, &limits), CloseMode::Gracefully, "a head has begun");
    state.begin_exchange();
    state.set_in_header_block(false);
    assert_eq!(after(&state, AGES, &limits), CloseMode::Gracefully, "it is in work");
    state.end_exchange();
    assert_eq!(after(&state, 2000 - MOMENT, &limits), CloseMode::Gracefully);
    assert_eq!(after(&state, 2000 + MOMENT, &limits), CloseMode::Cut);
}

#[test]
fn who_may_ask_once_more_has_the_time_that_it_would_have_had() {
    let limits = limits();
    let state = ConnectionState::new();
    state.request_close(CloseMode::AfterRequest);
    assert!(!state.close_mode().ends_idle());
    assert!(state.until_cut().now_or_never().is_none());
    assert_eq!(after(&state, 75_000 - MOMENT, &limits), CloseMode::AfterRequest);
    assert_eq!(after(&state, 75_000 + MOMENT, &limits), CloseMode::Gracefully);
}

#[test]
fn a_stronger_reason_replaces_a_weaker_one() {
    let state = ConnectionState::new();
    assert!(state.until_cut().now_or_never().is_none());
    state.request_close(CloseMode::Gracefully);
    assert!(state.until_cut().now_or_never().is_none(), "who is served is served to the end");
    state.request_close(CloseMode::Rejected);
    state.request_close(CloseMode::Gracefully);
    assert_eq!(state.close_mode(), CloseMode::Rejected);
    assert!(state.until_cut().now_or_never().is_some());
}

#[test]
fn nobody_is_idle_with_whom_something_is_under_way() {
    let check = |idle: bool, prepare: Prepare| {
        let state = ConnectionState::created_at(7);
        prepare(&state);
        assert_eq!(state.idle_since().is_some(), idle);
    };
    check(true, |_| {});
    check(true, |state| state.record_read(ReadPhase::AwaitingTls));
    check(false, |state| state.record_read(ReadPhase::Head));
    check(false, |state| state.record_read(ReadPhase::Body));
    check(false, |state| state.set_in_header_block(true));
    check(false, |state| state.set_write_blocked(true));
    check(false, |state| state.begin_unsent());
    check(false, ConnectionState::begin_exchange);
    check(false, ConnectionState::set_upgraded);
    check(false, |state| state.request_close(CloseMode::Gracefully));
    check(true, |state| {
        state.begin_exchange();
        state.end_exchange();
    });
}

/// What happens on a connection, one after the other: what it is then, and what becomes of it if
/// nothing more does.
const STORY: [(&str, Prepare, bool, CloseMode); 10] = [
    ("accepted", |_| {}, true, CloseMode::Gracefully),
    ("a head begins", |state| state.record_read(ReadPhase::Head), false, CloseMode::HeadTimeout),
    (
        "its body begins",
        |state| {
            state.begin_exchange();
            state.record_read(ReadPhase::Body);
        },
        false,
        CloseMode::No,
    ),
    ("its body is read", |state| state.record_read(ReadPhase::Idle), false, CloseMode::No),
    ("the client takes nothing", |state| state.set_write_blocked(true), false, CloseMode::Cut),
    ("it does again", |state| state.set_write_blocked(false), false, CloseMode::No),
    ("it is answered", ConnectionState::end_exchange, true, CloseMode::Gracefully),
    ("another head", |state| state.record_read(ReadPhase::Head), false, CloseMode::HeadTimeout),
    (
        "it is answered with 101",
        |state| {
            state.begin_exchange();
            state.end_exchange();
            state.set_upgraded();
            state.begin_exchange();
            state.record_read(ReadPhase::Upgraded);
        },
        false,
        CloseMode::No,
    ),
    ("its tunnel ends", ConnectionState::end_exchange, false, CloseMode::No),
];

#[test]
fn a_connection_goes_from_request_to_request_and_to_its_upgrade() {
    let limits = limits();
    for end in 0..STORY.len() {
        let (state, (what, _, is_idle, becomes)) = (ConnectionState::new(), STORY[end]);
        STORY[..=end].iter().for_each(|(_, happens, ..)| happens(&state));
        assert_eq!(state.idle_since().is_some(), is_idle, "{what}");
        assert_eq!(after(&state, AGES, &limits), becomes, "{what}");
    }
}

#[test]
fn a_head_counts_from_its_first_byte_and_a_body_from_its_last() {
    let counts_on = |phase: ReadPhase| {
        let state = ConnectionState::new();
        state.record_read(phase);
        state.read_at.store(AGES, Ordering::Relaxed);
        state.record_read(phase);
        state.read_at.load(Ordering::Relaxed) == AGES
    };
    assert!(counts_on(ReadPhase::Head), "who sends a byte at a time has no more of it");
    assert!(!counts_on(ReadPhase::Body));
    assert!(!counts_on(ReadPhase::Idle));
}

#[test]
fn what_waits_for_the_client_counts_from_what_it_took_last() {
    let state = ConnectionState::new();
    let since = |field: &AtomicU64| field.load(Ordering::Relaxed);
    state.set_write_blocked(true);
    state.write_blocked_since.store(AGES, Ordering::Relaxed);
    state.set_write_blocked(true);
    assert_eq!(since(&state.write_blocked_since), AGES, "it has taken nothing since");
    state.set_write_blocked(false);
    assert!(!state.is_write_blocked());
    state.begin_unsent();
    state.rare().unsent_at.store(AGES, Ordering::Relaxed);
    state.record_sent();
    assert!(since(&state.rare().unsent_at) < AGES);
}

#[test]
fn a_header_block_counts_from_its_first_byte_to_its_last() {
    let (state, limits) = (ConnectionState::new(), limits());
    state.begin_exchange();
    state.set_in_header_block(true);
    state.rare().header_block_since.store(1, Ordering::Relaxed);
    state.set_in_header_block(true);
    assert_eq!(state.rare().header_block_since.load(Ordering::Relaxed), 1);
    state.set_in_header_block(false);
    assert_eq!(after(&state, AGES, &limits), CloseMode::No);
}

#[test]
fn answers_are_bounded_once() {
    let state = ConnectionState::new();
    assert!(state.unsent_answers().is_none());
    state.limit_unsent_answers(1);
    let first = state.unsent_answers().expect("they are bounded").clone();
    state.limit_unsent_answers(2);
    assert!(Arc::ptr_eq(state.unsent_answers().expect("they are"), &first));
}
