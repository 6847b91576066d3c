//! What an authority says, as the library is given it, and as it is understood.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use instant_acme::{AuthorizationState, Error};
use serde_json::{Value, json};
use slimhttp_site::acme::ChallengeType;

use super::client::{check, is_harmless, next_page};
use super::order::{names_of, read};
use super::renewal::window_of;
use super::*;
use crate::clock::{self, SystemClock};
use crate::https::{Repeat, Reply, Request};

fn reply(status: u16, fields: &[(&'static str, &str)], content: &str) -> Reply {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    Reply { status, fields: map, content: Bytes::copy_from_slice(content.as_bytes()) }
}

/// What the library is given of a reply, and what was seen of it.
fn checked(method: Method, is_directory: bool, reply: Reply) -> (Result<Reply, Error>, Seen) {
    let seen = Seen::new(Arc::new(SystemClock));
    seen.see(&reply);
    let request = Request {
        method,
        url: Url::parse("https://ca.example/1").unwrap(),
        fields: HeaderMap::new(),
        content: Bytes::new(),
        repeat: Repeat::Harmless,
    };
    (check(&request, reply, is_directory, &seen), seen)
}

#[test]
fn a_refusal_is_told_however_it_is_said() {
    let problem = r#"{"type": "urn:ietf:params:acme:error:unauthorized", "detail": "no"}"#;
    for (status, content, expected) in [
        (403, problem, "unauthorized: no"),
        // Of a proxy in between.
        (502, "<html>Bad Gateway</html>", "status 502"),
        (404, "{}", "status 404"),
        (500, "", "status 500"),
    ] {
        // The library reads a document of a signed request.
        let reply = || reply(status, &[("retry-after", "120")], content);
        let (passed, seen) = checked(Method::POST, false, reply());
        let document: instant_acme::Problem =
            serde_json::from_slice(&passed.unwrap().content).unwrap();
        let said = failure("the order", Error::Api(document), &seen);
        assert_eq!(said.problem().map(|problem| problem.status), Some(status));
        let said = said.to_string();
        let start = format!("the authority refused the order: {expected} (not before ");
        assert!(said.starts_with(&start), "{said}");
        // Of others it takes whatever comes.
        let (refused, seen) = checked(Method::GET, true, reply());
        let said = failure("the account", refused.unwrap_err(), &seen).to_string();
        let start = format!("the authority refused its directory: {expected} (not before ");
        assert!(said.starts_with(&start), "{said}");
    }
}

#[test]
fn an_error_of_the_library_is_told() {
    let seen = Seen::new(Arc::new(SystemClock));
    let unreachable = Failure::Unreachable("ca.example: refused".to_owned());
    for (error, expected) in [
        (Error::Other(Box::new(unreachable.clone())), unreachable.to_string()),
        (
            Error::Str("no nonce found"),
            "the authority answered unexpectedly: the order: missing data: no nonce found"
                .to_owned(),
        ),
        (
            Error::Other("odd\u{1b}".into()),
            "the authority answered unexpectedly: the order: odd\\x1b".to_owned(),
        ),
        (Error::Unsupported("ARI"), "the authority does not support ARI".to_owned()),
    ] {
        assert_eq!(failure("the order", error, &seen).to_string(), expected);
    }
}

#[test]
fn when_to_renew_may_be_said_without_when_to_ask_again() {
    for (is_directory, fields, expected) in [
        (false, &[][..], Some("21600")),
        (false, &[("retry-after", "60")], Some("60")),
        (false, &[("retry-after", "soon")], Some("21600")),
        (true, &[], None),
    ] {
        let (passed, _) = checked(Method::GET, is_directory, reply(200, fields, "{}"));
        assert_eq!(passed.unwrap().field("retry-after"), expected, "{fields:?}");
    }
}

#[test]
fn what_nothing_comes_of_may_be_sent_twice() {
    let signed = |payload: &str| json!({"payload": payload, "protected": "e30"}).to_string();
    for (method, content, expected) in [
        (Method::GET, String::new(), true),
        (Method::HEAD, String::new(), true),
        (Method::POST, signed(""), true),
        (Method::POST, signed("e30"), true),
        (Method::POST, signed("eyJhIjoxfQ"), false),
        (Method::POST, "nonsense".to_owned(), false),
        (Method::POST, json!({"payload": null}).to_string(), false),
    ] {
        assert_eq!(is_harmless(&method, content.as_bytes()), expected, "{method} {content}");
    }
}

#[test]
fn the_next_page_is_the_one_that_is_linked() {
    for (links, expected) in [
        (&["<https://ca.example/orders?cursor=2>;rel=\"next\""][..], Some("/orders?cursor=2")),
        (&["<https://ca.example/dir>;rel=\"index\", <https://ca.example/2>; rel=next"], Some("/2")),
        (
            &["<https://ca.example/dir>;rel=\"index\"", "<https://ca.example/3>;rel=\"next\""],
            Some("/3"),
        ),
        (&["<https://ca.example/dir>;rel=\"index\"", "nonsense"], None),
        (&[], None),
    ] {
        let fields: Vec<_> = links.iter().map(|link| ("link", *link)).collect();
        let next = next_page(&reply(200, &fields, ""));
        let next = next.as_deref().and_then(|next| next.strip_prefix("https://ca.example"));
        assert_eq!(next, expected, "{links:?}");
    }
}

#[test]
fn what_an_order_is_for_is_understood_or_nothing() {
    let dns = |name: &str| json!({"type": "dns", "value": name});
    for (identifiers, expected) in [
        (json!([dns("*.a.example"), {"type": "ip", "value": "::1"}]), Some("*.a.example, ::1")),
        (json!([{"type": "ip", "value": "a.example"}]), None),
        (json!([dns("a.example"), {"type": "x", "value": "b.example"}]), None),
        (json!([dns("a b")]), None),
        (json!([]), None),
        (Value::Null, None),
    ] {
        let names = names_of(&json!({"identifiers": identifiers}));
        assert_eq!(names.map(|names| names.to_string()).as_deref(), expected, "{identifiers}");
    }
}

fn authorization(object: Value) -> Result<Authorization, Failure> {
    let state: AuthorizationState = serde_json::from_value(object).unwrap();
    read(&state, "https://ca.example/a", "thumbprint")
}

#[test]
fn an_authorization_is_read_with_what_is_offered() {
    let whole = json!({
        "status": "pending", "identifier": {"type": "dns", "value": "a.example"}, "wildcard": true,
        "challenges": [
            {"type": "http-01", "url": "https://ca.example/1", "token": "t-1", "status": "pending"},
            {"type": "dns-persist-01", "url": "https://ca.example/2", "status": "pending"},
            {"type": "dns-01", "url": "https://ca.example/3", "token": "t-3", "status": "invalid",
             "error": {"type": "urn:ietf:params:acme:error:dns", "detail": "NXDOMAIN"}},
        ],
    });
    let read = authorization(whole.clone()).unwrap();
    assert_eq!(
        (read.to_string(), read.status),
        ("*.a.example".into(), AuthorizationStatus::Pending)
    );
    assert_eq!(read.offered, ["http-01", "dns-persist-01", "dns-01"]);
    let kinds: Vec<_> = read.challenges.iter().map(|it| (it.kind, &*it.answer)).collect();
    let expected =
        [(ChallengeType::Http01, "t-1.thumbprint"), (ChallengeType::Dns01, "t-3.thumbprint")];
    assert_eq!(kinds, expected);
    let error = read.challenges[1].error.as_ref().map(ToString::to_string);
    assert_eq!(error.as_deref(), Some("dns: NXDOMAIN"));
    for status in ["invalid", "expired", "revoked", "deactivated"] {
        let mut object = whole.clone();
        object["status"] = json!(status);
        assert_eq!(authorization(object).unwrap().status, AuthorizationStatus::Over);
    }
    // A token becomes the name of a file.
    let mut object = whole.clone();
    object["challenges"][0]["token"] = json!("../../key");
    let error = authorization(object).unwrap_err().to_string();
    assert!(error.ends_with("a challenge with the token `../../key`"), "{error}");
    let mut object = whole;
    object["identifier"]["value"] = json!("a/b");
    let error = authorization(object).unwrap_err().to_string();
    assert!(error.ends_with("an authorization for `a/b`"), "{error}");
}

#[test]
fn an_order_is_asked_about_within_bounds() {
    let now = clock::seconds(1_800_000_000).unwrap();
    let wait = |attempt, asked: Option<u64>| {
        let asked = asked.map(|seconds| now + Duration::from_secs(seconds));
        next_poll(now, attempt, asked).duration_since(now).unwrap().as_millis()
    };
    let waits = [0, 1, 2, 5, 30].map(|attempt| wait(attempt, None));
    assert_eq!(waits, [250, 500, 1000, 8000, 10_000]);
    assert_eq!([0, 3, 3600].map(|seconds| wait(0, Some(seconds))), [250, 3000, 60_000]);
}

#[test]
fn a_window_is_one_that_ends_after_it_starts() {
    let time = |seconds: i64| clock::seconds(1_800_000_000 + seconds);
    assert_eq!(window_of(time(1), time(2)).unwrap(), (time(1).unwrap(), time(2).unwrap()));
    for (start, end) in [(time(2), time(1)), (time(1), time(1)), (None, time(1)), (time(1), None)] {
        let error = window_of(start, end).unwrap_err().to_string();
        assert_eq!(error, "the authority answered unexpectedly: the time to renew is no window");
    }
}

#[test]
fn a_key_is_read_as_it_was_written() {
    let pem = generate_key();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n") && is_key(pem.as_bytes()), "{pem}");
    assert!(!is_key(b"no key"));
    let other = crate::certificate::generate_key(slimhttp_site::acme::KeyType::P384);
    assert!(!is_key(other.as_bytes()));
}
