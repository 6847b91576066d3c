//! How much of a socket is read and written in one turn, and what a client that only
//! keeps us busy leads to.

use std::task::Waker;

use futures_util::task::noop_waker_ref;
use hyper::rt::ReadBuf as LibraryBuf;
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};

use super::*;

/// A socket of which the other end is given too.
fn socket() -> (Socket<DuplexStream>, DuplexStream, Arc<Pace>, Arc<ConnectionState>) {
    let (ours, theirs) = duplex(1 << 20);
    let (pace, state) = (Arc::new(Pace::default()), Arc::new(ConnectionState::new()));
    let budget = Arc::new(SendBudget::new(1 << 20));
    (Socket::new(ours, state.clone(), budget, pace.clone()), theirs, pace, state)
}

/// Reads until the socket has no more for this turn.
fn read_turn(socket: &mut Socket<DuplexStream>) -> usize {
    let mut context = Context::from_waker(noop_waker_ref());
    let mut read = 0;
    loop {
        let mut bytes = [0; 8192];
        let mut buffer = LibraryBuf::new(&mut bytes);
        match Pin::new(&mut *socket).poll_read(&mut context, buffer.unfilled()) {
            Poll::Ready(outcome) => outcome.expect("a duplex does not fail"),
            Poll::Pending => return read,
        }
        read += buffer.filled().len();
    }
}

fn write_turn(socket: &mut Socket<DuplexStream>, waker: &Waker) -> usize {
    let mut written = 0;
    while let Poll::Ready(more) =
        Pin::new(&mut *socket).poll_write(&mut Context::from_waker(waker), &[0; 16 * 1024])
    {
        written += more.expect("a duplex does not fail");
    }
    written
}

#[tokio::test]
async fn in_one_turn_so_much_is_read() {
    let (mut socket, mut client, pace, _) = socket();
    client.write_all(&vec![0; 100 * 1024]).await.expect("it fits");
    assert_eq!(read_turn(&mut socket), TURN);
    assert_eq!(read_turn(&mut socket), 0, "the turn is over");
    pace.begin();
    assert_eq!(read_turn(&mut socket), TURN);
}

#[tokio::test]
async fn in_one_turn_so_much_is_written_and_that_is_no_clients_fault() {
    let (mut socket, _client, pace, state) = socket();
    assert_eq!(write_turn(&mut socket, noop_waker_ref()), TURN_WRITTEN);
    assert!(!state.is_write_blocked());
    pace.begin();
    assert_eq!(write_turn(&mut socket, noop_waker_ref()), TURN_WRITTEN);
    for _ in 0..2 {
        pace.begin();
        write_turn(&mut socket, noop_waker_ref());
    }
    pace.begin();
    assert_eq!(write_turn(&mut socket, noop_waker_ref()), 0, "the client takes no more");
    assert!(state.is_write_blocked());
}

#[tokio::test]
async fn a_flood_is_sent_away() {
    let (mut socket, mut client, pace, state) = socket();
    let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    client.write_all(&[0; 24]).await.expect("it fits");
    client.write_all(&ping.repeat(10_000)).await.expect("it fits");
    while read_turn(&mut socket) > 0 {
        pace.begin();
    }
    assert_eq!(state.ending(), Ending::SentAway);
    client.write_all(&[0; 24]).await.expect("it fits");
    pace.begin();
    assert_eq!(read_turn(&mut socket), 0, "nobody listens any more");
}
