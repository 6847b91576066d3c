//! Bodies on their way to an upstream, from a client that is written by hand.

use std::future::poll_fn;

use tokio::time::Instant;

use super::*;
use crate::message::testing::{self, BodySender};
use crate::upstream::testing::BODY_TIMEOUT;

const MAX_BODY: u64 = 10;

fn incoming(length: Option<u64>) -> (BodySender, ForwardedBody) {
    let (client, body) = testing::body(length);
    (client, ForwardedBody::new(RequestBody::Incoming(body), MAX_BODY, BODY_TIMEOUT))
}

fn collected(content: &'static [u8]) -> ForwardedBody {
    ForwardedBody::new(RequestBody::Collected(Bytes::from_static(content)), MAX_BODY, BODY_TIMEOUT)
}

/// The next bytes that an upstream takes, or how the body broke off.
async fn next(body: &mut ForwardedBody) -> Option<Result<Bytes, Refusal>> {
    let frame = poll_fn(|context| body.poll_frame(context)).await?;
    Some(frame.map(|frame| frame.into_data().expect("holds data")))
}

#[track_caller]
fn assert_is(found: Option<Result<Bytes, Refusal>>, expected: &str) {
    let found = found.expect("is not the end").expect("is no fault");
    assert_eq!(found, expected);
}

#[tokio::test(start_paused = true)]
async fn what_no_upstream_has_taken_can_be_taken_by_the_next() {
    let mut body = collected(b"abc");
    assert_eq!(body.framing(), Framing::Length(3));
    // What is in memory is always there.
    for _ in 0..2 {
        assert!(body.rewind() && !body.has_ended());
        assert_is(next(&mut body).await, "abc");
        assert!(body.has_ended());
        assert!(next(&mut body).await.is_none());
    }

    let (client, mut body) = incoming(None);
    assert_eq!(body.framing(), Framing::Chunked);
    client.send("abc");
    assert!(body.rewind(), "nobody has asked for it");
    assert_is(next(&mut body).await, "abc");
    assert!(!body.rewind());
    drop(client);
    assert!(next(&mut body).await.is_none());
    assert!(!body.rewind() && body.refusal().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_piece_that_nobody_has_seen_is_put_back() {
    let (client, mut body) = incoming(Some(6));
    assert_eq!(body.framing(), Framing::Length(6));
    client.send("abc");
    let piece = next(&mut body).await.expect("is there").expect("is no fault");
    body.put_back(piece);
    assert!(body.rewind() && !body.has_ended());
    client.send("def");
    assert_is(next(&mut body).await, "abc");
    assert_is(next(&mut body).await, "def");
}

#[tokio::test(start_paused = true)]
async fn a_last_piece_that_is_put_back_is_sent_as_before() {
    for length in [Some(3), None] {
        let (client, mut body) = incoming(length);
        client.send("abc");
        let piece = next(&mut body).await.expect("is there").expect("is no fault");
        drop(client);
        if length.is_none() {
            assert!(next(&mut body).await.is_none());
        }
        body.put_back(piece);
        assert_eq!(body.framing(), Framing::Length(3));
        assert!(body.rewind() && !body.has_ended());
        assert_is(next(&mut body).await, "abc");
        assert!(body.has_ended() && next(&mut body).await.is_none());
    }
}

#[tokio::test]
async fn an_empty_body_is_none() {
    let mut body = collected(b"");
    assert_eq!(body.framing(), Framing::None);
    assert!(body.has_ended() && next(&mut body).await.is_none() && body.rewind());
    assert_eq!(incoming(Some(0)).1.framing(), Framing::None);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_long_breaks_off() {
    let (client, mut body) = incoming(None);
    client.send("0123456789");
    client.send("!");
    assert_is(next(&mut body).await, "0123456789");
    let refusal = next(&mut body).await.expect("broke off").expect_err("too long");
    assert!(matches!(refusal, Refusal::ContentTooLarge(MAX_BODY)));
    assert!(matches!(body.refusal(), Some(Refusal::ContentTooLarge(MAX_BODY))));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_pauses_for_too_long_is_refused() {
    let (client, mut body) = incoming(None);
    let begun = Instant::now();
    client.send("a");
    // An upstream that takes its time uses none of the client's.
    tokio::time::sleep(3 * BODY_TIMEOUT).await;
    assert_is(next(&mut body).await, "a");
    tokio::time::sleep(3 * BODY_TIMEOUT).await;
    assert!(next(&mut body).await.expect("broke off").is_err());
    assert_eq!(begun.elapsed(), 7 * BODY_TIMEOUT);
    assert!(matches!(body.refusal(), Some(Refusal::RequestTimeout)));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_is_to_blame() {
    let (client, mut body) = incoming(None);
    client.break_off();
    assert!(next(&mut body).await.expect("broke off").is_err());
    assert!(matches!(body.refusal(), Some(Refusal::BadRequest(_))));
    assert!(!body.rewind(), "there is no more of it");
}
