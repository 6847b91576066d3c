//! When a connection is given back, and what becomes of one on which something else than HTTP
//! comes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use hyper::rt::ReadBuf as HyperBuf;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;
use crate::context::testing;

const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";

/// Counts how often the connection's task was woken.
#[derive(Default)]
struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Connection {
    io: ValidatingIo<DuplexStream>,
    client: DuplexStream,
    state: Arc<ConnectionState>,
    task: Arc<Task>,
}

impl Connection {
    /// One of which `unread` was read already.
    fn new(unread: &'static str) -> Self {
        let live = testing::server([]).live.clone();
        let (socket, client) = duplex(4096);
        let (state, task) = (Arc::new(ConnectionState::new()), Arc::new(Task::default()));
        let unread = Bytes::from_static(unread.as_bytes());
        let fault = FaultCell::default();
        let io = ValidatingIo::http1(socket, unread, live, state.clone(), fault);
        Self { io, client, state, task }
    }

    async fn send(&mut self, bytes: &str) {
        self.client.write_all(bytes.as_bytes()).await.expect("it fits");
    }

    /// One read, as hyper does it.
    fn read(&mut self) -> Poll<io::Result<String>> {
        let waker = Waker::from(self.task.clone());
        self.state.register(&waker);
        let mut bytes = [0; 4096];
        let mut buffer = HyperBuf::new(&mut bytes);
        let read =
            Pin::new(&mut self.io).poll_read(&mut Context::from_waker(&waker), buffer.unfilled());
        let text = || String::from_utf8(buffer.filled().to_vec()).expect("requests in ASCII");
        read.map_ok(|()| text())
    }

    /// The bytes that hyper gets, which must have come.
    fn read_ready(&mut self) -> String {
        match self.read() {
            Poll::Ready(read) => read.expect("valid bytes"),
            Poll::Pending => panic!("nothing has come"),
        }
    }

    /// Whether it is given back once there is nothing to read.
    fn is_given_back(&mut self) -> bool {
        assert!(self.read().is_pending());
        self.state.is_engine_idle()
    }

    fn woken(&self) -> usize {
        self.task.0.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn it_is_given_back_once_every_request_is_answered() {
    let mut connection = Connection::new(POST);
    assert_eq!(connection.read_ready(), POST);
    assert!(!connection.is_given_back(), "hyper has not begun to answer");
    connection.state.begin_exchange();
    assert!(!connection.is_given_back(), "the answer is on its way");
    connection.state.end_exchange();
    assert!(connection.is_given_back());
    let (_, unread) = connection.io.into_parts();
    assert!(unread.is_empty());
}

#[tokio::test]
async fn it_is_kept_where_a_further_request_has_begun() {
    let mut connection = Connection::new(POST);
    assert_eq!(connection.read_ready(), POST);
    connection.state.begin_exchange();
    connection.state.end_exchange();
    connection.send("PO").await;
    assert_eq!(connection.read_ready(), "PO");
    assert!(!connection.is_given_back());
}

#[tokio::test]
async fn it_is_kept_while_the_client_takes_nothing_and_once_it_is_upgraded() {
    let mut connection = Connection::new(POST);
    assert_eq!(connection.read_ready(), POST);
    connection.state.begin_exchange();
    connection.state.end_exchange();
    connection.state.set_write_blocked(true);
    assert!(!connection.is_given_back());
    connection.state.set_write_blocked(false);
    assert!(connection.is_given_back());
    connection.state.set_upgraded();
    assert!(!connection.is_given_back());
    connection.send("no HTTP at all").await;
    assert_eq!(connection.read_ready(), "no HTTP at all");
}

#[tokio::test]
async fn a_head_that_is_not_http_waits_for_the_answers_before_it() {
    let mut connection = Connection::new(POST);
    connection.send("GET / HTTP/1.1\r\nHost : a\r\n\r\n").await;
    assert_eq!(connection.read_ready(), POST);
    assert!(connection.read().is_pending(), "hyper gets no byte of the head");
    let woken = connection.woken();
    assert_eq!(woken, 1, "but is to read again");
    assert!(connection.read().is_pending(), "hyper has not begun to answer");
    connection.state.begin_exchange();
    assert!(connection.read().is_pending(), "the answer is on its way");
    connection.state.end_exchange();
    assert_eq!(connection.woken(), woken + 1);
    assert_eq!(connection.read_ready(), "", "the end");
    assert!(connection.io.gave_up);
    let fault = connection.io.fault.get().expect("a fault");
    assert_eq!((&*fault.request_line, fault.in_head), ("GET / HTTP/1.1", true));
}

#[tokio::test]
async fn our_side_stays_open_for_the_answer_to_what_is_not_http() {
    let mut connection = Connection::new("GET / HTTP/1.1\r\nHost : a\r\n\r\n");
    assert!(connection.read().is_pending());
    assert_eq!(connection.read_ready(), "");
    let mut context = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut connection.io).poll_shutdown(&mut context).is_ready());
    let mut socket = connection.io.into_socket();
    socket.write_all(b"no").await.expect("our side is open");
    drop(socket);
    let mut answer = String::new();
    connection.client.read_to_string(&mut answer).await.expect("the end");
    assert_eq!(answer, "no");
}

#[tokio::test]
async fn a_fault_in_a_body_breaks_it_off() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut connection = Connection::new(head);
    assert_eq!(connection.read_ready(), head);
    connection.send("3\r\nabc\r\nx\r\n").await;
    assert_eq!(connection.read_ready(), "3\r\nabc\r\n");
    let Poll::Ready(Err(error)) = connection.read() else { panic!("an error") };
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(!connection.io.gave_up);
    assert!(!connection.io.message_complete());
}
