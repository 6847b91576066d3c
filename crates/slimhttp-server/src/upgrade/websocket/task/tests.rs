//! One WebSocket from end to end, over a pipe in memory and with the clock paused: its client
//! writes frames by hand.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderValue;
use slimhttp_site::websocket::{Handshake, WebSocketLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

use super::*;
use crate::websocket::{HandlerGuard, Message, TryRecvError, TrySendError, WebSocket, open};

const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Messages that may wait in each queue.
const QUEUE: usize = 2;

/// A WebSocket that is served.
struct Served {
    client: Client,
    handler: WebSocket,
    _guard: HandlerGuard,
    state: Arc<ConnectionState>,
    /// How often the handler was notified.
    notified: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// The client's end.
struct Client(DuplexStream);

impl Client {
    /// Sends a masked frame: its first byte (FIN, RSV, opcode) and its payload.
    async fn send(&mut self, first: u8, payload: &[u8]) {
        let length = u8::try_from(payload.len()).expect("a short payload");
        assert!(length < 126);
        let mut frame = vec![first, 0x80 | length, 0, 0, 0, 0];
        frame.extend_from_slice(payload);
        self.0.write_all(&frame).await.expect("the server reads");
    }

    /// The next frame of the server, with a short payload.
    async fn frame(&mut self) -> (u8, Vec<u8>) {
        let first = self.0.read_u8().await.expect("a frame");
        let length = self.0.read_u8().await.expect("a length");
        let mut payload = vec![0; usize::from(length)];
        self.0.read_exact(&mut payload).await.expect("a payload");
        (first, payload)
    }

    /// What comes up to the end of the connection.
    async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).await.expect("is a pipe");
        rest
    }
}

fn serve() -> Served {
    serve_with(64 * 1024, Duration::ZERO, Duration::ZERO)
}

/// Serves over a pipe that holds so many bytes either way.
fn serve_with(room: usize, ping_interval: Duration, idle_timeout: Duration) -> Served {
    let limits = WebSocketLimits {
        max_message: 1000,
        queue: QUEUE,
        ping_interval,
        ping_timeout: PING_TIMEOUT,
        idle_timeout,
        compress: false,
    };
    let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
    let handshake = Handshake { key, subprotocol: None, deflate: None };
    let notified = Arc::new(AtomicUsize::new(0));
    let count = notified.clone();
    let notify = move || {
        count.fetch_add(1, Ordering::Relaxed);
    };
    let (handler, guard, pending) = open(handshake, Arc::new(limits), notify);
    let (client, socket) = tokio::io::duplex(room);
    let state = Arc::new(ConnectionState::new());
    let (task_state, peer) = (state.clone(), (Ipv4Addr::LOCALHOST, 1).into());
    let task = tokio::spawn(async move {
        WebSocketTask::new(&pending, socket, &task_state, peer).run().await;
    });
    Served { client: Client(client), handler, _guard: guard, state, notified, task }
}

