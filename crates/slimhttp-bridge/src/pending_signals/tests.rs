//! What is counted. Nothing here lets a signal be sent.

use super::*;

/// The byte of Ctrl-C, as it comes from the wake-up descriptor.
const CTRL_C: u8 = 2;

#[test]
fn c8_7_a_signal_counts_while_run_serves() {
    let pending_signals = PendingSignals::default();
    assert!(!pending_signals.record(&[CTRL_C; 9]), "nobody serves");
    pending_signals.begin_serving();
    assert!(!pending_signals.record(&[0xF0, 1, 10]), "none of these ends a program");
    assert!(!pending_signals.resend_due());
    assert!(pending_signals.record(&[0xF0, CTRL_C]));
    assert_eq!(pending_signals.lock().received, 1);
    pending_signals.end_serving();
    assert!(!pending_signals.resend_due(), "nothing is sent once it has ended");
}

#[test]
fn c8_7_what_python_handles_or_sends_does_not_count() {
    let pending_signals = PendingSignals::default();
    pending_signals.begin_serving();
    for _ in 0..5 {
        assert!(pending_signals.record(&[CTRL_C, CTRL_C]));
        assert!(!pending_signals.handled(), "none was sent once more");
        assert!(!pending_signals.resend_due());
    }
    for _ in 0..5 {
        pending_signals.expect();
        assert!(!pending_signals.record(&[CTRL_C]));
    }
    assert_eq!(pending_signals.lock().received, 0);
}
