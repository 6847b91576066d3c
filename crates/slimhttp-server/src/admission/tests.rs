//! How the connections of one client are counted.

use super::*;

fn take(hall: &Arc<Hall>, client: &str, most: usize) -> Option<Pass> {
    Pass::take(hall, client.parse().expect("an address"), most)
}

#[test]
fn a_client_has_at_most_so_many_connections() {
    let hall = Arc::<Hall>::default();
    let first = take(&hall, "192.0.2.1", 2).expect("the first");
    let second = take(&hall, "192.0.2.1", 2).expect("the second");
    assert!(take(&hall, "192.0.2.1", 2).is_none());
    assert!(take(&hall, "192.0.2.2", 2).is_some(), "another client is not concerned");
    assert!(take(&hall, "192.0.2.1", 3).is_some(), "a change may allow more");
    drop(first);
    let third = take(&hall, "192.0.2.1", 2).expect("in the place of the first");
    assert!(take(&hall, "192.0.2.1", 2).is_none());
    drop((second, third));
    assert!(hall.clients().is_empty(), "nobody is remembered who has left");
    assert!(take(&hall, "192.0.2.1", 0).is_none());
    assert!(hall.clients().is_empty(), "nor who was not let in");
}

#[test]
fn a_seat_is_counted_until_it_is_left() {
    let (hall, active) = (Arc::<Hall>::default(), Arc::<Active>::default());
    let pass = take(&hall, "192.0.2.1", 1).expect("a pass");
    assert_eq!(hall.taken.load(Ordering::Relaxed), 0, "who waits takes no seat");
    let seat = pass.seat(&active);
    assert_eq!(hall.taken.load(Ordering::Relaxed), 1);
    drop(seat);
    assert_eq!(hall.taken.load(Ordering::Relaxed), 0);
    assert!(hall.clients().is_empty());
}