impl Served {
    /// Lets the task work until it has nothing to do.
    async fn settle(&self) {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    /// The next message, as text.
    async fn message(&self) -> String {
        loop {
            match self.handler.try_recv() {
                Ok(message) => return String::from_utf8_lossy(message.as_bytes()).into_owned(),
                Err(TryRecvError::Empty) => tokio::task::yield_now().await,
                Err(TryRecvError::Closed(frame)) => panic!("{frame:?}"),
            }
        }
    }

    fn closed(&self) -> Option<(u16, String)> {
        self.handler.try_closed().map(|frame| (frame.code, frame.reason.into()))
    }

    fn try_send(&self, text: &str) -> Result<(), TrySendError> {
        self.handler.try_send(Message::Text(text.to_owned().into()))
    }
}

fn closed(code: u16, reason: &str) -> Option<(u16, String)> {
    Some((code, reason.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn messages_go_both_ways_and_pings_are_answered() {
    let mut served = serve();
    served.client.send(0x81, b"hello").await;
    assert_eq!(served.message().await, "hello");
    served.client.send(0x89, b"are you there").await;
    assert_eq!(served.client.frame().await, (0x8a, b"are you there".to_vec()));
    served.try_send("hi").expect("has room");
    assert_eq!(served.client.frame().await, (0x81, b"hi".to_vec()));
    let ping = served.handler.try_ping(None).expect("has room");
    let (first, payload) = served.client.frame().await;
    assert_eq!((first, served.handler.has_pong(ping)), (0x89, Ok(false)));
    served.client.send(0x8a, &payload).await;
    served.settle().await;
    assert_eq!(served.handler.has_pong(ping), Ok(true));
}

#[tokio::test(start_paused = true)]
async fn the_close_frame_of_a_client_is_sent_back() {
    let mut served = serve();
    served.client.send(0x88, b"\x0b\xb8bye").await;
    assert_eq!(served.client.frame().await, (0x88, b"\x0b\xb8".to_vec()));
    assert_eq!(served.client.rest().await, b"");
    assert_eq!(served.closed(), closed(3000, "bye"));
    served.task.await.expect("does not panic");
}

#[tokio::test(start_paused = true)]
async fn the_handler_closes_behind_what_it_has_sent() {
    let mut served = serve();
    served.try_send("last").expect("has room");
    served.handler.close(CloseFrame::new(3000, "done").expect("may be sent"));
    assert_eq!(served.try_send("too late"), Err(TrySendError::Closed));
    assert_eq!(served.client.frame().await, (0x81, b"last".to_vec()));
    assert_eq!(served.client.frame().await, (0x88, b"\x0b\xb8done".to_vec()));
    assert_eq!(served.closed(), None, "the client has not answered");
    served.client.send(0x88, b"\x0b\xb8").await;
    assert_eq!(served.client.rest().await, b"");
    assert_eq!(served.closed(), closed(3000, ""));
    served.task.await.expect("does not panic");
}

#[tokio::test(start_paused = true)]
async fn a_client_has_five_seconds_to_answer_a_close_frame() {
    let served = serve();
    let begun = Instant::now();
    served.handler.close(CloseFrame::without_reason(1000));
    served.task.await.expect("does not panic");
    assert_eq!(begun.elapsed(), CLOSE_FRAME_TIMEOUT);
    let how = served.handler.try_closed().expect("is closed");
    assert_eq!((how.code, &*how.reason), (ABNORMAL, "the closing was not answered"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_was_not_closed() {
    let served = serve();
    drop(served.client);
    served.task.await.expect("does not panic");
    assert_eq!(served.handler.try_closed(), Some(CloseFrame::without_reason(ABNORMAL)));
}

/// What a client sends behind a frame that is broken is read for a moment, so that the close
/// frame reaches it.
#[tokio::test(start_paused = true)]
async fn a_broken_frame_is_answered_and_the_rest_discarded() {
    let mut served = serve();
    let begun = Instant::now();
    served.client.0.write_all(b"\x81\x01a").await.expect("the server reads");
    let (first, payload) = served.client.frame().await;
    assert_eq!((first, &payload[..2]), (0x88, &1002_u16.to_be_bytes()[..]));
    assert_eq!(served.client.rest().await, b"", "no more comes");
    served.client.0.write_all(&[0; 500_000]).await.expect("is discarded");
    let why = "a frame without a mask";
    assert_eq!(served.closed(), closed(1002, why));
    served.task.await.expect("does not panic");
    assert_eq!(begun.elapsed(), DISCARD.0);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_a_mebibyte_is_discarded() {
    let mut served = serve();
    let begun = Instant::now();
    served.client.0.write_all(b"\x81\x01a").await.expect("the server reads");
    let mut sent = 0;
    while served.client.0.write_all(&[0; 1024]).await.is_ok() {
        sent += 1024;
    }
    let pipe = 64 * 1024;
    assert!((DISCARD.1..=DISCARD.1 + 2 * pipe).contains(&sent), "{sent}");
    served.task.await.expect("does not panic");
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_notified_when_the_client_reads() {
    let mut served = serve_with(16, Duration::ZERO, Duration::ZERO);
    let message = "x".repeat(100);
    let mut sent = 0;
    while served.try_send(&message).is_ok() {
        sent += 1;
        served.settle().await;
    }
    assert_eq!((served.handler.try_ready(), served.closed()), (Err(TrySendError::Full), None));
    assert!(served.state.is_write_blocked());
    assert_eq!(served.notified.load(Ordering::Relaxed), 0);
    // As many as the buffer of frames holds, and the queue.
    assert!(sent > QUEUE, "{sent}");
    for _ in 0..sent {
        assert_eq!(served.client.frame().await.1.len(), 100);
    }
    served.settle().await;
    assert_eq!((served.handler.try_ready(), served.notified.load(Ordering::Relaxed)), (Ok(()), 1));
    assert!(!served.state.is_write_blocked());
}

#[tokio::test(start_paused = true)]
async fn a_client_is_read_as_far_as_the_handler_takes_messages() {
    let mut served = serve_with(16, Duration::ZERO, Duration::ZERO);
    let client = async {
        for number in 0..100_u8 {
            served.client.send(0x82, &[number; 10]).await;
        }
    };
    let blocked = tokio::time::timeout(Duration::from_secs(1), client).await;
    assert!(blocked.is_err(), "the pipe and the queue are full");
    // The client was stopped within a frame: its connection is of no use any more. What came
    // is there, in order.
    drop(served.client);
    let mut taken = Vec::new();
    loop {
        match served.handler.try_recv() {
            Ok(message) => taken.push(message.as_bytes()[0]),
            Err(TryRecvError::Empty) => tokio::task::yield_now().await,
            Err(TryRecvError::Closed(frame)) => break assert_eq!(frame.code, ABNORMAL),
        }
    }
    assert!(taken.len() >= QUEUE && taken.len() < 100, "{taken:?}");
    assert!(taken.iter().copied().eq(0..taken.len() as u8), "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_pinged_and_given_up() {
    let mut served = serve_with(1000, PING_INTERVAL, Duration::ZERO);
    let begun = Instant::now();
    assert_eq!(served.client.frame().await, (0x89, Vec::new()));
    assert_eq!(begun.elapsed(), PING_INTERVAL);
    served.client.send(0x8a, b"").await;
    assert_eq!(served.client.frame().await, (0x89, Vec::new()));
    assert_eq!(begun.elapsed(), 2 * PING_INTERVAL);
    assert_eq!(served.client.rest().await, b"");
    assert_eq!(begun.elapsed(), 2 * PING_INTERVAL + PING_TIMEOUT);
    assert_eq!(served.closed(), closed(ABNORMAL, "the client is silent"));
}

#[tokio::test(start_paused = true)]
async fn a_websocket_without_messages_is_closed() {
    let mut served = serve_with(1000, Duration::ZERO, IDLE_TIMEOUT);
    let begun = Instant::now();
    assert_eq!(served.client.frame().await, (0x88, b"\x03\xe9idle".to_vec()));
    assert_eq!((begun.elapsed(), served.closed()), (IDLE_TIMEOUT, closed(GOING_AWAY, "idle")));
    served.client.send(0x88, b"\x03\xe9").await;
    assert_eq!(served.client.rest().await, b"");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_closes_with_a_handshake_and_a_cut_without() {
    let mut served = serve();
    served.state.request_close(CloseMode::Gracefully);
    assert_eq!(served.client.frame().await, (0x88, b"\x03\xe9".to_vec()));
    assert_eq!(served.closed(), closed(GOING_AWAY, ""));
    served.client.send(0x88, b"\x03\xe9").await;
    assert_eq!(served.client.rest().await, b"");

    let mut served = serve();
    served.settle().await;
    served.state.request_close(CloseMode::Cut);
    assert_eq!(served.client.rest().await, b"");
    assert_eq!(served.closed(), closed(ABNORMAL, ""));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_ends_closes_the_websocket() {
    let mut served = serve();
    drop(served._guard);
    assert_eq!(served.client.frame().await, (0x88, b"\x03\xe9".to_vec()));
    served.client.send(0x88, b"").await;
    assert_eq!(served.client.rest().await, b"");
    served.task.await.expect("does not panic");
}
