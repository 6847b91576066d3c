//! The answer to the handshake of a WebSocket, which waits until its handler has
//! shown by what it does that it takes the client in: it uses the WebSocket, or it
//! has not said no for [`PATIENCE`]. A handler that says no before is answered with a
//! status, as any request is. No Python in it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use slimhttp_server::Answer;
use slimhttp_server::websocket::PendingWebSocket;

use crate::outcome::Verdict;
use crate::reply::Reply;

/// How long a handler may think about it. One that only tells its WebSocket to others,
/// and waits for something else, opens it behind this.
const PATIENCE: Duration = Duration::from_secs(1);

/// One handshake. Shared by the handler's end and by who looks after handshakes.
#[derive(Debug)]
pub struct Opening {
    /// Whether there is nothing left to decide; so that a message takes no lock.
    decided: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Neither is there anybody to tell, nor anything.
    New,
    /// The client waits.
    Held(Reply, Box<PendingWebSocket>),
    /// Taken in, before there was anybody to tell.
    Accepted,
    /// Refused, before there was anybody to tell.
    Refused(Box<Verdict>),
    /// The client has been told.
    Told,
}

impl Opening {
    /// One about which nothing is decided.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { decided: AtomicBool::new(false), state: Mutex::new(State::New) })
    }

    /// Whom to tell, and what goes on then.
    pub fn hold(&self, reply: Reply, carriage: PendingWebSocket) {
        let carriage = Box::new(carriage);
        let mut state = self.lock();
        let verdict = match std::mem::replace(&mut *state, State::Told) {
            State::Refused(verdict) => *verdict,
            State::Accepted => Ok(Answer::WebSocket(carriage)),
            State::New | State::Held(..) | State::Told => {
                *state = State::Held(reply, carriage);
                return;
            }
        };
        drop(state);
        reply.send(verdict);
    }

    /// Takes the client in, unless it is decided already.
    pub fn accept(&self) {
        if self.decided.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Told) {
            State::New => *state = State::Accepted,
            State::Held(reply, carriage) => {
                drop(state);
                reply.send(Ok(Answer::WebSocket(carriage)));
            }
            decided => *state = decided,
        }
    }

    /// Says no, unless it is decided already; whether the client hears it.
    pub fn refuse(&self, verdict: Verdict) -> bool {
        if self.decided.swap(true, Ordering::AcqRel) {
            return false;
        }
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Told) {
            State::New => *state = State::Refused(Box::new(verdict)),
            State::Held(reply, _carriage) => {
                drop(state);
                reply.send(verdict);
            }
            decided => {
                *state = decided;
                return false;
            }
        }
        true
    }

    fn is_decided(&self) -> bool {
        self.decided.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The handshakes whose handlers think about them.
#[derive(Debug, Default)]
pub struct Openings(Mutex<Vec<(Instant, Weak<Opening>)>>);

impl Openings {
    /// One more, since `now`.
    pub fn add(&self, opening: &Arc<Opening>, now: Instant) {
        self.lock().push((now, Arc::downgrade(opening)));
    }

    /// Opens those that have been thought about for long; whether there are others.
    pub fn look(&self, now: Instant) -> bool {
        let mut due = Vec::new();
        let mut listed = self.lock();
        listed.retain(|(since, opening)| {
            let Some(opening) = opening.upgrade() else { return false };
            if opening.is_decided() {
                return false;
            }
            let waits = now.duration_since(*since) < PATIENCE;
            if !waits {
                due.push(opening);
            }
            waits
        });
        let more = !listed.is_empty();
        drop(listed);
        // Not under the lock: whoever waits for the answer is woken.
        for opening in due {
            opening.accept();
        }
        more
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Instant, Weak<Opening>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
