//! The stages of an end, waited for as futures and on threads.

use std::pin::pin;
use std::thread;

use futures_util::FutureExt;

use super::*;

/// Longer than any test takes.
const AGES: Duration = Duration::from_secs(600);

/// Which of the stages after the first are reached.
fn reached(shutdown: &Shutdown) -> [bool; 4] {
    [Stage::Relieved, Stage::Requested, Stage::AcceptingEnded, Stage::Cut]
        .map(|stage| shutdown.reached(stage).now_or_never().is_some())
}

#[test]
fn stages_are_reached_in_order_and_stay_so() {
    let shutdown = Shutdown::default();
    assert!(!shutdown.is_requested());
    assert_eq!(reached(&shutdown), [false, false, false, false]);
    shutdown.relieve();
    assert!(!shutdown.is_requested());
    assert_eq!(reached(&shutdown), [true, false, false, false]);
    shutdown.request();
    assert!(shutdown.is_requested());
    assert_eq!(reached(&shutdown), [true, true, false, false]);
    shutdown.no_more_accepting();
    assert_eq!(reached(&shutdown), [true, true, true, false]);
    shutdown.cut();
    assert_eq!(reached(&shutdown), [true, true, true, true]);
    // What is behind it comes too late.
    shutdown.request();
    shutdown.no_more_accepting();
    assert_eq!(reached(&shutdown), [true, true, true, true]);
}

#[test]
fn a_cut_is_a_request_too() {
    let shutdown = Shutdown::default();
    shutdown.cut();
    assert!(shutdown.is_requested());
    assert_eq!(reached(&shutdown), [true, true, true, true]);
    assert!(!shutdown.wait_for_port(Duration::ZERO), "the listeners are still to be closed");
}

#[tokio::test]
async fn every_future_that_waits_is_woken() {
    let shutdown = Shutdown::default();
    let (mut first, mut second) = (pin!(shutdown.requested()), pin!(shutdown.requested()));
    let mut later = pin!(shutdown.accepting_ended());
    assert!(first.as_mut().now_or_never().is_none());
    assert!(second.as_mut().now_or_never().is_none());
    assert!(later.as_mut().now_or_never().is_none());
    tokio::join!(first, second, async { shutdown.request() });
    assert!(later.as_mut().now_or_never().is_none());
    tokio::join!(later, async { shutdown.no_more_accepting() });
}

#[test]
fn threads_wait_for_the_port_and_for_the_end() {
    let shutdown = Shutdown::default();
    assert!(!shutdown.wait_for_port(Duration::ZERO));
    assert!(!shutdown.wait(Duration::from_millis(1)));
    thread::scope(|scope| {
        let port = scope.spawn(|| shutdown.wait_for_port(AGES));
        let end = scope.spawn(|| shutdown.wait(AGES));
        shutdown.no_more_accepting();
        assert!(port.join().expect("it panics nowhere"));
        assert!(!end.is_finished(), "not everything has ended");
        shutdown.finished();
        assert!(end.join().expect("it panics nowhere"));
    });
    assert!(shutdown.wait(Duration::ZERO), "who comes later does not wait");
    assert!(shutdown.wait_for_port(Duration::ZERO));
}

#[test]
fn the_end_of_a_server_that_never_started_is_complete_at_once() {
    let shutdown = Shutdown::default();
    shutdown.request();
    shutdown.finished();
    assert!(shutdown.wait(Duration::ZERO));
    assert!(shutdown.wait_for_port(Duration::ZERO));
    // The end is not taken back by what comes late.
    shutdown.no_more_accepting();
    assert!(shutdown.wait(Duration::ZERO));
}

#[test]
fn an_io_thread_hears_of_what_another_thread_asks() {
    let shutdown = Shutdown::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    for stage in [Stage::Requested, Stage::Cut] {
        thread::scope(|scope| {
            scope.spawn(|| shutdown.advance(stage));
            let hears = async { tokio::time::timeout(AGES, shutdown.reached(stage)).await };
            runtime.block_on(hears).expect("it is woken");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_known_when_another_process_took_over() {
    let shutdown = Shutdown::default();
    assert_eq!(shutdown.relieved_at(), None);
    let begin = Instant::now();
    shutdown.relieve();
    tokio::time::advance(Duration::from_secs(1)).await;
    shutdown.relieve();
    shutdown.request();
    assert_eq!(shutdown.relieved_at(), Some(begin), "the first time counts");
    let shutdown = Shutdown::default();
    shutdown.request();
    shutdown.relieve();
    assert_eq!(shutdown.relieved_at(), None, "it ended by itself");
}
