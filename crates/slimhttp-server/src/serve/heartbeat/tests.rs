//! Hearts that beat, have stopped, or have not begun.

use super::*;

#[test]
fn a_thread_goes_on_for_a_while_after_it_has_looked() {
    let heartbeat = Heartbeat::default();
    let second = Duration::from_secs(1);
    heartbeat.0.store(5_000, Ordering::Relaxed);
    for (now, expected) in [(5_000, true), (6_000, true), (6_001, false), (4_000, true)] {
        assert_eq!(heartbeat.is_within(second, now), expected, "{now}");
    }
    assert!(!Heartbeat::default().is_within(second, 5_000), "it has never looked");
    heartbeat.beat();
    assert!(heartbeat.is_within(second, clock::milliseconds()));
}
