//! For how long an I/O thread works for one connection before the others have their turns.

use std::time::{Duration, Instant};

/// How long one connection is worked for at a time.
const TIME_SLICE: Duration = Duration::from_millis(1);

/// The time for which one poll of a task may work. When it is over the task yields
/// (`tokio::task::yield_now`): the runtime then looks for what has become ready elsewhere first,
/// which it does not where a task just wakes itself.
pub(crate) struct TimeSlice(Instant);

impl TimeSlice {
    /// It begins now.
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self) -> bool {
        self.0.elapsed() >= TIME_SLICE
    }
}
