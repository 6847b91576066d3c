//! Which requests are the same, and when a response is over.

use std::net::Ipv4Addr;

use http::{HeaderMap, StatusCode};
use slimhttp_http1::{Limits, RequestEvent, Scratch, Server};

use super::*;

fn key_of(head: &str) -> Option<Key> {
    key_under(head, OVER_PLAIN_TCP)
}

fn key_under(head: &str, conditions: Conditions) -> Option<Key> {
    let mut engine = Server::new(Limits { max_head: 1000, max_fields: 10, max_target: 100 });
    let (whole, mut scratch) = (format!("{head}\r\n\r\n"), Scratch::default());
    match engine.read(whole.as_bytes(), &mut scratch).expect("a request").event {
        RequestEvent::Head(head) => key(&head, conditions).filter(|_| engine.may_send_prepared()),
        event => panic!("{event:?}"),
    }
}

const OVER_PLAIN_TCP: Conditions = Conditions {
    generation: 1,
    tls: false,
    port: 80,
    varies_by_origin: true,
    varies_by_scheme: true,
    peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
};

const PLAIN: &str = "GET /a HTTP/1.1\r\nHost: a";

#[test]
fn what_files_do_not_look_at_makes_no_difference() {
    for fields in [
        "User-Agent: x",
        "Accept-Language: de",
        "Cookie: a=b",
        "Referer: /",
        "Connection: keep-alive",
        "X-Forwarded-For: 1.2.3.4",
    ] {
        assert_eq!(key_of(&format!("{PLAIN}\r\n{fields}")), key_of(PLAIN), "{fields}");
    }
}

#[test]
fn what_files_look_at_makes_another_key() {
    let others = [
        "GET /b HTTP/1.1\r\nHost: a",
        "GET /a?x HTTP/1.1\r\nHost: a",
        "HEAD /a HTTP/1.1\r\nHost: a",
        "GET /a HTTP/1.1\r\nHost: b",
        "GET /a HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip",
        "GET /a HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br",
        "GET /a HTTP/1.1\r\nHost: a\r\nAccept: gzip",
        "GET /a HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"x\"",
        "GET /a HTTP/1.1\r\nHost: a\r\nSec-Fetch-Dest: image",
        "GET /a HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example",
        "GET /a HTTP/1.1\r\nHost: a\r\nOrigin: https://b.example",
    ];
    for (place, one) in others.iter().enumerate() {
        let key = key_of(one);
        assert!(key.is_some() && key != key_of(PLAIN), "{one}");
        for other in &others[..place] {
            assert_ne!(key, key_of(other), "{one} {other}");
        }
    }
    let tls = key_under(PLAIN, Conditions { tls: true, ..OVER_PLAIN_TCP });
    assert_ne!(key_of(PLAIN), tls, "over TLS");
    let elsewhere = key_under(PLAIN, Conditions { port: 81, ..OVER_PLAIN_TCP });
    assert_ne!(key_of(PLAIN), elsewhere, "at another port");
    let changed = key_under(PLAIN, Conditions { generation: 2, ..OVER_PLAIN_TCP });
    assert_ne!(key_of(PLAIN), changed, "after a change");
}

#[test]
fn c10_3_what_a_proxy_says_of_the_scheme_makes_another_key() {
    let proxy = Conditions { peer: Ipv4Addr::new(10, 0, 0, 1).into(), ..OVER_PLAIN_TCP };
    let nobody_asks = Conditions { varies_by_scheme: false, ..OVER_PLAIN_TCP };
    let (https, http) = ("X-Forwarded-Proto: https", "X-Forwarded-Proto: http");
    let of = |field: &str, conditions| key_under(&format!("{PLAIN}\r\n{field}"), conditions);
    let keys = [
        key_of(PLAIN),
        of(https, OVER_PLAIN_TCP),
        of(http, OVER_PLAIN_TCP),
        // Whether it is believed depends on who says so.
        of(https, proxy),
        of(http, proxy),
        of(&format!("{https}\r\n{http}"), proxy),
        of("X-Forwarded-Proto: http, https", proxy),
    ];
    for (place, one) in keys.iter().enumerate() {
        assert!(one.is_some() && !keys[..place].contains(one), "{place}");
    }
    // The client stands there too, so that it would be another one each time.
    assert_eq!(of("Forwarded: for=1.2.3.4;proto=https", proxy), None);
    // Where the scheme decides nothing, neither do they.
    for field in [https, http, "Forwarded: for=1.2.3.4;proto=https"] {
        assert_eq!(of(field, nobody_asks), key_under(PLAIN, nobody_asks), "{field}");
    }
    assert_eq!(key_under(PLAIN, proxy), key_of(PLAIN), "of whoever says nothing");
}

