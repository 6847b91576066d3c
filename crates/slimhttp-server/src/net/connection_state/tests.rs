//! When a connection is told to end, when it is cut, and which one makes room: by a
//! clock that the tests set.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use futures_util::FutureExt;
use slimhttp_site::config::Config;

use slimhttp_site::site::Listener;

use super::*;
use crate::live::{Draft, Live};

mod waking;

/// The times that hold where none are configured.
fn limits() -> Service {
    let listener = Listener {
        tls: false,
        address: String::new(),
        bound: vec![Ipv4Addr::LOCALHOST.into()],
        configured_port: 0,
        port: 1,
    };
    let draft = Draft::new(Config::default(), PathBuf::from("/"));
    let live = Live::new(listener, false, draft).expect("the defaults are valid");
    let limits = Service::clone(&live.current().site.service);
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
    state.judge(state.now() + milliseconds, limits);
    state.close_mode()
}

/// What is more than a tick of the clock, and less than any of the times.
const MOMENT: u64 = 500;

const AGES: u64 = 1_000_000_000;

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
    check("a request", |state| state.read(ReadPhase::Idle), 75, CloseMode::Gracefully);
    check("a handshake", |state| state.read(ReadPhase::Silent), 20, CloseMode::HeadTimeout);
    check("a whole head", |state| state.read(ReadPhase::Head), 20, CloseMode::HeadTimeout);
    check("a whole block", |state| state.within_block(true), 20, CloseMode::HeadTimeout);
    check("a body", |state| state.read(ReadPhase::Body), 60, CloseMode::Cut);
    check("to take bytes", |state| state.write_blocked(true), 60, CloseMode::Cut);
    let beside_another = |state: &ConnectionState| {
        state.begin();
        state.within_block(true);
    };
    check("a whole block, though another is in work", beside_another, 20, CloseMode::HeadTimeout);
    let of_a_stream = |state: &ConnectionState| {
        state.begin();
        state.unsent(true);
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
    check("its request is in work", ConnectionState::begin);
    check("a head behind one that is", |state| {
        state.begin();
        state.read(ReadPhase::Head);
    });
    check("it is HTTP no longer", |state| {
        state.begin();
        state.upgrade();
    });
    check("the bytes are an upstream's", |state| state.read(ReadPhase::Through));
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
    check("it takes nothing", |state| state.write_blocked(true), CloseMode::Gracefully, 60);
    check("its head is late", |state| state.within_block(true), CloseMode::HeadTimeout, 2);
    check("its head is late beside a request", ConnectionState::begin, CloseMode::HeadTimeout, 10);
}

#[test]
fn who_is_asked_to_go_is_served_first() {
    let limits = limits();
    let state = ConnectionState::new();
    state.request_close(CloseMode::Gracefully);
    state.within_block(true);
    assert_eq!(after(&state, 20_000 - MOMENT, &limits), CloseMode::Gracefully, "a head has begun");
    state.begin();
    state.within_block(false);
    assert_eq!(after(&state, AGES, &limits), CloseMode::Gracefully, "it is in work");
    state.end();
    assert_eq!(after(&state, 2000 - MOMENT, &limits), CloseMode::Gracefully);
    assert_eq!(after(&state, 2000 + MOMENT, &limits), CloseMode::Cut);
}

#[test]
fn a_stronger_wish_replaces_a_weaker_one() {
    let state = ConnectionState::new();
    assert!(state.cut().now_or_never().is_none());
    state.request_close(CloseMode::Gracefully);
    assert!(state.cut().now_or_never().is_none(), "who is served is served to the end");
    state.request_close(CloseMode::Rejected);
    state.request_close(CloseMode::Gracefully);
    assert_eq!(state.close_mode(), CloseMode::Rejected);
    assert!(state.cut().now_or_never().is_some());
}

#[test]
fn nobody_is_idle_with_whom_something_is_under_way() {
    let check = |idle: bool, prepare: Prepare| {
        let state = ConnectionState::born_at(7);
        prepare(&state);
        assert_eq!(state.idle_since().is_some(), idle);
    };
    check(true, |_| {});
    check(true, |state| state.read(ReadPhase::Silent));
    check(false, |state| state.read(ReadPhase::Head));
    check(false, |state| state.read(ReadPhase::Body));
    check(false, |state| state.within_block(true));
    check(false, |state| state.write_blocked(true));
    check(false, |state| state.unsent(true));
    check(false, ConnectionState::begin);
    check(false, ConnectionState::upgrade);
    check(false, |state| state.request_close(CloseMode::Gracefully));
    check(true, |state| {
        state.begin();
        state.end();
    });
}

#[test]
fn those_that_have_been_idle_longest_are_found() {
    let connections = Connections::default();
    let states: Vec<_> =
        [3000, 1000, 9500, 2000].map(|born| Arc::new(ConnectionState::born_at(born))).into();
    states.iter().for_each(|state| connections.add(state));
    let found = |most| {
        let mut found = Vec::new();
        connections.longest_idle(10_000, Duration::from_secs(1), most, &mut found);
        let mut since: Vec<_> = found.iter().map(|(since, _)| *since).collect();
        since.sort_unstable();
        since
    };
    assert_eq!(found(9), [1000, 2000, 3000], "who is idle for half a second only is not");
    assert_eq!(found(2), [1000, 2000]);
    states[1].begin();
    assert_eq!(found(2), [2000, 3000]);
}

#[test]
fn only_what_has_no_end_is_not_waited_for() {
    let check = |expected: CloseMode, prepare: Prepare| {
        let (connections, state) = (Connections::default(), Arc::new(ConnectionState::new()));
        connections.add(&state);
        prepare(&state);
        connections.cut_endless();
        assert_eq!(state.close_mode(), expected);
    };
    check(CloseMode::No, |_| {});
    check(CloseMode::No, ConnectionState::begin);
    check(CloseMode::Cut, |state| {
        state.begin();
        state.begin_endless();
    });
    check(CloseMode::No, |state| {
        // Two streams of one connection.
        state.begin();
        state.begin_endless();
        state.begin();
    });
    check(CloseMode::No, |state| {
        state.begin();
        state.begin_endless();
        state.end_endless();
    });
}

#[test]
fn who_has_ended_is_forgotten() {
    let (connections, limits) = (Connections::default(), limits());
    let (stays, goes) = (Arc::new(ConnectionState::new()), Arc::new(ConnectionState::new()));
    connections.add(&stays);
    connections.add(&goes);
    drop(goes);
    connections.sweep(&limits);
    assert_eq!(connections.lock().len(), 1);
}
