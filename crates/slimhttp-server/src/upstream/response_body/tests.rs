//! Bodies of responses as they come in from upstreams in memory.

use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::Instant;

use super::*;
use crate::message::{request_body::RequestBody, testing};
use crate::upstream::request_body::ForwardedBody;
use crate::upstream::send::UpstreamContent;
use crate::upstream::testing::{
    Asked, BODY_TIMEOUT, SILENCE, answered, connection_of, group, read_until,
};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const LENGTH: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n";
const UNTIL_CLOSE: &str = "HTTP/1.1 200 OK\r\n\r\n";

async fn body(response: &str) -> (Box<UpstreamBody>, DuplexStream) {
    let group = group();
    let (response, upstream) = answered(&group, response).await;
    let UpstreamContent::Streamed(mut body) = response.expect("is a response").into_body() else {
        panic!("it is streamed")
    };
    body.hold(group.acquire_one().await);
    (body, upstream)
}

async fn next(body: &mut UpstreamBody) -> Option<Result<Frame<Bytes>, BodyError>> {
    std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
}

/// What a body has to its end: its content, its trailers, or how it breaks off.
async fn all(body: &mut UpstreamBody) -> (String, Vec<String>, Option<String>) {
    let (mut content, mut trailers) = (String::new(), Vec::new());
    loop {
        let frame = match next(body).await {
            None => return (content, trailers, None),
            Some(Err(error)) => return (content, trailers, Some(error.to_string())),
            Some(Ok(frame)) => frame,
        };
        match frame.into_data() {
            Ok(data) => content.push_str(std::str::from_utf8(&data).expect("is text")),
            Err(frame) => {
                let fields = frame.into_trailers().expect("is one or the other");
                trailers.extend(fields.keys().map(ToString::to_string));
            }
        }
    }
}

#[tokio::test]
async fn content_passes_to_its_end() {
    for (head, rest, content, trailers) in [
        (LENGTH, &["abc", "def"][..], "abcdef", &[][..]),
        (CHUNKED, &["3\r\nabc\r\n", "3\r\nd", "ef\r\n", "0\r\n\r\n"], "abcdef", &[]),
        (CHUNKED, &["6\r\nabcdef\r\n0\r\nx-sum: 1\r\nset-cookie: b\r\n\r\n"], "abcdef", &["x-sum"]),
        (CHUNKED, &["6;a=b", "\r\nabcdef\r", "\n0\r\nx-", "sum: 1\r\n\r\n"], "abcdef", &["x-sum"]),
        (CHUNKED, &["0\r\n\r\n"], "", &[]),
        (UNTIL_CLOSE, &["abc", "def"], "abcdef", &[]),
    ] {
        let (mut body, mut upstream) = body(head).await;
        let send = async {
            read_until(&mut upstream, "\r\n\r\n").await;
            for piece in rest {
                upstream.write_all(piece.as_bytes()).await.expect("is open");
                tokio::task::yield_now().await;
            }
            (head != UNTIL_CLOSE).then_some(upstream)
        };
        let (found, upstream) = tokio::join!(all(&mut body), send);
        let trailers = trailers.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(found, (content.to_owned(), trailers, None), "{rest:?}");
        assert!(body.is_end_stream() && next(&mut body).await.is_none());
        assert_eq!(upstream.is_some(), head != UNTIL_CLOSE);
    }
}

#[tokio::test]
async fn what_ends_early_breaks_off() {
    let within = "upstream app:1: it closed the connection within its answer";
    let invalid = "upstream app:1: it sent no valid answer: ";
    for (response, content, error) in [
        (format!("{LENGTH}abc"), "abc", within),
        (format!("{CHUNKED}6\r\nabc"), "abc", within),
        (format!("{CHUNKED}3\r\nabc\r\n"), "abc", within),
        (format!("{CHUNKED}3\r\nabc\r\n0\r\n"), "abc", within),
        (format!("{CHUNKED}3\r\nabc\r\n0\r\nx-sum: 1\r\n"), "abc", within),
        (format!("{CHUNKED}3\r\nabc\r\nzz\r\n"), "abc", invalid),
        (format!("{CHUNKED}3\r\nabcdef\r\n0\r\n\r\n"), "abc", invalid),
    ] {
        let (mut body, upstream) = body(&response).await;
        drop(upstream);
        let (found, trailers, broken) = all(&mut body).await;
        assert_eq!((&*found, trailers.len()), (content, 0), "{response}");
        assert!(broken.as_ref().is_some_and(|broken| broken.starts_with(error)), "{broken:?}");
        assert!(next(&mut body).await.is_none(), "it is over");
    }
}

#[tokio::test]
async fn the_length_that_is_left_is_known() {
    let (mut body, mut upstream) = body(&format!("{LENGTH}ab")).await;
    assert_eq!(body.size_hint().exact(), Some(6));
    assert!(next(&mut body).await.is_some());
    assert_eq!(body.size_hint().exact(), Some(4));
    upstream.write_all(b"cdef").await.expect("is open");
    assert!(next(&mut body).await.is_some());
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
}

#[tokio::test]
async fn the_permit_is_given_back_with_the_last_piece() {
    let group = group();
    let (response, mut upstream) = answered(&group, LENGTH).await;
    let UpstreamContent::Streamed(mut body) = response.expect("is a response").into_body() else {
        panic!("it is streamed")
    };
    body.hold(group.acquire_one().await);
    upstream.write_all(b"abc").await.expect("is open");
    assert!(next(&mut body).await.is_some());
    assert_eq!(group.load(), (1, 0));
    assert!(pool::take(&group, 0).is_none());
    upstream.write_all(b"def").await.expect("is open");
    assert!(next(&mut body).await.is_some());
    assert_eq!(group.load(), (0, 0));
    assert!(pool::take(&group, 0).is_some());
}

