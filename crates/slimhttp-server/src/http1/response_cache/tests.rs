//! Which questions are the same, and when an answer is over.

use super::*;

fn question(head: &str) -> Option<Key> {
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut request = httparse::Request::new(&mut fields);
    let whole = format!("{head}\r\n\r\n");
    assert!(request.parse(whole.as_bytes()).expect("a head").is_complete());
    key(&request, PLAINLY)
}

const PLAINLY: Setting = Setting { generation: 1, tls: false, by_origin: true };

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
        assert_eq!(question(&format!("{PLAIN}\r\n{fields}")), question(PLAIN), "{fields}");
    }
}

#[test]
fn what_files_look_at_makes_another_question() {
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
        let key = question(one);
        assert!(key.is_some() && key != question(PLAIN), "{one}");
        for other in &others[..place] {
            assert_ne!(key, question(other), "{one} {other}");
        }
    }
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n").expect("a head");
    assert_ne!(key(&request, PLAINLY), key(&request, Setting { tls: true, ..PLAINLY }), "over TLS");
    let changed = Setting { generation: 2, ..PLAINLY };
    assert_ne!(key(&request, PLAINLY), key(&request, changed), "after a change");
}

#[test]
fn an_origin_makes_no_difference_where_no_scope_has_cors() {
    let question = |head: &[u8]| {
        let mut fields = [httparse::EMPTY_HEADER; 16];
        let mut request = httparse::Request::new(&mut fields);
        request.parse(head).expect("a head");
        key(&request, Setting { by_origin: false, ..PLAINLY })
    };
    let plain = question(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(plain.is_some());
    let origin = question(b"GET /a HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\n\r\n");
    assert_eq!(plain, origin);
}

#[test]
fn what_is_rare_is_never_given_again() {
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
        assert_eq!(question(head), None, "{head}");
    }
    // With a tag the date does not count.
    let both = format!("{PLAIN}\r\nIf-Modified-Since: x\r\nIf-None-Match: \"x\"");
    assert_eq!(question(&both), question(&format!("{PLAIN}\r\nIf-None-Match: \"x\"")));
}

#[test]
fn an_answer_is_given_again_until_its_moment_is_over() {
    let key = question(PLAIN).expect("a plain question");
    let ready =
        CachedResponse { head: Bytes::from_static(b"head"), content: Bytes::from_static(b"x") };
    put(key.clone(), Duration::from_secs(60), ready.clone());
    assert_eq!(get(&key).map(|ready| ready.content), Some(ready.content.clone()));
    sweep();
    assert!(get(&key).is_some());
    put(key.clone(), Duration::ZERO, ready);
    assert!(get(&key).is_none());
    sweep();
    TABLE.with_borrow(|table| assert!(table.iter().all(Option::is_none)));
}
