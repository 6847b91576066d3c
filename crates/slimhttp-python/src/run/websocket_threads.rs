//! How many threads serve WebSockets: counted when a handler that blocks is given a thread,
//! and again when that thread drops its permit. Any thread may ask; nothing waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many threads serve WebSockets, and may.
#[derive(Debug, Default)]
pub(crate) struct WebSocketThreads {
    most: AtomicUsize,
    busy: AtomicUsize,
}

impl WebSocketThreads {
    /// Changes how many there may be; those that are too many go on.
    pub(crate) fn set_limit(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// Takes a permit for one more, if there may be one.
    pub(crate) fn take(self: &Arc<Self>) -> Option<ThreadPermit> {
        let most = self.most.load(Ordering::Relaxed);
        let free = |busy| (busy < most).then_some(busy + 1);
        let taken = self.busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        taken.ok().map(|_| ThreadPermit(self.clone()))
    }
}

/// The permit of one thread.
pub(crate) struct ThreadPermit(Arc<WebSocketThreads>);

impl Drop for ThreadPermit {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
