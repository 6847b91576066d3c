//! A content that comes in: who is woken, whose time passes, and how it ends.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;
use crate::message::testing::{BodySender, body};

const TIMEOUT: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// A content of at most ten bytes, and what belongs to it.
struct Opened {
    client: BodySender,
    stream: Arc<ContentStream>,
    guard: ContentGuard,
    connection: Arc<ConnectionState>,
}

fn open(length: Option<u64>) -> Opened {
    let (client, incoming) = body(length);
    let connection = Arc::new(ConnectionState::new());
    let (stream, guard) = ContentStream::open(incoming, (10, 1 << 20), TIMEOUT, connection.clone());
    Opened { client, stream, guard, connection }
}

async fn next(stream: &ContentStream) -> Result<Option<Bytes>, ContentFault> {
    std::future::poll_fn(|context| stream.poll_chunk(context)).await
}

/// The next bytes, if they come within this time.
async fn within(
    time: Duration,
    stream: &ContentStream,
) -> Option<Result<Option<Bytes>, ContentFault>> {
    tokio::time::timeout(time, next(stream)).await.ok()
}

/// Counts how often it was called.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Counting {
    fn poll(self: &Arc<Self>, stream: &ContentStream) -> Poll<Result<Option<Bytes>, ContentFault>> {
        stream.poll_chunk(&mut Context::from_waker(&Waker::from(self.clone())))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn chunks_come_in_order_and_then_their_end() {
    let Opened { client, stream, guard, .. } = open(None);
    for chunk in ["one", "", "two"] {
        client.send(chunk);
    }
    client.send_trailers();
    assert!(guard.is_unread());
    assert_eq!(next(&stream).await, Ok(Some("one".into())));
    assert_eq!(next(&stream).await, Ok(Some("two".into())));
    drop(client);
    assert_eq!(next(&stream).await, Ok(None));
    assert!(!guard.is_unread());
    drop(guard);
    assert_eq!(next(&stream).await, Ok(None), "its end stays its end");
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_too_long_ends_it() {
    let Opened { client, stream, guard: _guard, .. } = open(None);
    assert_eq!(within(TIMEOUT - SECOND, &stream).await, None);
    let late = Err(ContentFault::Refused(Refusal::RequestTimeout));
    assert_eq!(within(2 * SECOND, &stream).await, Some(late.clone()));
    assert!(client.is_given_up());
    assert_eq!(next(&stream).await, late, "and stays the reason");
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_handler_is_not_that_of_the_client() {
    let Opened { client, stream, guard: _guard, .. } = open(None);
    client.send("one");
    assert_eq!(next(&stream).await, Ok(Some("one".into())));
    tokio::time::sleep(2 * TIMEOUT).await;
    assert_eq!(within(TIMEOUT - SECOND, &stream).await, None);
    // Who gave up waiting comes back after a while.
    tokio::time::sleep(2 * TIMEOUT).await;
    stream.resume();
    assert_eq!(within(TIMEOUT - SECOND, &stream).await, None);
    client.send("two");
    assert_eq!(next(&stream).await, Ok(Some("two".into())));
}

#[tokio::test(start_paused = true)]
async fn who_has_polled_last_is_woken() {
    let Opened { client, stream, guard: _guard, .. } = open(None);
    let (first, last) = (Arc::new(Counting::default()), Arc::new(Counting::default()));
    assert!(first.poll(&stream).is_pending());
    assert!(last.poll(&stream).is_pending());
    client.send("one");
    assert_eq!((first.count(), last.count()), (0, 1));
    assert_eq!(last.poll(&stream), Poll::Ready(Ok(Some("one".into()))));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_exchange_wakes_who_waits() {
    let Opened { client, stream, guard, .. } = open(None);
    let waker = Arc::new(Counting::default());
    assert!(waker.poll(&stream).is_pending());
    drop(guard);
    assert_eq!(waker.count(), 1);
    assert_eq!(waker.poll(&stream), Poll::Ready(Err(ContentFault::Over)));
    assert!(client.is_given_up());
}

#[tokio::test(start_paused = true)]
async fn a_content_that_is_too_long_is_not_read_on() {
    let Opened { client, stream, guard: _guard, .. } = open(None);
    client.send("0123456789");
    client.send("x");
    assert_eq!(next(&stream).await, Ok(Some("0123456789".into())));
    let long = Err(ContentFault::Refused(Refusal::ContentTooLarge(10)));
    assert_eq!(next(&stream).await, long);
    assert!(client.is_given_up());
}

#[tokio::test(start_paused = true)]
async fn fewer_bytes_than_were_announced_are_no_end() {
    let Opened { client, stream, guard: _guard, .. } = open(Some(5));
    client.send("four");
    drop(client);
    assert_eq!(next(&stream).await, Ok(Some("four".into())));
    assert_eq!(next(&stream).await, Err(ContentFault::Over));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_cut_has_no_whole_content() {
    let Opened { client, stream, connection, guard: _guard, .. } = open(None);
    connection.request_close(CloseMode::Cut);
    drop(client);
    assert_eq!(next(&stream).await, Err(ContentFault::Over));
}

#[tokio::test(start_paused = true)]
async fn what_breaks_off_is_over_unless_the_protocol_says_what_is_wrong() {
    let Opened { client, stream, guard: _guard, .. } = open(None);
    client.break_off();
    assert_eq!(next(&stream).await, Err(ContentFault::Over));

    let Opened { client, stream, guard: _guard, .. } = open(None);
    let refusal = Refusal::BadRequest("a chunk");
    client.refuse(refusal.clone());
    assert_eq!(next(&stream).await, Err(ContentFault::Refused(refusal)));
}

#[tokio::test(start_paused = true)]
async fn a_body_is_taken_back_while_nobody_has_read_of_it() {
    let Opened { client, stream, guard, .. } = open(None);
    let Some(RequestBody::Incoming(mut incoming)) = stream.reclaim() else {
        panic!("nobody has read of it")
    };
    client.send("one");
    let frame = std::future::poll_fn(|context| incoming.as_mut().poll_frame(context)).await;
    let data = frame.expect("a frame").expect("no error").into_data();
    assert_eq!(data.expect("data"), "one");
    assert!(!guard.is_unread());

    let Opened { client, stream, guard: _guard, .. } = open(None);
    client.send("one");
    assert_eq!(next(&stream).await, Ok(Some("one".into())));
    assert!(stream.reclaim().is_none());
}

#[tokio::test]
async fn it_may_be_read_on_a_thread_without_a_runtime() {
    let Opened { client, stream, guard: _guard, .. } = open(None);
    let waker = Arc::new(Counting::default());
    let reader = (waker.clone(), stream.clone());
    // A poll that waits takes a timer, which is the runtime's of the connection.
    let polled = std::thread::spawn(move || reader.0.poll(&reader.1)).join().expect("no panic");
    assert!(polled.is_pending());
    client.send("one");
    assert_eq!(waker.count(), 1);
    let polled = std::thread::spawn(move || waker.poll(&stream)).join().expect("no panic");
    assert_eq!(polled, Poll::Ready(Ok(Some("one".into()))));
}

/// Whether the content is here before so long, `least` bytes of it.
async fn is_ahead(time: Duration, stream: &ContentStream, least: u64) -> bool {
    match tokio::time::timeout(time, stream.prefetch(least)).await {
        Ok(fetched) => fetched == Ok(()),
        Err(_) => false,
    }
}

#[tokio::test(start_paused = true)]
async fn a_content_may_be_waited_for_before_it_is_read() {
    let Opened { client, stream, guard, .. } = open(None);
    let waiting = tokio::spawn({
        let stream = stream.clone();
        async move { stream.prefetch(8).await }
    });
    for chunk in ["on", "e", "two"] {
        client.send(chunk);
        tokio::time::sleep(SECOND).await;
        assert!(!waiting.is_finished());
    }
    drop(client);
    assert_eq!(waiting.await.expect("no panic"), Ok(()));
    assert!(!guard.is_unread());
    assert!(is_ahead(SECOND, &stream, 8).await, "once");
    assert_eq!(next(&stream).await, Ok(Some("onetwo".into())));
    assert_eq!(next(&stream).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn no_more_is_waited_for_than_was_asked_for() {
    let Opened { client, stream, guard, .. } = open(Some(9));
    client.send("one");
    client.send("two");
    client.send("end");
    assert!(is_ahead(SECOND, &stream, 4).await);
    assert!(guard.is_unread());
    assert!(stream.reclaim().is_none());
    assert_eq!(next(&stream).await, Ok(Some("onetwo".into())));
    assert_eq!(next(&stream).await, Ok(Some("end".into())));

    let Opened { client, stream, guard: _guard, .. } = open(Some(3));
    client.send("one");
    assert!(is_ahead(SECOND, &stream, 4).await, "all that was announced is here");
    assert_eq!(next(&stream).await, Ok(Some("one".into())));
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_it_comes_behind_what_came_before() {
    let Opened { client, stream, guard: _guard, .. } = open(None);
    client.send("one");
    assert!(!is_ahead(TIMEOUT - SECOND, &stream, 4).await);

    let Opened { client, stream, guard: _guard, .. } = open(None);
    client.send("one");
    assert!(is_ahead(TIMEOUT + SECOND, &stream, 4).await, "the client pauses for too long");
    assert_eq!(next(&stream).await, Ok(Some("one".into())));
    assert_eq!(next(&stream).await, Err(ContentFault::Refused(Refusal::RequestTimeout)));
    assert!(client.is_given_up());
}

#[tokio::test(start_paused = true)]
async fn what_is_ahead_ends_with_its_exchange() {
    let Opened { client, stream, guard, .. } = open(None);
    client.send("one");
    drop(client);
    assert!(is_ahead(SECOND, &stream, 4).await);
    drop(guard);
    assert_eq!(next(&stream).await, Err(ContentFault::Over));
}

#[tokio::test(start_paused = true)]
async fn what_is_ahead_has_its_memory() {
    let (client, incoming) = body(None);
    let connection = Arc::new(ConnectionState::new());
    let (stream, _guard) = ContentStream::open(incoming, (10, 5), TIMEOUT, connection);
    client.send("one");
    client.send("two");
    assert_eq!(stream.prefetch(8).await, Err(Refusal::ContentTooLarge(5)));
}
