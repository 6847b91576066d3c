//! What is held, who may have more, and who is woken for it.

use super::*;
use crate::context::testing::Task;

/// A stream as a test has it: its share, and how often it was woken.
struct Stream {
    share: Arc<Share>,
    task: Arc<Task>,
}

impl Stream {
    fn of(budget: &Arc<SendBudget>) -> Self {
        Self { share: Share::of(budget.clone(), Arc::default()), task: Arc::default() }
    }

    fn room(&self) -> Option<usize> {
        let waker = Waker::from(self.task.clone());
        match self.share.poll_room(&mut Context::from_waker(&waker)) {
            Poll::Ready(room) => Some(room),
            Poll::Pending => None,
        }
    }

    fn take(&self) -> Option<Piece> {
        let piece = self.share.hold(Bytes::from(vec![0; self.room()?]));
        self.share.pass_on();
        Some(piece)
    }

    fn woken(&self) -> usize {
        self.task.wakes()
    }
}

#[test]
fn what_all_streams_hold_is_bounded() {
    let budget = Arc::new(SendBudget::new(4 * PIECE));
    let streams: Vec<_> = (0..128).map(|_| Stream::of(&budget)).collect();
    let pieces: Vec<_> = (0..100).flat_map(|_| streams.iter().filter_map(Stream::take)).collect();
    let held: usize = pieces.iter().map(Buf::remaining).sum();
    assert_eq!(held, 4 * PIECE + 124 * LEAST, "each has something, and nobody has more");
    assert_eq!(budget.lock().held, held + 128 * BESIDE);
    drop(pieces);
    assert_eq!(budget.lock().held, 0);
}

#[test]
fn who_has_nothing_is_stopped_by_nobody() {
    let budget = Arc::new(SendBudget::new(PIECE));
    let (unread, read) = (Stream::of(&budget), Stream::of(&budget));
    let _unread = unread.take().expect("there is room");
    for _ in 0..100 {
        let piece = read.take().expect("it has nothing");
        assert_eq!(piece.remaining(), LEAST);
        assert_eq!(read.room(), None);
        let before = read.woken();
        drop(piece);
        assert_eq!(read.woken(), before + 1);
    }
}

#[test]
fn room_goes_to_who_waits_longest_and_on_to_the_next() {
    let budget = Arc::new(SendBudget::new(PIECE));
    let [first, second, third] = std::array::from_fn(|_| Stream::of(&budget));
    let large = first.take().expect("there is room");
    let (_small, other) = (second.take().expect("it has nothing"), third.take());
    assert_eq!((second.room(), third.room()), (None, None));
    drop(large);
    assert_eq!((second.woken(), third.woken()), (1, 0));
    // It has found that it wants nothing: the room is the next one's.
    assert_eq!(second.room(), Some(PIECE));
    second.share.pass_on();
    assert_eq!((second.woken(), third.woken()), (1, 1));
    drop(other);
}

#[test]
fn who_leaves_stands_in_nobodys_way() {
    let budget = Arc::new(SendBudget::new(PIECE));
    let [first, second, third] = std::array::from_fn(|_| Stream::of(&budget));
    let large = first.take().expect("there is room");
    let _pieces = (second.take(), third.take());
    assert_eq!((second.room(), third.room()), (None, None));
    drop(large);
    assert_eq!((second.woken(), third.woken()), (1, 0));
    second.share.leave();
    assert_eq!(third.woken(), 1);
    assert!(budget.lock().waiting.is_empty());
}

#[test]
fn content_that_is_in_memory_anyway_is_not_held() {
    let budget = Arc::new(SendBudget::new(PIECE));
    let _piece = budget.pass(Bytes::from(vec![0; 1 << 20]));
    assert_eq!(budget.lock().held, 0);
    assert_eq!(Stream::of(&budget).room(), Some(PIECE));
}

#[test]
fn short_pieces_hold_what_stands_beside_their_bytes() {
    let budget = Arc::new(SendBudget::new(1 << 20));
    let stream = Stream::of(&budget);
    let piece = || stream.room().map(|_| stream.share.hold(Bytes::from_static(b"x")));
    let pieces: Vec<_> = std::iter::from_fn(piece).collect();
    assert!(pieces.len() < 4096, "{}", pieces.len());
}

#[test]
fn content_counts_as_sent_when_it_goes_out() {
    let budget = Arc::new(SendBudget::new(1 << 20));
    let mut fetched = Stream::of(&budget).take().expect("there is room");
    let mut whole = budget.pass(Bytes::from_static(b"content"));
    assert_eq!(budget.sent(), 0);
    fetched.advance(1000);
    whole.advance(7);
    drop((fetched, whole));
    assert_eq!(budget.sent(), 1007);
}

#[test]
fn a_stream_that_moves_waits_anew() {
    let budget = Arc::new(SendBudget::new(1 << 20));
    let wait = budget.begin();
    let share = Share::of(budget.clone(), wait.clone());
    let begun = budget.begun().and_then(|wait| wait.since()).expect("it waits from the beginning");
    assert!(budget.begun().is_none(), "it is taken once");
    let mut piece = share.hold(Bytes::from_static(b"content"));
    while crate::sys::clock::milliseconds() == begun {
        std::thread::yield_now();
    }
    piece.advance(1);
    assert!(wait.since().is_some_and(|since| since > begun));
    wait.end();
    piece.advance(1);
    assert_eq!(wait.since(), None, "it is our move");
}
