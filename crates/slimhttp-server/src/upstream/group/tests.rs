//! Places and the line for them.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::upstream::group::{NoPermit, UpstreamGroup, UpstreamPermit};

const LONG: Duration = Duration::from_secs(60);

type Waiting<'g> = Pin<Box<dyn Future<Output = Result<UpstreamPermit, NoPermit>> + 'g>>;

fn ask(group: &Arc<UpstreamGroup>, most: usize, max_queue: usize) -> Waiting<'_> {
    Box::pin(group.place(most, max_queue, LONG))
}

fn poll(waiting: &mut Waiting<'_>) -> Poll<Result<UpstreamPermit, NoPermit>> {
    waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[track_caller]
fn got(waiting: &mut Waiting<'_>) -> UpstreamPermit {
    match poll(waiting) {
        Poll::Ready(Ok(place)) => place,
        other => panic!("{other:?}"),
    }
}

/// Timers need a runtime; nothing here waits for one.
fn within<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("has descriptors").block_on(test)
}

#[test]
fn places_are_given_in_the_order_in_which_they_were_asked_for() {
    within(async {
        let group = Arc::new(UpstreamGroup::default());
        let (one, two) = (got(&mut ask(&group, 2, 9)), got(&mut ask(&group, 2, 9)));
        let (mut third, mut fourth) = (ask(&group, 2, 9), ask(&group, 2, 9));
        assert!(poll(&mut third).is_pending() && poll(&mut fourth).is_pending());
        assert_eq!(group.load(), (2, 2));
        drop(one);
        assert!(poll(&mut fourth).is_pending());
        let third = got(&mut third);
        drop((two, third));
        let fourth = got(&mut fourth);
        assert_eq!(group.load(), (1, 0));
        drop(fourth);
        assert_eq!(group.load(), (0, 0));
    });
}

#[test]
fn nobody_overtakes_those_who_wait() {
    within(async {
        let group = Arc::new(UpstreamGroup::default());
        let one = got(&mut ask(&group, 1, 9));
        let mut second = ask(&group, 1, 9);
        assert!(poll(&mut second).is_pending());
        drop(one);
        // The place is the second's, though it has not been looked at yet.
        let mut late = ask(&group, 1, 9);
        assert!(poll(&mut late).is_pending());
        drop(got(&mut second));
        drop(got(&mut late));
    });
}

#[test]
fn who_leaves_the_line_is_passed_over_and_counts_no_more() {
    within(async {
        let group = Arc::new(UpstreamGroup::default());
        let one = got(&mut ask(&group, 1, 2));
        let (mut left, mut stays) = (ask(&group, 1, 2), ask(&group, 1, 2));
        assert!(poll(&mut left).is_pending() && poll(&mut stays).is_pending());
        assert!(matches!(poll(&mut ask(&group, 1, 2)), Poll::Ready(Err(NoPermit::Full))));
        drop(left);
        let mut fourth = ask(&group, 1, 2);
        assert!(poll(&mut fourth).is_pending());
        drop(one);
        drop(got(&mut stays));
        // It has the place and leaves without having looked.
        drop(fourth);
        assert_eq!(group.load(), (0, 0));
    });
}

#[test]
fn without_a_line_there_are_places_only() {
    within(async {
        let group = Arc::new(UpstreamGroup::default());
        let one = got(&mut ask(&group, 1, 0));
        assert!(matches!(poll(&mut ask(&group, 1, 0)), Poll::Ready(Err(NoPermit::Full))));
        drop(one);
        drop(got(&mut ask(&group, 1, 0)));
    });
}

#[test]
fn a_change_of_the_bound_holds_from_the_next_request_on() {
    within(async {
        let group = Arc::new(UpstreamGroup::default());
        let one = got(&mut ask(&group, 1, 9));
        let mut second = ask(&group, 1, 9);
        assert!(poll(&mut second).is_pending());
        let mut third = ask(&group, 3, 9);
        let third = got(&mut third);
        let second = got(&mut second);
        let mut fourth = ask(&group, 1, 9);
        assert!(poll(&mut fourth).is_pending());
        drop((one, second));
        assert!(poll(&mut fourth).is_pending());
        drop(third);
        drop(got(&mut fourth));
    });
}

#[test]
fn who_waits_too_long_is_told_so() {
    within(async {
        let group = Arc::new(UpstreamGroup::default());
        let _one = got(&mut ask(&group, 1, 9));
        let late = pin!(group.place(1, 9, Duration::from_millis(20))).await;
        assert_eq!(late.expect_err("nobody left"), NoPermit::Late);
        assert_eq!(group.load(), (1, 0));
    });
}
