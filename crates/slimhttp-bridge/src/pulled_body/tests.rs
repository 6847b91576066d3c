//! A body that is pulled: nothing is asked for before it is wanted.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use slimhttp_server::BodyError;

use super::PulledBody;
use crate::bridge::Bridge;
use crate::job::Job;
use crate::job_id::JobId;
use crate::outcome::ChunkOutcome;
use crate::side::Side;

fn body(bridge: &Arc<Bridge>, first: Option<&'static [u8]>) -> PulledBody {
    let first = first.map(Bytes::from_static);
    PulledBody::new(bridge.clone(), Side::Thread, JobId(5), "GET /".into(), None, first)
}

/// The next frame: `Some(None)` is the end, `None` is yet to come.
fn poll<B>(body: &mut B) -> Option<Option<Result<Bytes, String>>>
where
    B: Body<Data = Bytes, Error = BodyError> + Unpin,
{
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(body).poll_frame(&mut context) {
        Poll::Pending => None,
        Poll::Ready(None) => Some(None),
        Poll::Ready(Some(Err(error))) => Some(Some(Err(error.to_string()))),
        Poll::Ready(Some(Ok(frame))) => Some(frame.into_data().ok().map(Ok)),
    }
}

/// All that a body of an announced length gives while its iterator gives `chunks`
/// and ends.
fn measured(
    announced: u64,
    first: &'static [u8],
    chunks: &[&'static [u8]],
) -> (Vec<Bytes>, Result<(), String>) {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let mut body = body(&bridge, Some(first)).of_length(Some(announced));
    let mut pieces = chunks.iter().map(|chunk| ChunkOutcome::Chunk(Bytes::from_static(chunk)));
    let mut given = Vec::new();
    let outcome = loop {
        match poll(&mut body) {
            None => answer(&bridge, pieces.next().unwrap_or(ChunkOutcome::End)),
            Some(None) => break Ok(()),
            Some(Some(Ok(chunk))) => given.push(chunk),
            Some(Some(Err(error))) => {
                assert_eq!(poll(&mut body), Some(None));
                break Err(error);
            }
        }
    };
    let left_early =
        pieces.next().is_some() || outcome.as_ref().is_err_and(|why| why.contains("longer"));
    let released = bridge.queue.take_released();
    assert_eq!(released, if left_early { vec![JobId(5)] } else { vec![] });
    (given, outcome)
}

fn answer(bridge: &Bridge, piece: ChunkOutcome) {
    let Some((run, Job::Pull(pull))) = bridge.next(None) else { panic!("nothing is asked for") };
    assert_eq!(pull.stream, JobId(5));
    pull.reply.send(piece);
    bridge.queue.finish(run);
}

fn data(bytes: &'static [u8]) -> Option<Option<Result<Bytes, String>>> {
    Some(Some(Ok(Bytes::from_static(bytes))))
}

#[test]
fn chunks_come_one_by_one_as_they_are_taken() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let mut body = body(&bridge, Some(b"one"));
    assert_eq!(poll(&mut body), data(b"one"));
    assert!(bridge.queue.is_quiet(), "the second is not asked for yet");
    assert_eq!(poll(&mut body), None);
    answer(&bridge, ChunkOutcome::Chunk(Bytes::from_static(b"two")));
    assert_eq!(poll(&mut body), data(b"two"));
    assert!(bridge.queue.is_quiet());
    assert_eq!(poll(&mut body), None);
    answer(&bridge, ChunkOutcome::End);
    assert_eq!(poll(&mut body), Some(None));
    assert!(body.is_end_stream());
    drop(body);
    assert!(bridge.queue.take_released().is_empty(), "it was read to its end");
}

#[test]
fn an_empty_chunk_is_no_end() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let mut body = body(&bridge, Some(b""));
    assert_eq!(poll(&mut body), None);
    answer(&bridge, ChunkOutcome::Chunk(Bytes::new()));
    assert_eq!(poll(&mut body), None);
    answer(&bridge, ChunkOutcome::Chunk(Bytes::from_static(b"x")));
    assert_eq!(poll(&mut body), data(b"x"));
}

#[test]
fn what_goes_wrong_breaks_the_body_off() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let mut raised = body(&bridge, None);
    assert_eq!(poll(&mut raised), None);
    answer(&bridge, ChunkOutcome::Fault);
    assert!(matches!(poll(&mut raised), Some(Some(Err(_)))));
    assert_eq!(poll(&mut raised), Some(None));

    let mut given_up = body(&bridge, None);
    assert_eq!(poll(&mut given_up), None);
    drop(bridge.next(None));
    assert!(matches!(poll(&mut given_up), Some(Some(Err(_)))));

    bridge.close();
    assert!(matches!(poll(&mut body(&bridge, None)), Some(Some(Err(_)))));
}

#[test]
fn a_body_that_is_left_releases_its_id() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    drop(body(&bridge, Some(b"one")));
    assert_eq!(bridge.queue.take_released(), [JobId(5)]);
}