#[test]
fn an_origin_makes_no_difference_where_no_scope_has_cors() {
    let conditions = Conditions { varies_by_origin: false, ..OVER_PLAIN_TCP };
    let plain = key_under(PLAIN, conditions);
    assert!(plain.is_some());
    let origin = key_under(&format!("{PLAIN}\r\nOrigin: https://a.example"), conditions);
    assert_eq!(plain, origin);
}

#[test]
fn what_is_rare_is_never_repeated() {
    for head in [
        "POST /a HTTP/1.1\r\nHost: a",
        "OPTIONS /a HTTP/1.1\r\nHost: a",
        "GET /a HTTP/1.0\r\nHost: a",
        "GET /a HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1",
        "GET /a HTTP/1.1\r\nHost: a\r\nIf-Range: \"x\"",
        "GET /a HTTP/1.1\r\nHost: a\r\nIf-Match: \"x\"",
        "GET /a HTTP/1.1\r\nHost: a\r\nIf-Unmodified-Since: x",
        "GET /a HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: x",
        "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close",
        "GET /a HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close",
        "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0",
        "GET /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue",
        "GET /a HTTP/1.1\r\nHost: a\r\nUpgrade: websocket",
    ] {
        assert_eq!(key_of(head), None, "{head}");
    }
    // With a tag the date does not count.
    let both = format!("{PLAIN}\r\nIf-Modified-Since: x\r\nIf-None-Match: \"x\"");
    assert_eq!(key_of(&both), key_of(&format!("{PLAIN}\r\nIf-None-Match: \"x\"")));
}

#[test]
fn a_response_is_repeated_until_its_time_is_over() {
    let key = key_of(PLAIN).expect("a plain request");
    let head = PreparedHead::new(StatusCode::OK, &HeaderMap::new(), Some(1)).expect("is plain");
    let response = CachedResponse { head: head.into(), content: Bytes::from_static(b"x") };
    put(key.clone(), Duration::from_secs(60), response.clone());
    assert_eq!(get(&key).map(|kept| kept.content), Some(response.content.clone()));
    drop_expired();
    assert!(get(&key).is_some());
    put(key.clone(), Duration::ZERO, response);
    assert!(get(&key).is_none());
    drop_expired();
    TABLE.with_borrow(|table| assert!(table.iter().all(Option::is_none)));
}

#[test]
fn for_what_handlers_answer_no_key_is_made() {
    let answered_by_handler = "GET /handled HTTP/1.1\r\nAccept: a\r\nHost: a\r\nOrigin: b";
    let key = key_of(answered_by_handler).expect("nothing is known of it");
    note_handled(&key);
    assert_eq!(key_of(answered_by_handler), None);
    assert_eq!(key_of("GET /handled HTTP/1.1\r\nHost: a"), None, "whatever else it says");
    // Another method, target, host or configuration.
    assert!(key_of("HEAD /handled HTTP/1.1\r\nHost: a").is_some());
    assert!(key_of("GET /handled/ HTTP/1.1\r\nHost: a").is_some());
    assert!(key_of("GET /handled HTTP/1.1\r\nHost: b").is_some());
    let changed = Conditions { generation: 2, ..OVER_PLAIN_TCP };
    assert!(key_under(answered_by_handler, changed).is_some());
    // After a while it is asked again: there may be a file by now.
    drop_expired();
    assert!(key_of(answered_by_handler).is_some());
}
