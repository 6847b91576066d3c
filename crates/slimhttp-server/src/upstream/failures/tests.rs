//! Which failures are logged, and how often.

use crate::sys::clock::LOG_INTERVAL;
use crate::upstream::failures::{FailureLog, MAX_DISTINCT, Suppressed};

#[test]
fn the_same_is_logged_once_in_a_while() {
    let log = FailureLog::default();
    for (failure, now, suppressed) in [
        ("refused", 5, Some(0)),
        ("refused", 6, None),
        ("reset", 6, Some(0)),
        ("refused", 4 + LOG_INTERVAL, None),
        ("refused", 5 + LOG_INTERVAL, Some(2)),
        ("refused", 6 + LOG_INTERVAL, None),
        ("reset", 6 + LOG_INTERVAL, Some(0)),
        ("refused", 5 + 2 * LOG_INTERVAL, Some(1)),
    ] {
        let expected = suppressed.map(Suppressed::Same);
        assert_eq!(log.record(failure, now), expected, "{failure} at {now}");
    }
}

#[test]
fn what_is_different_each_time_is_bounded_and_never_silent_for_good() {
    let log = FailureLog::default();
    let logged = |now: u64| {
        let is_logged = |n: &u64| log.record(&format!("{now} {n}"), now).is_some();
        (0..1000).filter(is_logged).count()
    };
    let expected = [MAX_DISTINCT + 1, 0, MAX_DISTINCT + 1];
    assert_eq!([logged(7), logged(8), logged(8 + LOG_INTERVAL)], expected);
}

/// Sixteen that come again and again leave a line to each that comes beside them.
#[test]
fn what_finds_no_place_is_counted_and_logged_once_in_a_while() {
    let log = FailureLog::default();
    for round in 0..3 {
        let now = 7 + round * LOG_INTERVAL;
        for number in 0..MAX_DISTINCT {
            assert_eq!(log.record(&number.to_string(), now), Some(Suppressed::Same(0)));
        }
        let suppressed = if round == 0 { 0 } else { 2 };
        let expected = Some(Suppressed::Others(suppressed));
        assert_eq!(log.record("stopped", now), expected, "{round}");
        assert_eq!(log.record("stopped", now + 1), None);
        assert_eq!(log.record("reset", now + 1), None);
    }
    assert_eq!(Suppressed::Others(2).to_string(), " (and 2 others since such were last said)");
}
