//! What a connection to an upstream is told from outside: that it may be silent, that
//! it rests between two requests, and that it is to end because its descriptor is
//! needed. The HTTP library keeps connections that rest and closes none on demand; one
//! that is to end reads the end of its stream, as if the upstream had closed it.
//!
//! Each worker has a list of its own connections, which it goes through when any of
//! them lacks a descriptor.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

/// Told when a worker lacks a descriptor.
static MISSING: Notify = Notify::const_new();

thread_local! {
    /// The connections of this worker.
    static CONNECTIONS: RefCell<Connections> = RefCell::default();
}

#[derive(Default)]
struct Connections {
    all: Vec<Weak<State>>,
    /// Whether this worker hears that a descriptor is missing.
    listens: bool,
}

/// How a connection is told; what it has learnt comes with each of its responses.
#[derive(Clone, Debug)]
pub(super) struct Control(Arc<State>);

#[derive(Debug, Default)]
struct State {
    silent: AtomicBool,
    rests: AtomicBool,
    ends: AtomicBool,
    reader: AtomicWaker,
}

impl Control {
    /// Of a new connection of this worker.
    pub(super) fn new() -> Self {
        let state = Arc::new(State::default());
        CONNECTIONS.with_borrow_mut(|Connections { all, listens }| {
            if !std::mem::replace(listens, true) {
                tokio::spawn(listen());
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
        self.0.silent.store(true, Ordering::Relaxed);
    }

    pub(super) fn may_be_silent(&self) -> bool {
        self.0.silent.load(Ordering::Relaxed)
    }

    /// Its response has ended: until something is written it may be ended.
    pub(super) fn rest(&self) {
        self.0.rests.store(true, Ordering::Relaxed);
    }

    /// Something was written.
    pub(super) fn work(&self) {
        self.0.rests.store(false, Ordering::Relaxed);
    }

    /// Whether it is to end. If not, `reader` is woken when it is.
    pub(super) fn is_to_end(&self, reader: &Waker) -> bool {
        self.0.reader.register(reader);
        self.0.ends.load(Ordering::Acquire)
    }
}

/// Ends the connections that rest, here and by and by on the other workers.
pub(crate) fn make_room() {
    end_resting();
    MISSING.notify_waiters();
}

/// Ends the connections of this worker that rest.
fn end_resting() {
    CONNECTIONS.with_borrow(|Connections { all, .. }| {
        for state in all.iter().filter_map(Weak::upgrade) {
            if state.rests.load(Ordering::Relaxed) {
                state.ends.store(true, Ordering::Release);
                state.reader.wake();
            }
        }
    });
}

/// Makes room when another worker asks for it.
async fn listen() {
    loop {
        MISSING.notified().await;
        end_resting();
    }
}
