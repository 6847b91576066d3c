//! Whether a connection rests while it is idle: its task ends, and its socket waits in the table of
//! its I/O thread, see `serve/resting.rs`.
//!
//! The connection's task says whether it could; housekeeping looks a few times a second who has
//! been idle for a while, and asks; the task is woken, and ends if it still waits for a request
//! of which nothing has come. All of that is on the connection's I/O thread.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::net::connection_state::{ConnectionState, has_elapsed};
use crate::sys::clock;

/// For how long a connection has been idle before it rests. A client that asks for several things
/// in a row, as browsers do, is through with them by then.
const REST_AFTER: Duration = Duration::from_millis(250);

/// Its task is needed, for it has more to keep than a socket. What a new connection has.
const NEVER: u8 = 0;
/// Its task could end.
const POSSIBLE: u8 = 1;
/// Housekeeping has asked for it, and the task has not looked yet.
const REQUESTED: u8 = 2;

impl ConnectionState {
    /// Whether the connection could rest: its task looks for [`Self::take_rest_request`].
    pub(crate) fn set_may_rest(&self, may_rest: bool) {
        self.rest.store(if may_rest { POSSIBLE } else { NEVER }, Ordering::Relaxed);
    }

    /// Asks the connection's task to let it rest, if it could and has been idle for a while at
    /// `now` by [`clock`]; whether it was asked, and woken.
    pub(in crate::net) fn request_rest(&self, now: u64) -> bool {
        let is_due = self.rest.load(Ordering::Relaxed) == POSSIBLE && self.has_been_idle(now);
        if is_due {
            self.rest.store(REQUESTED, Ordering::Relaxed);
            self.task.wake();
        }
        is_due
    }

    /// Takes the request: whether the connection is to rest now, for it was asked to and nothing
    /// has happened since. Then it is not asked again before its next task says that it could.
    pub(crate) fn take_rest_request(&self) -> bool {
        if self.rest.load(Ordering::Relaxed) != REQUESTED {
            return false;
        }
        let rests = self.has_been_idle(clock::milliseconds());
        self.set_may_rest(!rests);
        rests
    }

    fn has_been_idle(&self, now: u64) -> bool {
        self.idle_since().is_some_and(|since| has_elapsed(now, since, REST_AFTER))
    }
}

#[cfg(test)]
mod tests;
