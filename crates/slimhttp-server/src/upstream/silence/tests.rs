//! Pauses, with a paused clock.

use std::future::poll_fn;

use super::*;

const LIMIT: Duration = Duration::from_secs(60);

/// Waits until it has been silent for too long, or for `most`.
async fn is_too_long(silence: &mut Silence, limit: Duration, most: Duration) -> bool {
    tokio::time::timeout(most, poll_fn(|context| silence.poll(limit, context))).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_pause_has_a_limit() {
    let (mut silence, begun) = (Silence::default(), Instant::now());
    assert!(is_too_long(&mut silence, LIMIT, 2 * LIMIT).await);
    assert_eq!(begun.elapsed(), LIMIT);
}

#[tokio::test(start_paused = true)]
async fn each_pause_has_a_time_of_its_own() {
    let (mut silence, pause) = (Silence::default(), LIMIT - Duration::from_secs(1));
    for _ in 0..5 {
        assert!(!is_too_long(&mut silence, LIMIT, pause).await);
        silence.end();
    }
    // What goes by in between does not count.
    tokio::time::sleep(10 * LIMIT).await;
    let begun = Instant::now();
    assert!(is_too_long(&mut silence, LIMIT, 2 * LIMIT).await);
    assert_eq!(begun.elapsed(), LIMIT);
}

#[tokio::test(start_paused = true)]
async fn a_shorter_limit_holds_at_once() {
    let mut silence = Silence::default();
    assert!(!is_too_long(&mut silence, LIMIT, LIMIT / 2).await);
    silence.end();
    let begun = Instant::now();
    assert!(is_too_long(&mut silence, LIMIT / 10, LIMIT).await);
    assert_eq!(begun.elapsed(), LIMIT / 10);
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_nobody_needs_keeps_no_task() {
    let (task, waker) = crate::context::testing::Task::new();
    let mut silence = Silence::default();
    assert!(silence.poll(LIMIT, &mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    silence.end();
    silence.drop_unused_timer();
    assert!(std::sync::Arc::strong_count(&task) > 1, "it was in use");
    silence.drop_unused_timer();
    assert_eq!(std::sync::Arc::strong_count(&task), 1);
    let begun = Instant::now();
    assert!(is_too_long(&mut silence, LIMIT, 2 * LIMIT).await);
    assert_eq!(begun.elapsed(), LIMIT);
}