#[test]
fn a_body_has_the_length_that_was_announced_or_breaks_off() {
    const LONGER: &str = "the stream is longer than";
    const SHORTER: &str = "the stream is shorter than";
    // What is announced, the first chunk, the others; what is given, and how it ends.
    type Case = (u64, &'static [u8], &'static [&'static [u8]], usize, Result<(), &'static str>);
    let cases: [Case; 9] = [
        (3, b"abc", &[], 3, Ok(())),
        (6, b"abc", &[b"def"], 6, Ok(())),
        (3, b"", &[b"a", b"", b"bc", b""], 3, Ok(())),
        (0, b"", &[], 0, Ok(())),
        (0, b"", &[b"a"], 0, Err(LONGER)),
        (3, b"abc", &[b"d"], 0, Err(LONGER)),
        (5, b"abc", &[b"def", b"ghi"], 3, Err(LONGER)),
        (2, b"abc", &[], 0, Err(LONGER)),
        (7, b"abc", &[b"def"], 6, Err(SHORTER)),
    ];
    for (announced, first, chunks, given, outcome) in cases {
        let (pieces, ended) = measured(announced, first, chunks);
        let count: usize = pieces.iter().map(Bytes::len).sum();
        let outcome = outcome.map_err(str::to_owned);
        assert_eq!((count, ended), (given, outcome), "{announced} {first:?} {chunks:?}");
    }
}

#[test]
fn an_iterator_that_a_panic_ended_is_let_go() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let mut body = body(&bridge, None);
    assert_eq!(poll(&mut body), None);
    drop(bridge.next(None));
    assert!(matches!(poll(&mut body), Some(Some(Err(_)))));
    drop(body);
    assert_eq!(bridge.queue.take_released(), [JobId(5)]);
}

/// What a body that is cut to a length gives while its iterator gives `chunks`, and how it ends.
fn cut(
    announced: u64,
    first: &'static [u8],
    chunks: &[&'static [u8]],
) -> (Vec<u8>, Result<(), String>) {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let mut body = body(&bridge, Some(first)).cut_to(announced);
    let mut pieces = chunks.iter().map(|chunk| ChunkOutcome::Chunk(Bytes::from_static(chunk)));
    let mut given = Vec::new();
    loop {
        match poll(&mut body) {
            None => answer(&bridge, pieces.next().unwrap_or(ChunkOutcome::End)),
            Some(None) => return (given, Ok(())),
            Some(Some(Ok(chunk))) => given.extend_from_slice(&chunk),
            Some(Some(Err(error))) => {
                assert_eq!(poll(&mut body), Some(None));
                return (given, Err(error));
            }
        }
    }
}

#[test]
fn c11_4_a_body_is_cut_at_the_length_that_was_announced() {
    type Case = (u64, &'static [u8], &'static [&'static [u8]], &'static [u8], bool);
    let cases: [Case; 8] = [
        (3, b"abc", &[], b"abc", true),
        (6, b"abc", &[b"def"], b"abcdef", true),
        (3, b"", &[b"a", b"", b"bc"], b"abc", true),
        (3, b"abcd", &[], b"abc", true),
        (5, b"abc", &[b"def", b"ghi"], b"abcde", true),
        (0, b"", &[b"a"], b"", true),
        (7, b"abc", &[b"def"], b"abcdef", false),
        (1, b"", &[], b"", false),
    ];
    for (announced, first, chunks, given, is_whole) in cases {
        let short = Err("the body is shorter than its Content-Length".to_owned());
        let expected = (given.to_vec(), if is_whole { Ok(()) } else { short });
        assert_eq!(cut(announced, first, chunks), expected, "{announced} {first:?} {chunks:?}");
    }
}

/// What stands behind the last chunk of a generator runs, though the response is whole by then.
#[tokio::test]
async fn c11_4_an_iterator_goes_on_to_its_end_once_its_body_is_whole() {
    for (last, released) in [
        (ChunkOutcome::End, vec![]),
        (ChunkOutcome::Chunk(Bytes::from_static(b"more")), vec![JobId(5)]),
    ] {
        let (bridge, _wake_rx) = crate::tests::bridge();
        let mut body = body(&bridge, Some(b"abc")).cut_to(3);
        assert_eq!(poll(&mut body), data(b"abc"));
        assert!(body.is_end_stream());
        drop(body);
        let pulled = loop {
            match bridge.next(None) {
                Some((_, Job::Pull(pull))) => break pull,
                _ => tokio::task::yield_now().await,
            }
        };
        pulled.reply.send(last);
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        assert_eq!(bridge.queue.take_released(), released);
    }
}

#[tokio::test(start_paused = true)]
async fn c11_4_an_iterator_without_an_end_is_asked_on_for_a_second() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let mut body = body(&bridge, Some(b"abc")).cut_to(3);
    assert_eq!(poll(&mut body), data(b"abc"));
    drop(body);
    let (mut asked, mut released) = (0, Vec::new());
    while released.is_empty() && asked < 100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if let Some((_, Job::Pull(pull))) = bridge.next(None) {
            asked += 1;
            pull.reply.send(ChunkOutcome::Chunk(Bytes::new()));
        }
        released = bridge.queue.take_released();
    }
    assert_eq!(released, [JobId(5)]);
    assert!((5..=12).contains(&asked), "{asked}");
}

#[test]
fn a_chunk_that_was_asked_for_already_is_not_asked_for_again() {
    let (bridge, _wake_rx) = crate::tests::bridge();
    let (reply, next) = crate::reply::ChunkReply::channel(None);
    let mut body = body(&bridge, Some(b"one")).awaiting(next);
    assert_eq!(poll(&mut body), data(b"one"));
    assert_eq!(poll(&mut body), None);
    assert!(bridge.queue.is_quiet());
    reply.send(ChunkOutcome::End);
    assert_eq!(poll(&mut body), Some(None));
}
