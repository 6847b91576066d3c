//! A body that is collected: its bounds, and the pauses of the client.

use std::sync::Arc;

use http_body_util::{BodyExt, Empty};

use super::*;
use crate::message::testing::body;
use crate::net::framing_fault::FramingFault;

const TIMEOUT: Duration = Duration::from_secs(60);

async fn collect(body: &mut RequestBody, max_body: u64) -> Result<Bytes, Refusal> {
    body.collect(max_body, 1 << 30, TIMEOUT, &FaultCell::default()).await
}

#[test]
fn a_body_that_is_empty_is_not_boxed() {
    let empty = Empty::<Bytes>::new().map_err(|never| match never {});
    let body = RequestBody::incoming(empty);
    assert!(matches!(body, RequestBody::Collected(bytes) if bytes.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_body_is_collected_once() {
    let (sender, incoming) = body(None);
    sender.send("one ");
    sender.send("two");
    sender.send_trailers();
    drop(sender);
    let mut body = RequestBody::Incoming(incoming);
    assert_eq!(collect(&mut body, 7).await, Ok(Bytes::from_static(b"one two")));
    assert_eq!(collect(&mut body, 7).await, Ok(Bytes::from_static(b"one two")));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_long_is_not_read_on() {
    let (sender, incoming) = body(None);
    sender.send("one ");
    sender.send("two");
    let mut body = RequestBody::Incoming(incoming);
    assert_eq!(collect(&mut body, 6).await, Err(Refusal::ContentTooLarge(6)));
}

#[tokio::test(start_paused = true)]
async fn each_pause_has_its_time() {
    let (sender, incoming) = body(None);
    let mut body = RequestBody::Incoming(incoming);
    let began = tokio::time::Instant::now();
    let sending = async {
        for _ in 0..3 {
            tokio::time::sleep(TIMEOUT - Duration::from_secs(1)).await;
            sender.send("x");
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        outcome = collect(&mut body, 100) => assert_eq!(outcome, Err(Refusal::RequestTimeout)),
        () = sending => unreachable!("it goes on for ever"),
    }
    let expected = 3 * (TIMEOUT - Duration::from_secs(1)) + TIMEOUT;
    assert_eq!(began.elapsed().as_secs(), expected.as_secs());
}

#[tokio::test(start_paused = true)]
async fn what_broke_off_is_malformed_unless_the_framing_says_what_is_wrong() {
    let (sender, incoming) = body(None);
    sender.send("one");
    sender.break_off();
    let mut body = RequestBody::Incoming(incoming);
    let early = Refusal::BadRequest("the body ended early");
    assert_eq!(collect(&mut body, 100).await, Err(early));

    let (sender, incoming) = crate::message::testing::body(None);
    sender.break_off();
    let fault = Arc::new(std::sync::OnceLock::new());
    let refusal = Refusal::BadRequest("a chunk");
    let wrong =
        FramingFault { refusal: refusal.clone(), request_line: String::new(), in_head: false };
    fault.set(wrong).expect("empty until now");
    let mut body = RequestBody::Incoming(incoming);
    assert_eq!(body.collect(100, 1 << 30, TIMEOUT, &fault).await, Err(refusal));
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
