//! One connection of HTTP/1 from end to end, over a pipe in memory.

mod content;
mod leaving;
mod retiring;
mod switching;

use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderMap, HeaderValue, StatusCode};
use slimhttp_site::route::RouteKind;
use slimhttp_site::value::{Table, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, yield_now};

use super::*;
use crate::api::handler::{Answer, AnswerFuture, Callee, Handler, Interests, Request as Call};
use crate::context::server::ServerContext;
use crate::context::testing;
use crate::message::body::Body;
use crate::message::content::Content;
use crate::net::connection_state::{ConnectionState, run_until_cut};
use crate::net::connections::Connections;

/// What the handler and its test share.
#[derive(Default)]
struct Events {
    /// Lets `/handled/held` be answered.
    release: Notify,
    /// Calls that have begun, and have been dropped.
    begun: AtomicUsize,
    dropped: AtomicUsize,
}

/// Answers with the content of the request, or with its target where there is none:
/// `/handled/held` once it is released, `/handled/busy` after as much work as one connection may
/// do at a time, `/handled/unread` without reading.
struct Echo(Arc<Events>);

struct Running(Arc<Events>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl Handler for Echo {
    fn call(&self, callee: Callee, request: Arc<Call>) -> AnswerFuture {
        let running = Running(self.0.clone());
        Box::pin(async move {
            let Running(events) = &running;
            if let Callee::Upgrade = callee {
                return Ok(switching::answer(&request));
            }
            events.begun.fetch_add(1, Ordering::Relaxed);
            let path = request.uri.path();
            match path {
                "/handled/held" => events.release.notified().await,
                "/handled/busy" => std::thread::sleep(std::time::Duration::from_millis(1)),
                _ => {}
            }
            if path == "/handled/short" {
                let response = Response::builder().header("content-length", 100);
                return Ok(Answer::Reply(response.body("less".into()).expect("is valid")));
            }
            let content = match (path, &request.body) {
                ("/handled/long", _) => "x".repeat(10_000).into(),
                ("/handled/tick", _) => leaving::tick(events),
                ("/handled/nothing", _) => leaving::frames_of_nothing(events),
                ("/handled/unread", _) => Body::from(path.to_string()),
                ("/handled/stream", _) => content::streamed(&request, 3),
                ("/handled/broken", _) => content::streamed(&request, 0),
                (_, Content::Streamed(stream)) => match content::read(stream).await {
                    Ok(content) if content.is_empty() => path.to_string().into(),
                    Ok(content) => content.into(),
                    Err(fault) => Body::from(format!("{fault:?}")),
                },
                (_, Content::Whole(content)) if content.is_empty() => path.to_string().into(),
                (_, Content::Whole(content)) => content.clone().into(),
            };
            Ok(Answer::Reply(Response::new(content)))
        })
    }

    fn interests(&self) -> Interests {
        Interests { upgrades: true, ..Interests::default() }
    }
}

/// A client's end of a connection that is served.
struct Client {
    socket: DuplexStream,
    served: JoinHandle<Ended>,
    context: Arc<ConnectionContext>,
    events: Arc<Events>,
}

/// How the server's part has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ended {
    Closed(Ending),
    /// With a head that is none, of this first line.
    Refused(String),
    Upgraded,
}

const UNREAD: Ended = Ended::Closed(Ending::Unread { announced: 0 });
const ORDERLY: Ended = Ended::Closed(Ending::Orderly);
const ABRUPT: Ended = Ended::Closed(Ending::Abrupt);
const RESET: Ended = Ended::Closed(Ending::Reset);

/// Connects to a server with this handler; either side holds at most `room` bytes that the
/// other has not read.
fn connect(room: usize) -> Client {
    connect_with(room, RouteKind::Whole, [])
}

