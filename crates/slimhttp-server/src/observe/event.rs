//! What happened, for whoever watches: a bounded ring that costs nothing while
//! nobody does. I/O threads push into it, a program takes from it on its own thread; a lock
//! of a few instructions stands between them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use slimhttp_site::plan::Action;

/// How many events are held; the oldest make room.
const CAPACITY: usize = 4096;

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A connection was accepted.
    Accepted {
        /// The client.
        peer: SocketAddr,
    },
    /// A connection ended.
    Closed {
        /// The client.
        peer: SocketAddr,
    },
    /// A client sent what is no request.
    Malformed {
        /// The client.
        peer: SocketAddr,
    },
    /// Something that only the program knows, by this number: so it has its place
    /// among the others.
    Custom(u64),
    /// A request was answered.
    Answered {
        /// The client.
        peer: SocketAddr,
        /// The method.
        method: http::Method,
        /// The target as sent.
        target: String,
        /// The key of the virtual host.
        vhost: Option<Arc<str>>,
        /// Who answered.
        by: Responder,
        /// The response's status; 499 where the client left before it.
        status: u16,
    },
}

/// Who answered a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Responder {
    /// The server itself: a file, a redirect, a refusal.
    Server,
    /// A route, or whom a program has put in place of files.
    Route,
    /// A module or a script.
    Module,
    /// An application.
    Application,
    /// An upstream.
    Proxy,
}

impl Responder {
    /// Who answers by `action`.
    pub(crate) fn of(action: &Action<'_>) -> Self {
        match action {
            Action::Call(..) | Action::WebSocket(..) => Self::Route,
            Action::Module(_) => Self::Module,
            Action::Application(..) => Self::Application,
            Action::Proxy(_) => Self::Proxy,
            Action::File(_)
            | Action::RegularFile(_)
            | Action::Redirect { .. }
            | Action::Preflight(_)
            | Action::Options(_)
            | Action::Refuse(_) => Self::Server,
        }
    }
}

/// The newest events.
#[derive(Debug, Default)]
pub(crate) struct Events {
    watched: AtomicBool,
    ring: Mutex<VecDeque<Event>>,
}

impl Events {
    /// From now on events are held.
    pub(crate) fn watch(&self) {
        self.watched.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    /// Adds an event, made only where somebody watches.
    pub(crate) fn push(&self, event: impl FnOnce() -> Event) {
        if !self.is_watched() {
            return;
        }
        let mut ring = self.ring.lock();
        if ring.len() == CAPACITY {
            ring.pop_front();
        }
        ring.push_back(event());
    }

    /// The events since the last call.
    pub(crate) fn take(&self) -> Vec<Event> {
        self.ring.lock().drain(..).collect()
    }
}

#[cfg(test)]
mod tests;
