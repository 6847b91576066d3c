//! The proof that I/O threads go on: each records when it last looked after its connections, some
//! times a second, and whoever watches the server reads that from a thread of its own. A thread
//! that hangs, in whatever it does, records nothing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::serve::io_thread::IoThread;
use crate::sys::clock;

/// When one I/O thread last looked after its connections, in milliseconds by [`clock`]. Written by
/// that thread, read by any.
#[derive(Debug, Default)]
pub(super) struct Heartbeat(AtomicU64);

impl Heartbeat {
    /// The thread goes on.
    pub(super) fn beat(&self) {
        self.0.store(clock::milliseconds(), Ordering::Relaxed);
    }

    /// Whether it did so no longer than `time` ago, `now` by [`clock`].
    fn is_within(&self, time: Duration, now: u64) -> bool {
        let since = now.saturating_sub(self.0.load(Ordering::Relaxed));
        u128::from(since) <= time.as_millis()
    }
}

/// The I/O threads of a server, as a watchdog sees them.
#[derive(Clone)]
pub struct Pulse(Arc<[Arc<IoThread>]>);

impl Pulse {
    pub(crate) fn of(io_threads: &Arc<[Arc<IoThread>]>) -> Self {
        Self(io_threads.clone())
    }

    /// Whether every one of them has gone on within the last `time`, of which half a second is
    /// the least that tells anything.
    pub fn is_felt_within(&self, time: Duration) -> bool {
        let now = clock::milliseconds();
        self.0.iter().all(|io_thread| io_thread.heartbeat.is_within(time, now))
    }
}

impl fmt::Debug for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pulse").field("io_threads", &self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests;
