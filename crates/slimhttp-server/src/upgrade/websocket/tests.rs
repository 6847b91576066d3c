//! The switch to a WebSocket, and how long its exchange lasts.

use http::header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{HeaderValue, StatusCode};
use slimhttp_site::websocket::{Handshake, WebSocketLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::context::testing;
use crate::net::upgraded::switched;
use crate::websocket::{self, HandlerGuard, TryRecvError, WebSocket};

fn pending() -> (WebSocket, HandlerGuard, PendingWebSocket) {
    let limits = WebSocketLimits {
        max_message: 1000,
        queue: 1,
        ping_interval: std::time::Duration::ZERO,
        ping_timeout: std::time::Duration::ZERO,
        idle_timeout: std::time::Duration::ZERO,
        compress: false,
    };
    let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
    let handshake = Handshake { key, subprotocol: Some("chat".into()), deflate: None };
    websocket::open(handshake, Arc::new(limits), || {})
}

/// The example of RFC 6455 section 1.3.
#[tokio::test(start_paused = true)]
async fn the_exchange_lasts_until_the_handler_has_ended() {
    let (mut client, ours) = tokio::io::duplex(1000);
    let connection = testing::connection(&testing::server([]));
    let (handler, guard, pending) = pending();
    let response = accept(pending, Some(switched(ours, b"")), &connection).expect("may switch");
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let field = |name| response.headers().get(name).map(HeaderValue::as_bytes);
    assert_eq!(field(UPGRADE), Some(&b"websocket"[..]));
    assert_eq!(field(SEC_WEBSOCKET_ACCEPT), Some(&b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="[..]));
    assert_eq!(field(SEC_WEBSOCKET_PROTOCOL), Some(&b"chat"[..]));

    client.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.expect("is open");
    let mut frame = Vec::new();
    client.read_to_end(&mut frame).await.expect("is a pipe");
    assert_eq!(frame, b"\x88\x02\x03\xe8");
    assert!(connection.state.is_busy(), "its handler is at work");
    assert!(matches!(handler.try_recv(), Err(TryRecvError::Closed(_))));
    drop(guard);
    while connection.state.is_busy() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_that_cannot_switch_is_refused_and_its_handler_learns_of_it() {
    let connection = testing::connection(&testing::server([]));
    let (handler, _guard, pending) = pending();
    let refusal = accept(pending, None, &connection).expect_err("cannot switch");
    assert!(matches!(refusal, Refusal::UpgradeRequired));
    assert!(handler.is_closed() && !connection.state.is_busy());
}

/// A client waits for the 101 before it sends anything (RFC 6455 section 4.1).
#[tokio::test(start_paused = true)]
async fn frames_before_the_101_fail_the_websocket() {
    let (mut client, ours) = tokio::io::duplex(1000);
    let connection = testing::connection(&testing::server([]));
    let (handler, _guard, pending) = pending();
    let upgrade = switched(ours, b"\x88\x82\0\0\0\0\x03\xe8");
    accept(pending, Some(upgrade), &connection).expect("may switch");
    let mut frame = Vec::new();
    client.read_to_end(&mut frame).await.expect("is a pipe");
    let reason = b"frames before the answer to the handshake";
    assert_eq!(frame, [&[0x88, 43, 0x03, 0xea][..], reason].concat());
    assert_eq!(handler.close_frame().map(|frame| frame.code), Some(1002));
}
