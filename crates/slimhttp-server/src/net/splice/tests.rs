//! Pipes between sockets: what arrives, and how many there are at once.

use std::future::poll_fn;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Both ends of a connection on this machine.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("is bound");
    let (one, other) = tokio::join!(TcpStream::connect(address), listener.accept());
    (one.expect("connects"), other.expect("accepts").0)
}

#[tokio::test]
async fn bytes_arrive_as_they_were_sent_and_no_more_than_asked_for() {
    let ((mut source, from), (to, mut sink)) = (pair().await, pair().await);
    let sent: Vec<u8> =
        (0..3_000_000_u32).map(|number| number as u8 ^ (number >> 9) as u8).collect();
    let length = sent.len() as u64;
    let expected = sent.clone();
    let writing = tokio::spawn(async move {
        source.write_all(&sent).await.expect("is read");
        source.write_all(b"behind").await.expect("is read");
        source
    });
    let reading = tokio::spawn(async move {
        let mut received = Vec::new();
        sink.read_to_end(&mut received).await.expect("ends well");
        received
    });
    let mut pipe = Splice::open().expect("a pipe");
    let mut left = length;
    while left > 0 {
        let taken = poll_fn(|context| pipe.poll_fill(context, &from, left)).await.expect("reads");
        assert!(taken > 0 && taken <= SIZE);
        left -= taken as u64;
        while pipe.held() > 0 {
            poll_fn(|context| pipe.poll_drain(context, &to)).await.expect("writes");
        }
    }
    drop(to);
    assert_eq!(reading.await.expect("no panic"), expected);
    let mut source = writing.await.expect("no panic");
    source.shutdown().await.expect("is open");
    let mut from = from;
    let mut rest = Vec::new();
    from.read_to_end(&mut rest).await.expect("ends well");
    assert_eq!(rest, b"behind");
}

#[tokio::test]
async fn the_end_of_a_socket_is_told() {
    let ((source, from), (to, _sink)) = (pair().await, pair().await);
    drop(source);
    let mut pipe = Splice::open().expect("a pipe");
    assert_eq!(poll_fn(|context| pipe.poll_fill(context, &from, 10)).await.expect("no fault"), 0);
    assert_eq!(pipe.held(), 0);
    drop(to);
}

#[test]
fn there_are_so_many_pipes_at_once() {
    static SOME: AtomicUsize = AtomicUsize::new(0);
    let mut counts: Vec<Count> = std::iter::from_fn(|| Count::take(&SOME)).collect();
    assert_eq!(counts.len(), MOST);
    counts.pop();
    assert!(Count::take(&SOME).is_some());
}
