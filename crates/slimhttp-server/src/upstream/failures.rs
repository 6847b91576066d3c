//! What went wrong with the upstreams of a scope, said in the log as often as it
//! helps: the same thing once in a while ([`clock::SELDOM`]), with how often it
//! happened since. An upstream that is down fails each request alike, and a log that
//! fills the disk makes a second failure of it.
//!
//! What tells failures apart is never a client's to choose: with a new one in each
//! request it could take all the places here.

use std::fmt;

use parking_lot::Mutex;

use crate::sys::clock;

/// How many different things are told apart. What comes beyond them is counted as
/// one, and so is said once in a while too.
const MOST: usize = 16;

/// The failures that were said lately.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    said: Mutex<Lately>,
}

#[derive(Debug, Default)]
struct Lately {
    apart: Vec<Said>,
    /// All that found no place among them.
    others: Option<Said>,
}

#[derive(Debug)]
struct Said {
    what: String,
    at: u64,
    /// How often it happened since.
    more: u64,
}

impl Said {
    fn now(what: &str, at: u64) -> Self {
        Self { what: what.to_owned(), at, more: 0 }
    }

    fn is_old(&self, now: u64) -> bool {
        now.saturating_sub(self.at) >= clock::SELDOM
    }

    /// It happened again: how often it did since it was said, if it is to be said.
    fn again(&mut self, now: u64) -> Option<u64> {
        if !self.is_old(now) {
            self.more += 1;
            return None;
        }
        self.at = now;
        Some(std::mem::take(&mut self.more))
    }
}

/// How often it happened unsaid; put behind what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsaid {
    /// The very same.
    Same(u64),
    /// This or something else.
    Others(u64),
}

impl fmt::Display for Unsaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same(0) | Self::Others(0) => Ok(()),
            Self::Same(more) => write!(f, " (and {more} times since it was last said)"),
            Self::Others(more) => write!(f, " (and {more} others since such were last said)"),
        }
    }
}

impl Failures {
    /// Says `what` in the log, unless it was said a moment ago.
    pub(crate) fn tell(&self, what: &str) {
        if let Some(unsaid) = self.due(what) {
            tracing::error!("{what}{unsaid}");
        }
    }

    /// Whether `what`, which has happened, is to be said, and how often it was not.
    pub(crate) fn due(&self, what: &str) -> Option<Unsaid> {
        self.note(what, clock::milliseconds())
    }

    fn note(&self, what: &str, now: u64) -> Option<Unsaid> {
        let mut said = self.said.lock();
        let Lately { apart, others } = &mut *said;
        if let Some(before) = apart.iter_mut().find(|before| before.what == what) {
            return before.again(now).map(Unsaid::Same);
        }
        if apart.len() < MOST {
            apart.push(Said::now(what, now));
            return Some(Unsaid::Same(0));
        }
        if let Some(oldest) = apart.iter_mut().min_by_key(|before| before.at)
            && oldest.is_old(now)
        {
            *oldest = Said::now(what, now);
            return Some(Unsaid::Same(0));
        }
        match others {
            Some(others) => others.again(now).map(Unsaid::Others),
            None => {
                *others = Some(Said::now(what, now));
                Some(Unsaid::Others(0))
            }
        }
    }
}

#[cfg(test)]
mod tests;
