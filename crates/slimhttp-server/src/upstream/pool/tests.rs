//! Which connections are kept, and which are used first.

use std::io::Write as _;
use std::net::TcpListener;
use std::task::Poll;

use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpStream;

use super::*;
use crate::sys::descriptors::UpstreamDescriptor;
use crate::upstream::socket::UpstreamSocket;
use crate::upstream::testing::{Asked, TERMS, answered, collected, group};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// Has an exchange on a new connection, which is idle then; the upstream's end of it.
async fn use_one(group: &Arc<UpstreamGroup>) -> DuplexStream {
    let (response, mut upstream) = answered(group, OK).await;
    assert!(response.is_ok());
    crate::upstream::testing::read_until(&mut upstream, "\r\n\r\n").await;
    upstream
}

/// Writes a byte to see which one it is.
async fn is_of(connection: &mut UpstreamConnection, upstream: &mut DuplexStream) -> bool {
    connection.socket.write_u8(7).await.expect("is open");
    let read = tokio::time::timeout(Duration::from_millis(10), upstream.read_u8()).await;
    read.is_ok_and(|byte| byte.is_ok())
}

#[tokio::test(start_paused = true)]
async fn the_one_that_was_used_last_is_used_first() {
    let group = group();
    let (mut first, mut second) = (use_one(&group).await, use_one(&group).await);
    let mut taken = take(&group, 0).expect("is idle");
    assert!(taken.is_reused() && is_of(&mut taken, &mut second).await);
    let mut taken = take(&group, 0).expect("is idle");
    assert!(is_of(&mut taken, &mut first).await);
    assert!(take(&group, 0).is_none());
    assert!(take(&group, 1).is_none(), "the other upstream has its own");
}

#[tokio::test(start_paused = true)]
async fn of_too_many_the_one_that_was_idle_longest_is_closed() {
    let group = group();
    let mut upstreams = [use_one(&group).await, use_one(&group).await, use_one(&group).await];
    assert!(upstreams[0].read_u8().await.is_err(), "it is closed");
    for upstream in upstreams[1..].iter_mut().rev() {
        assert!(is_of(&mut take(&group, 0).expect("is idle"), upstream).await);
    }
}

#[tokio::test]
async fn one_that_the_upstream_has_closed_or_speaks_on_is_not_used() {
    let group = group();
    let _open = use_one(&group).await;
    let mut speaks = use_one(&group).await;
    speaks.write_u8(1).await.expect("is open");
    let taken = take(&group, 0).expect("the first is idle");
    drop(taken);
    assert!(take(&group, 0).is_none());
    drop(use_one(&group).await);
    assert!(take(&group, 0).is_none());
}

/// Over real sockets, of which the runtime hears later than the system.
#[tokio::test]
async fn one_whose_response_spoke_of_content_is_looked_at_before_it_is_used() {
    for (method, response) in [
        (Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"),
        (Method::HEAD, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
        (Method::GET, "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"),
    ] {
        let group = group();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let ours = TcpStream::connect(listener.local_addr().expect("is bound")).await;
        let (mut upstream, _) = listener.accept().expect("has connected");
        upstream.write_all(response.as_bytes()).expect("is open");
        let connection = UpstreamConnection::new(
            UpstreamSocket::Plain(ours.expect("is listened on")),
            Place::new(&group, 0),
            UpstreamDescriptor::take().expect("tests open few files"),
        );
        let sent = Asked::new(method, &[]).send(connection, &mut collected("")).await;
        assert!(sent.is_ok(), "{response}");
        let quiet = take(&group, 0).expect("nothing has come yet");
        give_back(quiet, TERMS.idling);
        // The runtime is not polled between this and the look.
        upstream.write_all(b"later").expect("is open");
        assert!(take(&group, 0).is_none(), "{response}");
    }
}

#[tokio::test]
async fn one_that_is_idle_for_too_long_is_closed() {
    let group = group();
    let mut upstream = use_one(&group).await;
    let mut closed = use_one(&group).await;
    closed.shutdown().await.expect("is open");
    POOLS.with_borrow_mut(|pools| {
        let pool = pools.all.get_mut(&(Arc::as_ptr(&group) as usize)).expect("is known");
        assert_eq!(pool.idle[0].len(), 2);
    });
    drop_expired();
    POOLS.with_borrow_mut(|pools| {
        let pool = pools.all.get_mut(&(Arc::as_ptr(&group) as usize)).expect("is known");
        assert_eq!(pool.idle[0].len(), 1, "one was closed by the upstream");
        pool.idle[0][0].expires_at = clock::milliseconds();
    });
    drop_expired();
    assert!(upstream.read_u8().await.is_err(), "it is closed");
    assert!(take(&group, 0).is_none());
}

#[tokio::test]
async fn what_is_kept_goes_with_its_group() {
    let group = group();
    let mut upstream = use_one(&group).await;
    drop(group);
    drop_expired();
    assert!(upstream.read_u8().await.is_err(), "it is closed");
    assert!(POOLS.with_borrow(|pools| pools.all.is_empty()));
}

#[tokio::test]
async fn each_group_has_its_own_turn() {
    let (one, other) = (group(), group());
    let turns: Vec<_> = (0..4).map(|_| next_turn(&one, 2)).collect();
    assert_eq!(turns, [0, 1, 0, 1]);
    assert_eq!(next_turn(&one, 2), 0);
    assert_eq!(next_turn(&other, 2), 0, "whatever others do");
    assert_eq!(next_turn(&one, 2), 1);
}

#[tokio::test]
async fn idle_connections_make_room() {
    let group = group();
    let mut idle = use_one(&group).await;
    let mut busy = use_one(&group).await;
    let mut used = take(&group, 0).expect("is idle");
    make_room();
    assert!(idle.read_u8().await.is_err(), "it is closed");
    assert!(is_of(&mut used, &mut busy).await);
}

/// Two runtimes of one thread each, as the I/O threads of a server.
#[test]
fn idle_connections_of_other_threads_make_room_too() {
    let (is_idle, idle) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("has descriptors").block_on(async {
            let group = group();
            let mut upstream = use_one(&group).await;
            // The task that waits for those who lack one does so from its first poll on.
            tokio::task::yield_now().await;
            is_idle.send(()).expect("is received");
            assert!(upstream.read_u8().await.is_err(), "it is closed");
        });
    });
    idle.recv().expect("is sent");
    make_room();
    other.join().expect("was closed");
}

#[tokio::test]
async fn one_that_the_upstream_has_closed_is_not_used_by_a_task_that_has_done_much() {
    let group = group();
    drop(use_one(&group).await);
    let taken = std::future::poll_fn(|context| {
        while tokio::task::coop::has_budget_remaining() {
            let _ = std::pin::pin!(tokio::task::consume_budget()).poll(context);
        }
        Poll::Ready(take(&group, 0))
    });
    assert!(taken.await.is_none());
}
