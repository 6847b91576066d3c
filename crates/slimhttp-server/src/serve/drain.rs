//! The end of one I/O thread: connections finish what is in flight, within the grace period.
//! Runs on that thread, as the last thing that it waits for; see docs/internals/shutdown.md.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::context::server::ServerContext;
use crate::net::connection_state::{CLOSE_TIMEOUT, CloseMode};
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
    let end = begin + service.grace_period;
    let finished = async {
        while !io_thread.active.is_zero() {
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

#[cfg(test)]
mod tests;
