//! Who may begin, who waits, and who is notified that there is room.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

fn answer(answers: &Arc<UnsentAnswers>, length: usize) -> Bytes {
    answers.hold(Bytes::from(vec![0; length]))
}

fn counted(answers: &UnsentAnswers) -> (usize, usize) {
    (answers.bytes.load(Ordering::SeqCst), answers.count.load(Ordering::SeqCst))
}

#[test]
fn what_is_held_is_what_is_not_dropped() {
    let answers = Arc::new(UnsentAnswers::new(1000));
    let content = answer(&answers, 100);
    let part = content.slice(20..30);
    drop(content);
    assert_eq!(counted(&answers), (100, 1), "memory is released as a whole");
    drop(part);
    assert_eq!(counted(&answers), (0, 0));
}

#[test]
fn many_short_answers_or_few_long_ones_are_held() {
    let answers = Arc::new(UnsentAnswers::new(1000));
    let short: Vec<_> = (0..99).map(|_| answer(&answers, 10)).collect();
    assert!(answers.has_room());
    let last = answer(&answers, 10);
    assert!(!answers.has_room());
    drop((short, last));
    let mut long: Vec<_> = (0..FEW - 1).map(|_| answer(&answers, 1 << 20)).collect();
    assert!(answers.has_room(), "one that is left unread stops no other");
    long.push(answer(&answers, 1));
    assert!(!answers.has_room());
    long.pop();
    assert!(answers.has_room());
}

#[test]
fn who_waits_is_notified() {
    let answers = Arc::new(UnsentAnswers::new(1));
    let mut held: Vec<_> = (0..=FEW).map(|_| answer(&answers, 1)).collect();
    let (mut first, mut second) = (pin!(answers.room()), pin!(answers.room()));
    let mut context = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    held.pop();
    assert!(first.as_mut().poll(&mut context).is_pending(), "there is no room yet");
    held.pop();
    assert_eq!(first.as_mut().poll(&mut context), Poll::Ready(()));
    let again = answer(&answers, 1);
    assert!(second.as_mut().poll(&mut context).is_pending(), "somebody else has taken it");
    drop(again);
    assert_eq!(second.as_mut().poll(&mut context), Poll::Ready(()));
}
