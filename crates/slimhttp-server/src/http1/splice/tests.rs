//! Answers that are moved from socket to socket, over real ones.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use slimhttp_site::route::RouteKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::*;
use crate::api::handler::{Answer, AnswerFuture, Callee, Handler, Request};
use crate::context::testing;
use crate::http1::connection::{Ending, Next};
use crate::message::body::{Body, BodyError, SocketBody};

const LENGTH: usize = 1_000_000;

/// Both ends of a connection on this machine.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("is bound")).await;
    let (ours, _) = listener.accept().await.expect("the client has connected");
    (client.expect("is listened on"), ours)
}

/// What is left of an upstream's answer. It is never read but from its socket.
struct Coming {
    socket: TcpStream,
    left: u64,
    is_silent: Arc<AtomicBool>,
}

impl HttpBody for Coming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready((self.left > 0).then(|| Err("it broke off".into())))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl SocketBody for Coming {
    fn socket(&self) -> Option<(&TcpStream, u64)> {
        Some((&self.socket, self.left))
    }

    fn advance(mut self: Pin<&mut Self>, count: u64) {
        self.left -= count;
    }

    fn poll_silence(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.is_silent.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Answers with what comes of an upstream.
struct Proxy(Arc<Mutex<Option<Coming>>>);

impl Handler for Proxy {
    fn call(&self, _: Callee, _: Arc<Request>) -> AnswerFuture {
        let coming = self.0.clone();
        Box::pin(async move {
            let coming = coming.lock().await.take().expect("one request is made");
            Ok(Answer::Reply(Response::new(Body::Socket(Box::pin(coming)))))
        })
    }
}

/// An answer on its way.
struct Spliced {
    client: TcpStream,
    upstream: TcpStream,
    is_silent: Arc<AtomicBool>,
    served: JoinHandle<Ending>,
}

/// Sends so much of an answer, of which the client has got all.
async fn spliced(sent: usize) -> Spliced {
    let ((mut upstream, socket), (mut client, server)) = (pair().await, pair().await);
    let is_silent = Arc::<AtomicBool>::default();
    let coming = Coming { socket, left: LENGTH as u64, is_silent: is_silent.clone() };
    let handler = Proxy(Arc::new(Mutex::new(Some(coming))));
    let shared = testing::server_with_handler([], RouteKind::Whole, handler);
    let mut connection = Http1::new(server, testing::connection(&shared));
    let served = tokio::spawn(async move {
        let next = connection.run().await;
        let Next::Close(ending) = next else { panic!("it is closed") };
        connection.end(Next::Close(ending)).await;
        ending
    });
    client.write_all(b"GET /handled HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("is open");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.expect("a whole head"));
    }
    let content: Vec<u8> = (0..sent).map(|number| number as u8).collect();
    let mut received = vec![0; sent];
    let (written, read) =
        tokio::join!(upstream.write_all(&content), client.read_exact(&mut received));
    written.expect("is read");
    read.expect("arrives");
    assert!(received == content);
    Spliced { client, upstream, is_silent, served }
}

#[tokio::test]
async fn all_of_it_arrives_and_the_connection_goes_on() {
    let Spliced { mut client, served, .. } = spliced(LENGTH).await;
    client.shutdown().await.expect("is open");
    assert_eq!(client.read_to_end(&mut Vec::new()).await.expect("ends well"), 0);
    assert_eq!(served.await.expect("no panic"), Ending::Orderly);
}

#[tokio::test]
async fn an_upstream_that_ends_early_breaks_it_off() {
    let Spliced { mut client, upstream, served, .. } = spliced(LENGTH / 2).await;
    drop(upstream);
    assert_eq!(client.read_to_end(&mut Vec::new()).await.expect("the end"), 0);
    assert_eq!(served.await.expect("no panic"), Ending::Orderly);
}

#[tokio::test]
async fn a_silent_upstream_breaks_it_off() {
    let Spliced { mut client, upstream: _open, is_silent, served } = spliced(LENGTH / 2).await;
    is_silent.store(true, Ordering::Relaxed);
    assert_eq!(client.read_to_end(&mut Vec::new()).await.expect("the end"), 0);
    assert_eq!(served.await.expect("no panic"), Ending::Orderly);
}

#[tokio::test]
async fn a_client_that_leaves_closes_the_upstream() {
    let Spliced { client, mut upstream, served, .. } = spliced(LENGTH / 2).await;
    // So that its end is a reset, which is known at once.
    socket2::SockRef::from(&client).set_linger(Some(std::time::Duration::ZERO)).expect("is set");
    drop(client);
    assert_eq!(served.await.expect("no panic"), Ending::Abrupt);
    assert_eq!(upstream.read(&mut [0; 1]).await.expect("the end"), 0);
}
