//! What a program wants to hear, and how many ends of connections may wait for it.

use super::*;

#[test]
fn each_interest_is_its_own() {
    let flags = InterestFlags::default();
    for bits in 0..8 {
        let wants = Interests {
            connections: bits & 1 != 0,
            authorization: bits & 2 != 0,
            upgrades: bits & 4 != 0,
        };
        flags.set(wants);
        let found = flags.get();
        let found = (found.connections, found.authorization, found.upgrades);
        assert_eq!(found, (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0));
    }
}

#[test]
fn ends_wait_up_to_a_multiple_of_the_calls() {
    let backlog = CloseBacklog::default();
    backlog.set_limit(2);
    assert!((0..32).all(|_| backlog.add()));
    assert!(!backlog.add());
    backlog.remove();
    backlog.is_reported.store(true, Ordering::Relaxed);
    backlog.remove();
    assert!(backlog.is_reported.load(Ordering::Relaxed), "some still wait");
    assert!(backlog.add());
    (0..32).for_each(|_| backlog.remove());
    assert!(!backlog.is_reported.load(Ordering::Relaxed), "the next flood is reported again");
}
