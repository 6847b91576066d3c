//! Peers over real sockets, for no pipe in memory has resets.

use std::future::poll_fn;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("is bound")).await;
    let (ours, _) = listener.accept().await.expect("the client has connected");
    (client.expect("is listened on"), ours)
}

/// What is seen next.
async fn next(watch: &mut PeerWatch, socket: &TcpStream) -> PeerEvent {
    let event = poll_fn(|context| watch.poll(Some(socket), context));
    tokio::time::timeout(PATIENCE, event).await.expect("something is to be seen")
}

/// Nothing is seen by the next looks.
async fn nothing(watch: &mut PeerWatch, socket: &TcpStream) {
    let event = poll_fn(|context| watch.poll(Some(socket), context));
    tokio::time::timeout(5 * FIRST_LOOK, event).await.expect_err("nothing is to be seen");
    assert!(watch.interval > FIRST_LOOK, "it was looked for");
}

#[tokio::test]
async fn a_peer_that_has_closed_its_sending_side_alone_is_there() {
    let (mut client, mut ours) = pair().await;
    let mut watch = PeerWatch::default();
    client.write_all(b"unread").await.expect("is connected");
    nothing(&mut watch, &ours).await;
    client.shutdown().await.expect("is connected");
    assert_eq!(next(&mut watch, &ours).await, PeerEvent::Ended);
    ours.write_all(b"H").await.expect("is taken");
    let mut byte = [0];
    client.read_exact(&mut byte).await.expect("is open");
    assert_eq!(byte, *b"H");
    nothing(&mut watch, &ours).await;
}

#[tokio::test]
async fn a_peer_that_has_gone_resets_the_connection_when_it_is_written_to() {
    let (client, mut ours) = pair().await;
    let mut watch = PeerWatch::default();
    drop(client);
    watch.set_ended();
    nothing(&mut watch, &ours).await;
    ours.write_all(b"H").await.expect("the system does not know yet");
    assert_eq!(next(&mut watch, &ours).await, PeerEvent::Gone);
}

#[tokio::test]
async fn a_reset_is_seen_behind_what_is_unread() {
    let (mut client, ours) = pair().await;
    client.write_all(b"unread").await.expect("is connected");
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("is a socket");
    drop(client);
    assert_eq!(next(&mut PeerWatch::default(), &ours).await, PeerEvent::Gone);
}

#[tokio::test(start_paused = true)]
async fn it_is_looked_for_less_and_less_often() {
    let (_client, ours) = pair().await;
    let mut watch = PeerWatch::default();
    let event = poll_fn(|context| watch.poll(Some(&ours), context));
    tokio::time::timeout(PATIENCE, event).await.expect_err("the peer is there");
    assert_eq!(watch.interval, LONGEST);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_has_ended_is_to_be_probed_less_and_less_often() {
    let mut watch = PeerWatch::default();
    let start = Instant::now();
    watch.set_ended();
    let mut due = Vec::new();
    for _ in 0..6 {
        let event = poll_fn(|context| watch.poll(None, context)).await;
        assert_eq!(event, PeerEvent::ProbeDue);
        due.push(start.elapsed().as_secs());
    }
    let is_late = |(due, set): (&u64, u64)| (set..=set + 1).contains(due);
    assert!(due.iter().zip([1, 5, 15, 30, 60, 120]).all(is_late), "{due:?}");
}

#[tokio::test]
async fn tcp_probes_a_peer_that_has_ended_for_a_while() {
    let (client, ours) = pair().await;
    let mut watch = PeerWatch::default();
    watch.set_ended();
    assert!(!sockopt::socket_keepalive(&ours).expect("is a socket"));
    assert_eq!(next(&mut watch, &ours).await, PeerEvent::ProbeDue);
    assert!(sockopt::socket_keepalive(&ours).expect("is a socket"));
    assert_eq!(sockopt::tcp_keepidle(&ours), Ok(KEEP_ALIVE));
    assert_eq!(sockopt::tcp_keepintvl(&ours), Ok(KEEP_ALIVE));
    assert_eq!(sockopt::tcp_keepcnt(&ours), Ok(KEEP_ALIVE_COUNT));
    drop(client);
}
