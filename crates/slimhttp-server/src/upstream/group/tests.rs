//! Permits and the queue for them, with hand-made polls and a paused clock.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use crate::upstream::group::NoPermit::{self, TimedOut};
use crate::upstream::group::{UpstreamGroup, UpstreamPermit};

const LONG: Duration = Duration::from_secs(60);

type Waiting<'g> = Pin<Box<dyn Future<Output = Result<UpstreamPermit, NoPermit>> + 'g>>;

fn acquire(group: &Arc<UpstreamGroup>, max_requests: usize, max_queue: usize) -> Waiting<'_> {
    Box::pin(group.acquire_of(max_requests, max_queue, LONG))
}

fn poll(waiting: &mut Waiting<'_>) -> Poll<Result<UpstreamPermit, NoPermit>> {
    waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[track_caller]
fn granted(waiting: &mut Waiting<'_>) -> UpstreamPermit {
    match poll(waiting) {
        Poll::Ready(Ok(permit)) => permit,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn permits_are_granted_in_the_order_of_the_requests() {
    let group = Arc::new(UpstreamGroup::default());
    let (one, two) = (granted(&mut acquire(&group, 2, 9)), granted(&mut acquire(&group, 2, 9)));
    let (mut third, mut fourth) = (acquire(&group, 2, 9), acquire(&group, 2, 9));
    assert!(poll(&mut third).is_pending() && poll(&mut fourth).is_pending());
    assert_eq!(group.load(), (2, 2));
    drop(one);
    assert!(poll(&mut fourth).is_pending());
    let third = granted(&mut third);
    drop((two, third));
    let fourth = granted(&mut fourth);
    assert_eq!(group.load(), (1, 0));
    drop(fourth);
    assert_eq!(group.load(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn no_request_overtakes_those_that_wait() {
    let group = Arc::new(UpstreamGroup::default());
    let one = granted(&mut acquire(&group, 1, 9));
    let mut second = acquire(&group, 1, 9);
    assert!(poll(&mut second).is_pending());
    drop(one);
    // The permit is the second's, though it has not been polled yet.
    let mut late = acquire(&group, 1, 9);
    assert!(poll(&mut late).is_pending());
    drop(granted(&mut second));
    drop(granted(&mut late));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_leaves_the_queue_is_passed_over_and_counts_no_more() {
    let group = Arc::new(UpstreamGroup::default());
    let one = granted(&mut acquire(&group, 1, 2));
    let (mut left, mut stays) = (acquire(&group, 1, 2), acquire(&group, 1, 2));
    assert!(poll(&mut left).is_pending() && poll(&mut stays).is_pending());
    assert!(matches!(poll(&mut acquire(&group, 1, 2)), Poll::Ready(Err(NoPermit::QueueFull))));
    drop(left);
    let mut fourth = acquire(&group, 1, 2);
    assert!(poll(&mut fourth).is_pending());
    drop(one);
    drop(granted(&mut stays));
    // It has the permit and leaves without having been polled.
    drop(fourth);
    assert_eq!(group.load(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn without_a_queue_there_are_permits_only() {
    let group = Arc::new(UpstreamGroup::default());
    let one = granted(&mut acquire(&group, 1, 0));
    assert!(matches!(poll(&mut acquire(&group, 1, 0)), Poll::Ready(Err(NoPermit::QueueFull))));
    drop(one);
    drop(granted(&mut acquire(&group, 1, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_bound_holds_from_the_next_request_on() {
    let group = Arc::new(UpstreamGroup::default());
    let one = granted(&mut acquire(&group, 1, 9));
    let mut second = acquire(&group, 1, 9);
    assert!(poll(&mut second).is_pending());
    let mut third = acquire(&group, 3, 9);
    let third = granted(&mut third);
    let second = granted(&mut second);
    let mut fourth = acquire(&group, 1, 9);
    assert!(poll(&mut fourth).is_pending());
    drop((one, second));
    assert!(poll(&mut fourth).is_pending());
    drop(third);
    drop(granted(&mut fourth));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_too_long_gets_none() {
    let group = Arc::new(UpstreamGroup::default());
    let one = granted(&mut acquire(&group, 1, 9));
    let begun = Instant::now();
    let late = acquire(&group, 1, 9).await;
    assert_eq!((late.expect_err("none is given back"), begun.elapsed()), (TimedOut, LONG));
    assert_eq!(group.load(), (1, 0));
    drop(one);
    assert_eq!(group.load(), (0, 0), "nobody had it");
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_is_given_back_wakes_the_request_that_waits() {
    let group = Arc::new(UpstreamGroup::default());
    let first = granted(&mut acquire(&group, 1, 9));
    let begun = Instant::now();
    let holds = Duration::from_secs(7);
    tokio::spawn(async move {
        tokio::time::sleep(holds).await;
        drop(first);
    });
    let permit = acquire(&group, 1, 9).await.expect("is given back in time");
    assert_eq!(begun.elapsed(), holds);
    assert_eq!(group.load(), (1, 0));
    drop(permit);
}

/// Permits are given back on other threads than those that wait for them.
#[test]
fn threads_share_the_permits() {
    const MOST: usize = 3;
    let group = Arc::new(UpstreamGroup::default());
    let (held, most_held) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let hold_one = async || {
        let permit = group.acquire_of(MOST, 99, LONG).await.expect("is granted");
        most_held.fetch_max(held.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        held.fetch_sub(1, Ordering::SeqCst);
        drop(permit);
    };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
                runtime.expect("has descriptors").block_on(async {
                    for _ in 0..200 {
                        hold_one().await;
                    }
                });
            });
        }
    });
    let most_held = most_held.into_inner();
    assert!((1..=MOST).contains(&most_held), "{most_held}");
    assert_eq!(group.load(), (0, 0));
}
