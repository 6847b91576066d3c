//! Connections that rest, over sockets of this machine, with an I/O thread that is the test's.

use std::any::Any;
use std::net::Ipv4Addr;
use std::sync::atomic::AtomicUsize;

use slimhttp_site::plan::Security;
use slimhttp_site::route::RouteKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use super::*;
use crate::api::handler::{Answer, AnswerFuture, Callee, ConnectionData, Handler, Request as Call};
use crate::context::server::ServerContext;
use crate::context::testing;
use crate::message::body::Body;
use crate::net::admission::AddressPermit;
use crate::net::connection_state::ConnectionState;
use crate::net::connections::Connections;
use crate::serve::heartbeat::Heartbeat;

/// How long anything may take that is to happen.
const PATIENCE: Duration = Duration::from_secs(30);

const REQUEST: &[u8] = b"GET /handled HTTP/1.1\r\nHost: a\r\n\r\n";

/// A server whose handler answers requests, and counts connections that it is told the end of.
struct Program {
    ended: Arc<AtomicUsize>,
    panics: bool,
}

impl Handler for Program {
    fn call(&self, _callee: Callee, _request: Arc<Call>) -> AnswerFuture {
        Box::pin(async { Ok(Answer::Reply(http::Response::new(Body::from("answered")))) })
    }

    fn on_disconnect(&self, _data: ConnectionData) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics, "the program has a fault");
    }
}

/// One I/O thread of a server: the test's own.
struct Site {
    shared: Arc<ServerContext>,
    io_thread: Arc<IoThread>,
    listener: TcpListener,
    ended: Arc<AtomicUsize>,
}

/// A connection that rests, unless it could not, and its client.
struct Rested {
    client: TcpStream,
    state: Arc<ConnectionState>,
}

impl Site {
    async fn new() -> Self {
        Self::with_program(false).await
    }

    async fn with_program(panics: bool) -> Self {
        let ended = Arc::<AtomicUsize>::default();
        let program = Program { ended: ended.clone(), panics };
        let shared = testing::server_with_handler([], RouteKind::Whole, program);
        let io_thread = Arc::new(IoThread {
            connections: Connections::default(),
            resting: Resting::default(),
            heartbeat: Heartbeat::default(),
            handle: Handle::current(),
            active: Arc::default(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        Self { shared, io_thread, listener, ended }
    }

    /// A client, and its connection as it is before it rests.
    async fn connect(&self) -> (TcpStream, TcpStream, Arc<ConnectionContext>) {
        let address = self.listener.local_addr().expect("is bound");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), self.listener.accept());
        let (client, (socket, peer)) = (client.expect("is there"), accepted.expect("is there"));
        let address = AddressPermit::acquire(&self.shared.admission, peer.ip(), usize::MAX);
        let permit = address.expect("no bound").permit(&self.io_thread.active);
        let state = Arc::new(ConnectionState::new());
        self.io_thread.connections.add(&state);
        let context = ConnectionContext::begin(
            self.shared.clone(),
            state,
            &socket,
            (peer, socket.local_addr().expect("is bound")),
            Security::Plain,
            permit,
        );
        let handler = self.shared.handler.as_ref().expect("a program");
        let _: &Arc<dyn Any + Send + Sync> = context.connected(handler);
        (client, socket, context)
    }

    async fn rested(&self) -> Rested {
        let (client, socket, context) = self.connect().await;
        rest(&self.io_thread, socket, &context).expect("there is room");
        Rested { client, state: context.state.clone() }
    }

    /// How many rest.
    fn resting(&self) -> usize {
        self.io_thread.resting.table.lock().as_ref().map_or(0, |table| table.connections.len())
    }

    /// Waits until none of its connections is left.
    async fn emptied(&self) {
        eventually(|| self.io_thread.active.is_zero()).await;
        assert_eq!(self.resting(), 0);
    }
}

impl Rested {
    async fn send(&mut self) {
        self.client.write_all(REQUEST).await.expect("is open");
    }

    /// The next answer.
    async fn answer(&mut self) -> String {
        let mut answer = Vec::new();
        while !answer.ends_with(b"answered") {
            let byte = tokio::time::timeout(PATIENCE, self.client.read_u8()).await;
            answer.push(byte.expect("in time").expect("a whole answer"));
        }
        String::from_utf8(answer).expect("an answer in ASCII")
    }

