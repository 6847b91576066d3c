//! A handler that has a connection to itself, over a pipe in memory.

use std::future::Future;
use std::pin::Pin;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::*;
use crate::api::takeover::Bytestream;
use crate::context::testing;
use crate::net::connection_state::CloseMode;
use crate::net::upgraded::switched;

/// Sends back what comes, until the client ends; drops its sender with its future.
struct Echo(oneshot::Sender<()>);

impl UpgradedConnection for Echo {
    fn run(
        self: Box<Self>,
        connection: Box<dyn Bytestream>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let Echo(_held) = *self;
            let (mut from, mut to) = tokio::io::split(connection);
            let _ = tokio::io::copy(&mut from, &mut to).await;
        })
    }
}

#[tokio::test]
async fn the_handler_has_the_bytes_until_it_returns() {
    let (mut client, ours) = tokio::io::duplex(16);
    let connection = testing::connection(&testing::server([]));
    let (held, dropped) = oneshot::channel();
    hand_over(switched(ours, b""), Box::new(Echo(held)), &connection);
    client.write_all(b"hello").await.expect("is open");
    client.read_exact(&mut [0; 5]).await.expect("comes back");
    assert!(connection.state.is_busy() && connection.state.is_upgraded());
    client.shutdown().await.expect("is open");
    assert_eq!(client.read(&mut [0]).await.expect("is a pipe"), 0);
    dropped.await.expect_err("nothing is sent");
    while connection.state.is_busy() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_cut_drops_the_future_of_the_handler() {
    let (mut client, ours) = tokio::io::duplex(16);
    let connection = testing::connection(&testing::server([]));
    let (held, dropped) = oneshot::channel();
    hand_over(switched(ours, b""), Box::new(Echo(held)), &connection);
    connection.state.request_close(CloseMode::Gracefully);
    client.write_all(b"hello").await.expect("is open");
    client.read_exact(&mut [0; 5]).await.expect("is the handler's to end");
    connection.state.request_close(CloseMode::Cut);
    dropped.await.expect_err("nothing is sent");
    assert_eq!(client.read(&mut [0]).await.expect("is a pipe"), 0);
}
