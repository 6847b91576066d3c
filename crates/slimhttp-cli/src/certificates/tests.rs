//! Times as people and programs are told them, and what is soon. Whole outputs are tested from
//! outside.

use std::time::{Duration, SystemTime};

use super::*;

/// 2027-01-14 08:12:04 UTC.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_799_914_324)
}

#[test]
fn a_moment_is_told_with_how_far_it_is() {
    for (seconds, expected) in [
        (0, "2027-01-14 08:12:04 UTC, in 0 minutes"),
        (60, "2027-01-14 08:13:04 UTC, in 1 minute"),
        (3599, "2027-01-14 09:12:03 UTC, in 59 minutes"),
        (3600, "2027-01-14 09:12:04 UTC, in 1 hour"),
        (2 * 86_400 - 1, "2027-01-16 08:12:03 UTC, in 47 hours"),
        (2 * 86_400, "2027-01-16 08:12:04 UTC, in 2 days"),
        (45 * 86_400, "2027-02-28 08:12:04 UTC, in 45 days"),
    ] {
        assert_eq!(moment(now() + Duration::from_secs(seconds), now()), expected);
    }
    let past = now() - Duration::from_secs(3 * 86_400);
    assert_eq!(moment(past, now()), "2027-01-11 08:12:04 UTC, 3 days ago");
}

#[test]
fn programs_are_told_of_whole_days_and_seconds() {
    let nearly = now() + Duration::from_millis(900);
    assert_eq!(timestamp(nearly).as_deref(), Some("2027-01-14T08:12:04Z"));
    for (seconds, expected) in [(86_399, 0), (86_400, 1), (90 * 86_400, 90)] {
        assert_eq!(days_left(now() + Duration::from_secs(seconds), now()), expected);
    }
    for (seconds, expected) in [(1, -1), (86_399, -1), (86_400, -2)] {
        assert_eq!(days_left(now() - Duration::from_secs(seconds), now()), expected);
    }
}

#[test]
fn what_is_soon_depends_on_how_long_a_certificate_lives() {
    for (life, left, expected) in [
        (90, 8, false),
        (90, 7, true),
        (15, 7, true),
        (14, 7, false),
        (14, 1, true),
        (6, 2, false),
        (6, 1, true),
        (90, 0, true),
    ] {
        let days = |count: u64| Duration::from_secs(count * DAY);
        let not_after = now() + days(left);
        assert_eq!(ends_soon(not_after - days(life), not_after, now()), expected, "{life}, {left}");
    }
    assert!(ends_soon(
        now() - Duration::from_secs(90 * DAY),
        now() - Duration::from_secs(1),
        now()
    ));
}

#[test]
fn no_text_of_others_acts_upon_a_terminal() {
    assert_eq!(plain("CN=Eve\x1b[2J\u{202e}, é"), "CN=Eve\\x1b[2J\\u202e, é");
}
