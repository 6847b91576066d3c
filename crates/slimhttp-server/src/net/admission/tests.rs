//! How connections are counted, who is asked to make room, and how many.

use std::cell::RefCell;

use super::*;
use crate::net::connection_state::ReadPhase;

fn take(admission: &Arc<Admission>, client: &str, most: usize) -> Option<AddressPermit> {
    AddressPermit::take(admission, client.parse().expect("an address"), most)
}

#[test]
fn a_client_has_at_most_so_many_connections() {
    let admission = Arc::<Admission>::default();
    let first = take(&admission, "192.0.2.1", 2).expect("the first");
    let second = take(&admission, "192.0.2.1", 2).expect("the second");
    assert!(take(&admission, "192.0.2.1", 2).is_none());
    assert!(take(&admission, "192.0.2.2", 2).is_some(), "another client is not concerned");
    assert!(take(&admission, "192.0.2.1", 3).is_some(), "a change may allow more");
    drop(first);
    let third = take(&admission, "192.0.2.1", 2).expect("in the place of the first");
    assert!(take(&admission, "192.0.2.1", 2).is_none());
    drop((second, third));
    assert!(admission.clients().is_empty(), "nobody is remembered who has left");
    assert!(take(&admission, "192.0.2.1", 0).is_none());
    assert!(admission.clients().is_empty(), "nor who was not let in");
}

#[test]
fn a_seat_is_counted_until_it_is_left() {
    let (admission, active) = (Arc::<Admission>::default(), Arc::<ConnectionCount>::default());
    let address = take(&admission, "192.0.2.1", 1).expect("a address");
    assert_eq!(admission.taken.load(Ordering::Relaxed), 0, "who waits takes no permit");
    let permit = address.permit(&active);
    assert_eq!(admission.taken.load(Ordering::Relaxed), 1);
    drop(permit);
    assert_eq!(admission.taken.load(Ordering::Relaxed), 0);
    assert!(admission.clients().is_empty());
}

// Who makes room

/// An I/O thread with connections that have been idle since then, by a clock that the
/// tests set.
fn io_thread(since: &[u64]) -> (Connections, Vec<Arc<ConnectionState>>) {
    let connections = Connections::default();
    let states: Vec<_> =
        since.iter().map(|since| Arc::new(ConnectionState::created_at(*since))).collect();
    states.iter().for_each(|state| connections.add(state));
    (connections, states)
}

fn leaving(states: &[Arc<ConnectionState>]) -> Vec<bool> {
    states.iter().map(|state| state.close_mode() == CloseMode::Gracefully).collect()
}

#[test]
fn those_that_were_idle_longest_leave_whichever_thread_has_them() {
    let ((first, own), (second, others)) =
        (io_thread(&[1000, 4000]), io_thread(&[3000, 2000, 9500]));
    let (all, mut idle) = (|| [&first, &second].into_iter(), Idle::default());
    assert_eq!(idle.ask_to_leave(2, all, 10_000), 2);
    assert_eq!((leaving(&own), leaving(&others)), (vec![true, false], vec![false, true, false]));
    assert_eq!(idle.ask_to_leave(9, all, 10_000), 2, "and not who has just become idle");
    assert_eq!((leaving(&own), leaving(&others)), (vec![true, true], vec![true, true, false]));
    assert_eq!(idle.ask_to_leave(1, all, 10_000), 0, "nobody is asked twice");
    assert_eq!(idle.ask_to_leave(1, all, 10_500), 1, "until the next one is idle for a second");
}

#[test]
fn who_has_begun_something_since_it_was_found_stays() {
    let (connections, states) = io_thread(&[1000, 2000, 3000, 4000, 5000]);
    let (all, mut idle) = (|| [&connections].into_iter(), Idle::default());
    assert_eq!(idle.ask_to_leave(1, all, 10_000), 1);
    states[1].begin_exchange();
    // Idle again, but no longer for longest.
    states[2].begin_exchange();
    states[2].end_exchange();
    states[3].record_read(ReadPhase::Head);
    assert_eq!(idle.ask_to_leave(1, all, 10_000), 1);
    assert_eq!(leaving(&states), [true, false, false, false, true]);
}

#[test]
fn one_look_finds_so_many() {
    let since: Vec<u64> = (0..100).map(|number| 1000 + number).collect();
    let (connections, states) = io_thread(&since);
    let looks = RefCell::new(0);
    let all = || {
        *looks.borrow_mut() += 1;
        [&connections].into_iter()
    };
    let mut idle = Idle::default();
    for _ in 0..FOUND {
        assert_eq!(idle.ask_to_leave(1, all, 10_000), 1);
    }
    assert_eq!(*looks.borrow(), 1);
    assert!(leaving(&states[..FOUND]).iter().all(|leaves| *leaves));
    assert_eq!(idle.ask_to_leave(1, all, 10_000), 1);
    assert_eq!(*looks.borrow(), 2);
}

// How many are asked

fn seats(admission: &Arc<Admission>, count: usize) -> Vec<ConnectionPermit> {
    let active = Arc::<ConnectionCount>::default();
    let one = |_| take(admission, "192.0.2.1", count).expect("a address").permit(&active);
    (0..count).map(one).collect()
}

/// How many are asked each time until one of three leaves, which is after as many
/// times as are expected. `asked` says how many there were to ask.
async fn check_asked(most: usize, asked: usize, expected: &[usize]) {
    let admission = Arc::<Admission>::default();
    let mut seats = seats(&admission, 3);
    let mut counts = Vec::new();
    let ask = |count| {
        counts.push(count);
        if counts.len() == expected.len() {
            seats.truncate(most - 1);
        }
        asked
    };
    let room = admission.room(|| most, ask);
    tokio::time::timeout(Duration::from_secs(60), room).await.expect("there is room");
    assert_eq!(counts, expected);
}

#[tokio::test]
async fn more_are_asked_where_those_who_were_asked_do_not_go() {
    check_asked(3, 1, &[1, 2, 4, 8, 16, 32, 64, 64]).await;
}

#[tokio::test]
async fn one_is_asked_again_where_there_was_nobody_to_ask() {
    check_asked(3, 0, &[1, 1, 1]).await;
}

#[tokio::test]
async fn a_bound_that_has_become_lower_is_made_up_for() {
    check_asked(1, 1, &[3]).await;
}

#[tokio::test]
async fn where_there_is_room_nobody_is_asked() {
    let admission = Arc::<Admission>::default();
    let mut seats = seats(&admission, 3);
    // That one has left is no news.
    seats.pop();
    admission.room(|| 3, |_| panic!("there is room")).await;
    seats.clear();
}

#[tokio::test]
async fn a_change_may_make_room() {
    let admission = Arc::<Admission>::default();
    let seats = seats(&admission, 3);
    let most = RefCell::new(3);
    let ask = |_| {
        *most.borrow_mut() = 4;
        0
    };
    let room = admission.room(|| *most.borrow(), ask);
    tokio::time::timeout(Duration::from_secs(60), room).await.expect("there is room");
    drop(seats);
}
