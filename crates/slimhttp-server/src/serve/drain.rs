//! The end of one I/O thread: connections finish what is in flight, within the grace period.
//! Runs on that thread, as the last thing that it waits for; see docs/internals/shutdown.md. And the
//! end of the connections of one listener, which a change has closed; and what comes before the end
//! where another process has taken over. Both on the first I/O thread.

use std::sync::Arc;
use std::time::Duration;

use slimhttp_site::listener::Drain;
use tokio::time::Instant;

use crate::context::server::ServerContext;
use crate::net::connection_state::{CLOSE_TIMEOUT, CloseMode};
use crate::net::listeners::OpenListener;
use crate::net::shutdown::Stage;
use crate::serve::io_thread::IoThread;
use crate::serve::threads::tick;

/// How long connections that are cut may take until they are dropped.
const DROPPED: Duration = Duration::from_millis(200);

/// Lets exchanges in flight finish, within the grace period, and cuts what is left.
pub(super) async fn drain(shared: &Arc<ServerContext>, io_thread: &Arc<IoThread>) {
    // What was accepted just before the end is assigned before the listeners close, so that
    // every connection is known here by now.
    shared.shutdown.accepting_ended().await;
    let service = shared.live.cached().site.service.clone();
    io_thread.connections.request_close(CloseMode::Gracefully);
    let begin = Instant::now();
    let end = shared.shutdown.relieved_at().unwrap_or(begin) + service.grace_period;
    let finished = async {
        while !io_thread.active.is_zero() {
            io_thread.heartbeat.beat();
            let _ = tokio::time::timeout(tick(&service), io_thread.active.emptied()).await;
            io_thread.connections.enforce_timeouts(&service);
            io_thread.connections.request_close(CloseMode::Gracefully);
            // Those who take what is sent have seen its end by now.
            if begin.elapsed() >= CLOSE_TIMEOUT {
                io_thread.connections.cut_endless();
            }
        }
    };
    tokio::select! {
        () = finished => {}
        () = tokio::time::sleep_until(end) => {}
        () = shared.shutdown.reached(Stage::Cut) => {}
    }
    io_thread.connections.request_close(CloseMode::Cut);
    let end = Instant::now() + DROPPED;
    while !io_thread.active.is_zero() && Instant::now() < end {
        let _ = tokio::time::timeout_at(end, io_thread.active.emptied()).await;
    }
}

/// How often it is looked whether there is nobody left.
const EMPTY_INTERVAL: Duration = Duration::from_millis(20);

/// Ends a server in whose place another process accepts: once nobody is left, or so late that
/// those who are left may still end in good order within the grace period. Until then every
/// connection may make one more request, and whatever has begun goes on, WebSockets included.
pub(crate) async fn retire(shared: Arc<ServerContext>, io_threads: Arc<[Arc<IoThread>]>) {
    shared.shutdown.relieved().await;
    let grace = shared.live.cached().site.service.grace_period;
    let emptied = async {
        loop {
            // First, so that what has just been accepted has come to its thread.
            tokio::time::sleep(EMPTY_INTERVAL).await;
            if io_threads.iter().all(|io_thread| io_thread.active.is_zero()) {
                return;
            }
        }
    };
    let patience = grace.saturating_sub(CLOSE_TIMEOUT.min(grace / 2));
    tokio::select! {
        _ = tokio::time::timeout(patience, emptied) => {}
        () = shared.shutdown.requested() => {}
    }
    shared.shutdown.request();
}

/// How often the connections of a listener that is closed are asked to end, at first: those that it
/// accepted last may not have begun on their thread.
const ASKED: u32 = 4;

/// Ends the connections of a listener that a change has closed, as it says itself. On the first I/O
/// thread, until none is to be ended any more, or the server ends.
pub(super) async fn drain_listener(
    listener: &OpenListener,
    io_threads: &[Arc<IoThread>],
    shared: &ServerContext,
) {
    let request_close = |mode| {
        for io_thread in io_threads {
            io_thread.connections.request_close_of(listener.id(), mode);
        }
    };
    let within = match listener.rules().drain {
        Drain::Leave => return,
        Drain::Finish => None,
        Drain::Within(time) => Some(time),
    };
    let drained = async {
        let begin = Instant::now();
        for _ in 0..ASKED {
            request_close(CloseMode::Gracefully);
            tokio::time::sleep(DROPPED).await;
        }
        if let Some(time) = within {
            tokio::time::sleep_until(begin + time).await;
            request_close(CloseMode::Cut);
        }
    };
    tokio::select! {
        () = drained => {}
        () = shared.shutdown.requested() => {}
    }
}

#[cfg(test)]
mod tests;
