//! What is about one connection is left out, and how many turns of its task a request takes.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::HeaderValue;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use slimhttp_site::route::RouteKind;
use tokio::task::yield_now;

use super::*;
use crate::api::handler::{Answer, AnswerFuture, Callee, Handler, Request as Call};
use crate::context::testing;
use crate::message::body::Body;

#[test]
fn fields_about_a_connection_are_removed() {
    let mut headers = HeaderMap::new();
    for name in ["connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection"] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static("x"));
    }
    headers.insert("vary", HeaderValue::from_static("x"));
    remove_connection_fields(&mut headers);
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["vary"]);
}

struct Hello;

impl Handler for Hello {
    fn call(&self, _callee: Callee, _request: Arc<Call>) -> AnswerFuture {
        Box::pin(async { Ok(Answer::Reply(Response::new(Body::from("hello")))) })
    }
}

/// The task reads a request and writes its answer in one turn, and is not woken by what it did
/// itself. But where the machine is slow: a turn that takes a millisecond gives way.
#[tokio::test(start_paused = true)]
async fn a_request_takes_one_turn() {
    let shared = testing::server_with_handler([], RouteKind::Whole, Hello);
    let (client, server) = tokio::io::duplex(64 * 1024);
    let turns = Arc::new(AtomicUsize::new(0));
    let counting = turns.clone();
    let mut serving = Box::pin(serve(server, testing::connection(&shared)));
    tokio::spawn(std::future::poll_fn(move |context| {
        counting.fetch_add(1, Ordering::Relaxed);
        serving.as_mut().poll(context)
    }));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(client))
            .await
            .expect("a connection of HTTP/2");
    tokio::spawn(connection);
    let mut fewest = usize::MAX;
    for _ in 0..20 {
        for _ in 0..20 {
            yield_now().await;
        }
        let before = turns.load(Ordering::Relaxed);
        let request = Request::get("http://a/handled").body(Empty::<Bytes>::new());
        let response = sender.send_request(request.expect("a request")).await.expect("an answer");
        let content = response.into_body().collect().await.expect("all of it").to_bytes();
        assert_eq!(content, "hello");
        for _ in 0..20 {
            yield_now().await;
        }
        fewest = fewest.min(turns.load(Ordering::Relaxed) - before);
    }
    assert_eq!(fewest, 1);
}

/// A connection whose client is the test, and the server's state of it.
async fn connected() -> (
    hyper::client::conn::http2::SendRequest<Empty<Bytes>>,
    tokio::task::JoinHandle<hyper::Result<()>>,
    Arc<ConnectionState>,
) {
    let shared = testing::server_with_handler([], RouteKind::Whole, Hello);
    let (client, server) = tokio::io::duplex(64 * 1024);
    let context = testing::connection(&shared);
    let state = context.state.clone();
    tokio::spawn(serve(server, context));
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(client))
            .await
            .expect("a connection of HTTP/2");
    (sender, tokio::spawn(connection), state)
}

async fn hello(
    sender: &mut hyper::client::conn::http2::SendRequest<Empty<Bytes>>,
) -> hyper::Result<Bytes> {
    let request = Request::get("http://a/handled").body(Empty::<Bytes>::new());
    let response = sender.send_request(request.expect("a request")).await?;
    Ok(response.into_body().collect().await?.to_bytes())
}

async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_been_answered_is_told_to_go_where_another_process_takes_over() {
    let (mut sender, client, state) = connected().await;
    assert_eq!(hello(&mut sender).await.expect("an answer"), "hello");
    state.request_close(CloseMode::AfterRequest);
    // It hears of it, and ends in good order.
    client.await.expect("no panic").expect("no error");
    assert!(sender.is_closed());
}

#[tokio::test(start_paused = true)]
async fn who_has_asked_for_nothing_yet_is_answered_first() {
    let (mut sender, client, state) = connected().await;
    settle().await;
    state.request_close(CloseMode::AfterRequest);
    settle().await;
    assert!(sender.is_ready(), "it hears nothing of it");
    assert_eq!(hello(&mut sender).await.expect("an answer"), "hello");
    client.await.expect("no panic").expect("no error");
}
