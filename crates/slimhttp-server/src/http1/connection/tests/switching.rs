//! Connections that stop being HTTP.

use std::future::Future;

use super::*;
use crate::api::takeover::{Bytestream, UpgradedConnection};

/// Sends back what comes, until the client ends.
struct Echo;

impl UpgradedConnection for Echo {
    fn run(
        self: Box<Self>,
        connection: Box<dyn Bytestream>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let (mut from, mut to) = tokio::io::split(connection);
            let _ = tokio::io::copy(&mut from, &mut to).await;
            let _ = to.shutdown().await;
        })
    }
}

/// Switches to what `/handled/switch` asks for, and to nothing else.
pub(super) fn answer(request: &Call) -> Answer {
    if request.uri.path() != "/handled/switch" {
        return Answer::Pass;
    }
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(http::header::UPGRADE, HeaderValue::from_static("echo"));
    response.headers_mut().insert(http::header::CONNECTION, HeaderValue::from_static("upgrade"));
    Answer::Switch(response, Box::new(Echo))
}

fn asking(target: &str, fields: &str) -> String {
    format!(
        "GET /handled/{target} HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\
         {fields}\r\n"
    )
}

#[tokio::test(start_paused = true)]
async fn behind_a_101_the_bytes_belong_to_whoever_switched() {
    let mut client = connect(4096);
    client.send(asking("switch", "")).await;
    let head = client.head().await;
    assert_eq!(head.lines().next(), Some("HTTP/1.1 101 Switching Protocols"));
    assert!(!head.contains("content-length") && !head.contains("close"), "{head}");
    client.send("GET / HTTP/1.1\r\n").await;
    let mut echoed = [0; 16];
    client.socket.read_exact(&mut echoed).await.expect("comes back");
    assert_eq!(echoed, *b"GET / HTTP/1.1\r\n");
    assert!(client.context.state.is_busy() && client.context.state.is_upgraded());
    client.shutdown().await;
    assert_eq!(client.rest().await, "");
    assert_eq!(client.ended().await, Ended::Upgraded);
}

#[tokio::test(start_paused = true)]
async fn so_do_those_that_came_before_it() {
    let mut client = connect(4096);
    client.send(asking("switch", "") + "no \0 HTTP").await;
    client.shutdown().await;
    client.head().await;
    assert_eq!(client.rest().await, "no \0 HTTP");
}

#[tokio::test(start_paused = true)]
async fn where_nobody_switches_the_connection_goes_on() {
    let mut client = connect(4096);
    client.send(asking("other", "") + &get("next")).await;
    assert_eq!(client.response().await.1, "/handled/other");
    assert_eq!(client.response().await.1, "/handled/next");
}

#[tokio::test(start_paused = true)]
async fn content_comes_before_a_switch_or_there_is_none() {
    let mut client = connect(4096);
    client.send(asking("switch", "Content-Length: 2\r\n") + "hi" + "raw").await;
    client.head().await;
    let mut echoed = [0; 3];
    client.socket.read_exact(&mut echoed).await.expect("comes back");
    assert_eq!(echoed, *b"raw");

    let mut client = connect(4096);
    client.send(asking("switch", "Content-Length: 2\r\n") + "h").await;
    settle().await;
    client.send("i").await;
    assert_eq!(client.response().await.1, "hi", "no upgrade was offered");
}
