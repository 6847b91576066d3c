//! Failures of the upstreams of a scope, logged as often as it helps: the same line once in a
//! while ([`clock::LOG_INTERVAL`]), with how many like it were suppressed since. An upstream that
//! is down fails each request alike, and a log that fills the disk makes a second failure of it.
//!
//! Shared by all I/O threads; a failed request takes the lock for a moment. What makes two
//! failures different is never a client's to choose: with a new one in each request it could
//! take all the places here.

use std::fmt;

use parking_lot::Mutex;

use crate::sys::clock;

/// How many different failures are counted each by itself. Those beyond them are counted
/// together, and so are logged once in a while too.
const MAX_DISTINCT: usize = 16;

/// The failures that were logged lately.
#[derive(Debug, Default)]
pub(crate) struct FailureLog {
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    distinct: Vec<Entry>,
    /// All that found no place among them.
    others: Option<Entry>,
}

#[derive(Debug)]
struct Entry {
    failure: String,
    logged_at: u64,
    /// How often it happened since.
    suppressed: u64,
}

impl Entry {
    fn new(failure: &str, now: u64) -> Self {
        Self { failure: failure.to_owned(), logged_at: now, suppressed: 0 }
    }

    fn is_old(&self, now: u64) -> bool {
        now.saturating_sub(self.logged_at) >= clock::LOG_INTERVAL
    }

    /// It happened again: how often it was suppressed, if it is to be logged now.
    fn repeat(&mut self, now: u64) -> Option<u64> {
        if !self.is_old(now) {
            self.suppressed += 1;
            return None;
        }
        self.logged_at = now;
        Some(std::mem::take(&mut self.suppressed))
    }
}

/// How often a failure was not logged; its text is put behind the line that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suppressed {
    /// The very same.
    Same(u64),
    /// This or something else.
    Others(u64),
}

impl fmt::Display for Suppressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same(0) | Self::Others(0) => Ok(()),
            Self::Same(count) => write!(f, " (and {count} times since it was last said)"),
            Self::Others(count) => write!(f, " (and {count} others since such were last said)"),
        }
    }
}

impl FailureLog {
    /// Logs `failure`, unless it was logged a moment ago.
    pub(crate) fn log(&self, failure: &str) {
        if let Some(suppressed) = self.should_log(failure) {
            // With all else that is logged of a proxy, which users choose by this target.
            tracing::error!(target: "slimhttp_server::proxy", "{failure}{suppressed}");
        }
    }

    /// Whether `failure`, which has happened, is to be logged, and how often it was not.
    pub(crate) fn should_log(&self, failure: &str) -> Option<Suppressed> {
        self.record(failure, clock::milliseconds())
    }

    fn record(&self, failure: &str, now: u64) -> Option<Suppressed> {
        let mut recent = self.recent.lock();
        let Recent { distinct, others } = &mut *recent;
        if let Some(entry) = distinct.iter_mut().find(|entry| entry.failure == failure) {
            return entry.repeat(now).map(Suppressed::Same);
        }
        if distinct.len() < MAX_DISTINCT {
            distinct.push(Entry::new(failure, now));
            return Some(Suppressed::Same(0));
        }
        if let Some(oldest) = distinct.iter_mut().min_by_key(|entry| entry.logged_at)
            && oldest.is_old(now)
        {
            *oldest = Entry::new(failure, now);
            return Some(Suppressed::Same(0));
        }
        match others {
            Some(others) => others.repeat(now).map(Suppressed::Others),
            None => {
                *others = Some(Entry::new(failure, now));
                Some(Suppressed::Others(0))
            }
        }
    }
}

#[cfg(test)]
mod tests;
