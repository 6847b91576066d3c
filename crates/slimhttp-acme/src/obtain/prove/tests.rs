//! Which challenge is answered.

use super::*;

use ChallengeType::{Dns01, Http01, TlsAlpn01};

fn authorization(name: &str, offered: &[ChallengeType]) -> Authorization {
    let identifier = Identifier::parse(name.trim_start_matches("*.")).unwrap();
    let challenge = |kind: &ChallengeType| Challenge {
        kind: *kind,
        token: "token".to_owned(),
        answer: "token.thumbprint".to_owned(),
        status: ChallengeStatus::Pending,
        error: None,
    };
    Authorization {
        url: "https://ca.example/1".to_owned(),
        identifier,
        wildcard: name.starts_with("*."),
        status: AuthorizationStatus::Pending,
        challenges: offered.iter().map(challenge).collect(),
        offered: offered.iter().map(ToString::to_string).chain(["odd-01".to_owned()]).collect(),
    }
}

fn chosen(
    name: &str,
    offered: &[ChallengeType],
    preferred: &[ChallengeType],
    failed: &[ChallengeType],
) -> Vec<ChallengeType> {
    let authorization = authorization(name, offered);
    usable(&authorization, preferred, failed).iter().map(|challenge| challenge.kind).collect()
}

#[test]
fn c10_4_challenges_are_tried_as_they_are_preferred() {
    let all = [Http01, TlsAlpn01, Dns01];
    for (name, offered, preferred, failed, expected) in [
        ("a.example", &all[..], &all[..], &[][..], &all[..]),
        ("a.example", &all, &[Dns01, Http01], &[], &[Dns01, Http01]),
        ("a.example", &[Dns01, TlsAlpn01], &all, &[], &[TlsAlpn01, Dns01]),
        ("a.example", &[Dns01], &[Http01], &[], &[]),
        // Those that have failed come last, the one that did last at the end.
        ("a.example", &all, &all, &[Http01], &[TlsAlpn01, Dns01, Http01]),
        ("a.example", &all, &all, &[TlsAlpn01, Http01], &[Dns01, TlsAlpn01, Http01]),
        ("a.example", &all, &[Http01], &[Http01], &[Http01]),
        // A wildcard by a record alone, an address by none.
        ("*.a.example", &all, &all, &[], &[Dns01]),
        ("*.a.example", &all, &[Http01, TlsAlpn01], &[], &[]),
        ("127.0.0.1", &all, &[Dns01, TlsAlpn01, Http01], &[], &[TlsAlpn01, Http01]),
    ] {
        assert_eq!(chosen(name, offered, preferred, failed), expected, "{name} {preferred:?}");
    }
}

#[test]
fn a_challenge_that_is_looked_at_is_the_only_one() {
    let mut authorization = authorization("a.example", &[Http01, Dns01]);
    authorization.challenges[1].status = ChallengeStatus::Processing;
    let usable = usable(&authorization, &[Http01], &[]);
    assert_eq!(usable.iter().map(|it| it.kind).collect::<Vec<_>>(), [Dns01]);
}

#[test]
fn no_challenge_is_told_with_what_there_is() {
    let authorization = authorization("*.a.example", &[Http01]);
    assert_eq!(
        no_challenge(&authorization, &[Http01, TlsAlpn01]).to_string(),
        "no way to prove *.a.example: the authority offers http-01, odd-01; `acme.challenge` says \
         http-01, tls-alpn-01, and a wildcard may be proven by dns-01"
    );
}

#[test]
fn c10_4_a_record_is_that_of_rfc_8555() {
    let name = Identifier::parse("*.a.example").unwrap();
    let (name, value) = record_of(&name, "token.thumbprint").unwrap();
    assert_eq!(name, "_acme-challenge.a.example");
    // SHA-256 in base64url has 43 bytes.
    assert_eq!(value.len(), 43);
    assert_ne!(value, record_of(&Identifier::parse("a.example").unwrap(), "other").unwrap().1);
    assert!(record_of(&Identifier::parse("::1").unwrap(), "x").is_err());
}

#[test]
fn why_a_name_is_not_proven_is_what_its_challenge_says() {
    let mut authorization = authorization("*.a.example", &[Http01, Dns01]);
    let problem = Problem { kind: "dns".into(), ..Problem::default() };
    authorization.challenges[1].error = Some(problem);
    assert_eq!(why_over(&authorization), None);
    authorization.status = AuthorizationStatus::Over;
    let why = why_over(&authorization).map(|failure| failure.to_string());
    assert_eq!(why.as_deref(), Some("dns-01 of *.a.example failed: dns"));
    authorization.challenges.clear();
    assert_eq!(why_over(&authorization), None);
}
