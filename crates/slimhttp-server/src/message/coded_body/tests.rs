//! What of a body is compressed when, how it ends, and what it holds meanwhile.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Waker;

use http::HeaderValue;
use slimhttp_site::coding;

use super::*;
use crate::message::encoder::EncoderCount;
use crate::message::testing::decoded;

/// A source that gives these in turn.
struct Scripted(VecDeque<Given>);

enum Given {
    Piece(Bytes),
    /// Nothing yet.
    Pause,
    Trailers(HeaderMap),
    Fault,
}

impl HttpBody for Scripted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.0.pop_front() {
            None => Poll::Ready(None),
            Some(Given::Piece(piece)) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            Some(Given::Pause) => Poll::Pending,
            Some(Given::Trailers(trailers)) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Some(Given::Fault) => Poll::Ready(Some(Err("broken off".into()))),
        }
    }
}

fn piece(text: &'static str) -> Given {
    Given::Piece(Bytes::from_static(text.as_bytes()))
}

/// A body in gzip, which promises that much, flushed behind each piece or not.
fn body(
    source: Body,
    length: Option<u64>,
    by_piece: bool,
) -> (Pin<Box<CodedBody>>, Arc<EncoderCount>) {
    let count = Arc::<EncoderCount>::default();
    let permit = count.acquire(1).expect("the first");
    let encoder = Encoder::new(coding::Coding::Gzip, None).expect("memory");
    (Box::pin(CodedBody::new(source, length, encoder, by_piece, permit)), count)
}

fn scripted(given: impl IntoIterator<Item = Given>) -> Body {
    Body::stream(Scripted(given.into_iter().collect()))
}

/// What came out of a body.
#[derive(Default)]
struct Received {
    coded: Vec<u8>,
    trailers: Option<HeaderMap>,
    fault: Option<String>,
    /// How often it was polled.
    polls: usize,
}

impl Received {
    fn text(&self) -> (String, bool) {
        let (content, is_whole) = decoded(coding::Coding::Gzip, &self.coded);
        (String::from_utf8(content).expect("text"), is_whole)
    }

    /// One poll: whether anything came.
    fn poll(&mut self, body: &mut Pin<Box<CodedBody>>) -> Poll<bool> {
        self.polls += 1;
        let mut context = Context::from_waker(Waker::noop());
        body.as_mut().poll_frame(&mut context).map(|frame| self.add(frame))
    }

    fn add(&mut self, frame: Option<Frames>) -> bool {
        match frame {
            None => return false,
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    assert!(!data.is_empty());
                    self.coded.extend_from_slice(&data);
                }
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            },
            Some(Err(fault)) => self.fault = Some(fault.to_string()),
        }
        true
    }

    /// All of a body that does not pause.
    async fn all(mut body: Pin<Box<CodedBody>>) -> Self {
        let mut received = Self::default();
        loop {
            let frame = poll_fn(|context| {
                received.polls += 1;
                body.as_mut().poll_frame(context)
            });
            let frame = frame.await;
            if !received.add(frame) {
                assert!(body.is_end_stream());
                return received;
            }
        }
    }
}

#[test]
fn what_was_given_before_a_pause_comes_out_in_it() {
    let given = [piece("one, "), piece("two"), Given::Pause, Given::Pause, piece(", three")];
    let (mut body, _count) = body(scripted(given), None, false);
    let mut received = Received::default();
    assert_eq!(received.poll(&mut body), Poll::Ready(true));
    assert_eq!(received.text(), ("one, two".into(), false));
    assert!(!body.is_end_stream());
    assert_eq!(received.poll(&mut body), Poll::Pending, "nothing has come since");
    while received.poll(&mut body) == Poll::Ready(true) {}
    assert_eq!(received.text(), ("one, two, three".into(), true));
}

#[test]
fn each_event_comes_out_by_itself() {
    let given = [piece("data: 1\n\n"), piece("data: 2\n\n"), piece("data: 3\n\n")];
    let (mut body, _count) = body(scripted(given), None, true);
    let mut received = Received::default();
    for expected in ["data: 1\n\n", "data: 1\n\ndata: 2\n\n"] {
        assert_eq!(received.poll(&mut body), Poll::Ready(true));
        assert_eq!(received.text(), (expected.into(), false));
    }
}

#[tokio::test]
async fn a_long_content_is_compressed_in_parts() {
    let content = "a line that repeats itself, as many do\n".repeat(30_000);
    let source = Body::from(content.clone());
    let (body, count) = body(source, Some(content.len() as u64), false);
    let received = Received::all(body).await;
    assert!(received.polls >= content.len() / PART, "{} polls", received.polls);
    assert!(received.coded.len() < content.len() / 20);
    assert_eq!(received.text(), (content, true));
    assert!(count.acquire(1).is_some());
}

#[test]
fn one_poll_looks_for_a_bounded_number_of_pieces() {
    let given = (0..2 * PART / PIECE_COST).map(|_| piece(""));
    let (mut body, _count) = body(scripted(given), None, false);
    let mut received = Received::default();
    assert_eq!(received.poll(&mut body), Poll::Pending);
    assert_eq!(received.poll(&mut body), Poll::Pending);
    assert_eq!(received.poll(&mut body), Poll::Ready(true), "the end");
}

#[tokio::test]
async fn trailers_come_behind_the_end_of_the_coding() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("7"));
    let given = [piece("content"), Given::Trailers(trailers.clone())];
    let (body, _count) = body(scripted(given), None, false);
    let received = Received::all(body).await;
    assert_eq!(received.text(), ("content".into(), true));
    assert_eq!(received.trailers, Some(trailers));
}

#[tokio::test]
async fn a_content_that_is_broken_off_has_no_end() {
    let given = [piece("some of "), piece("the content"), Given::Fault];
    let (body, count) = body(scripted(given), None, false);
    let received = Received::all(body).await;
    assert_eq!(received.text(), ("some of the content".into(), false));
    assert_eq!(received.fault.as_deref(), Some("broken off"));
    assert!(count.acquire(1).is_some());
}

#[tokio::test]
async fn as_much_is_sent_as_was_promised() {
    let short = "the content is shorter than its head has promised";
    for (promised, text, fault) in
        [(3, "one", None), (5, "one-t", None), (6, "one-tw", None), (8, "one-two", Some(short))]
    {
        let given = [piece("one"), piece("-two")];
        let (body, _count) = body(scripted(given), Some(promised), false);
        let received = Received::all(body).await;
        assert_eq!(received.text(), (text.into(), fault.is_none()), "{promised}");
        assert_eq!(received.fault.as_deref(), fault, "{promised}");
    }
}

#[test]
fn the_place_of_an_encoder_is_free_when_its_client_has_left() {
    let (mut body, count) = body(scripted([piece("one"), Given::Pause]), None, false);
    assert_eq!(Received::default().poll(&mut body), Poll::Ready(true));
    assert!(count.acquire(1).is_none());
    drop(body);
    assert!(count.acquire(1).is_some());
}
