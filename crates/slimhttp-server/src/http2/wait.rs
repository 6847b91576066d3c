//! Since when one stream waits for its client. The connection has times of its own,
//! but as long as any of its streams moves they are not over: a client could keep the
//! places of all the others, with upstreams and handlers, for as long as it likes.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys::clock;

/// How long one stream has been waiting, recorded by its body and looked at by
/// [`Streams`](super::streams::Streams): hyper does not poll a body while the client
/// takes nothing, so that the body cannot end by itself. One thread's own.
#[derive(Debug, Default)]
pub(super) struct Wait {
    /// By [`clock`], and never 0: that means that it does not wait.
    since: AtomicU64,
}

impl Wait {
    /// A response whose client has yet to let the first byte of it through.
    pub(super) fn begun() -> Self {
        let wait = Self::default();
        wait.begin();
        wait
    }

    /// The next move is the client's.
    pub(super) fn begin(&self) {
        if self.since().is_none() {
            self.since.store(clock::milliseconds().max(1), Ordering::Relaxed);
        }
    }

    /// The next move is ours.
    pub(super) fn end(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    /// The client has taken some of it.
    pub(super) fn moved(&self) {
        if self.since().is_some() {
            self.end();
            self.begin();
        }
    }

    /// Since when it waits, in milliseconds by [`clock`], if it does.
    pub(super) fn since(&self) -> Option<u64> {
        Some(self.since.load(Ordering::Relaxed)).filter(|since| *since > 0)
    }
}
