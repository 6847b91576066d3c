//! Which connections are found idle, which are asked to end, and which are forgotten.

use super::*;
use crate::net::connection_state::tests::limits;

type Prepare = fn(&ConnectionState);

#[test]
fn those_that_have_been_idle_longest_are_found() {
    let connections = Connections::default();
    let states: Vec<_> =
        [3000, 1000, 9500, 2000].map(|born| Arc::new(ConnectionState::created_at(born))).into();
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
    states[1].begin_exchange();
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
    check(CloseMode::No, ConnectionState::begin_exchange);
    check(CloseMode::Cut, |state| {
        state.begin_exchange();
        state.begin_endless();
    });
    check(CloseMode::No, |state| {
        // Two streams of one connection.
        state.begin_exchange();
        state.begin_endless();
        state.begin_exchange();
    });
    check(CloseMode::No, |state| {
        state.begin_exchange();
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
    connections.enforce_timeouts(&limits);
    assert_eq!(connections.states.lock().len(), 1);
}

#[test]
fn those_whose_time_is_over_are_asked_to_end() {
    let (connections, limits) = (Connections::default(), limits());
    // Accepted when the machine began, and a moment ago.
    let (old, new) = (Arc::new(ConnectionState::created_at(0)), Arc::new(ConnectionState::new()));
    connections.add(&old);
    connections.add(&new);
    connections.enforce_timeouts(&Service { idle_timeout: Duration::from_secs(5), ..limits });
    assert_eq!(old.close_mode(), CloseMode::Gracefully);
    assert_eq!(new.close_mode(), CloseMode::No);
}

#[test]
fn what_is_in_flight_is_counted() {
    let connections = Connections::default();
    let states: Vec<_> = (0..4).map(|_| Arc::new(ConnectionState::new())).collect();
    states.iter().for_each(|state| connections.add(state));
    // Two streams of one connection, one of another, and one that is upgraded.
    states[0].begin_exchange();
    states[0].begin_exchange();
    states[1].begin_exchange();
    states[2].set_upgraded();
    states[2].begin_exchange();
    assert_eq!(connections.in_flight(), (3, 1));
    states[0].end_exchange();
    states[2].end_exchange();
    assert_eq!(connections.in_flight(), (2, 0));
}

#[test]
fn all_are_asked_to_end() {
    let connections = Connections::default();
    let states: Vec<_> = (0..3).map(|_| Arc::new(ConnectionState::new())).collect();
    states.iter().for_each(|state| connections.add(state));
    states[1].request_close(CloseMode::Cut);
    connections.request_close(CloseMode::Gracefully);
    let modes: Vec<_> = states.iter().map(|state| state.close_mode()).collect();
    assert_eq!(modes, [CloseMode::Gracefully, CloseMode::Cut, CloseMode::Gracefully]);
}

#[test]
fn those_that_could_rest_are_asked_to_a_few_at_a_time() {
    let connections = Connections::default();
    let states: Vec<_> = (0..6).map(|_| Arc::new(ConnectionState::created_at(0))).collect();
    states.iter().for_each(|state| connections.add(state));
    states.iter().for_each(|state| state.set_may_rest(true));
    states[1].begin_exchange();
    let asked = |which: &[usize]| {
        let asked: Vec<_> = (0..6).filter(|&index| states[index].take_rest_request()).collect();
        assert_eq!(asked, which);
    };
    assert_eq!(connections.request_rest(0, 2, 1000), Some(3));
    asked(&[0, 2]);
    assert_eq!(connections.request_rest(3, 2, 1000), Some(5));
    asked(&[3, 4]);
    assert_eq!(connections.request_rest(5, 2, 1000), None);
    asked(&[5]);
    assert_eq!(connections.request_rest(9, 2, 1000), None, "the list may be shorter by then");
}
