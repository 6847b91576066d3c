//! What is said of failures, and how often.

use crate::sys::clock::SELDOM;
use crate::upstream::failures::{Failures, MOST, Unsaid};

#[test]
fn the_same_is_said_once_in_a_while() {
    let failures = Failures::default();
    for (what, now, said) in [
        ("refused", 5, Some(0)),
        ("refused", 6, None),
        ("reset", 6, Some(0)),
        ("refused", 4 + SELDOM, None),
        ("refused", 5 + SELDOM, Some(2)),
        ("refused", 6 + SELDOM, None),
        ("reset", 6 + SELDOM, Some(0)),
        ("refused", 5 + 2 * SELDOM, Some(1)),
    ] {
        assert_eq!(failures.note(what, now), said.map(Unsaid::Same), "{what} at {now}");
    }
}

#[test]
fn what_is_different_each_time_is_bounded_and_never_silent_for_good() {
    let failures = Failures::default();
    let told = |now: u64| {
        let said = |n: &u64| failures.note(&format!("{now} {n}"), now).is_some();
        (0..1000).filter(said).count()
    };
    assert_eq!([told(7), told(8), told(8 + SELDOM)], [MOST + 1, 0, MOST + 1]);
}

/// Sixteen that come again and again leave a line to each that comes beside them.
#[test]
fn what_finds_no_place_is_counted_and_said_once_in_a_while() {
    let failures = Failures::default();
    for round in 0..3 {
        let now = 7 + round * SELDOM;
        for place in 0..MOST {
            assert_eq!(failures.note(&place.to_string(), now), Some(Unsaid::Same(0)));
        }
        let unsaid = if round == 0 { 0 } else { 2 };
        assert_eq!(failures.note("stopped", now), Some(Unsaid::Others(unsaid)), "{round}");
        assert_eq!(failures.note("stopped", now + 1), None);
        assert_eq!(failures.note("reset", now + 1), None);
    }
    assert_eq!(Unsaid::Others(2).to_string(), " (and 2 others since such were last said)");
}