    /// That the server closes it, without a word.
    async fn closed(&mut self) {
        let read = tokio::time::timeout(PATIENCE, self.client.read(&mut [0])).await;
        assert_eq!(read.expect("in time").expect("in order"), 0);
    }
}

async fn eventually(is_so: impl Fn() -> bool) {
    let all = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("in time");
}

#[tokio::test]
async fn who_rested_answers_and_rests_again() {
    let site = Site::new().await;
    let mut rested = site.rested().await;
    assert_eq!(site.resting(), 1);
    for _ in 0..2 {
        rested.send().await;
        assert!(rested.answer().await.starts_with("HTTP/1.1 200 OK\r\n"));
        assert_eq!(site.resting(), 0);
        let later = crate::sys::clock::milliseconds() + 1000;
        eventually(|| {
            site.io_thread.connections.request_rest(0, 9, later);
            site.resting() == 1
        })
        .await;
    }
    assert_eq!(site.ended.load(Ordering::Relaxed), 0, "it is one connection");
    drop(rested);
    site.emptied().await;
    assert_eq!(site.ended.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_has_come_before_is_answered() {
    let site = Site::new().await;
    let (mut client, socket, context) = site.connect().await;
    client.write_all(REQUEST).await.expect("is open");
    socket.readable().await.expect("is open");
    rest(&site.io_thread, socket, &context).expect("there is room");
    Rested { client, state: context.state.clone() }.answer().await;
}

#[tokio::test]
async fn many_that_wake_at_once_are_all_answered() {
    let site = Site::new().await;
    let mut all = Vec::new();
    for _ in 0..3 * AT_ONCE + 1 {
        all.push(site.rested().await);
    }
    assert_eq!(site.resting(), all.len());
    for rested in &mut all {
        rested.send().await;
    }
    for rested in &mut all {
        rested.answer().await;
    }
    assert_eq!(site.resting(), 0);
}

#[tokio::test]
async fn those_that_others_ask_to_end_do() {
    for mode in [CloseMode::Gracefully, CloseMode::Cut] {
        let site = Site::new().await;
        let mut all = Vec::new();
        for _ in 0..3 * AT_ONCE + 1 {
            all.push(site.rested().await);
        }
        let mut stays = all.pop().expect("the last one");
        let states: Vec<_> = all.iter().map(|rested| rested.state.clone()).collect();
        let asking = std::thread::spawn(move || {
            states.iter().for_each(|state| state.request_close(mode));
        });
        for rested in &mut all {
            rested.closed().await;
        }
        asking.join().expect("it panics nowhere");
        assert_eq!(site.resting(), 1, "nobody else is concerned");
        stays.send().await;
        stays.answer().await;
        drop(stays);
        site.emptied().await;
        assert_eq!(site.ended.load(Ordering::Relaxed), all.len() + 1);
    }
}

#[tokio::test]
async fn one_that_is_asked_to_end_as_it_begins_to_rest_does() {
    let site = Site::new().await;
    let (client, socket, context) = site.connect().await;
    context.state.request_close(CloseMode::Gracefully);
    rest(&site.io_thread, socket, &context).expect("there is room");
    let state = context.state.clone();
    drop(context);
    Rested { client, state }.closed().await;
    site.emptied().await;
}

#[tokio::test]
async fn a_request_that_has_come_in_time_is_the_last_one() {
    for (mode, is_answered) in [(CloseMode::Gracefully, true), (CloseMode::Cut, false)] {
        let site = Site::new().await;
        let (mut client, socket, context) = site.connect().await;
        client.write_all(REQUEST).await.expect("is open");
        socket.readable().await.expect("is open");
        rest(&site.io_thread, socket, &context).expect("there is room");
        let state = context.state.clone();
        drop(context);
        state.request_close(mode);
        let mut rested = Rested { client, state };
        if is_answered {
            assert!(rested.answer().await.contains("\r\nconnection: close\r\n"));
            rested.closed().await;
        } else {
            let read = tokio::time::timeout(PATIENCE, rested.client.read(&mut [0])).await;
            assert!(matches!(read.expect("in time"), Ok(0) | Err(_)), "no answer");
        }
        site.emptied().await;
    }
}

#[tokio::test]
async fn who_may_ask_once_more_rests_on_until_then() {
    let site = Site::new().await;
    let (mut asks, mut waits) = (site.rested().await, site.rested().await);
    for _ in 0..2 {
        // What is asked once more changes nothing, and loses nothing.
        asks.state.request_close(CloseMode::AfterRequest);
        waits.state.request_close(CloseMode::AfterRequest);
        eventually(|| site.io_thread.resting.requests.groups.lock().is_empty()).await;
    }
    assert_eq!(site.resting(), 2);
    asks.send().await;
    assert!(asks.answer().await.contains("\r\nconnection: close\r\n"));
    asks.closed().await;
    assert_eq!(site.resting(), 1);
    waits.state.request_close(CloseMode::Gracefully);
    waits.closed().await;
    site.emptied().await;
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed() {
    let site = Site::new().await;
    let (closed, aborted, half_closed) =
        (site.rested().await, site.rested().await, site.rested().await);
    drop(closed.client);
    aborted.client.set_zero_linger().expect("is a socket");
    drop(aborted.client);
    let mut half_closed = half_closed;
    half_closed.client.shutdown().await.expect("is open");
    half_closed.closed().await;
    site.emptied().await;
    assert_eq!(site.ended.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_request_in_pieces_has_its_time() {
    let site = Site::new().await;
    let mut rested = site.rested().await;
    rested.client.write_all(&REQUEST[..10]).await.expect("is open");
    eventually(|| site.resting() == 0).await;
    // Only then may a head be late.
    eventually(|| rested.state.idle_since().is_none()).await;
    rested.client.write_all(&REQUEST[10..]).await.expect("is open");
    rested.answer().await;
}

#[tokio::test]
async fn a_panic_of_the_program_ends_no_other_connection() {
    let site = Site::with_program(true).await;
    let (gone, mut stays) = (site.rested().await, site.rested().await);
    drop(gone.client);
    eventually(|| site.ended.load(Ordering::Relaxed) == 1).await;
    stays.send().await;
    stays.answer().await;
}

#[tokio::test]
async fn who_has_the_key_of_another_is_not_taken_for_it() {
    let site = Site::new().await;
    let mut first = site.rested().await;
    first.send().await;
    first.answer().await;
    // The first one is served by a task, and its waker may still be called.
    let mut second = site.rested().await;
    let waker = site.io_thread.resting.table.lock().as_ref().expect("has begun").wakers[0].clone();
    waker.wake_by_ref();
    waker.wake_by_ref();
    assert_eq!(*site.io_thread.resting.requests.groups.lock(), [0], "is looked at once");
    eventually(|| !waker.is_queued.load(Ordering::Relaxed)).await;
    assert_eq!(site.resting(), 1);
    second.state.request_close(CloseMode::Gracefully);
    second.closed().await;
}

#[tokio::test]
async fn the_end_of_the_thread_drops_all() {
    let site = Site::new().await;
    let mut all = [site.rested().await, site.rested().await];
    site.io_thread.resting.clear();
    for rested in &mut all {
        rested.closed().await;
    }
    assert!(site.io_thread.active.is_zero());
    assert_eq!(site.ended.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn one_whose_time_is_over_ends() {
    let site = Site::new().await;
    let mut rested = site.rested().await;
    // It is looked at again and again.
    let later = crate::sys::clock::milliseconds() + 1000;
    assert_eq!(site.io_thread.connections.request_rest(0, 1, later), None, "it rests already");
    let service = site.shared.live.cached().site.service.clone();
    let limits =
        slimhttp_site::site::Service { idle_timeout: Duration::ZERO, ..(*service).clone() };
    site.io_thread.connections.enforce_timeouts(&limits);
    rested.closed().await;
    site.emptied().await;
}

/// There may be thousands of them: what few need is in boxes that these do not have.
#[test]
fn a_connection_holds_little_at_rest() {
    /// Before each value that is shared: how many share it.
    const COUNTS: usize = 16;
    let held = [
        size_of::<ConnectionState>() + COUNTS,
        size_of::<ConnectionContext>() + COUNTS,
        // In the list of the thread, and in the table, each of which may be half empty.
        2 * size_of::<Arc<ConnectionState>>(),
        2 * size_of::<IdleConnection>(),
    ];
    assert!(held.iter().sum::<usize>() <= 340, "{held:?}");
}
