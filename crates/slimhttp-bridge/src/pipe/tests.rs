//! The bounded buffers between a socket and Python: order, bounds, ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

use super::{MOST_RECEIVED, MOST_SENT, NotSent, Pipe, Received};

const NOW: Duration = Duration::ZERO;
const WHILE: Duration = Duration::from_secs(20);

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn opened(first: &'static str) -> Arc<Pipe> {
    let pipe = Arc::new(Pipe::default());
    pipe.open(bytes(first));
    pipe
}

fn run<R>(work: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .expect("has a runtime")
        .block_on(async { tokio::time::timeout(WHILE, work).await.expect("does not hang") })
}

/// Runs the pipe over this side of a connection; counts how often it says that bytes have come.
fn carry(pipe: &Arc<Pipe>, server: DuplexStream) -> (JoinHandle<()>, Arc<AtomicUsize>) {
    let announced = Arc::new(AtomicUsize::new(0));
    let (pipe, count) = (pipe.clone(), announced.clone());
    let carrying = tokio::spawn(async move {
        let announce = move || _ = count.fetch_add(1, Ordering::SeqCst);
        pipe.run(Box::new(server), WHILE, announce).await;
    });
    (carrying, announced)
}

#[test]
fn c9_what_may_be_sent_when() {
    let pipe = Pipe::default();
    assert_eq!(pipe.send(bytes("x"), NOW), Err(NotSent::Http));
    pipe.begin_answer();
    assert!(!pipe.has_answer());
    assert_eq!(pipe.send(bytes("HTTP/1.1 "), NOW), Ok(()));
    assert_eq!(pipe.send(bytes("101"), NOW), Ok(()));
    assert!(pipe.has_answer());
    assert_eq!(pipe.take_answer(), b"HTTP/1.1 101");
    assert_eq!(pipe.send(bytes("x"), NOW), Err(NotSent::Http));
    pipe.open(Bytes::new());
    assert_eq!(pipe.send(bytes("x"), NOW), Ok(()));
    assert!(pipe.close());
    assert_eq!(pipe.send(bytes("x"), NOW), Err(NotSent::Ended));
    pipe.end();
    assert_eq!(pipe.send(bytes("x"), NOW), Err(NotSent::Ended));
    assert_eq!(pipe.receive(1), Received::End);
}

#[test]
fn c9_bytes_go_both_ways_and_closing_sends_the_rest() {
    run(async {
        let pipe = opened("first ");
        let (mut client, server) = tokio::io::duplex(64);
        let (carrying, announced) = carry(&pipe, server);
        pipe.send(bytes("second"), NOW).expect("has room");
        let mut read = [0; 12];
        client.read_exact(&mut read).await.expect("comes");
        assert_eq!(&read, b"first second");
        client.write_all(b"hello").await.expect("goes");
        while pipe.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(announced.load(Ordering::SeqCst), 1);
        let before = pipe.arrivals();
        assert_eq!(pipe.receive(2), Received::Bytes(bytes("he")));
        // It took some and left some.
        assert!(pipe.must_look_again(before));
        let before = pipe.arrivals();
        // It left all: there is nothing new before more comes.
        assert!(!pipe.must_look_again(before));
        assert_eq!(pipe.receive(99), Received::Bytes(bytes("llo")));
        assert_eq!(pipe.receive(99), Received::Nothing);
        pipe.send(bytes("bye"), NOW).expect("has room");
        assert!(pipe.close());
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.expect("ends");
        assert_eq!(rest, b"bye");
        carrying.await.expect("ends");
    });
}

#[test]
fn c9_a_client_that_ends_is_told_once_and_may_still_be_answered() {
    run(async {
        let pipe = opened("");
        let (mut client, server) = tokio::io::duplex(64);
        let (carrying, announced) = carry(&pipe, server);
        client.shutdown().await.expect("ends");
        while !pipe.arrivals().finished {
            tokio::task::yield_now().await;
        }
        assert_eq!(announced.load(Ordering::SeqCst), 1);
        assert_eq!(pipe.receive(9), Received::End);
        pipe.send(bytes("late"), NOW).expect("has room");
        pipe.close();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.expect("ends");
        assert_eq!(rest, b"late");
        carrying.await.expect("ends");
    });
}

#[test]
fn c9_both_buffers_are_bounded() {
    run(async {
        let pipe = opened("");
        let (mut client, server) = tokio::io::duplex(1024);
        let carrying = tokio::spawn({
            let pipe = pipe.clone();
            async move { pipe.run(Box::new(server), WHILE, || {}).await }
        });
        // Nobody takes what the client sends: it is stopped, not kept without end.
        let flood = vec![b'x'; 4096];
        let mut sent = 0;
        while let Ok(written) =
            tokio::time::timeout(Duration::from_millis(200), client.write(&flood)).await
        {
            sent += written.expect("is open");
            assert!(sent < 4 * MOST_RECEIVED, "{sent}");
        }
        assert!(sent >= MOST_RECEIVED);
        // The client takes nothing: who sends is stopped.
        let piece = Bytes::from(vec![b'y'; 64 * 1024]);
        let mut given = 0;
        while pipe.send(piece.clone(), NOW).is_ok() {
            given += piece.len();
            assert!(given < 4 * MOST_SENT, "{given}");
            tokio::task::yield_now().await;
        }
        assert_eq!(pipe.send(piece.clone(), Duration::from_millis(10)), Err(NotSent::Full));
        // Room comes when the client reads.
        let sender = std::thread::spawn({
            let pipe = pipe.clone();
            move || pipe.send(piece, WHILE)
        });
        let mut taken = vec![0; 256 * 1024];
        client.read_exact(&mut taken).await.expect("comes");
        while !sender.is_finished() {
            client.read_exact(&mut taken[..1024]).await.expect("comes");
        }
        assert_eq!(sender.join().expect("does not panic"), Ok(()));
        carrying.abort();
        let _ = carrying.await;
        pipe.end();
        assert_eq!(pipe.send(bytes("x"), NOW), Err(NotSent::Ended));
    });
}

#[test]
fn c9_who_takes_nothing_is_given_up() {
    run(async {
        let pipe = opened("");
        let (mut client, server) = tokio::io::duplex(1024);
        let carrying = tokio::spawn({
            let pipe = pipe.clone();
            async move { pipe.run(Box::new(server), Duration::from_millis(10), || {}).await }
        });
        let flood = vec![b'x'; 4096];
        while client.write_all(&flood).await.is_ok() {}
        assert!(!carrying.await.expect("ends"));
        // What has come may still be taken.
        assert!(
            matches!(pipe.receive(usize::MAX), Received::Bytes(bytes) if bytes.len() >= MOST_RECEIVED)
        );
    });
}
