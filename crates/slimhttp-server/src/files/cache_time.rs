//! When entries of the cache were looked at: times that fit into an atomic, so that an entry
//! which many threads share is marked without a lock.

use std::time::{Duration, Instant};

/// Counts the times of one cache.
pub(super) struct CacheClock {
    epoch: Instant,
}

impl CacheClock {
    /// A clock that begins now.
    pub(super) fn start() -> Self {
        Self { epoch: Instant::now() }
    }

    /// Now.
    pub(super) fn now(&self) -> CacheTime {
        self.at(Instant::now())
    }

    /// This moment; one before the clock began counts as its beginning.
    pub(super) fn at(&self, moment: Instant) -> CacheTime {
        let since = moment.saturating_duration_since(self.epoch);
        CacheTime(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// A moment, in nanoseconds since its clock began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CacheTime(u64);

impl CacheTime {
    /// Whether `at`, as an entry holds it, lies less than `span` before.
    pub(super) fn is_within(self, span: Duration, at: u64) -> bool {
        let span = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_sub(at) < span
    }

    /// The moment `span` later.
    #[cfg(test)]
    pub(super) fn after(self, span: Duration) -> Self {
        Self(self.0 + u64::try_from(span.as_nanos()).expect("it is short"))
    }

    /// As an entry holds it.
    pub(super) fn nanoseconds(self) -> u64 {
        self.0
    }
}
