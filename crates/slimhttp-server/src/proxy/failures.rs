//! What went wrong with the upstreams of a scope, said in the log as often as it
//! helps: the same thing once in ten seconds, with how often it happened since. An
//! upstream that is down fails each request alike, and a log that fills the disk
//! makes a second failure of it.

use std::sync::{Mutex, PoisonError};

use crate::clock;

/// How long the same thing is not said again, in milliseconds.
const SPAN: u64 = 10_000;

/// How many different things are told apart. What comes beyond them is not said
/// before one of them is old.
const MOST: usize = 16;

/// The failures that were said lately.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    said: Mutex<Vec<Said>>,
}

#[derive(Debug)]
struct Said {
    what: String,
    at: u64,
    /// How often it happened since.
    more: u64,
}

impl Failures {
    /// Says `what` in the log, unless it was said a moment ago.
    pub(crate) fn tell(&self, what: &str) {
        match self.note(what, clock::milliseconds()) {
            Some(0) => tracing::error!("{what}"),
            Some(more) => tracing::error!("{what} (and {more} times since it was last said)"),
            None => {}
        }
    }

    /// Whether `what` is to be said `now`, and how often it was not.
    fn note(&self, what: &str, now: u64) -> Option<u64> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = said.iter_mut().find(|before| before.what == what) {
            if now.saturating_sub(before.at) < SPAN {
                before.more += 1;
                return None;
            }
            before.at = now;
            return Some(std::mem::take(&mut before.more));
        }
        if said.len() >= MOST {
            let oldest = said.iter().enumerate().min_by_key(|(_, before)| before.at)?.0;
            if now.saturating_sub(said[oldest].at) < SPAN {
                return None;
            }
            said.swap_remove(oldest);
        }
        said.push(Said { what: what.to_owned(), at: now, more: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests;
