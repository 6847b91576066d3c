//! Clients that close their sending side, or leave.

use std::time::Duration;

use http_body::{Body as HttpBody, Frame};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::message::body::BodyError;

/// A stream of one word, which comes once it is released.
pub(super) fn tick(events: &Arc<Events>) -> Body {
    let events = events.clone();
    let released = async move { events.release.notified().await };
    Body::stream(Tick(Some(Box::pin(released))))
}

struct Tick(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl HttpBody for Tick {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(released) = &mut self.0 else { return Poll::Ready(None) };
        ready!(released.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"tick")))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_no_more_to_ask_is_answered() {
    let mut client = connect(4096);
    client.send(get("held")).await;
    client.shutdown().await;
    settle().await;
    assert_eq!(client.events.dropped.load(Ordering::Relaxed), 0);
    // It may have left, so something was sent to it.
    assert_eq!(client.socket.read_u8().await.expect("a byte"), b'H');
    client.nothing().await;
    client.events.release.notify_one();
    let answer = client.rest().await;
    assert!(answer.starts_with("TTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.ends_with("/handled/held"), "{answer}");
    assert_eq!(client.ended().await, ORDERLY);
}

#[tokio::test(start_paused = true)]
async fn one_that_stays_is_probed_again_and_answered() {
    let mut client = connect(4096);
    client.send(get("held")).await;
    client.shutdown().await;
    let mut early = [0; 4];
    client.socket.read_exact(&mut early).await.expect("as many bytes");
    assert_eq!(early, *b"HTTP");
    client.events.release.notify_one();
    let answer = client.rest().await;
    assert!(answer.starts_with("/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(client.ended().await, ORDERLY);
}

#[tokio::test(start_paused = true)]
async fn all_that_it_has_asked_before_is_answered() {
    let mut client = connect(4096);
    client.send(get("held") + &get("1") + &get("2") + &get("3")[..10]).await;
    client.shutdown().await;
    client.events.release.notify_one();
    assert_eq!(client.response().await.1, "/handled/held");
    assert_eq!(client.response().await.1, "/handled/1");
    assert_eq!(client.response().await.1, "/handled/2");
    assert_eq!(client.rest().await, "", "what never was a request is not answered");
}

#[tokio::test(start_paused = true)]
async fn the_last_answer_says_that_it_is_the_last() {
    let mut client = connect(4096);
    client.send(get("held") + &get("1")).await;
    client.shutdown().await;
    settle().await;
    client.events.release.notify_one();
    assert!(!client.response().await.0.contains("connection: close"));
    assert!(client.response().await.0.contains("connection: close"));
    assert_eq!(client.rest().await, "");
}

#[tokio::test(start_paused = true)]
async fn one_that_leaves_while_a_stream_rests_ends_it() {
    let mut client = connect(4096);
    client.send(get("tick")).await;
    assert!(client.head().await.contains("\r\ntransfer-encoding: chunked\r\n"));
    settle().await;
    assert!(client.context.state.is_busy());
    let context = client.context.clone();
    drop(client.socket);
    assert_eq!(client.served.await.expect("no panic"), ABRUPT);
    assert!(!context.state.is_busy());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_rests_may_be_probed_and_goes_on() {
    let mut client = connect(4096);
    client.send(get("tick")).await;
    client.head().await;
    client.shutdown().await;
    settle().await;
    client.events.release.notify_one();
    // Zeros in front of the size of a chunk say nothing (RFC 9112 section 7.1).
    assert_eq!(client.rest().await, "04\r\ntick\r\n0\r\n\r\n");
    assert_eq!(client.ended().await, ORDERLY);
}

/// A stream of frames without content, which are always there, and whose end comes once it is
/// released.
pub(super) fn frames_of_nothing(events: &Arc<Events>) -> Body {
    let events = events.clone();
    let released = async move { events.release.notified().await };
    Body::stream(FramesOfNothing(Box::pin(released)))
}

struct FramesOfNothing(Pin<Box<dyn Future<Output = ()> + Send>>);

impl HttpBody for FramesOfNothing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(match self.0.as_mut().poll(context) {
            Poll::Ready(()) => None,
            Poll::Pending => Some(Ok(Frame::data(Bytes::new()))),
        })
    }
}

const PATIENCE: Duration = Duration::from_secs(30);

/// A client over a real socket, for no pipe in memory can be looked at. It has sent that, and the
/// call that is made for it has begun.
async fn connect_by_tcp(sent: &str) -> (TcpStream, JoinHandle<Ended>, Arc<Events>) {
    let events = Arc::<Events>::default();
    let shared = testing::server_with_handler([], RouteKind::Streamed, Echo(events.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("is bound")).await;
    let mut client = client.expect("is listened on");
    let (ours, _) = listener.accept().await.expect("the client has connected");
    let (served, _) = serve(ours, &shared);
    client.write_all(sent.as_bytes()).await.expect("the system takes it");
    while events.begun.load(Ordering::Relaxed) == 0 {
        yield_now().await;
    }
    (client, served, events)
}

fn held(fields: &str, content: &str) -> String {
    format!("POST /handled/held HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{content}")
}

#[tokio::test]
async fn one_that_leaves_while_nothing_is_read_of_it_is_noticed() {
    for sent in [
        held("Content-Length: 10", "hello"),
        held("Content-Length: 10", ""),
        held("Content-Length: 10\r\nExpect: 100-continue", ""),
        held("Transfer-Encoding: chunked", "5\r\nhe"),
        get("held") + &get("now").repeat(3000),
    ] {
        for resets in [false, true] {
            let (client, served, events) = connect_by_tcp(&sent).await;
            if resets {
                let socket = socket2::SockRef::from(&client);
                socket.set_linger(Some(Duration::ZERO)).expect("is a socket");
            }
            drop(client);
            let ended = tokio::time::timeout(PATIENCE, served).await.expect("is noticed");
            assert_eq!(ended.expect("no panic"), ABRUPT);
            assert_eq!(events.dropped.load(Ordering::Relaxed), 1);
        }
    }
}

#[tokio::test]
async fn one_that_takes_the_first_probe_and_leaves_is_noticed() {
    for (target, last) in [("held", "H"), ("tick", "\r\n\r\n0")] {
        let (mut client, served, events) = connect_by_tcp(&get(target)).await;
        client.shutdown().await.expect("is open");
        // All that has come of the server is read, or closing would reset the connection.
        let mut read = Vec::new();
        while !read.ends_with(last.as_bytes()) {
            read.push(client.read_u8().await.expect("a byte"));
        }
        drop(client);
        let ended = tokio::time::timeout(PATIENCE, served).await.expect("is noticed");
        assert_eq!(ended.expect("no panic"), ABRUPT, "{target}");
        assert_eq!(events.dropped.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn a_stream_that_always_has_more_gives_others_their_turns() {
    let mut client = connect(4096);
    client.send(get("nothing")).await;
    // That this is reached is what the test is about.
    assert!(client.head().await.contains("\r\ntransfer-encoding: chunked\r\n"));
    client.events.release.notify_one();
    client.shutdown().await;
    assert!(client.rest().await.ends_with("0\r\n\r\n"));

    let mut client = connect(4096);
    client.send(get("nothing")).await;
    client.head().await;
    drop(client.socket);
    assert_eq!(client.served.await.expect("no panic"), ABRUPT);
}

/// Asks for events of `live_reload`, of which there are none, with a content that nobody reads.
async fn listening() -> (DuplexStream, JoinHandle<Ended>, Arc<ConnectionContext>) {
    let shared = testing::server([("debug", true.into())]);
    let (mut socket, served, context) = connect_to(&shared, 4096);
    let path = slimhttp_site::live_reload::PATH;
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nsome");
    socket.write_all(request.as_bytes()).await.expect("the server reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.expect("a whole head"));
    }
    assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&head));
    settle().await;
    (socket, served, context)
}

#[tokio::test]
async fn one_that_leaves_within_a_content_that_nobody_reads_ends_the_answer() {
    let (mut client, served, context) = listening().await;
    client.write_all(b"more ").await.expect("the server reads");
    settle().await;
    assert!(context.state.is_busy());
    drop(client);
    assert_eq!(served.await.expect("no panic"), ABRUPT);

    let (client, served, context) = listening().await;
    assert!(context.state.is_busy());
    drop(client);
    assert_eq!(served.await.expect("no panic"), ABRUPT);
}

#[tokio::test]
async fn one_that_closes_its_sending_side_within_its_content_is_probed_and_answered() {
    let (mut client, served, events) = connect_by_tcp(&held("Content-Length: 10", "hello")).await;
    client.shutdown().await.expect("is open");
    assert_eq!(client.read_u8().await.expect("a byte"), b'H');
    assert_eq!(events.dropped.load(Ordering::Relaxed), 0);
    events.release.notify_one();
    let mut rest = String::new();
    client.read_to_string(&mut rest).await.expect("is text");
    assert!(rest.starts_with("TTP/1.1 "), "{rest}");
    assert!(
        rest.ends_with("\r\n\r\nOver"),
        "who reads the content learns that it broke off: {rest}"
    );
    assert_eq!(served.await.expect("no panic"), ORDERLY);
}