fn connect_with(
    room: usize,
    kind: RouteKind,
    options: impl IntoIterator<Item = (&'static str, Value)>,
) -> Client {
    let events = Arc::<Events>::default();
    let shared = testing::server_with_handler(options, kind, Echo(events.clone()));
    let (socket, served, context) = connect_to(&shared, room);
    Client { socket, served, context, events }
}

fn connect_to(
    shared: &Arc<ServerContext>,
    room: usize,
) -> (DuplexStream, JoinHandle<Ended>, Arc<ConnectionContext>) {
    let (socket, server) = tokio::io::duplex(room);
    let (served, context) = serve(server, shared);
    (socket, served, context)
}

/// The same over a real socket.
async fn connect_by_tcp(shared: &Arc<ServerContext>) -> (TcpStream, JoinHandle<Ended>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("is bound")).await;
    let (server, _) = listener.accept().await.expect("the client has connected");
    (client.expect("is listened on"), serve(server, shared).0)
}

fn serve(
    server: impl Stream + Sync,
    shared: &Arc<ServerContext>,
) -> (JoinHandle<Ended>, Arc<ConnectionContext>) {
    let context = testing::connection(shared);
    let mut connection = Http1::new(server, context.clone());
    let served = tokio::spawn(async move {
        // As `serve::connection` does.
        let next = run_until_cut(&connection.context.clone().state, connection.run()).await;
        let next = next.expect("nothing is cut here");
        let ended = match &next {
            Next::Rest => panic!("nothing is to rest here"),
            Next::Close(ending) => Ended::Closed(*ending),
            Next::Refuse(fault) => Ended::Refused(fault.request_line.clone()),
            Next::Upgrade(_) => Ended::Upgraded,
        };
        connection.end(next).await;
        ended
    });
    (served, context)
}

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).await.expect("the server reads");
    }

    /// The next head.
    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.socket.read_u8().await.expect("a whole head"));
        }
        String::from_utf8(head).expect("a head in ASCII")
    }

    /// The next response: its head, and as many bytes as that announces.
    async fn response(&mut self) -> (String, String) {
        let head = self.head().await;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut content = vec![0; length.expect("a length").parse().expect("a number")];
        self.socket.read_exact(&mut content).await.expect("a whole content");
        (head, String::from_utf8(content).expect("a content in ASCII"))
    }

    /// Nothing has come of the server.
    async fn nothing(&mut self) {
        settle().await;
        let read = self.socket.read_u8();
        tokio::time::timeout(std::time::Duration::from_millis(1), read)
            .await
            .expect_err("nothing is to be said");
    }

    /// All that comes until the server closes its side.
    async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        self.socket.read_to_end(&mut rest).await.expect("the end");
        String::from_utf8(rest).expect("an answer in ASCII")
    }

    /// Closes the client's sending side.
    async fn shutdown(&mut self) {
        self.socket.shutdown().await.expect("open until now");
    }

    /// How the server's part has ended.
    async fn ended(self) -> Ended {
        let Self { served, socket: _open, .. } = self;
        served.await.expect("no panic")
    }

    /// The same of a client that has nothing more to say.
    async fn closed(mut self) -> Ended {
        self.shutdown().await;
        self.ended().await
    }
}

