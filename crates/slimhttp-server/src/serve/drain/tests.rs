//! The end of an I/O thread whose connections take their time: by tokio's clock, which is paused.

use std::net::{IpAddr, Ipv4Addr};

use slimhttp_site::value::Value;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::*;
use crate::context::testing;
use crate::net::admission::AddressPermit;
use crate::net::connection_state::{ConnectionState, run_until_cut};
use crate::net::connections::Connections;
use crate::serve::heartbeat::Heartbeat;
use crate::serve::resting::Resting;

/// A server with a grace period of ten seconds, and one I/O thread of it: this one.
fn server() -> (Arc<ServerContext>, Arc<IoThread>) {
    let shared = testing::server([("grace_period", Value::from(10))]);
    let io_thread = IoThread {
        connections: Connections::default(),
        resting: Resting::default(),
        heartbeat: Heartbeat::default(),
        handle: Handle::current(),
        active: Arc::default(),
    };
    (shared, Arc::new(io_thread))
}

/// A connection that begins by `prepare`, goes on until it is cut, and ends `late` after that.
fn connection(
    shared: &ServerContext,
    io_thread: &IoThread,
    prepare: fn(&ConnectionState),
    late: Duration,
) -> (Arc<ConnectionState>, JoinHandle<CloseMode>) {
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let address = AddressPermit::acquire(&shared.admission, client, 10).expect("one more");
    let permit = address.permit(&io_thread.active);
    let state = Arc::new(ConnectionState::new());
    prepare(&state);
    io_thread.connections.add(&state);
    let task = tokio::spawn({
        let state = state.clone();
        async move {
            let _permit = permit;
            let ended = run_until_cut(&state, std::future::pending::<()>()).await;
            tokio::time::sleep(late).await;
            ended.expect_err("it never ends by itself")
        }
    });
    (state, task)
}

/// The stop of a server, and how long its I/O thread then takes to end.
async fn stop(shared: &Arc<ServerContext>, io_thread: &Arc<IoThread>) -> Duration {
    shared.shutdown.request();
    shared.shutdown.no_more_accepting();
    let begin = Instant::now();
    drain(shared, io_thread).await;
    begin.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_thread_without_connections_ends_once_nothing_more_is_accepted() {
    let (shared, io_thread) = server();
    shared.shutdown.request();
    let drained = tokio::spawn({
        let (shared, io_thread) = (shared.clone(), io_thread.clone());
        async move { drain(&shared, &io_thread).await }
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!drained.is_finished(), "the last connections may not be here yet");
    let begin = Instant::now();
    shared.shutdown.no_more_accepting();
    drained.await.expect("it panics nowhere");
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_may_finish() {
    let (shared, io_thread) = server();
    let address = AddressPermit::acquire(&shared.admission, Ipv4Addr::LOCALHOST.into(), 1);
    let permit = address.expect("one").permit(&io_thread.active);
    let state = Arc::new(ConnectionState::new());
    state.begin_exchange();
    io_thread.connections.add(&state);
    let answer = tokio::spawn({
        let state = state.clone();
        async move {
            let _permit = permit;
            tokio::time::sleep(Duration::from_secs(7)).await;
            state.end_exchange();
            state.close_mode()
        }
    });
    assert_eq!(stop(&shared, &io_thread).await, Duration::from_secs(7));
    assert_eq!(answer.await.expect("it panics nowhere"), CloseMode::Gracefully);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_finish_is_cut_after_the_grace_period() {
    let (shared, io_thread) = server();
    let late = Duration::from_millis(50);
    let (_, task) = connection(&shared, &io_thread, ConnectionState::begin_exchange, late);
    assert_eq!(stop(&shared, &io_thread).await, Duration::from_secs(10) + late);
    assert_eq!(task.await.expect("it panics nowhere"), CloseMode::Cut);
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_and_does_not_go_is_waited_for_a_moment() {
    let (shared, io_thread) = server();
    let late = Duration::from_secs(60);
    let (..) = connection(&shared, &io_thread, ConnectionState::begin_exchange, late);
    assert_eq!(stop(&shared, &io_thread).await, Duration::from_secs(10) + DROPPED);
}

#[tokio::test(start_paused = true)]
async fn a_close_waits_for_no_grace_period() {
    let (shared, io_thread) = server();
    let begins = ConnectionState::begin_exchange;
    let (_, task) = connection(&shared, &io_thread, begins, Duration::ZERO);
    let closing = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        shared.shutdown.cut();
    };
    let (took, ()) = tokio::join!(stop(&shared, &io_thread), closing);
    assert_eq!(took, Duration::from_secs(3));
    assert_eq!(task.await.expect("it panics nowhere"), CloseMode::Cut);
}

#[tokio::test(start_paused = true)]
async fn answers_without_an_end_are_cut_soon() {
    let (shared, io_thread) = server();
    let endless = |state: &ConnectionState| {
        state.begin_exchange();
        state.begin_endless();
    };
    let (_, task) = connection(&shared, &io_thread, endless, Duration::ZERO);
    let took = stop(&shared, &io_thread).await;
    assert_eq!(task.await.expect("it panics nowhere"), CloseMode::Cut);
    let tick = tick(&shared.live.cached().site.service);
    assert!(took >= CLOSE_TIMEOUT && took <= CLOSE_TIMEOUT + tick, "{took:?}");
}

/// A take-over by another process; how long it then takes until the server is to stop.
async fn retiring(shared: &Arc<ServerContext>, io_thread: &Arc<IoThread>) -> Duration {
    shared.shutdown.relieve();
    let begin = Instant::now();
    retire(shared.clone(), Arc::new([io_thread.clone()])).await;
    assert!(shared.shutdown.is_requested());
    begin.elapsed()
}

#[tokio::test(start_paused = true)]
async fn who_has_nobody_left_retires_soon() {
    let (shared, io_thread) = server();
    assert!(retiring(&shared, &io_thread).await <= 2 * EMPTY_INTERVAL);
}

#[tokio::test(start_paused = true)]
async fn who_retires_waits_for_the_last_one() {
    let (shared, io_thread) = server();
    let (state, task) = connection(&shared, &io_thread, |_| {}, Duration::ZERO);
    let leaving = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(state.close_mode(), CloseMode::No, "nobody but housekeeping asks for it");
        state.request_close(CloseMode::Cut);
    };
    let (took, ()) = tokio::join!(retiring(&shared, &io_thread), leaving);
    let last = Duration::from_secs(3);
    assert!(took >= last && took <= last + 2 * EMPTY_INTERVAL, "{took:?}");
    task.await.expect("it panics nowhere");
}

#[tokio::test(start_paused = true)]
async fn who_retires_ends_within_the_grace_period() {
    let (shared, io_thread) = server();
    let (_, task) =
        connection(&shared, &io_thread, ConnectionState::begin_exchange, Duration::ZERO);
    let begin = Instant::now();
    assert_eq!(retiring(&shared, &io_thread).await, Duration::from_secs(10) - CLOSE_TIMEOUT);
    stop(&shared, &io_thread).await;
    assert_eq!(begin.elapsed(), Duration::from_secs(10));
    assert_eq!(task.await.expect("it panics nowhere"), CloseMode::Cut);
}

#[tokio::test(start_paused = true)]
async fn who_retires_may_be_stopped() {
    let (shared, io_thread) = server();
    let (..) = connection(&shared, &io_thread, ConnectionState::begin_exchange, Duration::ZERO);
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        shared.shutdown.request();
    };
    let (took, ()) = tokio::join!(retiring(&shared, &io_thread), stopping);
    assert_eq!(took, Duration::from_secs(1));
}
