//! How connections are counted, which are asked to make room, how many, and who waits.

use std::cell::RefCell;

use futures_util::FutureExt;
use tokio::time::Instant;

use super::*;
use crate::net::connection_state::ReadPhase;

fn take(admission: &Arc<Admission>, client: &str, most: usize) -> Option<AddressPermit> {
    AddressPermit::acquire(admission, client.parse().expect("an address"), most)
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
    assert!(admission.clients.lock().is_empty(), "nobody is remembered who has left");
    assert!(take(&admission, "192.0.2.1", 0).is_none());
    assert!(admission.clients.lock().is_empty(), "nor who was not let in");
}

#[test]
fn a_permit_is_counted_until_it_is_dropped() {
    let (admission, active) = (Arc::<Admission>::default(), Arc::<ConnectionCount>::default());
    let address = take(&admission, "192.0.2.1", 1).expect("one more");
    assert_eq!(admission.open.load(Ordering::Relaxed), 0, "who waits takes no permit");
    let permit = address.permit(&active);
    assert_eq!(admission.open.load(Ordering::Relaxed), 1);
    drop(permit);
    assert_eq!(admission.open.load(Ordering::Relaxed), 0);
    assert!(admission.clients.lock().is_empty());
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

fn closing(states: &[Arc<ConnectionState>]) -> Vec<bool> {
    states.iter().map(|state| state.close_mode() == CloseMode::Gracefully).collect()
}

#[test]
fn those_that_were_idle_longest_close_whichever_thread_has_them() {
    let ((first, own), (second, others)) =
        (io_thread(&[1000, 4000]), io_thread(&[3000, 2000, 9500]));
    let (all, mut idle) = (|| [&first, &second].into_iter(), IdleConnections::default());
    assert_eq!(idle.request_close(2, all, 10_000), 2);
    assert_eq!((closing(&own), closing(&others)), (vec![true, false], vec![false, true, false]));
    assert_eq!(idle.request_close(9, all, 10_000), 2, "and not who has just become idle");
    assert_eq!((closing(&own), closing(&others)), (vec![true, true], vec![true, true, false]));
    assert_eq!(idle.request_close(1, all, 10_000), 0, "nobody is asked twice");
    assert_eq!(idle.request_close(1, all, 10_500), 1, "until the next one is idle for a second");
}

#[test]
fn who_has_begun_something_since_it_was_found_stays() {
    let (connections, states) = io_thread(&[1000, 2000, 3000, 4000, 5000]);
    let (all, mut idle) = (|| [&connections].into_iter(), IdleConnections::default());
    assert_eq!(idle.request_close(1, all, 10_000), 1);
    states[1].begin_exchange();
    // Idle again, but no longer for longest.
    states[2].begin_exchange();
    states[2].end_exchange();
    states[3].record_read(ReadPhase::Head);
    assert_eq!(idle.request_close(1, all, 10_000), 1);
    assert_eq!(closing(&states), [true, false, false, false, true]);
}

#[test]
fn one_scan_finds_so_many() {
    let since: Vec<u64> = (0..100).map(|number| 1000 + number).collect();
    let (connections, states) = io_thread(&since);
    let scans = RefCell::new(0);
    let all = || {
        *scans.borrow_mut() += 1;
        [&connections].into_iter()
    };
    let mut idle = IdleConnections::default();
    for _ in 0..SCANNED {
        assert_eq!(idle.request_close(1, all, 10_000), 1);
    }
    assert_eq!(*scans.borrow(), 1);
    assert!(closing(&states[..SCANNED]).iter().all(|closes| *closes));
    assert_eq!(idle.request_close(1, all, 10_000), 1);
    assert_eq!(*scans.borrow(), 2);
}

// How many are asked

fn permits(admission: &Arc<Admission>, count: usize) -> Vec<ConnectionPermit> {
    let of_thread = Arc::<ConnectionCount>::default();
    let one = |_| take(admission, "192.0.2.1", usize::MAX).expect("one more").permit(&of_thread);
    (0..count).map(one).collect()
}

/// How many are asked each time until one of three ends, which is after as many
/// times as are expected. `found` says how many there were to ask.
async fn check_evictions(limit: usize, found: usize, expected: &[usize]) {
    let admission = Arc::<Admission>::default();
    let mut permits = permits(&admission, 3);
    let mut counts = Vec::new();
    let ask = |count| {
        counts.push(count);
        if counts.len() == expected.len() {
            permits.truncate(limit - 1);
        }
        found
    };
    let room = admission.wait_for_room(|| limit, ask);
    tokio::time::timeout(Duration::from_secs(60), room).await.expect("there is room");
    assert_eq!(counts, expected);
}

#[tokio::test(start_paused = true)]
async fn more_are_asked_where_those_that_were_asked_do_not_go() {
    check_evictions(3, 1, &[1, 2, 4, 8, 16, 32, 64, 64]).await;
}

#[tokio::test(start_paused = true)]
async fn one_is_asked_again_where_there_was_nobody_to_ask() {
    check_evictions(3, 0, &[1, 1, 1]).await;
}

#[tokio::test(start_paused = true)]
async fn a_bound_that_has_become_lower_is_made_up_for() {
    check_evictions(1, 1, &[3]).await;
}

#[tokio::test(start_paused = true)]
async fn where_there_is_room_nobody_is_asked() {
    let admission = Arc::<Admission>::default();
    let mut permits = permits(&admission, 3);
    // That one has ended before is no news.
    permits.pop();
    admission.wait_for_room(|| 3, |_| panic!("there is room")).await;
    permits.clear();
}

#[tokio::test(start_paused = true)]
async fn a_change_may_make_room() {
    let admission = Arc::<Admission>::default();
    let permits = permits(&admission, 3);
    let limit = RefCell::new(3);
    let raise = |_| {
        *limit.borrow_mut() = 4;
        0
    };
    let begin = Instant::now();
    admission.wait_for_room(|| *limit.borrow(), raise).await;
    assert_eq!(begin.elapsed(), RETRY, "it is looked at again then");
    drop(permits);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_let_in_as_soon_as_another_has_ended() {
    let admission = Arc::<Admission>::default();
    let permits = permits(&admission, 1);
    let begin = Instant::now();
    let ends = async {
        tokio::time::sleep(RETRY / 4).await;
        drop(permits);
    };
    tokio::join!(admission.wait_for_room(|| 1, |_| 0), ends);
    assert_eq!(begin.elapsed(), RETRY / 4);
}

#[tokio::test(start_paused = true)]
async fn an_end_lets_in_one_of_those_that_wait() {
    let admission = Arc::<Admission>::default();
    let mut held = permits(&admission, 2);
    let (first, second) =
        (admission.wait_for_room(|| 2, |_| 0), admission.wait_for_room(|| 2, |_| 0));
    let (mut first, mut second) = (pin!(first), pin!(second));
    assert!(first.as_mut().now_or_never().is_none());
    assert!(second.as_mut().now_or_never().is_none());
    held.pop();
    first.await;
    // It is let in, and the other one waits as before.
    let _taken = permits(&admission, 1);
    assert!(tokio::time::timeout(3 * RETRY, second.as_mut()).await.is_err());
    held.clear();
    second.await;
}

#[tokio::test(start_paused = true)]
async fn who_no_longer_waits_holds_no_place() {
    let admission = Arc::<Admission>::default();
    let held = permits(&admission, 1);
    let waits = admission.wait_for_room(|| 1, |_| 0);
    assert!(tokio::time::timeout(RETRY / 4, waits).await.is_err());
    drop(held);
    assert_eq!(admission.open.load(Ordering::Relaxed), 0);
    let begin = Instant::now();
    admission.wait_for_room(|| 1, |_| panic!("there is room")).await;
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_last_end_of_a_thread_is_waited_for() {
    let (admission, of_thread) = (Arc::<Admission>::default(), Arc::<ConnectionCount>::default());
    let one = || take(&admission, "192.0.2.1", 2).expect("one more").permit(&of_thread);
    assert!(of_thread.is_zero());
    let (first, second) = (one(), one());
    let mut emptied = pin!(of_thread.emptied());
    assert!(emptied.as_mut().now_or_never().is_none());
    drop(first);
    assert!(emptied.as_mut().now_or_never().is_none());
    assert!(!of_thread.is_zero());
    drop(second);
    assert!(emptied.as_mut().now_or_never().is_some());
    assert!(of_thread.is_zero());
}
