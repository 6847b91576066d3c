//! What an authority says, as it is understood.

use http::HeaderMap;
use serde_json::json;
use slimhttp_site::acme::ChallengeType;

use super::order::next_page;
use super::*;

fn reply(status: u16, fields: &[(&'static str, &str)], content: &str) -> Reply {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(*name, value.parse().unwrap());
    }
    Reply { status, fields: map, content: content.as_bytes().to_vec() }
}

fn authority() -> Authority {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ));
    let tls = tls.with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let url = Url::parse("https://ca.example/directory").unwrap();
    Authority::new(url, Https::new(Arc::new(tls)), Arc::new(crate::clock::SystemClock))
}

#[test]
fn a_directory_says_where_to_ask() {
    let whole = json!({
        "newNonce": "https://ca.example/nonce", "newAccount": "https://ca.example/account",
        "newOrder": "https://ca.example/order", "keyChange": "https://ca.example/key",
        "renewalInfo": "https://ca.example/renewal",
        "meta": {"profiles": {"classic": "x", "shortlived": "y"}},
        "newAuthz": null, "x": 1,
    });
    let directory = Directory::read(&whole).unwrap();
    assert_eq!(directory.new_order.target, "/order");
    assert_eq!(directory.renewal_info.map(|url| url.target).as_deref(), Some("/renewal"));
    assert_eq!(directory.profiles, ["classic", "shortlived"]);
    for (key, value, expected) in [
        ("newNonce", Value::Null, "its directory has no `newNonce`"),
        ("newOrder", json!("http://ca.example/"), "`http://ca.example/` is no `https` URL"),
        ("keyChange", json!(5), "`keyChange` is `5` and no URL"),
    ] {
        let mut object = whole.clone();
        object[key] = value;
        let error = Directory::read(&object).unwrap_err().to_string();
        assert_eq!(error, format!("the authority answered unexpectedly: {expected}"));
    }
}

#[test]
fn a_refusal_is_told_however_it_is_said() {
    let authority = authority();
    let told = |status, fields: &[_], content| {
        authority.check("the order", reply(status, fields, content)).unwrap_err()
    };
    for (status, content, expected) in [
        (
            403,
            r#"{"type": "urn:ietf:params:acme:error:unauthorized", "detail": "no"}"#,
            "unauthorized: no",
        ),
        // Of a proxy in between.
        (502, "<html>Bad Gateway</html>", "status 502"),
        (404, "{}", "status 404"),
        (500, "", "status 500"),
    ] {
        let expected = format!("the authority refused the order: {expected}");
        assert_eq!(told(status, &[], content).to_string(), expected);
    }
    let later = told(503, &[("retry-after", "120")], "").retry_after().unwrap();
    let wait = later.duration_since(SystemTime::now()).unwrap().as_secs();
    assert!((118..=120).contains(&wait), "{wait}");
    assert!(authority.check("it", reply(200, &[], "")).is_ok());
}

#[test]
fn nonces_are_kept_and_are_nothing_else() {
    let authority = authority();
    for nonce in ["a-_9", "", "a b", "a\"}", "a=", &"a".repeat(300)] {
        authority.keep_nonce(&reply(200, &[("replay-nonce", nonce)], ""));
    }
    let expected = ["a-_9", ""];
    assert_eq!(*authority.nonces.lock(), expected);
    for _ in 0..20 {
        authority.keep_nonce(&reply(200, &[("replay-nonce", "b")], ""));
    }
    assert_eq!(authority.nonces.lock().len(), KEPT_NONCES);
}

