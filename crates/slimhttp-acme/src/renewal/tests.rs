//! When a certificate is renewed, and when a failure is followed by another attempt.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn at(text: &str) -> SystemTime {
    clock::parse(text).unwrap_or_else(|| panic!("{text}"))
}

/// The first of January, and so many days later.
fn day(days: u32) -> SystemTime {
    at("2026-01-01T00:00:00Z") + DAY * days
}

/// A life from the first of January on.
fn life(days: u32) -> Life<'static> {
    Life { not_before: day(0), not_after: day(days), id: Some("a.b") }
}

fn ari(selected: Option<SystemTime>, next_check: SystemTime) -> Ari {
    Ari { id: "a.b".into(), window: None, selected, explanation: None, next_check }
}

#[test]
fn c10_4_a_certificate_is_renewed_in_time() {
    let timing = Timing::default();
    for (length, said, expected) in [
        // A third of the life is left, half of a short one.
        (90, None, day(60)),
        (45, None, day(30)),
        (6, None, day(3)),
        // The authority says when; but never when it is too late.
        (90, Some(day(40)), day(40)),
        (90, Some(day(89)), day(81)),
        (90, Some(day(0) - DAY), day(0) - DAY),
    ] {
        let meta = Meta { ari: said.map(|time| ari(Some(time), day(200))), ..Meta::default() };
        assert_eq!(renew_at(life(length), &meta, &timing), expected, "{length} {said:?}");
    }
    // What is said of another certificate is of no use.
    let meta = Meta { ari: Some(ari(Some(day(1)), day(200))), ..Meta::default() };
    assert_eq!(renew_at(Life { id: Some("c.d"), ..life(90) }, &meta, &timing), day(60));
    // One that is due as soon as it comes is not ordered again and again.
    let meta = Meta { obtained: Some(day(70)), ..meta };
    assert_eq!(renew_at(life(90), &meta, &timing), day(70) + HOUR * 6);
    let short = Life { not_after: day(0) + HOUR, ..life(1) };
    assert_eq!(renew_at(short, &meta, &timing), day(70) + HOUR / 10);
}

#[test]
fn c10_4_what_is_due() {
    let timing = Timing::default();
    let said =
        |selected, next_check| Meta { ari: Some(ari(selected, next_check)), ..Meta::default() };
    let failed = |next| Meta { next_attempt: Some(next), ..said(None, day(200)) };
    for (now, life, meta, expected) in [
        (day(0), None, Meta::default(), Due::Obtain),
        (day(0), None, failed(day(1)), Due::Nothing(day(1))),
        (day(1), None, failed(day(1)), Due::Obtain),
        (day(0), Some(life(90)), Meta::default(), Due::Check),
        (day(1), Some(life(90)), said(None, day(1)), Due::Check),
        (day(0), Some(life(90)), said(None, day(1)), Due::Nothing(day(1))),
        (day(0), Some(life(90)), said(None, day(200)), Due::Nothing(day(60))),
        (day(60), Some(life(90)), said(None, day(200)), Due::Obtain),
        (day(10), Some(life(90)), said(Some(day(10)), day(11)), Due::Obtain),
        (day(61), Some(life(90)), failed(day(62)), Due::Nothing(day(62))),
        (day(62), Some(life(90)), failed(day(62)), Due::Obtain),
        // Of one that has ended nobody is asked.
        (day(90), Some(life(90)), Meta::default(), Due::Obtain),
        // Nor of one that no authority has a name for.
        (day(0), Some(Life { id: None, ..life(90) }), Meta::default(), Due::Nothing(day(60))),
    ] {
        assert_eq!(due(now, life, &meta, &timing), expected, "{now:?} {life:?} {meta:?}");
    }
}

#[test]
fn c10_4_a_moment_within_the_window_stays() {
    let timing = Timing::default();
    let info = |start, end, retry_after| {
        Some(RenewalInfo { start, end, explanation: Some("why".into()), retry_after })
    };
    let checked =
        |window, before: Option<&Ari>| checked("a.b", window, before, day(5), &timing, 0.5);
    let first = checked(info(day(10), day(20), Some(day(5) + HOUR)), None);
    let expected = Ari {
        window: Some((day(10), day(20))),
        explanation: Some("why".into()),
        ..ari(Some(day(15)), day(5) + HOUR)
    };
    assert_eq!(first, expected);
    for (before, window, selected, next_check) in [
        // As long as it is within, it is not chosen anew.
        (ari(Some(day(12)), day(5)), info(day(10), day(20), None), Some(day(12)), HOUR * 6),
        (ari(Some(day(9)), day(5)), info(day(10), day(20), None), Some(day(15)), HOUR * 6),
        (ari(Some(day(20)), day(5)), info(day(10), day(20), None), Some(day(15)), HOUR * 6),
        // RFC 9773 section 4.3: within bounds.
        (ari(None, day(5)), info(day(1), day(3), Some(day(5))), Some(day(2)), HOUR / 60),
        (ari(None, day(5)), info(day(1), day(3), Some(day(90))), Some(day(2)), DAY),
        // It has stopped saying anything.
        (ari(Some(day(12)), day(5)), None, None, DAY),
    ] {
        let found = checked(window.clone(), Some(&before));
        assert_eq!(
            (found.selected, found.next_check),
            (selected, day(5) + next_check),
            "{window:?}"
        );
    }
    // Of another certificate.
    let other = Ari { id: "c.d".into(), ..ari(Some(day(12)), day(5)) };
    assert_eq!(checked(info(day(10), day(20), None), Some(&other)).selected, Some(day(15)));
}

#[test]
fn c10_4_what_was_said_holds_while_nobody_answers() {
    let timing = Timing::default();
    let before = ari(Some(day(12)), day(5));
    let found = unchecked("a.b", Some(&before), day(5), &timing, 0.5);
    assert_eq!(found, ari(Some(day(12)), day(5) + HOUR * 3 / 2));
    assert_eq!(unchecked("c.d", Some(&before), day(5), &timing, 0.0).selected, None);
}

#[test]
fn c10_4_attempts_come_later_each_time_and_never_before_they_may() {
    let timing = Timing::default();
    let wait = |attempts, chance| {
        let next = retry_at(day(0), attempts, None, &timing, chance);
        next.duration_since(day(0)).unwrap().as_secs()
    };
    let waits: Vec<_> = (1..=12).map(|attempts| wait(attempts, 0.0)).collect();
    let expected = [120, 240, 480, 960, 1920, 3840, 7680, 15360, 21600, 21600, 21600, 21600];
    assert_eq!(waits, expected);
    // Five failures in an hour is what the usual authority allows a name.
    assert!(waits[..5].iter().sum::<u64>() > 3600);
    // Chance only ever makes it later.
    assert_eq!((wait(1, 0.5), wait(u32::MAX, 1.0), wait(0, 0.0)), (135, 27000, 120));
    // The authority's own time holds where it is later.
    let allowed = |time| retry_at(day(0), 1, Some(time), &timing, 0.0);
    assert_eq!(allowed(day(3)), day(3));
    assert_eq!(allowed(day(0)), day(0) + Duration::from_secs(120));
    let pause = |failures| pause_until(day(0), failures, None, &timing, 0.0);
    let seconds = |time: SystemTime| time.duration_since(day(0)).unwrap().as_secs();
    assert_eq!([1, 2, 3, 9].map(pause).map(seconds), [30, 60, 120, 1800]);
    assert_eq!(pause_until(day(0), 1, Some(day(1)), &timing, 0.0), day(1));
}
