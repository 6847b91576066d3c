//! What an application sends behind a response that takes no more: its request is a HEAD, its
//! status has no content, a file is sent in its place, or all of its length is there. The rest of
//! an application that comes to an end is passed over; one that goes on is to hear that nobody
//! takes it, or it would run for as long as the process.

use std::time::{Duration, Instant};

/// How many bytes are passed over.
const MOST: usize = 1024 * 1024;
/// For how long.
const LONGEST: Duration = Duration::from_secs(1);

/// The rest that nobody takes, from its first byte on.
pub(crate) struct Unwanted {
    since: Instant,
    size: usize,
}

impl Unwanted {
    /// That of a response that takes no more from now on.
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), size: 0 }
    }

    /// Whether so many bytes more are passed over.
    pub(crate) fn passes_over(&mut self, size: usize) -> bool {
        self.size = self.size.saturating_add(size);
        self.size <= MOST && self.since.elapsed() <= LONGEST
    }
}