fn get(target: &str) -> String {
    format!("GET /handled/{target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// Lets every other task run until it waits.
async fn settle() {
    for _ in 0..10 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_for_the_next_request() {
    let mut client = connect(4096);
    for _ in 0..2 {
        client.send(get("now")).await;
        let (head, content) = client.response().await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(!head.contains("connection: close"), "{head}");
        assert_eq!(content, "/handled/now");
    }
    assert_eq!(client.closed().await, ORDERLY);
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_answered_in_order() {
    let mut client = connect(4096);
    client.send(get("1") + &get("2") + &get("3")[..10]).await;
    assert_eq!(client.response().await.1, "/handled/1");
    assert_eq!(client.response().await.1, "/handled/2");
    client.send(&get("3")[10..]).await;
    assert_eq!(client.response().await.1, "/handled/3");
}

#[tokio::test(start_paused = true)]
async fn others_have_their_turns_between_pipelined_requests() {
    const COUNT: usize = 20;
    let mut client = connect(1 << 16);
    let events = client.events.clone();
    let neighbour = tokio::spawn(async move {
        let mut seen = Vec::new();
        while seen.last() != Some(&COUNT) {
            seen.push(events.begun.load(Ordering::Relaxed));
            yield_now().await;
        }
        seen.dedup();
        seen
    });
    client.send(get("busy").repeat(COUNT)).await;
    let seen = neighbour.await.expect("no panic");
    // Of two that yield in turn, the runtime may poll either twice in a row.
    let is_fair = seen.windows(2).all(|turns| turns[1] - turns[0] <= 2);
    assert!(seen[0] <= 2 && is_fair, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_head_may_come_in_pieces() {
    let mut client = connect(4096);
    for byte in get("now").bytes() {
        assert_eq!(client.events.begun.load(Ordering::Relaxed), 0, "before the head is complete");
        client.send([byte]).await;
        settle().await;
    }
    assert_eq!(client.response().await.1, "/handled/now");
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_while_an_answer_is_made_is_answered_next() {
    let mut client = connect(4096);
    client.send(get("held")).await;
    settle().await;
    client.send(get("now")).await;
    settle().await;
    assert_eq!(client.events.begun.load(Ordering::Relaxed), 1, "one at a time");
    client.events.release.notify_one();
    assert_eq!(client.response().await.1, "/handled/held");
    assert_eq!(client.response().await.1, "/handled/now");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_ends_the_call_that_is_made_for_it() {
    let mut client = connect(4096);
    client.send(get("held")).await;
    settle().await;
    assert_eq!(client.events.begun.load(Ordering::Relaxed), 1);
    assert!(client.context.state.is_busy());
    let (events, context) = (client.events.clone(), client.context.clone());
    drop(client.socket);
    assert_eq!(client.served.await.expect("no panic"), ABRUPT);
    assert_eq!(events.dropped.load(Ordering::Relaxed), 1);
    assert!(!context.state.is_busy());
}

#[tokio::test(start_paused = true)]
async fn the_connection_ends_where_the_client_says_so() {
    let mut client = connect(4096);
    client.send("GET /handled/now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let answer = client.rest().await;
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n/handled/now"), "{answer}");
    assert_eq!(client.ended().await, ORDERLY);
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_behind_the_last_request_is_known_to_be_unread() {
    let mut client = connect(4096);
    let last = "GET /handled/now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    client.send(last.to_string() + &get("1")).await;
    assert!(client.response().await.0.contains("connection: close"));
    assert_eq!(client.ended().await, UNREAD);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_rests_ends_at_once_where_it_is_asked_to() {
    let mut client = connect(4096);
    settle().await;
    client.context.state.request_close(CloseMode::Gracefully);
    assert_eq!(client.rest().await, "");
    assert_eq!(client.ended().await, ORDERLY);
}

/// A connection that has been idle since the machine began, on which that has come, and which is
/// asked to rest.
async fn asked_to_rest(sent: &str) -> (DuplexStream, JoinHandle<Result<Next, CloseMode>>) {
    let mut context = testing::connection(&testing::server([]));
    let state = Arc::new(ConnectionState::created_at(0));
    Arc::get_mut(&mut context).expect("nobody else has it").state = state.clone();
    let (mut client, socket) = tokio::io::duplex(4096);
    let mut connection = Http1::new(socket, context);
    client.write_all(sent.as_bytes()).await.expect("is open");
    let connections = Connections::default();
    connections.add(&state);
    state.set_may_rest(true);
    let served = tokio::spawn(async move { run_until_cut(&state, connection.run()).await });
    settle().await;
    connections.request_rest(0, 1, 1000).expect("is idle");
    settle().await;
    (client, served)
}

#[tokio::test(start_paused = true)]
async fn a_connection_rests_where_it_is_asked_to() {
    let (_client, served) = asked_to_rest("").await;
    assert!(matches!(served.await.expect("no panic"), Ok(Next::Rest)));
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_which_something_was_read_does_not_rest() {
    // Half of an empty line before a request, which is no part of one (RFC 9112 section 2.2).
    let (mut client, served) = asked_to_rest("\r").await;
    assert!(!served.is_finished());
    client.write_all(b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("is open");
    let mut answer = [0; 12];
    client.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 404");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_has_begun_is_the_last_one_where_the_connection_is_to_end() {
    let mut client = connect(4096);
    client.send(get("held")).await;
    settle().await;
    client.context.state.request_close(CloseMode::Gracefully);
    client.events.release.notify_one();
    let answer = client.rest().await;
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.ends_with("/handled/held"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_known_to_be_blocked() {
    let mut client = connect(100);
    let head = get("long");
    client.send(&head).await;
    settle().await;
    assert!(client.context.state.is_write_blocked());
    let (_, content) = client.response().await;
    assert_eq!(content.len(), 10_000);
    settle().await;
    assert!(!client.context.state.is_write_blocked());
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_not_http_is_answered_and_read_past() {
    let mut client = connect(4096);
    client.send(get("now") + "GET / HTTP/1.1\r\nHost : a\r\n\r\n").await;
    assert_eq!(client.response().await.1, "/handled/now");
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    // It may go on sending, and nobody answers.
    client.send(get("now")).await;
    settle().await;
    assert!(!client.served.is_finished());
    assert_eq!(client.closed().await, Ended::Refused("GET / HTTP/1.1".into()));
}

#[tokio::test(start_paused = true)]
async fn the_refusal_of_a_head_has_no_content_where_the_method_is_head() {
    let mut client = connect(4096);
    client.send("HEAD / HTTP/1.1\r\nHost : a\r\n\r\n").await;
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_client_of_http_1_0_gets_the_end_of_the_connection() {
    let mut client = connect(4096);
    client.send("GET /handled/now HTTP/1.0\r\n\r\n").await;
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n/handled/now"), "{answer}");
    assert_eq!(client.ended().await, ORDERLY);
}

#[tokio::test(start_paused = true)]
async fn one_that_keeps_the_connection_is_told_that_it_stays() {
    let mut client = connect(4096);
    for _ in 0..2 {
        client.send("GET /handled/now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
        let (head, content) = client.response().await;
        assert!(head.contains("\r\nconnection: keep-alive\r\n"), "{head}");
        assert_eq!(content, "/handled/now");
    }
}

#[tokio::test(start_paused = true)]
async fn interim_responses_come_before_the_response() {
    let mut client = connect(4096);
    client.send(get("held")).await;
    settle().await;
    let fields = HeaderMap::from_iter([(http::header::LINK, HeaderValue::from_static("</a>"))]);
    client.context.state.interims().push(StatusCode::EARLY_HINTS, fields);
    client.events.release.notify_one();
    assert_eq!(client.head().await, "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
    assert_eq!(client.response().await.1, "/handled/held");
}

#[tokio::test(start_paused = true)]
async fn no_interim_response_goes_to_a_client_of_http_1_0() {
    let mut client = connect(4096);
    client.send("GET /handled/held HTTP/1.0\r\n\r\n").await;
    settle().await;
    client.context.state.interims().push(StatusCode::EARLY_HINTS, HeaderMap::new());
    client.events.release.notify_one();
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn without_handlers_it_answers_from_the_site() {
    let shared = testing::server([("redirects", redirects())]);
    let (mut socket, ..) = connect_to(&shared, 4096);
    let request = "HEAD /old HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    socket.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("the end");
    assert!(answer.contains("\r\nlocation: /new\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

/// `/old` has moved to `/new`.
fn redirects() -> Value {
    Table::unit("/old".into(), "/new".into()).into()
}
