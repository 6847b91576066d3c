//! Which calls of a waker schedule a turn of the task.

use std::sync::atomic::{AtomicBool, AtomicUsize};

use super::*;

/// Counts how often the task was woken.
#[derive(Default)]
struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Task {
    fn woken(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A part that has been polled in a turn, which is over; with the waker that it was given.
fn polled(task: &Arc<Task>) -> (TurnWaker, Waker) {
    let mut part = TurnWaker::default();
    part.begin_turn(&task.clone().into());
    let waker = part.context().waker().clone();
    assert!(!part.end_turn());
    (part, waker)
}

#[test]
fn between_turns_a_call_wakes_the_task() {
    let task = Arc::new(Task::default());
    let (mut part, waker) = polled(&task);
    waker.wake_by_ref();
    assert_eq!(task.woken(), 1);
    waker.wake_by_ref();
    assert_eq!(task.woken(), 2, "as often as it is called");
    part.begin_turn(&task.clone().into());
    part.context();
    assert!(!part.end_turn(), "the poll has done it");
}

#[test]
fn within_a_turn_a_call_counts_unless_the_part_is_polled_afterwards() {
    let task = Arc::new(Task::default());
    let (mut part, waker) = polled(&task);
    part.begin_turn(&task.clone().into());
    waker.wake_by_ref();
    part.context();
    waker.wake_by_ref();
    part.context();
    assert!(!part.end_turn());
    part.begin_turn(&task.clone().into());
    part.context();
    waker.wake();
    assert!(part.end_turn());
    assert_eq!(task.woken(), 0, "the task schedules itself");
}

#[test]
fn a_task_that_has_moved_is_woken_where_it_is() {
    let (before, after) = (Arc::new(Task::default()), Arc::new(Task::default()));
    let (mut part, _) = polled(&before);
    part.begin_turn(&after.clone().into());
    let waker = part.context().waker().clone();
    part.end_turn();
    waker.wake();
    assert_eq!((before.woken(), after.woken()), (0, 1));
}

/// Another thread adds work and wakes the task each time, which works it off in turns: nothing
/// is left when no turn is scheduled.
#[test]
fn no_call_of_another_thread_is_lost() {
    const WORK: usize = if cfg!(miri) { 50 } else { 100_000 };
    let (task, added) = (Arc::new(Task::default()), Arc::new(AtomicUsize::new(0)));
    let ended = Arc::new(AtomicBool::new(false));
    let (mut part, waker) = polled(&task);
    let adding = {
        let (added, ended) = (added.clone(), ended.clone());
        std::thread::spawn(move || {
            for _ in 0..WORK {
                added.fetch_add(1, Ordering::Relaxed);
                waker.wake_by_ref();
            }
            ended.store(true, Ordering::Release);
        })
    };
    let (mut seen, mut turns) = (0, 0);
    loop {
        let is_last = ended.load(Ordering::Acquire);
        while turns != task.woken() {
            turns = task.woken();
            part.begin_turn(&task.clone().into());
            for _ in 0..2 {
                part.context();
                seen = added.load(Ordering::Relaxed);
            }
            if part.end_turn() {
                task.clone().wake();
            }
        }
        if is_last {
            break;
        }
    }
    adding.join().expect("no panic");
    assert_eq!(seen, WORK);
}
