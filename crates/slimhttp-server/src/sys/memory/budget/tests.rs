//! What shares hold together, from several threads at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;

#[test]
fn shares_stay_within_the_bound_and_are_given_back() {
    let budget = Budget::new();
    let (mut one, mut two) = (Share::new(&budget), Share::new(&budget));
    assert_eq!(one.grow(60, 100), Ok(()));
    assert_eq!(two.grow(41, 100), Err(60));
    assert_eq!(two.grow(u64::MAX, u64::MAX), Err(60));
    assert_eq!(two.grow(40, 100), Ok(()));
    assert_eq!((one.length(), two.length(), budget.held()), (60, 40, 100));
    drop(one);
    assert_eq!(budget.held(), 40);
}

#[test]
fn a_share_is_held_as_long_as_a_part_of_its_bytes() {
    let budget = Arc::new(Budget::new());
    let mut share = Share::new(budget.clone());
    share.grow(4, 4).expect("it fits");
    let bytes = share.of(b"text".to_vec());
    let part = bytes.slice(1..2);
    drop(bytes);
    assert_eq!((&*part, budget.held()), (&b"e"[..], 4));
    drop(part);
    assert_eq!(budget.held(), 0);
}

#[test]
fn what_is_too_much_never_keeps_out_what_fits() {
    static BUDGET: Budget = Budget::new();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                assert_eq!(
                    Share::new(&BUDGET).grow(1000, 100).map_err(|held| held <= 1),
                    Err(true)
                );
            }
        });
        let fits = (0..200_000).all(|_| Share::new(&BUDGET).grow(1, 100).is_ok());
        over.store(true, Ordering::Relaxed);
        assert!(fits);
    });
}
