//! Exchanges with upstreams in memory, written by hand.

use http_body::Body as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::*;
use crate::message::request_body::RequestBody;
use crate::message::testing::{BodySender, body};
use crate::upstream::testing::{
    Asked, BODY_TIMEOUT, SILENCE, answered, collected, connection_of, group, read_until,
};

/// A body that a client sends by hand.
fn incoming(length: Option<u64>) -> (BodySender, ForwardedBody) {
    let (client, body) = body(length);
    (client, ForwardedBody::new(RequestBody::Incoming(body), u64::MAX, BODY_TIMEOUT))
}

/// What the content of a response is, in a word.
fn kind(content: &UpstreamContent) -> String {
    match content {
        UpstreamContent::Empty => "empty".into(),
        UpstreamContent::Whole(bytes) => format!("whole {}", bytes.len()),
        UpstreamContent::Streamed(body) => {
            format!(
                "streamed {:?}{}",
                body.size_hint().exact(),
                ["", " ended"][usize::from(body.has_ended())]
            )
        }
        UpstreamContent::Switched(_) => "switched".into(),
    }
}

#[tokio::test]
async fn a_response_that_is_there_at_once_is_whole_and_the_connection_idle() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for (response, expected, is_idle) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".into(), "whole 5", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into(), "empty", true),
        ("HTTP/1.1 204 No Content\r\n\r\n".into(), "empty", true),
        ("HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n".into(), "empty", true),
        ("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n".into(), "empty", false),
        ("HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n".into(), "empty", false),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n".into(), "empty", true),
        (format!("{chunked}2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), "streamed None ended", true),
        (format!("{chunked}2\r\nhe\r\n3\r\nll"), "streamed None", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel".into(), "streamed Some(5)", false),
        ("HTTP/1.1 200 OK\r\n\r\nhello".into(), "streamed None", false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na".into(), "whole 1", false),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\na".into(),
            "whole 1",
            false,
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab".into(), "whole 1", false),
    ] {
        let group = group();
        let (outcome, _upstream) = answered(&group, &response).await;
        let found = outcome.expect("is a response");
        assert_eq!(kind(found.body()), expected, "{response}");
        assert_eq!(pool::take(&group, 0).is_some(), is_idle, "{response}");
    }
}

#[tokio::test]
async fn a_connection_carries_one_exchange_after_the_other() {
    let group = group();
    let (mut connection, mut upstream) = connection_of(&group, 1 << 10);
    for number in 0..3 {
        let asked = Asked::new(Method::POST, &[("x-number", "one")]);
        let mut content = collected("content");
        let answer = async {
            let request = read_until(&mut upstream, "\r\n\r\ncontent").await;
            assert_eq!(
                request,
                "POST / HTTP/1.1\r\nhost: a.example\r\nx-number: one\r\ncontent-length: 7\r\n\r\n\
                 content"
            );
            let response = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
            upstream.write_all(response.as_bytes()).await.expect("is open");
        };
        let (response, ()) = tokio::join!(asked.send(connection, &mut content), answer);
        let UpstreamContent::Whole(bytes) = response.expect("is a response").into_body() else {
            panic!("all of it is there")
        };
        assert_eq!(bytes, number.to_string());
        connection = pool::take(&group, 0).expect("is idle");
        assert!(connection.is_reused());
    }
}

#[tokio::test]
async fn a_head_may_come_byte_by_byte() {
    let (connection, mut upstream) = connection_of(&group(), 1);
    let asked = Asked::new(Method::HEAD, &[]);
    let answer = async {
        read_until(&mut upstream, "\r\n\r\n").await;
        for part in [
            "HTTP/1.1 103 Hints\r\nlink: a\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
        ] {
            upstream.write_all(part.as_bytes()).await.expect("is open");
        }
    };
    let mut nothing = collected("");
    let (response, ()) = tokio::join!(asked.send(connection, &mut nothing), answer);
    let response = response.expect("is a response");
    assert_eq!((response.status(), kind(response.body())), (StatusCode::OK, "empty".into()));
    assert_eq!(response.headers()["content-length"], "9");
}

#[tokio::test]
async fn interim_responses_are_passed_on_but_for_100() {
    let (connection, mut upstream) = connection_of(&group(), 1 << 10);
    let interim = [100, 102, 100, 103].map(|status| format!("HTTP/1.1 {status} Interim\r\n\r\n"));
    let response = format!("{}HTTP/1.1 204 No Content\r\n\r\n", interim.concat());
    upstream.write_all(response.as_bytes()).await.expect("has room");
    let asked = Asked::new(Method::GET, &[]);
    let response = asked.send(connection, &mut collected("")).await.expect("is a response");
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(*asked.interim.lock(), [102, 103]);
}

#[tokio::test]
async fn content_goes_up_as_it_comes_with_trailers_behind_it() {
    let (connection, mut upstream) = connection_of(&group(), 1 << 10);
    let asked = Asked::new(Method::POST, &[]);
    let (client, mut content) = incoming(None);
    let answer = async {
        let head = read_until(&mut upstream, "\r\n\r\n").await;
        assert!(head.ends_with("\r\ntransfer-encoding: chunked\r\n\r\n"), "{head}");
        client.send("hello");
        assert_eq!(read_until(&mut upstream, "hello\r\n").await, "5\r\nhello\r\n");
        client.send("");
        client.send("!");
        assert_eq!(read_until(&mut upstream, "!\r\n").await, "1\r\n!\r\n");
        let trailers = [(http::header::ETAG, "1"), (http::header::CONTENT_LENGTH, "7")];
        let value = http::HeaderValue::from_static;
        client.end_with(trailers.map(|(name, text)| (name, value(text))).into_iter().collect());
        assert_eq!(read_until(&mut upstream, "\r\n\r\n").await, "0\r\netag: 1\r\n\r\n");
        upstream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("is open");
    };
    let (response, ()) = tokio::join!(asked.send(connection, &mut content), answer);
    assert_eq!(response.expect("is a response").status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_response_may_come_while_content_is_sent() {
    let group = group();
    let (connection, mut upstream) = connection_of(&group, 1 << 10);
    let asked = Asked::new(Method::POST, &[]);
    let (client, mut content) = incoming(Some(6));
    client.send("abc");
    let answer = async {
        read_until(&mut upstream, "abc").await;
        let response = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nno";
        upstream.write_all(response.as_bytes()).await.expect("is open");
    };
    let (response, ()) = tokio::join!(asked.send(connection, &mut content), answer);
    let UpstreamContent::Streamed(mut body) = response.expect("is a response").into_body() else {
        panic!("it is not whole")
    };
    let mut next =
        async || std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
    let frame = next().await.expect("is there").expect("is no fault");
    assert_eq!(frame.into_data().expect("is data"), "no");
    client.send("def");
    let answer = async {
        assert_eq!(read_until(&mut upstream, "def").await, "def");
        upstream.write_all(b"ok").await.expect("is open");
    };
    let (frame, ()) = tokio::join!(next(), answer);
    let frame = frame.expect("is there").expect("is no fault");
    assert_eq!(frame.into_data().expect("is data"), "ok");
    assert!(next().await.is_none());
    assert!(pool::take(&group, 0).is_some(), "both directions are complete");
}

#[tokio::test]
async fn a_response_before_all_of_the_content_ends_the_connection() {
    for closes in [false, true] {
        let group = group();
        // There is no room for all of it.
        let (connection, mut upstream) = connection_of(&group, 256);
        let asked = Asked::new(Method::POST, &[]);
        let (client, mut content) = incoming(Some(1 << 20));
        client.send("0123456789");
        let answer = async {
            read_until(&mut upstream, "0123456789").await;
            let response = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno";
            upstream.write_all(response.as_bytes()).await.expect("is open");
            if closes {
                drop(upstream);
            }
        };
        let (response, ()) = tokio::join!(asked.send(connection, &mut content), answer);
        let response = response.expect("is a response");
        assert_eq!((response.status().as_u16(), &*kind(response.body())), (413, "whole 2"));
        assert!(pool::take(&group, 0).is_none());
        assert!(content.refusal().is_none());
    }
}

/// The error of a request that an upstream answers with `response`, and then closes if it `closes`.
async fn failure(response: &str, closes: bool) -> UpstreamError {
    let (connection, mut upstream) = connection_of(&group(), 1 << 20);
    upstream.write_all(response.as_bytes()).await.expect("has room");
    if closes {
        upstream.shutdown().await.expect("is open");
    }
    let outcome = Asked::new(Method::GET, &[]).send(connection, &mut collected("")).await;
    drop(upstream);
    outcome.err().expect("it is no response")
}

#[tokio::test(start_paused = true)]
async fn what_is_no_response_is_said_in_a_line() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(5000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(11));
    let switch = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    for (response, closes, progress, text) in [
        ("HTTP/1.1 20", true, Progress::Unknown, "it closed the connection within its answer"),
        ("SSH-2.0-x\r\n\r\n", false, Progress::Unknown, "it sent no valid answer: "),
        (
            &long,
            false,
            Progress::Unknown,
            "it sent a head longer than `proxy_max_response_head` (4096 bytes)",
        ),
        (
            &many,
            false,
            Progress::Unknown,
            "it sent more header fields than `proxy_max_response_headers` (10)",
        ),
        (
            switch,
            false,
            Progress::Unknown,
            "it sent no valid answer: 101 to a request that offers nothing",
        ),
    ] {
        let error = failure(response, closes).await;
        assert_eq!((error.fault, error.progress), (UpstreamFault::Failed, progress), "{response}");
        assert!(error.to_string().starts_with(text), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_says_nothing_is_given_up() {
    for begun in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 102 Processing\r\n\r\n"] {
        let start = Instant::now();
        let error = failure(begun, false).await;
        assert_eq!((error.fault, start.elapsed()), (UpstreamFault::TimedOut, SILENCE));
        assert_eq!(error.to_string(), "nothing came for 60s: see `proxy_read_timeout`");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_does_not_read_is_silent_too() {
    let (connection, _upstream) = connection_of(&group(), 16);
    let begun = Instant::now();
    let outcome = Asked::new(Method::GET, &[]).send(connection, &mut collected("")).await;
    assert_eq!(outcome.err().expect("nobody reads").fault, UpstreamFault::TimedOut);
    assert_eq!(begun.elapsed(), SILENCE);
}

#[tokio::test(start_paused = true)]
async fn while_the_client_is_waited_for_the_upstream_may_be_silent() {
    let (connection, _upstream) = connection_of(&group(), 1 << 10);
    let (_client, body) = body(Some(5));
    let body = RequestBody::Incoming(body);
    // Nobody sends for longer than an upstream may be silent.
    let mut content = ForwardedBody::new(body, u64::MAX, 3 * SILENCE);
    let begun = Instant::now();
    let outcome = Asked::new(Method::POST, &[]).send(connection, &mut content).await;
    assert!(outcome.is_err());
    assert!(matches!(content.refusal(), Some(Refusal::RequestTimeout)));
    assert_eq!(begun.elapsed(), 3 * SILENCE);
}

#[tokio::test]
async fn of_a_connection_that_ends_unanswered_is_known_whether_anything_was_sent() {
    // The upstream has read nothing, and closed: nothing can be written.
    let (connection, upstream) = connection_of(&group(), 1 << 10);
    drop(upstream);
    let (client, mut content) = incoming(Some(3));
    client.send("abc");
    let outcome = Asked::new(Method::POST, &[]).send(connection, &mut content).await;
    let error = outcome.err().expect("it is closed");
    assert_eq!((error.fault, error.progress), (UpstreamFault::Failed, Progress::Unsent));
    assert!(content.rewind(), "there is all of it still");

    // It closes behind the request.
    let (connection, mut upstream) = connection_of(&group(), 1 << 10);
    let closed = async {
        read_until(&mut upstream, "\r\n\r\n").await;
        drop(upstream);
    };
    let asked = Asked::new(Method::GET, &[]);
    let mut content = collected("");
    let (outcome, ()) = tokio::join!(asked.send(connection, &mut content), closed);
    let error = outcome.err().expect("it is closed");
    assert_eq!((error.fault, error.progress), (UpstreamFault::Failed, Progress::Unanswered));
    assert_eq!(error.to_string(), "it closed the connection before it answered");
}

#[tokio::test]
async fn a_client_that_breaks_off_ends_the_exchange() {
    let (connection, mut upstream) = connection_of(&group(), 1 << 10);
    let (client, mut content) = incoming(Some(6));
    client.send("abc");
    client.break_off();
    let outcome = Asked::new(Method::POST, &[]).send(connection, &mut content).await;
    assert!(outcome.is_err());
    assert!(matches!(content.refusal(), Some(Refusal::BadRequest(_))));
    let mut sent = String::new();
    upstream.read_to_string(&mut sent).await.expect("is closed");
    assert!(sent.ends_with("abc"), "{sent}");
}

/// RFC 9110 section 9.3.8.
#[tokio::test]
async fn a_request_that_cannot_be_sent_on_is_the_fault_of_its_client() {
    let (connection, mut upstream) = connection_of(&group(), 1 << 10);
    let mut content = collected("abc");
    let outcome = Asked::new(Method::TRACE, &[]).send(connection, &mut content).await;
    assert!(outcome.is_err());
    assert!(matches!(content.refusal(), Some(Refusal::BadRequest(_))));
    let mut sent = String::new();
    upstream.read_to_string(&mut sent).await.expect("is closed");
    assert_eq!(sent, "");
}

#[tokio::test(start_paused = true)]
async fn behind_a_101_bytes_pass_and_silence_has_no_limit() {
    let (connection, mut upstream) = connection_of(&group(), 1 << 10);
    let asked = Asked::new(Method::GET, &[("connection", "upgrade"), ("upgrade", "x")]);
    let switch =
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nahead";
    upstream.write_all(switch.as_bytes()).await.expect("has room");
    let response = asked.send(connection, &mut collected("")).await.expect("is a response");
    let UpstreamContent::Switched(mut upgraded) = response.into_body() else {
        panic!("it has switched")
    };
    read_until(&mut upstream, "\r\n\r\n").await;
    let mut bytes = [0; 5];
    upgraded.read_exact(&mut bytes).await.expect("is there");
    assert_eq!(&bytes, b"ahead");
    assert!(tokio::time::timeout(100 * SILENCE, upgraded.read_u8()).await.is_err());
    upstream.write_u8(7).await.expect("is open");
    assert_eq!(upgraded.read_u8().await.expect("is open"), 7);
    upgraded.write_all(b"back").await.expect("is open");
    assert_eq!(read_until(&mut upstream, "back").await, "back");
    upgraded.shutdown().await.expect("is open");
    assert!(upstream.read_u8().await.is_err());
}
