//! A body that is pulled: nothing is asked for before it is wanted.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::Body;

use super::PulledBody;
use crate::desk::{Desk, Side};
use crate::job::{Job, Piece, Ticket};

fn body(desk: &Arc<Desk>, first: Option<&'static [u8]>) -> PulledBody {
    let first = first.map(Bytes::from_static);
    PulledBody::new(desk.clone(), Side::Thread, Ticket(5), "GET /".into(), first)
}

/// The next frame: `Some(None)` is the end, `None` is yet to come.
fn poll(body: &mut PulledBody) -> Option<Option<Result<Bytes, String>>> {
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(body).poll_frame(&mut context) {
        Poll::Pending => None,
        Poll::Ready(None) => Some(None),
        Poll::Ready(Some(Err(error))) => Some(Some(Err(error.to_string()))),
        Poll::Ready(Some(Ok(frame))) => Some(frame.into_data().ok().map(Ok)),
    }
}

fn answer(desk: &Desk, piece: Piece) {
    let Some((run, Job::Pull(pull))) = desk.next(None) else { panic!("nothing is asked for") };
    assert_eq!(pull.stream, Ticket(5));
    pull.reply.send(piece).expect("is waited for");
    desk.queue.finish(run);
}

fn data(bytes: &'static [u8]) -> Option<Option<Result<Bytes, String>>> {
    Some(Some(Ok(Bytes::from_static(bytes))))
}

#[test]
fn chunks_come_one_by_one_as_they_are_taken() {
    let (desk, _ear) = crate::tests::desk();
    let mut body = body(&desk, Some(b"one"));
    assert_eq!(poll(&mut body), data(b"one"));
    assert!(desk.queue.is_quiet(), "the second is not asked for yet");
    assert_eq!(poll(&mut body), None);
    answer(&desk, Piece::Chunk(Bytes::from_static(b"two")));
    assert_eq!(poll(&mut body), data(b"two"));
    assert!(desk.queue.is_quiet());
    assert_eq!(poll(&mut body), None);
    answer(&desk, Piece::End);
    assert_eq!(poll(&mut body), Some(None));
    assert!(body.is_end_stream());
    drop(body);
    assert!(desk.queue.take_released().is_empty(), "it was read to its end");
}

#[test]
fn an_empty_chunk_is_no_end() {
    let (desk, _ear) = crate::tests::desk();
    let mut body = body(&desk, Some(b""));
    assert_eq!(poll(&mut body), None);
    answer(&desk, Piece::Chunk(Bytes::new()));
    assert_eq!(poll(&mut body), None);
    answer(&desk, Piece::Chunk(Bytes::from_static(b"x")));
    assert_eq!(poll(&mut body), data(b"x"));
}

#[test]
fn what_goes_wrong_breaks_the_body_off() {
    let (desk, _ear) = crate::tests::desk();
    let mut raised = body(&desk, None);
    assert_eq!(poll(&mut raised), None);
    answer(&desk, Piece::Fault);
    assert!(matches!(poll(&mut raised), Some(Some(Err(_)))));
    assert_eq!(poll(&mut raised), Some(None));

    let mut given_up = body(&desk, None);
    assert_eq!(poll(&mut given_up), None);
    drop(desk.next(None));
    assert!(matches!(poll(&mut given_up), Some(Some(Err(_)))));

    desk.close();
    assert!(matches!(poll(&mut body(&desk, None)), Some(Some(Err(_)))));
}

#[test]
fn a_body_that_is_left_gives_its_ticket_back() {
    let (desk, _ear) = crate::tests::desk();
    drop(body(&desk, Some(b"one")));
    assert_eq!(desk.queue.take_released(), [Ticket(5)]);
}
