//! Tunnels between pipes in memory.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::context::testing;
use crate::net::connection_state::CloseMode;
use crate::net::upgraded::switched;
use crate::upstream::group::UpstreamGroup;

/// The far ends of a tunnel, its connection, and the group that carries it.
struct Tunnel {
    client: DuplexStream,
    upstream: DuplexStream,
    connection: Arc<ConnectionContext>,
    group: Arc<UpstreamGroup>,
}

async fn tunnel() -> Tunnel {
    let (client, ours) = tokio::io::duplex(16);
    let (upstream, theirs) = tokio::io::duplex(16);
    let connection = testing::connection(&testing::server([]));
    let group = Arc::new(UpstreamGroup::default());
    let permit = group.acquire_one().await;
    open(switched(ours, b""), theirs, permit, &connection);
    assert!(connection.state.is_upgraded() && connection.state.is_busy());
    Tunnel { client, upstream, connection, group }
}

impl Tunnel {
    /// The exchange is over, and its permit given back.
    async fn ended(&self) {
        while self.connection.state.is_busy() {
            tokio::task::yield_now().await;
        }
        assert_eq!(self.group.load(), (0, 0));
    }
}

async fn rest(stream: &mut DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("is a pipe");
    bytes
}

#[tokio::test]
async fn either_end_may_close_its_half_first() {
    let mut tunnel = tunnel().await;
    tunnel.client.write_all(b"ask").await.expect("is open");
    tunnel.client.shutdown().await.expect("is open");
    assert_eq!(rest(&mut tunnel.upstream).await, b"ask");
    assert_eq!(tunnel.group.load(), (1, 0), "the other half is open");
    tunnel.upstream.write_all(b"answer").await.expect("is open");
    tunnel.upstream.shutdown().await.expect("is open");
    assert_eq!(rest(&mut tunnel.client).await, b"answer");
    tunnel.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_side_that_takes_nothing_stops_the_other() {
    let mut tunnel = tunnel().await;
    // Both pipes hold 16 bytes, and the tunnel has a buffer of 8 KiB.
    let sent = tunnel.client.write_all(&[7; 100_000]);
    let blocked = tokio::time::timeout(std::time::Duration::from_millis(50), sent).await;
    assert!(blocked.is_err());
    tunnel.upstream.read_exact(&mut [0; 8 * 1024 + 16]).await.expect("is there");
    tunnel.client.write_all(b"more").await.expect("goes on");
}

#[tokio::test]
async fn a_cut_ends_both_sides() {
    let mut tunnel = tunnel().await;
    tunnel.client.write_all(b"a").await.expect("is open");
    assert_eq!(tunnel.upstream.read_u8().await.expect("is open"), b'a');
    tunnel.connection.state.request_close(CloseMode::Cut);
    tunnel.ended().await;
    assert_eq!(rest(&mut tunnel.client).await, b"");
    assert_eq!(rest(&mut tunnel.upstream).await, b"");
}
