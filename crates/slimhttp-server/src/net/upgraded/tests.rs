//! What an upgraded connection reads first, and when it counts as blocked.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[tokio::test]
async fn what_was_sent_ahead_comes_first() {
    let (mut client, ours) = tokio::io::duplex(100);
    client.write_all(b"behind").await.expect("there is room");
    client.shutdown().await.expect("is open");
    let mut upgraded = switched(ours, b"ahead ").upgraded().await.expect("was handed over");
    let mut bytes = [0; 2];
    upgraded.read_exact(&mut bytes).await.expect("is there");
    assert_eq!(bytes, *b"ah");
    let mut rest = String::new();
    upgraded.read_to_string(&mut rest).await.expect("is text");
    assert_eq!(rest, "ead behind");
}

#[tokio::test]
async fn without_a_101_there_is_no_connection() {
    let (sender, upgrade) = channel();
    drop(sender);
    let error = upgrade.upgraded().await.expect_err("nobody switches");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_known_to_block() {
    let (mut client, ours) = tokio::io::duplex(4);
    let state = Arc::new(ConnectionState::new());
    let mut upgraded = Upgraded::new(ours, Bytes::new(), state.clone());
    let mut written = 0;
    std::future::poll_fn(|context| {
        while let Poll::Ready(count) = Pin::new(&mut upgraded).poll_write(context, b"xxxx") {
            written += count.expect("is open");
        }
        Poll::Ready(())
    })
    .await;
    assert_eq!(written, 4);
    assert!(state.is_write_blocked());
    client.read_exact(&mut [0; 4]).await.expect("is there");
    upgraded.write_all(b"y").await.expect("is open");
    assert!(!state.is_write_blocked());
}
