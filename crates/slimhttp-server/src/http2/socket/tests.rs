//! How much of a socket is read and written in one turn, and what a client that only
//! keeps us busy leads to.

use std::task::Waker;

use futures_util::task::noop_waker_ref;
use hyper::rt::ReadBuf as HyperBuf;
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};

use super::*;

/// A socket of which the other end is given too. Its turns are bounded by bytes alone.
fn socket() -> (Socket<DuplexStream>, DuplexStream, Arc<Pace>, Arc<ConnectionState>) {
    paced(Pace::of(Duration::from_secs(3600)))
}

fn paced(pace: Pace) -> (Socket<DuplexStream>, DuplexStream, Arc<Pace>, Arc<ConnectionState>) {
    let (ours, theirs) = duplex(1 << 20);
    let (pace, state) = (Arc::new(pace), Arc::new(ConnectionState::new()));
    let budget = Arc::new(SendBudget::new(1 << 20));
    (Socket::new(ours, state.clone(), budget, pace.clone()), theirs, pace, state)
}

/// One read: `None` where there is no more for this turn.
fn read(socket: &mut Socket<DuplexStream>) -> Option<usize> {
    let mut context = Context::from_waker(noop_waker_ref());
    let mut bytes = [0; 8192];
    let mut buffer = HyperBuf::new(&mut bytes);
    match Pin::new(&mut *socket).poll_read(&mut context, buffer.unfilled()) {
        Poll::Ready(outcome) => outcome.expect("a duplex does not fail"),
        Poll::Pending => return None,
    }
    Some(buffer.filled().len())
}

/// Reads until the socket has no more for this turn.
fn read_turn(socket: &mut Socket<DuplexStream>) -> usize {
    std::iter::from_fn(|| read(socket)).sum()
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
    client.write_all(&[0; 24]).await.expect("it fits");
    client.write_all(&[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]).await.expect("it fits");
    client.write_all(&vec![0; 100 * 1024]).await.expect("it fits");
    // It finds out that it is amidst a long frame.
    read(&mut socket);
    pace.begin();
    assert_eq!(read_turn(&mut socket), TURN);
    assert_eq!(read_turn(&mut socket), 0, "the turn is over");
    pace.begin();
    assert_eq!(read_turn(&mut socket), TURN);
}

#[tokio::test]
async fn a_turn_is_over_by_the_clock_too() {
    let (mut socket, mut client, pace, _) = paced(Pace::default());
    client.write_all(&vec![0; 100 * 1024]).await.expect("it fits");
    assert!(read(&mut socket).is_some());
    let began = Instant::now();
    while began.elapsed() <= TURN_TIME {
        std::hint::spin_loop();
    }
    assert_eq!(read(&mut socket), None, "however little was read");
    pace.begin();
    assert!(read(&mut socket).is_some());
}

#[tokio::test]
async fn less_is_read_where_frames_are_short() {
    let (mut socket, mut client, pace, _) = socket();
    client.write_all(&[0; 24]).await.expect("it fits");
    client.write_all(&[0, 0, 1, 0, 0, 0, 0, 0, 1, 0].repeat(1000)).await.expect("it fits");
    client.write_all(&[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]).await.expect("it fits");
    client.write_all(&[0; 16 * 1024]).await.expect("it fits");
    for _ in 0..4 {
        assert_eq!(read_turn(&mut socket), READ_OF_SHORT, "that many frames are a turn");
        pace.begin();
    }
    // The second of these finds out that it is amidst a long frame.
    let reads = [READ_OF_SHORT, READ_OF_SHORT, 8192].map(Some);
    assert_eq!([(); 3].map(|()| read(&mut socket)), reads);
}

#[tokio::test]
async fn what_a_flood_ends_with_is_not_worked_off() {
    let (mut socket, mut client, _, state) = socket();
    client.write_all(&[0; 24]).await.expect("it fits");
    client.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0].repeat(300)).await.expect("it fits");
    assert_eq!(read(&mut socket), None);
    assert_eq!(state.close_mode(), CloseMode::Rejected);
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
    assert_eq!(state.close_mode(), CloseMode::Rejected);
    client.write_all(&[0; 24]).await.expect("it fits");
    pace.begin();
    assert_eq!(read_turn(&mut socket), 0, "nobody listens any more");
}