#[test]
fn the_next_page_is_the_one_that_is_linked() {
    let page = Url::parse("https://ca.example/orders").unwrap();
    for (links, expected) in [
        (&["<https://ca.example/orders?cursor=2>;rel=\"next\""][..], Some("/orders?cursor=2")),
        (&["<https://ca.example/dir>;rel=\"index\", <https://ca.example/2>; rel=next"], Some("/2")),
        (
            &["<https://ca.example/dir>;rel=\"index\"", "<https://ca.example/3>;rel=\"next\""],
            Some("/3"),
        ),
        (&["<https://ca.example/dir>;rel=\"index\""], None),
        // One that leads to itself leads nowhere.
        (&["<https://ca.example/orders>;rel=\"next\""], None),
        (&["<http://ca.example/2>;rel=\"next\"", "nonsense"], None),
        (&[], None),
    ] {
        let fields: Vec<_> = links.iter().map(|link| ("link", *link)).collect();
        let next = next_page(&reply(200, &fields, ""), &page).map(|url| url.target);
        assert_eq!(next.as_deref(), expected, "{links:?}");
    }
}

#[test]
fn an_order_is_read_or_refused() {
    let url = || Url::parse("https://ca.example/order/1").unwrap();
    let whole = json!({
        "status": "ready", "finalize": "https://ca.example/finalize",
        "identifiers": [{"type": "dns", "value": "*.a.example"}, {"type": "ip", "value": "::1"}],
        "authorizations": ["https://ca.example/authorization"],
    });
    let order = Order::read(url(), &whole).unwrap();
    assert_eq!(order.status, OrderStatus::Ready);
    assert_eq!(order.names.map(|names| names.to_string()).as_deref(), Some("*.a.example, ::1"));
    // One that is not understood is none of ours.
    for odd in [json!([{"type": "ip", "value": "a.example"}]), json!([{"type": "x"}]), json!([])] {
        let mut object = whole.clone();
        object["identifiers"] = odd;
        assert_eq!(Order::read(url(), &object).unwrap().names, None);
    }
    for (key, value, expected) in [
        ("status", json!("odd"), "the status of the order is `odd`"),
        ("status", Value::Null, "the status of the order is none that is usable"),
        ("finalize", Value::Null, "the order has no `finalize`"),
        ("authorizations", json!(["x"]), "`x` is no `https` URL"),
        (
            "authorizations",
            json!(vec!["https://ca.example/"; 101]),
            "the number of authorizations of the order is none that is usable",
        ),
    ] {
        let mut object = whole.clone();
        object[key] = value;
        let error = Order::read(url(), &object).unwrap_err().to_string();
        assert_eq!(error, format!("the authority answered unexpectedly: {expected}"));
    }
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
    let authorization = Authorization::read(&whole).unwrap();
    assert_eq!(authorization.to_string(), "*.a.example");
    assert_eq!(authorization.offered, ["http-01", "dns-persist-01", "dns-01"]);
    let kinds: Vec<_> = authorization.challenges.iter().map(|challenge| challenge.kind).collect();
    assert_eq!(kinds, [ChallengeType::Http01, ChallengeType::Dns01]);
    let error = authorization.challenges[1].error.as_ref().map(ToString::to_string);
    assert_eq!(error.as_deref(), Some("dns: NXDOMAIN"));
    // A token becomes the name of a file.
    let mut object = whole.clone();
    object["challenges"][0]["token"] = json!("../../key");
    let error = Authorization::read(&object).unwrap_err().to_string();
    assert!(error.ends_with("the token of the challenge is `../../key`"), "{error}");
    let mut object = whole;
    object["status"] = json!("odd");
    assert!(Authorization::read(&object).is_err());
}

#[test]
fn an_order_is_asked_about_within_bounds() {
    let now = crate::clock::seconds(1_800_000_000).unwrap();
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
    let read = |start: &str, end: &str| {
        let object =
            json!({"suggestedWindow": {"start": start, "end": end}, "explanationURL": "x"});
        renewal::read(&object)
    };
    assert!(read("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z").is_ok());
    for (start, end) in [
        ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("x", "y"),
    ] {
        let error = read(start, end).unwrap_err().to_string();
        assert_eq!(error, "the authority answered unexpectedly: the time to renew is no window");
    }
}
