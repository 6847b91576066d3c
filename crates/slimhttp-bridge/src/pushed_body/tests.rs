//! What the connection takes of what is pushed, how much may wait, and how either end learns of
//! the other's.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

struct Ends {
    sender: Option<BodySender>,
    body: Option<PushedBody>,
    notified: Arc<AtomicUsize>,
}

fn ends(announced: Option<u64>) -> Ends {
    let notified = Arc::new(AtomicUsize::new(0));
    let count = notified.clone();
    let (sender, body) = channel(announced, None, move || {
        count.fetch_add(1, Ordering::SeqCst);
    });
    Ends { sender: Some(sender), body: Some(body), notified }
}

impl Ends {
    fn sender(&self) -> &BodySender {
        self.sender.as_ref().expect("is not dropped")
    }

    fn push(&self, size: usize) -> Result<bool, Gone> {
        self.sender().push(vec![b'x'; size].into())
    }

    /// The size of the next piece, `None` at the end, or what is wrong.
    fn take(&mut self) -> Poll<Option<Result<usize, String>>> {
        let body = self.body.as_mut().expect("is not dropped");
        let frame = Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()));
        frame.map(|frame| {
            frame.map(|frame| match frame {
                Ok(frame) => Ok(frame.data_ref().map_or(0, Bytes::len)),
                Err(error) => Err(error.to_string()),
            })
        })
    }

    fn notified(&self) -> usize {
        self.notified.load(Ordering::SeqCst)
    }
}

#[test]
fn short_chunks_are_taken_together_and_long_ones_as_they_are() {
    let mut ends = ends(None);
    for _ in 0..1000 {
        assert_eq!(ends.push(10), Ok(true));
    }
    assert_eq!(ends.push(20 * 1024), Ok(true));
    assert_eq!(ends.take(), Poll::Ready(Some(Ok(10_000 + 20 * 1024))));
    assert_eq!(ends.push(20 * 1024), Ok(true));
    assert_eq!(ends.push(10), Ok(true));
    assert_eq!(ends.take(), Poll::Ready(Some(Ok(20 * 1024))));
    assert_eq!(ends.take(), Poll::Ready(Some(Ok(10))));
    assert_eq!(ends.take(), Poll::Pending);
    ends.sender.take().expect("is there").finish(None);
    assert_eq!(ends.take(), Poll::Ready(None));
}

#[test]
fn who_has_filled_it_is_told_once_when_there_is_room() {
    let mut ends = ends(None);
    assert_eq!(ends.push(MAX_WAITING - 1), Ok(true));
    assert_eq!(ends.push(1), Ok(false));
    assert_eq!(ends.sender().has_room(), Ok(false));
    assert_eq!(ends.notified(), 0);
    assert_eq!(ends.take(), Poll::Ready(Some(Ok(MAX_WAITING - 1))));
    assert_eq!(ends.take(), Poll::Ready(Some(Ok(1))));
    assert_eq!(ends.notified(), 1);
    assert_eq!(ends.sender().has_room(), Ok(true));
}

#[test]
fn a_client_that_leaves_is_told_of_and_takes_nothing_more() {
    let mut ends = ends(None);
    assert_eq!(ends.push(1), Ok(true));
    ends.body = None;
    assert_eq!(ends.notified(), 1);
    assert!(ends.sender().is_gone());
    assert_eq!(ends.push(1), Err(Gone));
    assert_eq!(ends.sender().has_room(), Err(Gone));
}

#[test]
fn a_connection_that_has_all_that_was_announced_has_not_left() {
    let mut ends = ends(Some(3));
    assert_eq!(ends.push(3), Ok(true));
    assert_eq!(ends.take(), Poll::Ready(Some(Ok(3))));
    ends.body = None;
    assert_eq!(ends.notified(), 0);
    assert!(!ends.sender().is_gone());
    assert_eq!(ends.push(0), Ok(true));
}

#[test]
fn what_is_not_finished_breaks_off_behind_what_there_was() {
    let mut ends = ends(None);
    assert_eq!(ends.push(5), Ok(true));
    ends.sender = None;
    assert_eq!(ends.take(), Poll::Ready(Some(Ok(5))));
    let why = "the application has not finished its response".to_owned();
    assert_eq!(ends.take(), Poll::Ready(Some(Err(why))));
}

#[test]
fn trailers_come_last() {
    let mut ends = ends(None);
    let mut trailers = HeaderMap::new();
    trailers.insert("digest", "x".parse().expect("is a value"));
    ends.sender.take().expect("is there").finish(Some(trailers.clone()));
    let body = ends.body.as_mut().expect("is there");
    assert!(!body.is_end_stream());
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut *body).poll_frame(&mut context) else {
        panic!("no frame");
    };
    assert_eq!(frame.into_trailers().ok(), Some(trailers));
    assert!(body.is_end_stream());
    assert_eq!(ends.take(), Poll::Ready(None));
}
