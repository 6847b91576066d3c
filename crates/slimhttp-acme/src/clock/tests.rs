//! Times as texts, and the ends of time.

use super::*;

#[test]
fn times_are_written_and_read() {
    for (seconds, written) in [
        (0, "1970-01-01T00:00:00Z"),
        (1_700_000_000, "2023-11-14T22:13:20Z"),
        (253_402_300_798, "9999-12-31T23:59:58Z"),
    ] {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(text(time), written);
        assert_eq!(parse(written), Some(time));
        assert_eq!(text(time + Duration::from_millis(999)), written);
    }
    assert_eq!(parse("2023-11-14T23:13:20.5+01:00"), parse("2023-11-14T22:13:20Z"));
    for text in ["", "yesterday", "1969-12-31T23:59:59Z", "2023-11-14", "10000-01-01T00:00:00Z"] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn no_time_is_too_far() {
    let now = SystemTime::UNIX_EPOCH;
    assert_eq!(text(after(now, Duration::MAX)), "9999-12-31T23:59:59Z");
    assert_eq!(until(after(now, Duration::from_secs(5)), now), Duration::ZERO);
    assert_eq!(until(now, after(now, Duration::from_secs(5))), Duration::from_secs(5));
    assert_eq!(seconds(-1), None);
    assert_eq!(seconds(i64::MAX), None);
}
