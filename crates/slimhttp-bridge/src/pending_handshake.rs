//! The answer to the handshake of a WebSocket, which is held back until its handler has shown by
//! what it does that it accepts the client: it uses the WebSocket, or it has not refused for
//! `DECISION_TIME`. A handler that refuses before is answered with a status, as any request is.
//!
//! Decided by whichever thread of the interpreter is first, or by the watchdog when the time is
//! over; the answer goes to the I/O thread by its completion queue. Nothing here waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use slimhttp_server::Answer;
use slimhttp_server::websocket::PendingWebSocket;

use crate::outcome::CallOutcome;
use crate::reply::Reply;

/// How long a handler may take to refuse. One that only hands its WebSocket to others,
/// and waits for something else, opens it behind this.
const DECISION_TIME: Duration = Duration::from_secs(1);

/// One handshake. Shared by the handler's end of the WebSocket and the watchdog's list.
#[derive(Debug)]
pub struct PendingHandshake {
    /// Whether there is nothing left to decide; so that a message takes no lock.
    decided: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Nothing is decided, and the call that waits is not known yet.
    New,
    /// Nothing is decided, and the client waits.
    Waiting(Reply, Box<PendingWebSocket>),
    /// Accepted, before the call was known.
    Accepted,
    /// Refused, before the call was known.
    Refused(Box<CallOutcome>),
    /// The call is answered.
    Answered,
}

impl PendingHandshake {
    /// One about which nothing is decided.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { decided: AtomicBool::new(false), state: Mutex::new(State::New) })
    }

    /// Makes known the call that waits, and the WebSocket that begins if it is accepted.
    pub fn attach(&self, reply: Reply, websocket: PendingWebSocket) {
        let websocket = Box::new(websocket);
        let mut state = self.lock();
        let outcome = match std::mem::replace(&mut *state, State::Answered) {
            State::Refused(outcome) => *outcome,
            State::Accepted => Ok(Answer::WebSocket(websocket)),
            State::New | State::Waiting(..) | State::Answered => {
                *state = State::Waiting(reply, websocket);
                return;
            }
        };
        drop(state);
        reply.send(outcome);
    }

    /// Accepts the client, unless it is decided already.
    pub fn accept(&self) {
        if self.decided.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Answered) {
            State::New => *state = State::Accepted,
            State::Waiting(reply, websocket) => {
                drop(state);
                reply.send(Ok(Answer::WebSocket(websocket)));
            }
            decided => *state = decided,
        }
    }

    /// Refuses the client, unless it is decided already; whether it was not.
    pub fn refuse(&self, outcome: CallOutcome) -> bool {
        if self.decided.swap(true, Ordering::AcqRel) {
            return false;
        }
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Answered) {
            State::New => *state = State::Refused(Box::new(outcome)),
            State::Waiting(reply, _websocket) => {
                drop(state);
                reply.send(outcome);
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
        self.state.lock()
    }
}

/// The handshakes that are not decided. Shared by who begins them and the watchdog.
#[derive(Debug, Default)]
pub struct PendingHandshakes(Mutex<Vec<(Instant, Weak<PendingHandshake>)>>);

impl PendingHandshakes {
    /// One more, since `now`.
    pub fn add(&self, pending_handshake: &Arc<PendingHandshake>, now: Instant) {
        self.lock().push((now, Arc::downgrade(pending_handshake)));
    }

    /// Accepts those whose time is over; whether there are others.
    pub(crate) fn accept_due(&self, now: Instant) -> bool {
        let mut due = Vec::new();
        let mut listed = self.lock();
        listed.retain(|(since, pending_handshake)| {
            let Some(pending_handshake) = pending_handshake.upgrade() else { return false };
            if pending_handshake.is_decided() {
                return false;
            }
            let waits = now.duration_since(*since) < DECISION_TIME;
            if !waits {
                due.push(pending_handshake);
            }
            waits
        });
        let more = !listed.is_empty();
        drop(listed);
        // Not under the lock: whoever waits for the answer is woken.
        for pending_handshake in due {
            pending_handshake.accept();
        }
        more
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Instant, Weak<PendingHandshake>)>> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests;
