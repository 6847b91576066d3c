//! What is said of certificates that end, and when.

use time::macros::datetime;

use super::*;

const END: OffsetDateTime = datetime!(2030-06-01 12:00 UTC);

fn facts(number: u8, lifetime: Duration) -> CertificateFacts {
    CertificateFacts {
        names: Vec::new(),
        issuer: String::new(),
        serial: String::new(),
        not_before: END - lifetime,
        not_after: END,
        key: String::new(),
        fingerprint: [number; 32],
    }
}

#[test]
fn c10_2_the_end_of_a_certificate_is_told_at_thirty_seven_and_one_days_and_when_it_is_over() {
    let facts = facts(1, Duration::days(365));
    let mut log = ExpiryLog::default();
    let ends = "a.pem ends on 2030-06-01 (UTC): renew it";
    for (before_end, said) in [
        (Duration::days(31), None),
        (Duration::days(30), Some(ends)),
        (Duration::days(29), None),
        (Duration::days(8), None),
        (Duration::days(7), Some(ends)),
        (Duration::days(2), None),
        (Duration::hours(23), Some(ends)),
        (Duration::hours(22), None),
        (Duration::ZERO, None),
        (
            -Duration::seconds(1),
            Some("a.pem ended on 2030-06-01 (UTC), and clients refuse it: renew it"),
        ),
        (-Duration::days(40), None),
    ] {
        let lines = log.tell([("a.pem", &facts)].into_iter(), END - before_end);
        assert_eq!(lines, said.into_iter().collect::<Vec<_>>(), "{before_end}");
    }
}

#[test]
fn each_certificate_is_told_once_and_anew_when_it_comes_back() {
    let (one, other) = (facts(1, Duration::days(365)), facts(2, Duration::days(365)));
    let now = END - Duration::days(3);
    let mut log = ExpiryLog::default();
    let both = || [("a.pem", &one), ("b.pem", &other), ("again.pem", &one)].into_iter();
    assert_eq!(log.tell(both(), now).len(), 2, "each once, wherever it stands");
    assert_eq!(log.tell(both(), now).len(), 0);
    log.retain([&other].into_iter());
    assert_eq!(log.tell(both(), now), ["a.pem ends on 2030-06-01 (UTC): renew it"]);
}

#[test]
fn of_one_that_lives_for_a_week_the_last_day_alone_is_told() {
    for (lifetime, told) in [(6, vec![1]), (20, vec![7, 1]), (90, vec![30, 7, 1]), (1, vec![])] {
        let facts = facts(1, Duration::days(lifetime));
        let mut log = ExpiryLog::default();
        let days = (0..=lifetime.min(40)).rev();
        let found = days.filter(|days| {
            let now = END - Duration::days(*days);
            *days > 0 && !log.tell([("a", &facts)].into_iter(), now).is_empty()
        });
        assert_eq!(found.collect::<Vec<_>>(), told, "{lifetime} days");
    }
}

#[test]
fn one_that_is_not_valid_yet_is_told_once() {
    let facts = facts(1, Duration::days(100));
    let mut log = ExpiryLog::default();
    let begin = END - Duration::days(100);
    let line = "a is valid from 2030-02-21 (UTC) on only";
    assert_eq!(log.tell([("a", &facts)].into_iter(), begin - Duration::days(1)), [line]);
    for now in [begin - Duration::hours(1), begin + Duration::hours(1)] {
        assert_eq!(log.tell([("a", &facts)].into_iter(), now), Vec::<String>::new());
    }
}
