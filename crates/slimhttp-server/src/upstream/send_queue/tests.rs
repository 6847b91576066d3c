//! What is written, and in how many calls.

use std::task::Waker;

use slimhttp_http1::{Client, Framing, Limits, Request};
use tokio::io::{AsyncReadExt as _, DuplexStream};

use super::*;

fn socket(room: usize) -> (UpstreamSocket, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(room);
    (UpstreamSocket::Memory(ours), theirs)
}

fn queue(head: &str) -> SendQueue {
    SendQueue::begin(|out| {
        out.extend_from_slice(head.as_bytes());
        Ok::<_, ()>(())
    })
    .expect("is written")
}

/// How a piece of chunked content stands between others.
fn chunk(length: u64) -> DataFrame {
    let mut client = Client::new(Limits { max_head: 1, max_fields: 1, max_target: 1 });
    let request = Request {
        method: &http::Method::POST,
        target: "/",
        fields: &http::HeaderMap::new(),
        framing: Framing::Chunked,
    };
    client.send_request(&mut Vec::new(), &request).expect("is a request");
    client.send_data(length).expect("is in turn")
}

fn poll(queue: &mut SendQueue, socket: &mut UpstreamSocket) -> Poll<io::Result<()>> {
    let mut context = Context::from_waker(Waker::noop());
    queue.poll_write(socket, &mut Silence::default(), &mut context)
}

#[tokio::test]
async fn all_of_it_is_written_in_its_order_however_little_is_taken_at_once() {
    let expected = "head\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for room in 1..=expected.len() {
        let (mut socket, mut upstream) = socket(room);
        let mut queue = queue("head\r\n\r\n");
        queue.push(&chunk(3), Bytes::from_static(b"abc"));
        queue.end().extend_from_slice(b"0\r\n\r\n");
        assert!(!queue.takes_piece() && !queue.has_sent());
        let mut text = String::new();
        let write = async {
            let mut silence = Silence::default();
            std::future::poll_fn(|context| queue.poll_write(&mut socket, &mut silence, context))
                .await
                .expect("is open");
            drop(socket);
        };
        let ((), read) = tokio::join!(write, upstream.read_to_string(&mut text));
        read.expect("is text");
        assert_eq!(text, expected, "{room}");
        assert!(queue.is_empty() && queue.takes_piece() && queue.has_sent());
    }
}

#[tokio::test]
async fn the_next_head_is_written_where_the_last_one_was() {
    let (mut socket, _upstream) = socket(1 << 10);
    let mut first = queue(&"a".repeat(300));
    let room = first.before.as_ptr();
    assert!(poll(&mut first, &mut socket).is_ready());
    assert_eq!(queue("b").before.as_ptr(), room);
}

#[tokio::test]
async fn of_what_is_not_written_the_piece_can_be_had_back() {
    let (mut socket, upstream) = socket(1 << 10);
    drop(upstream);
    let mut queue = queue("head");
    queue.push(&chunk(3), Bytes::from_static(b"abc"));
    assert!(matches!(poll(&mut queue, &mut socket), Poll::Ready(Err(_))));
    assert!(!queue.has_sent());
    assert_eq!(queue.take_piece(), "abc");
}
