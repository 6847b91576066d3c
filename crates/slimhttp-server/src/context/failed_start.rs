//! What a person is shown who opens a page while the program that was to take over from this one
//! has not started: why. Set by whoever supervises the process (`Server::show_failed_start`), on a
//! thread of the program; read by every request on its I/O thread, which costs a load of a number
//! while there is nothing to show.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::message::refused::DebugPage;

/// Why a program has not started, as a page and as text, and to whom it is shown.
#[derive(Clone, Debug)]
pub struct FailedStart {
    /// What a browser shows.
    pub page: DebugPage,
    /// The same for whoever asks for no page.
    pub text: String,
    /// Which requests are answered by it.
    pub shown_to: ShownTo,
}

/// Which requests are answered by a failed start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownTo {
    /// Those of a person who opens a page; all others are answered as ever.
    Navigations,
    /// All: nothing else is here to answer.
    Everybody,
}

/// The failed start that is shown now, if there is one.
#[derive(Debug, Default)]
pub(crate) struct ShownFailure {
    /// How many were shown by now; 0: none ever, and the lock is not looked at.
    count: AtomicU64,
    failed: RwLock<Option<Arc<FailedStart>>>,
}

impl ShownFailure {
    /// Shows `failed` from now on.
    pub(crate) fn set(&self, failed: FailedStart) {
        *self.failed.write() = Some(Arc::new(failed));
        self.count.fetch_add(1, Ordering::Release);
    }

    /// What is shown.
    pub(crate) fn current(&self) -> Option<Arc<FailedStart>> {
        match self.count() {
            0 => None,
            _ => self.failed.read().clone(),
        }
    }

    /// How many were shown by now: by another number a page that is open is another one too.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }
}