#[tokio::test]
async fn what_is_given_up_closes_the_connection() {
    let (body, mut upstream) = body(LENGTH).await;
    read_until(&mut upstream, "\r\n\r\n").await;
    drop(body);
    assert!(upstream.read_u8().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn silence_breaks_it_off_and_each_byte_begins_a_new_time() {
    let (mut body, mut upstream) = body(LENGTH).await;
    let begun = Instant::now();
    let send = async {
        for byte in 0..3 {
            tokio::time::sleep(SILENCE * 9 / 10).await;
            upstream.write_u8(b'0' + byte).await.expect("is open");
        }
    };
    let ((content, _, broken), ()) = tokio::join!(all(&mut body), send);
    assert_eq!(content, "012");
    let expected = "upstream app:1: nothing came for 60s: see `proxy_read_timeout`";
    assert_eq!(broken.as_deref(), Some(expected));
    assert_eq!(begun.elapsed(), SILENCE * 27 / 10 + SILENCE);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_its_time_uses_none_of_the_upstreams() {
    let (mut body, mut upstream) = body(LENGTH).await;
    upstream.write_all(b"abc").await.expect("is open");
    assert!(next(&mut body).await.expect("is there").is_ok());
    upstream.write_all(b"def").await.expect("is open");
    tokio::time::sleep(10 * SILENCE).await;
    assert!(next(&mut body).await.expect("is there").is_ok());
    assert!(next(&mut body).await.is_none());
}

#[tokio::test]
async fn large_content_passes_whole_in_large_pieces() {
    let content: Vec<u8> = (0..1_000_000_u32).map(|number| number as u8).collect();
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
    let (mut body, mut upstream) = body(head).await;
    let sent = content.clone();
    let upstream = tokio::spawn(async move {
        upstream.write_all(&sent).await.expect("is open");
        upstream
    });
    let (mut received, mut pieces) = (Vec::new(), 0);
    while let Some(frame) = next(&mut body).await {
        received.extend_from_slice(&frame.expect("is whole").into_data().expect("is data"));
        pieces += 1;
    }
    upstream.await.expect("does not panic");
    assert!(received == content);
    assert!(pieces <= 1_000_000 / (32 << 10), "{pieces}");
}

#[tokio::test]
async fn a_large_response_that_pauses_holds_no_memory() {
    let content = vec![b'x'; 256 * 1024];
    let (mut body, mut upstream) = body("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await;
    upstream.write_all(&content).await.expect("has room");
    let mut received = 0;
    while received < content.len() {
        let frame = next(&mut body).await.expect("is there").expect("is whole");
        received += frame.into_data().expect("is data").len();
    }
    let waits = std::future::poll_fn(|context| {
        Poll::Ready(Pin::new(&mut *body).poll_frame(context).is_pending())
    });
    assert!(waits.await);
    assert_eq!(body.connection.as_ref().expect("is open").unread.capacity(), 0);
}

#[tokio::test]
async fn a_request_that_is_sent_behind_its_answer_is_done_with_then() {
    let group = group();
    let (connection, mut upstream) = connection_of(&group, 4096);
    let (client, request) = testing::body(Some(6));
    let mut request = ForwardedBody::new(RequestBody::Incoming(request), u64::MAX, BODY_TIMEOUT);
    client.send("abc");
    upstream.write_all(LENGTH.as_bytes()).await.expect("has room");
    let asked = Asked::new(Method::POST, &[]);
    let response = asked.send(connection, &mut request).await.expect("is a response");
    let UpstreamContent::Streamed(mut body) = response.into_body() else {
        panic!("it is streamed")
    };
    upstream.write_all(b"abc").await.expect("has room");
    assert!(next(&mut body).await.is_some());
    assert!(body.upload.is_some());
    client.send("def");
    upstream.write_all(b"d").await.expect("has room");
    assert!(next(&mut body).await.is_some());
    assert!(body.upload.is_none());
    read_until(&mut upstream, "abcdef").await;
    upstream.write_all(b"ef").await.expect("has room");
    assert!(next(&mut body).await.is_some());
    assert!(pool::take(&group, 0).is_some(), "all of it is complete");
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_breaks_off_is_given_up_and_the_response_goes_on() {
    for pauses in [false, true] {
        let group = group();
        let (connection, mut upstream) = connection_of(&group, 1 << 10);
        upstream.write_all(LENGTH.as_bytes()).await.expect("has room");
        let (client, content) = testing::body(Some(1000));
        let mut content =
            ForwardedBody::new(RequestBody::Incoming(content), u64::MAX, BODY_TIMEOUT);
        client.send("some of it");
        let response = Asked::new(Method::POST, &[]).send(connection, &mut content).await;
        let UpstreamContent::Streamed(mut body) = response.expect("is a response").into_body()
        else {
            panic!("it is streamed")
        };
        upstream.write_all(b"abc").await.expect("is open");
        assert!(next(&mut body).await.expect("is there").is_ok());
        if !pauses {
            client.break_off();
        }
        let send = async {
            tokio::time::sleep(BODY_TIMEOUT * 2).await;
            assert!(client.is_given_up());
            upstream.write_all(b"def").await.expect("is open");
        };
        let (found, ()) = tokio::join!(all(&mut body), send);
        assert_eq!(found, ("def".to_owned(), Vec::new(), None), "{pauses}");
        assert!(pool::take(&group, 0).is_none(), "the request was not sent whole");
    }
}
