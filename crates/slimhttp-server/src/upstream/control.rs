//! Controls a connection to an upstream from outside of hyper's pool, which keeps idle
//! connections and closes none on demand: that it may be silent, that it is idle between two
//! requests, and that it is to be closed because its descriptor is needed. One that is to be
//! closed reads the end of its stream, as if the upstream had closed it.
//!
//! Each I/O thread has a list of its own connections. A request that lacks a descriptor
//! closes the idle ones of its thread at once ([`make_room`]) and wakes a task on each other
//! thread, which does so there: no thread goes through the list of another. The state of one
//! connection is atomics, and a waker of its reader.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

/// Notified when a request lacks a descriptor.
static DESCRIPTOR_WANTED: Notify = Notify::const_new();

thread_local! {
    /// The connections of this thread.
    static CONNECTIONS: RefCell<Connections> = RefCell::default();
}

#[derive(Default)]
struct Connections {
    all: Vec<Weak<State>>,
    /// Whether a task of this thread waits for [`DESCRIPTOR_WANTED`].
    has_task: bool,
}

/// The control of one connection. Hyper puts a clone into the extensions of each of its
/// responses.
#[derive(Clone, Debug)]
pub(super) struct Control(Arc<State>);

#[derive(Debug, Default)]
struct State {
    may_be_silent: AtomicBool,
    is_idle: AtomicBool,
    is_closing: AtomicBool,
    reader: AtomicWaker,
}

impl Control {
    /// Of a new connection of this thread, which runs a tokio runtime.
    pub(super) fn new() -> Self {
        let state = Arc::new(State::default());
        CONNECTIONS.with_borrow_mut(|Connections { all, has_task }| {
            if !std::mem::replace(has_task, true) {
                tokio::spawn(close_idle_on_demand());
            }
            // Before it grows, what has ended is let go.
            if all.len() == all.capacity() {
                all.retain(|state| state.strong_count() > 0);
            }
            all.push(Arc::downgrade(&state));
        });
        Self(state)
    }

    /// Lets it be silent from now on: it was upgraded, and how long its ends may be
    /// silent is theirs to say.
    pub(super) fn disable_timeout(&self) {
        self.0.may_be_silent.store(true, Ordering::Relaxed);
    }

    pub(super) fn may_be_silent(&self) -> bool {
        self.0.may_be_silent.load(Ordering::Relaxed)
    }

    /// Its response has ended: until something is written it may be closed.
    pub(super) fn mark_idle(&self) {
        self.0.is_idle.store(true, Ordering::Relaxed);
    }

    /// Something is written.
    pub(super) fn mark_busy(&self) {
        self.0.is_idle.store(false, Ordering::Relaxed);
    }

    /// Whether it is to be closed. If not, `reader` is woken when it is.
    pub(super) fn is_closing(&self, reader: &Waker) -> bool {
        self.0.reader.register(reader);
        self.0.is_closing.load(Ordering::Acquire)
    }
}

/// Closes the idle connections, here at once and on the other threads soon.
pub(crate) fn make_room() {
    close_idle();
    DESCRIPTOR_WANTED.notify_waiters();
}

/// Closes the idle connections of this thread.
fn close_idle() {
    CONNECTIONS.with_borrow(|Connections { all, .. }| {
        for state in all.iter().filter_map(Weak::upgrade) {
            if state.is_idle.load(Ordering::Relaxed) {
                state.is_closing.store(true, Ordering::Release);
                state.reader.wake();
            }
        }
    });
}

/// Makes room when a request of another thread asks for it.
async fn close_idle_on_demand() {
    loop {
        DESCRIPTOR_WANTED.notified().await;
        close_idle();
    }
}

#[cfg(test)]
mod tests;
