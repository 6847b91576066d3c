//! A body that is collected: its bounds, and the pauses of the client.

use http_body_util::{BodyExt, Empty};

use super::*;
use crate::message::testing::body;

const TIMEOUT: Duration = Duration::from_secs(60);

async fn collect(body: RequestBody, max_body: u64) -> Result<Bytes, Refusal> {
    body.collect(max_body, 1 << 30, TIMEOUT).await
}

#[test]
fn a_body_that_is_empty_is_not_boxed() {
    let empty = Empty::<Bytes>::new().map_err(|never| match never {});
    let body = RequestBody::incoming(empty);
    assert!(matches!(body, RequestBody::Collected(bytes) if bytes.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_body_is_collected() {
    let (sender, incoming) = body(None);
    sender.send("one ");
    sender.send("two");
    sender.send_trailers();
    drop(sender);
    let body = RequestBody::Incoming(incoming);
    assert_eq!(collect(body, 7).await, Ok(Bytes::from_static(b"one two")));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_came_with_its_head_has_the_same_bounds() {
    let body = |bytes| RequestBody::Collected(Bytes::from_static(bytes));
    assert_eq!(collect(body(b""), 0).await, Ok(Bytes::new()));
    assert_eq!(collect(body(b"seven b"), 7).await, Ok(Bytes::from_static(b"seven b")));
    assert_eq!(collect(body(b"seven by"), 7).await, Err(Refusal::ContentTooLarge(7)));
    let held = body(b"seven b").collect(10, 6, TIMEOUT).await;
    assert_eq!(held, Err(Refusal::ContentTooLarge(6)), "more than all bodies may take");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_long_is_not_read_on() {
    let (sender, incoming) = body(None);
    sender.send("one ");
    sender.send("two");
    let body = RequestBody::Incoming(incoming);
    assert_eq!(collect(body, 6).await, Err(Refusal::ContentTooLarge(6)));
}

#[tokio::test(start_paused = true)]
async fn each_pause_has_its_time() {
    let (sender, incoming) = body(None);
    let body = RequestBody::Incoming(incoming);
    let began = tokio::time::Instant::now();
    let sending = async {
        for _ in 0..3 {
            tokio::time::sleep(TIMEOUT - Duration::from_secs(1)).await;
            sender.send("x");
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        outcome = collect(body, 100) => assert_eq!(outcome, Err(Refusal::RequestTimeout)),
        () = sending => unreachable!("it goes on for ever"),
    }
    let expected = 3 * (TIMEOUT - Duration::from_secs(1)) + TIMEOUT;
    assert_eq!(began.elapsed().as_secs(), expected.as_secs());
}

#[tokio::test(start_paused = true)]
async fn what_broke_off_is_malformed_in_a_way_that_the_protocol_may_name() {
    let (sender, incoming) = body(None);
    sender.send("one");
    sender.break_off();
    let early = Refusal::BadRequest("the body ended early");
    assert_eq!(collect(RequestBody::Incoming(incoming), 100).await, Err(early));

    let (sender, incoming) = body(None);
    let refusal = Refusal::BadRequest("a chunk");
    sender.refuse(refusal.clone());
    assert_eq!(collect(RequestBody::Incoming(incoming), 100).await, Err(refusal));
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_pause_counts_while_somebody_waits_for_it() {
    let (_sender, mut incoming) = body(None);
    let mut timeout = ReadTimeout::new(TIMEOUT);
    let mut poll = async |time: Duration| {
        let next = std::future::poll_fn(|context| timeout.poll_frame(&mut incoming, context));
        tokio::time::timeout(time, next).await.is_ok()
    };
    assert!(!poll(TIMEOUT - Duration::from_secs(1)).await);
    assert!(poll(Duration::from_secs(2)).await, "the same pause goes on");
    timeout.restart();
    let next = std::future::poll_fn(|context| timeout.poll_frame(&mut incoming, context));
    assert!(tokio::time::timeout(TIMEOUT - Duration::from_secs(1), next).await.is_err());
}
