//! Peers over real sockets, for no pipe in memory has resets.

use std::time::Duration;

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

async fn is_reset(watched: &mut PeerReset) -> bool {
    std::future::poll_fn(|context| Poll::Ready(watched.poll(context).is_ready())).await
}

#[tokio::test]
async fn a_peer_that_has_closed_its_sending_side_alone_is_there() {
    let (mut client, mut ours) = pair().await;
    client.shutdown().await.expect("is connected");
    assert_eq!(ours.read(&mut [0; 1]).await.expect("its end"), 0);
    let mut watched = PeerReset::watch(&ours).expect("a descriptor");
    assert!(!is_reset(&mut watched).await);
    ours.write_all(b"H").await.expect("is taken");
    let mut byte = [0];
    client.read_exact(&mut byte).await.expect("is open");
    assert_eq!(byte, *b"H");
    assert!(!is_reset(&mut watched).await);
}

#[tokio::test]
async fn a_peer_that_has_gone_resets_the_connection_when_it_is_written_to() {
    let (client, mut ours) = pair().await;
    drop(client);
    assert_eq!(ours.read(&mut [0; 1]).await.expect("its end"), 0);
    let mut watched = PeerReset::watch(&ours).expect("a descriptor");
    ours.write_all(b"H").await.expect("the system does not know yet");
    let reset = std::future::poll_fn(|context| watched.poll(context));
    tokio::time::timeout(PATIENCE, reset).await.expect("a reset");
}
