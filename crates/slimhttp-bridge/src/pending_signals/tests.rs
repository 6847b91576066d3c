//! What is counted. Nothing here lets a signal be sent.

use super::*;

/// The byte of Ctrl-C, as it comes from the wake-up descriptor.
const CTRL_C: u8 = 2;

#[test]
fn c8_7_a_signal_counts_while_run_serves() {
    let unheeded = Unheeded::default();
    assert!(!unheeded.note(&[CTRL_C; 9]), "nobody serves");
    unheeded.guard();
    assert!(!unheeded.note(&[0xF0, 1, 10]), "none of these ends a program");
    assert!(!unheeded.look());
    assert!(unheeded.note(&[0xF0, CTRL_C]));
    assert_eq!(unheeded.lock().came, 1);
    unheeded.release();
    assert!(!unheeded.look(), "nothing is sent once it has ended");
}

#[test]
fn c8_7_what_python_heeds_or_sends_does_not_count() {
    let unheeded = Unheeded::default();
    unheeded.guard();
    for _ in 0..5 {
        assert!(unheeded.note(&[CTRL_C, CTRL_C]));
        assert!(!unheeded.heed(), "none was sent once more");
        assert!(!unheeded.look());
    }
    for _ in 0..5 {
        unheeded.expect();
        assert!(!unheeded.note(&[CTRL_C]));
    }
    assert_eq!(unheeded.lock().came, 0);
}
