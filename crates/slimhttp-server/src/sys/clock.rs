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

/// How long the same thing is not said again in the log, in milliseconds.
pub(crate) const SELDOM: u64 = 10_000;

/// Lets something be said in the log once in ten seconds at most, or as seldom as is
/// asked for, however many requests give reason to say it.
#[derive(Debug, Default)]
pub struct LogThrottle(AtomicU64);

impl LogThrottle {
    /// Nothing was said yet.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Whether it may be said now. Two who ask at one moment may both be told so.
    pub fn allow(&self) -> bool {
        self.is_due_every(Duration::from_millis(SELDOM))
    }

    /// Whether it may be said now, if it may be said once in `span`.
    pub fn is_due_every(&self, span: Duration) -> bool {
        let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        // Never 0, which means "not yet".
        let (now, last) = (milliseconds() + 1, self.0.load(Ordering::Relaxed));
        let due = last == 0 || now.saturating_sub(last) >= span;
        if due {
            self.0.store(now, Ordering::Relaxed);
        }
        due
    }
}
