//! The time to a tick of the system (4 ms as a rule): enough for what counts in
//! seconds, at a fraction of the cost of the exact time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

#[cfg(target_os = "linux")]
const MONOTONIC: ClockId = ClockId::MonotonicCoarse;
#[cfg(target_os = "linux")]
const REALTIME: ClockId = ClockId::RealtimeCoarse;
#[cfg(not(target_os = "linux"))]
const MONOTONIC: ClockId = ClockId::Monotonic;
#[cfg(not(target_os = "linux"))]
const REALTIME: ClockId = ClockId::Realtime;

/// Milliseconds since some moment before this process, never backwards.
pub(crate) fn milliseconds() -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(MONOTONIC);
    let milliseconds = tv_sec.saturating_mul(1000).saturating_add(tv_nsec / 1_000_000);
    u64::try_from(milliseconds).unwrap_or(0)
}

/// Seconds since 1970.
pub(crate) fn seconds() -> u64 {
    u64::try_from(clock_gettime(REALTIME).tv_sec).unwrap_or(0)
}

/// How long the same thing is not logged again, in milliseconds.
pub(crate) const LOG_INTERVAL: u64 = 10_000;

/// Lets something be logged once in ten seconds at most, or as seldom as is asked for, however
/// many requests give reason to. An atomic, so that a `static` of any thread may be one.
#[derive(Debug, Default)]
pub struct LogThrottle(AtomicU64);

impl LogThrottle {
    /// Nothing was logged yet.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Whether it may be logged now. Two threads that ask at one moment may both be allowed to.
    pub fn allow(&self) -> bool {
        self.allow_every(Duration::from_millis(LOG_INTERVAL))
    }

    /// Whether it may be logged now, if it may be once in `interval`.
    pub fn allow_every(&self, interval: Duration) -> bool {
        let interval = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        // Never 0, which means "not yet".
        let (now, last) = (milliseconds() + 1, self.0.load(Ordering::Relaxed));
        let is_allowed = last == 0 || now.saturating_sub(last) >= interval;
        if is_allowed {
            self.0.store(now, Ordering::Relaxed);
        }
        is_allowed
    }
}
