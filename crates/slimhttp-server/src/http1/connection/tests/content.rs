//! Requests with content: read as it is asked for, refused, or dropped.

use std::time::Duration;

use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

use super::*;
use crate::message::body::BodyError;
use crate::message::content::{ContentFault, ContentStream};

/// All of a content.
pub(super) async fn read(stream: &ContentStream) -> Result<Bytes, ContentFault> {
    let mut content = BytesMut::new();
    while let Some(chunk) = std::future::poll_fn(|context| stream.poll_chunk(context)).await? {
        content.extend_from_slice(&chunk);
    }
    Ok(content.freeze())
}

/// The content of the request as it comes in, and its length as a trailer; behind so many chunks
/// it breaks off.
pub(super) fn streamed(request: &Call, chunks: usize) -> Body {
    Body::stream(Streamed { content: request.body.clone(), length: Some(0), chunks })
}

struct Streamed {
    content: Content,
    /// `None` once the trailers are sent.
    length: Option<usize>,
    chunks: usize,
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let chunk = match &mut self.content {
            Content::Whole(whole) if whole.is_empty() => Ok(None),
            Content::Whole(whole) => Ok(Some(std::mem::take(whole))),
            Content::Streamed(stream) => ready!(stream.poll_chunk(context)),
        };
        Poll::Ready(match (chunk, self.length) {
            (Ok(Some(_)), _) if self.chunks == 0 => Some(Err("breaks off".into())),
            (Ok(Some(chunk)), length) => {
                self.chunks -= 1;
                self.length = length.map(|length| length + chunk.len());
                Some(Ok(Frame::data(chunk)))
            }
            (Ok(None), Some(length)) => {
                self.length = None;
                let name = http::HeaderName::from_static("x-length");
                Some(Ok(Frame::trailers(HeaderMap::from_iter([(name, length.into())]))))
            }
            (Ok(None), None) => None,
            (Err(fault), _) => Some(Err(fault.to_string().into())),
        })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

fn post(target: &str, fields: &str, content: &str) -> String {
    format!("POST /handled/{target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{content}")
}

const KINDS: [RouteKind; 2] = [RouteKind::Whole, RouteKind::Streamed];

#[tokio::test(start_paused = true)]
async fn content_is_read_however_it_is_framed_and_cut() {
    let requests = [
        (post("now", "Content-Length: 5", "hello"), "hello"),
        (post("now", "Content-Length: 0", ""), "/handled/now"),
        (
            post("now", "Transfer-Encoding: chunked", "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"),
            "hello",
        ),
        (post("now", "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\nX: y\r\n\r\n"), "hello"),
        (post("now", "Transfer-Encoding: chunked", "0\r\n\r\n"), "/handled/now"),
    ];
    for kind in KINDS {
        for size in [1, 2, 3, 7, 50, 1000] {
            let mut client = connect_with(4096, kind.clone(), []);
            let all = requests.iter().map(|(request, _)| &**request).collect::<String>();
            for piece in all.as_bytes().chunks(size) {
                client.send(piece).await;
                settle().await;
            }
            for (request, expected) in &requests {
                let (head, content) = client.response().await;
                assert!(head.starts_with("HTTP/1.1 200 "), "{kind:?} {size} {request}: {head}");
                assert_eq!(content, *expected, "{kind:?} {size} {request}");
            }
            assert_eq!(client.closed().await, ORDERLY);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn long_content_passes_through() {
    let content: String = (0..60_000).map(|number| format!("{number} ")).collect();
    let chunks: String = content
        .as_bytes()
        .chunks(20_011)
        .map(|chunk| {
            let text = std::str::from_utf8(chunk).expect("is ASCII");
            format!("{:x}\r\n{text}\r\n", chunk.len())
        })
        .collect();
    let length = format!("Content-Length: {}", content.len());
    for kind in KINDS {
        let requests = [
            post("now", &length, &content),
            post("now", "Transfer-Encoding: chunked", &(chunks.clone() + "0\r\n\r\n")),
        ];
        for request in requests {
            let mut client = connect_with(100_000, kind.clone(), []);
            client.send(request).await;
            assert!(client.response().await.1 == content, "{kind:?}");
            client.send(get("next")).await;
            assert_eq!(client.response().await.1, "/handled/next");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_for_100_continue_gets_it_when_somebody_reads() {
    for kind in KINDS {
        let mut client = connect_with(4096, kind.clone(), []);
        let fields = "Content-Length: 5\r\nExpect: 100-continue";
        client.send(post("now", fields, "")).await;
        assert_eq!(client.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
        client.send("hello").await;
        let (head, content) = client.response().await;
        assert!(!head.contains("close"), "{head}");
        assert_eq!(content, "hello");
        // One that does not wait needs none.
        client.send(post("now", fields, "h")).await;
        settle().await;
        client.send("ello").await;
        assert!(client.response().await.0.starts_with("HTTP/1.1 200 "));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_answered_at_once_may_send_nothing_more() {
    let mut client = connect_with(4096, RouteKind::Streamed, []);
    client.send(post("unread", "Content-Length: 5\r\nExpect: 100-continue", "")).await;
    let (head, _) = client.response().await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
    assert_eq!(client.rest().await, "");
    assert_eq!(client.closed().await, Ended::Closed(Ending::Unread { announced: 5 }));
}

#[tokio::test(start_paused = true)]
async fn little_content_that_nobody_reads_is_dropped() {
    for (fields, first, rest) in [
        ("Content-Length: 10", "hello", "world"),
        ("Content-Length: 10", "", "helloworld"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n", ""),
    ] {
        let mut client = connect_with(4096, RouteKind::Streamed, []);
        client.send(post("unread", fields, first)).await;
        let (head, content) = client.response().await;
        assert!(!head.contains("close"), "{fields}: {head}");
        assert_eq!(content, "/handled/unread");
        client.send(rest.to_string() + &get("next")).await;
        assert_eq!(client.response().await.1, "/handled/next", "{fields}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_dropped_for_a_while_and_no_longer() {
    let mut client = connect_with(4096, RouteKind::Streamed, []);
    client.send(post("unread", "Content-Length: 10", "hello")).await;
    assert!(!client.response().await.0.contains("close"));
    let answered = Instant::now();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        client.send("x").await;
    }
    assert_eq!(client.rest().await, "");
    assert_eq!(answered.elapsed(), Duration::from_secs(5));
    assert_eq!(client.closed().await, Ended::Closed(Ending::Unread { announced: 1 }));
}

#[tokio::test(start_paused = true)]
async fn much_of_it_ends_the_connection_and_is_read_past() {
    for (fields, announced) in
        [("Content-Length: 1000000", 1_000_000), ("Transfer-Encoding: chunked", 0)]
    {
        let mut client = connect_with(4096, RouteKind::Streamed, []);
        client.send(post("unread", fields, "")).await;
        let (head, content) = client.response().await;
        assert!(head.contains("\r\nconnection: close\r\n"), "{fields}: {head}");
        assert_eq!(content, "/handled/unread");
        assert_eq!(client.rest().await, "");
        client.send(vec![b'x'; 100_000]).await;
        assert_eq!(client.closed().await, Ended::Closed(Ending::Unread { announced }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_on_reads_that_its_content_is_too_long() {
    let mut client = connect_with(4096, RouteKind::Whole, [("max_body", 1000.into())]);
    client.send(post("now", "Content-Length: 3000000", "")).await;
    client.send(vec![b'x'; 3_000_000]).await;
    let (head, _) = client.response().await;
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
    assert_eq!(client.rest().await, "");
}

#[tokio::test(start_paused = true)]
async fn chunks_that_came_with_the_head_may_be_too_long_as_well() {
    let request = post("now", "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n");
    let mut client = connect_with(4096, RouteKind::Whole, [("max_body", 4.into())]);
    client.send(&request).await;
    assert!(client.head().await.starts_with("HTTP/1.1 413 "));
    assert_eq!(client.events.begun.load(Ordering::Relaxed), 0);
    let mut client = connect_with(4096, RouteKind::Streamed, [("max_body", 4.into())]);
    client.send(&request).await;
    assert_eq!(client.response().await.1, "Refused(ContentTooLarge(4))");
}

#[tokio::test(start_paused = true)]
async fn malformed_content_is_told_to_who_reads_it_and_to_the_client() {
    for content in ["2\r\nhe\r\nnonsense\r\n", "nonsense\r\n"] {
        let mut client = connect(4096);
        client.send(post("now", "Transfer-Encoding: chunked", content)).await;
        let (head, _) = client.response().await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
        assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
        assert_eq!(client.rest().await, "");
        assert_eq!(client.closed().await, UNREAD);

        let mut client = connect_with(4096, RouteKind::Streamed, []);
        client.send(post("now", "Transfer-Encoding: chunked", content)).await;
        let (head, content) = client.response().await;
        assert!(content.starts_with("Refused(BadRequest("), "{content}");
        assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
    }
}

#[tokio::test(start_paused = true)]
async fn content_that_ends_early_is_no_content() {
    for fields in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
        let mut client = connect(4096);
        client.send(post("now", fields, "3\r\nabc\r\n")).await;
        client.shutdown().await;
        let answer = client.rest().await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert_eq!(client.events.begun.load(Ordering::Relaxed), 0);

        let mut client = connect_with(4096, RouteKind::Streamed, []);
        client.send(post("now", fields, "3\r\nabc\r\n")).await;
        client.shutdown().await;
        let answer = client.rest().await;
        assert!(answer.ends_with("\r\n\r\nOver"), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_before_somebody_asks() {
    let mut client = connect_with(1000, RouteKind::Streamed, []);
    client.send(post("held", "Content-Length: 200000", "")).await;
    settle().await;
    let sending = client.socket.write_all(&[b'x'; 200_000]);
    tokio::time::timeout(Duration::from_secs(1), sending).await.expect_err("nobody reads");
    assert!(client.context.state.is_busy());
}

#[tokio::test(start_paused = true)]
async fn a_response_is_sent_while_the_content_is_read() {
    let mut client = connect_with(4096, RouteKind::Streamed, []);
    let fields = "Transfer-Encoding: chunked\r\nTE: trailers";
    client.send(post("stream", fields, "")).await;
    client.send("3\r\none\r\n").await;
    let head = client.head().await;
    assert!(!head.contains("close"), "{head}");
    let mut chunk = [0; 8];
    client.socket.read_exact(&mut chunk).await.expect("a chunk");
    assert_eq!(chunk, *b"3\r\none\r\n");
    client.send("3\r\ntwo\r\n0\r\n\r\n").await;
    let expected = "3\r\ntwo\r\n0\r\nx-length: 6\r\n\r\n";
    let mut rest = vec![0; expected.len()];
    client.socket.read_exact(&mut rest).await.expect("the rest");
    assert_eq!(String::from_utf8_lossy(&rest), expected);
    client.send(get("next")).await;
    assert_eq!(client.response().await.1, "/handled/next");
}

#[tokio::test(start_paused = true)]
async fn trailers_are_left_out_where_the_client_takes_none() {
    let mut client = connect_with(4096, RouteKind::Streamed, []);
    client.send(post("stream", "Content-Length: 3", "one")).await;
    client.head().await;
    let mut rest = [0; 13];
    client.socket.read_exact(&mut rest).await.expect("the rest");
    assert_eq!(rest, *b"3\r\none\r\n0\r\n\r\n");
    client.send(get("next")).await;
    assert_eq!(client.response().await.1, "/handled/next");
}

#[tokio::test(start_paused = true)]
async fn a_response_that_breaks_off_has_no_end() {
    for version in ["1.1", "1.0"] {
        let mut client = connect_with(4096, RouteKind::Streamed, []);
        let request = post("broken", "Content-Length: 3", "one");
        client.send(request.replace("HTTP/1.1", &format!("HTTP/{version}"))).await;
        let answer = client.rest().await;
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        let expected = if version == "1.1" { ORDERLY } else { RESET };
        assert_eq!(client.closed().await, expected, "{version}");
    }
}

#[tokio::test]
async fn one_whose_end_would_be_that_of_the_connection_is_reset() {
    for (version, expected) in [("1.1", None), ("1.0", Some(std::io::ErrorKind::ConnectionReset))] {
        let shared = testing::server_with_handler([], RouteKind::Streamed, Echo(Arc::default()));
        let (mut client, served) = connect_by_tcp(&shared).await;
        let request = post("broken", "Content-Length: 3", "one");
        let request = request.replace("HTTP/1.1", &format!("HTTP/{version}"));
        client.write_all(request.as_bytes()).await.expect("the server reads");
        let end = client.read_to_end(&mut Vec::new()).await;
        assert_eq!(end.err().map(|error| error.kind()), expected);
        served.await.expect("no panic");
    }
}

#[tokio::test(start_paused = true)]
async fn of_content_that_is_shorter_than_announced_all_there_is_is_sent() {
    let mut client = connect(4096);
    client.send(get("short") + &get("next")).await;
    let answer = client.rest().await;
    assert!(answer.contains("\r\ncontent-length: 100\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nless"), "{answer}");
    assert_eq!(client.events.begun.load(Ordering::Relaxed), 1, "it cannot go on");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_pauses_for_too_long_is_told_408() {
    let mut client = connect_with(4096, RouteKind::Whole, [("body_timeout", 10.into())]);
    client.send(post("now", "Content-Length: 5", "he")).await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    client.send("l").await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    client.send("l").await;
    let (head, _) = client.response().await;
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
}
