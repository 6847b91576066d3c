//! Lines of failures.

use serde_json::{Value, json};

use super::*;

fn problem(document: Value) -> Problem {
    let problem: instant_acme::Problem = serde_json::from_value(document).unwrap();
    Problem::from(&problem)
}

#[test]
fn a_problem_is_one_line() {
    let urn = |kind: &str| format!("urn:ietf:params:acme:error:{kind}");
    for (document, line) in [
        (
            json!({"type": urn("dns"), "detail": "NXDOMAIN looking up A"}),
            "dns: NXDOMAIN looking up A",
        ),
        (json!({"type": urn("badCSR")}), "badCSR"),
        (json!({"type": "https://ca.example/odd"}), "https://ca.example/odd"),
        (json!({}), "about:blank"),
        (json!({"detail": "two\nlines\u{1b}[31m"}), "about:blank: two lines\\x1b[31m"),
        (
            json!({"type": urn("compound"), "detail": "Several", "subproblems": [
                {"type": urn("caa"), "detail": "CAA forbids", "identifier": {"type": "dns", "value": "a.example"}},
                {"type": urn("tls")},
            ]}),
            "compound: Several; a.example: caa: CAA forbids; : tls: ",
        ),
    ] {
        assert_eq!(problem(document).to_string(), line);
    }
    assert_eq!(Problem::of_status(502).to_string(), "status 502");
    let long = problem(json!({"detail": "x".repeat(10_000)})).to_string();
    assert_eq!(long.chars().count(), "about:blank: ".len() + LONGEST_TOLD + 1);
    let sub = json!({"type": "t", "detail": "d"});
    let many = problem(json!({"subproblems": vec![sub; 7]})).to_string();
    assert!(many.ends_with("; and 2 more"), "{many}");
}

#[test]
fn a_failure_says_what_was_to_be_done() {
    let limited =
        problem(json!({"type": "urn:ietf:params:acme:error:rateLimited", "detail": "slow"}));
    let limited = limited.of_response(429, clock::parse("2026-01-02T03:04:05Z"));
    let failure = Failure::Refused("the order", Box::new(limited.clone()));
    assert_eq!(
        failure.to_string(),
        "the authority refused the order: rateLimited: slow (not before 2026-01-02T03:04:05Z)"
    );
    assert!(failure.is("rateLimited") && !failure.is_of_authority());
    assert_eq!(failure.retry_after(), clock::parse("2026-01-02T03:04:05Z"));
    let failure = Failure::Challenge {
        name: "a.example".into(),
        challenge: ChallengeType::Http01,
        problem: Box::new(Problem { retry_after: None, ..limited }),
    };
    assert_eq!(failure.to_string(), "http-01 of a.example failed: rateLimited: slow");
    assert_eq!(failure.challenge(), Some(("a.example", ChallengeType::Http01)));
    let down = Problem { status: 503, ..Problem::default() };
    assert!(Failure::Refused("the order", Box::new(down)).is_of_authority());
    assert!(Failure::Unreachable("refused".into()).is_of_authority());
    assert!(!Failure::Late("the order").is_of_authority());
}

#[test]
fn retry_after_is_bounded() {
    let now = clock::parse("2026-01-01T00:00:00Z").unwrap();
    for (field, expected) in [
        ("120", Some("2026-01-01T00:02:00Z")),
        (" 0 ", Some("2026-01-01T00:00:00Z")),
        ("18446744073709551615", Some("2026-02-01T00:00:00Z")),
        ("Thu, 01 Jan 2026 01:00:00 GMT", Some("2026-01-01T01:00:00Z")),
        ("Wed, 31 Dec 2025 01:00:00 GMT", Some("2026-01-01T00:00:00Z")),
        ("Fri, 01 Jan 2100 01:00:00 GMT", Some("2026-02-01T00:00:00Z")),
        ("soon", None),
        ("-1", None),
    ] {
        assert_eq!(retry_after(field, now).map(clock::text).as_deref(), expected, "{field}");
    }
}
