//! What is said of failures, and how often.

use super::{Failures, MOST, SPAN};

#[test]
fn the_same_is_said_once_in_a_while() {
    let failures = Failures::default();
    for (what, now, said) in [
        ("refused", 5, Some(0)),
        ("refused", 6, None),
        ("reset", 6, Some(0)),
        ("refused", 4 + SPAN, None),
        ("refused", 5 + SPAN, Some(2)),
        ("refused", 6 + SPAN, None),
        ("reset", 6 + SPAN, Some(0)),
        ("refused", 5 + 2 * SPAN, Some(1)),
    ] {
        assert_eq!(failures.note(what, now), said, "{what} at {now}");
    }
}

#[test]
fn what_is_different_each_time_is_bounded_too() {
    let failures = Failures::default();
    let told = |now: u64| {
        let said = |n: &u64| failures.note(&format!("{now} {n}"), now).is_some();
        (0..1000).filter(said).count()
    };
    assert_eq!([told(7), told(8), told(8 + SPAN)], [MOST, 0, MOST]);
}
