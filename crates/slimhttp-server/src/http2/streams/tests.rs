//! Who is polled, how often, and what becomes of who ends.

use std::sync::atomic::AtomicUsize;

use futures_util::task::noop_waker_ref;
use hyper::rt::Executor as _;

use super::*;
use crate::context::testing::Task;

fn streams() -> (Spawner, Streams) {
    let (spawner, budget) = (Spawner::default(), Arc::new(SendBudget::new(1 << 20)));
    (spawner.clone(), Streams::new(spawner, budget, || Duration::from_millis(10)))
}

/// Pends so many times, awake, and counts each poll.
fn busy(polls: &Arc<AtomicUsize>, pending: usize) -> impl Future<Output = ()> + Send + 'static {
    let (polls, mut left) = (polls.clone(), pending);
    std::future::poll_fn(move |context| {
        polls.fetch_add(1, Ordering::Relaxed);
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

#[test]
fn so_many_are_polled_in_one_turn_and_in_turns() {
    let (spawner, mut streams) = streams();
    let polls: [Arc<AtomicUsize>; 5] = Default::default();
    polls.iter().for_each(|polls| spawner.execute(busy(polls, 100)));
    let mut context = Context::from_waker(noop_waker_ref());
    let counts = || polls.each_ref().map(|polls| polls.load(Ordering::Relaxed));
    assert_eq!(streams.poll(&mut context, 3), 3);
    assert_eq!(counts(), [1, 1, 1, 0, 0]);
    assert!(streams.has_ready());
    assert_eq!(streams.poll(&mut context, 3), 3);
    assert_eq!(counts(), [2, 1, 1, 1, 1]);
}

#[test]
fn who_sleeps_is_polled_when_it_is_woken_and_its_task_is_too() {
    let (spawner, mut streams) = streams();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let done = Arc::new(AtomicBool::new(false));
    let sets = done.clone();
    spawner.execute(async move {
        receiver.await.expect("the sender is not dropped");
        sets.store(true, Ordering::Relaxed);
    });
    let (task, waker) = Task::new();
    let mut context = Context::from_waker(&waker);
    assert_eq!(streams.poll(&mut context, 8), 1);
    assert_eq!(streams.poll(&mut context, 8), 0, "nobody has woken it");
    assert_eq!(task.wakes(), 0);
    sender.send(()).expect("it is received");
    assert_eq!(task.wakes(), 1);
    assert_eq!(streams.poll(&mut context, 8), 1);
    assert!(done.load(Ordering::Relaxed));
}

#[test]
fn a_slot_serves_again_and_a_panic_is_one_requests_affair() {
    let (spawner, mut streams) = streams();
    let mut context = Context::from_waker(noop_waker_ref());
    let polls = Arc::new(AtomicUsize::new(0));
    for _ in 0..3 {
        spawner.execute(async { std::panic::resume_unwind(Box::new("as planned")) });
        spawner.execute(busy(&polls, 0));
        assert_eq!(streams.poll(&mut context, 8), 2);
    }
    assert_eq!(polls.load(Ordering::Relaxed), 3);
    assert_eq!(streams.slots.len(), 2);
}

#[test]
fn all_end_with_it_those_without_a_slot_too() {
    let (spawner, mut streams) = streams();
    let held = Arc::new(());
    let holds = || {
        // As hyper's requests do.
        let (held, spawner) = (held.clone(), spawner.clone());
        async move {
            std::future::pending::<()>().await;
            drop((held, spawner));
        }
    };
    spawner.execute(holds());
    streams.poll(&mut Context::from_waker(noop_waker_ref()), 8);
    spawner.execute(holds());
    assert_eq!(Arc::strong_count(&held), 3);
    drop(streams);
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test]
async fn who_waits_for_its_client_too_long_is_dropped_alone() {
    let (spawner, mut streams) = streams();
    let (stalled, working) = (Arc::new(()), Arc::new(()));
    for held in [&stalled, &working] {
        let (held, budget) = (held.clone(), streams.budget.clone());
        let waits = Arc::ptr_eq(&held, &stalled);
        spawner.execute(async move {
            let wait = budget.begin();
            if !waits {
                wait.end();
            }
            std::future::pending::<()>().await;
            drop((held, wait));
        });
    }
    let dropped = std::future::poll_fn(|context| {
        streams.poll(context, 8);
        let dropped = Arc::strong_count(&stalled) == 1;
        if dropped { Poll::Ready(()) } else { Poll::Pending }
    });
    tokio::time::timeout(Duration::from_secs(10), dropped).await.expect("it is dropped in time");
    assert_eq!(Arc::strong_count(&working), 2, "it is not the client's turn");
    assert!(!streams.timed);
}
