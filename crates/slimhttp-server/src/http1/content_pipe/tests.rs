//! Who wakes whom, and what a reader is told.

use http::HeaderValue;

use super::*;
use crate::context::testing::Task;

type Next = Poll<Option<Result<Frame<Bytes>, String>>>;

fn next(reader: &mut ContentReader, waker: &Waker) -> Next {
    let frame = Pin::new(reader).poll_frame(&mut Context::from_waker(waker));
    frame.map(|frame| frame.map(|frame| frame.map_err(|error| error.to_string())))
}

/// The data that is next, or `None` where the content has ended well.
fn data(reader: &mut ContentReader, waker: &Waker) -> Option<Bytes> {
    match next(reader, waker) {
        Poll::Ready(frame) => {
            frame.map(|frame| frame.expect("no error").into_data().expect("data"))
        }
        Poll::Pending => panic!("nothing has come"),
    }
}

fn complete() -> Option<End> {
    Some(End::Complete(HeaderMap::new()))
}

#[test]
fn nothing_is_wanted_before_somebody_reads() {
    let (pipe, mut reader) = pipe(None);
    let ((connection, its_waker), (other, other_waker)) = (Task::new(), Task::new());
    assert!(!pipe.is_wanted(&its_waker));
    assert!(next(&mut reader, &other_waker).is_pending());
    assert_eq!(connection.wakes(), 1, "it is to read");
    assert!(pipe.is_wanted(&its_waker));
    let pieces = [Bytes::from_static(b"one"), Bytes::from_static(b"two")];
    assert_eq!(pipe.supply(pieces, None, &its_waker), Reader::Elsewhere);
    assert_eq!(other.wakes(), 1);
    assert!(!pipe.is_wanted(&its_waker), "enough has come");
    assert_eq!(data(&mut reader, &other_waker).as_deref(), Some(&b"one"[..]));
    assert_eq!(data(&mut reader, &other_waker).as_deref(), Some(&b"two"[..]));
    assert!(!pipe.is_wanted(&its_waker));
    assert_eq!(connection.wakes(), 1);
    assert!(next(&mut reader, &other_waker).is_pending());
    assert_eq!(connection.wakes(), 2);
}

#[test]
fn a_reader_in_the_connections_own_task_wakes_nobody() {
    let (pipe, mut reader) = pipe(None);
    let (task, waker) = Task::new();
    assert!(!pipe.is_wanted(&waker));
    assert!(next(&mut reader, &waker).is_pending());
    assert!(pipe.is_wanted(&waker));
    assert_eq!(pipe.supply([Bytes::from_static(b"one")], complete(), &waker), Reader::Here);
    assert_eq!(data(&mut reader, &waker).as_deref(), Some(&b"one"[..]));
    assert_eq!(data(&mut reader, &waker), None);
    assert_eq!(task.wakes(), 0);
}

#[test]
fn trailers_are_the_last_frame() {
    let (pipe, mut reader) = pipe(None);
    let waker = Waker::noop();
    let trailers = HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("x"))]);
    pipe.supply([Bytes::from_static(b"one")], Some(End::Complete(trailers.clone())), waker);
    assert!(!reader.is_end_stream());
    assert!(data(&mut reader, waker).is_some());
    assert!(!reader.is_end_stream());
    let Poll::Ready(Some(Ok(frame))) = next(&mut reader, waker) else { panic!("trailers") };
    assert_eq!(frame.into_trailers().expect("trailers"), trailers);
    assert!(reader.is_end_stream());
    assert_eq!(data(&mut reader, waker), None);
}

#[test]
fn what_is_to_be_read_shrinks_with_what_is() {
    let (pipe, mut reader) = pipe(Some(5));
    let waker = Waker::noop();
    assert_eq!(reader.size_hint().exact(), Some(5));
    pipe.supply([Bytes::from_static(b"one")], None, waker);
    assert_eq!(reader.size_hint().exact(), Some(5));
    assert!(data(&mut reader, waker).is_some());
    assert_eq!(reader.size_hint().exact(), Some(2));
}

#[test]
fn a_content_that_is_malformed_says_so_behind_what_has_come() {
    let (pipe, mut reader) = pipe(None);
    let waker = Waker::noop();
    let end = End::Malformed(Refusal::BadRequest("a chunk"));
    pipe.supply([Bytes::from_static(b"one")], Some(end), waker);
    assert!(data(&mut reader, waker).is_some());
    for _ in 0..2 {
        let Poll::Ready(Some(Err(error))) =
            Pin::new(&mut reader).poll_frame(&mut Context::from_waker(waker))
        else {
            panic!("an error")
        };
        let malformed = error.downcast::<MalformedBody>().expect("it is known why");
        assert_eq!(malformed.0, Refusal::BadRequest("a chunk"));
    }
}

#[test]
fn a_connection_that_is_gone_breaks_it_off() {
    let (pipe, mut reader) = pipe(Some(5));
    let (task, waker) = Task::new();
    assert!(next(&mut reader, &waker).is_pending());
    drop(pipe);
    assert_eq!(task.wakes(), 1);
    let Poll::Ready(Some(Err(error))) = next(&mut reader, &waker) else { panic!("an error") };
    assert_eq!(error, "the body ended early");
}

#[test]
fn a_reader_that_is_gone_wants_nothing() {
    let (pipe, mut reader) = pipe(None);
    let waker = Waker::noop();
    assert!(next(&mut reader, waker).is_pending());
    assert!(pipe.is_wanted(waker) && !pipe.is_abandoned());
    drop(reader);
    assert!(!pipe.is_wanted(waker) && pipe.is_abandoned());
    assert_eq!(pipe.supply([Bytes::from_static(b"one")], complete(), waker), Reader::Elsewhere);
}
