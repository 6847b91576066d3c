//! Every connection of one I/O thread. Housekeeping looks at all of them a few times a second, so
//! that no request sets or clears a timer; whoever needs room looks for those that are idle; the
//! end of the server asks all of them to end.
//!
//! The list is locked when a connection begins and when it is looked at, for as long as it takes
//! to go through it, and never by a request.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use slimhttp_site::site::Service;

use crate::net::connection_state::{CloseMode, ConnectionState, has_elapsed};

/// The connections of one I/O thread that have not ended, shared by all threads of the server.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    states: Mutex<Vec<Arc<ConnectionState>>>,
}

impl Connections {
    pub(crate) fn add(&self, state: &Arc<ConnectionState>) {
        self.states.lock().push(state.clone());
    }

    /// Asks those to end whose time is over, and forgets those that have ended: nobody
    /// else holds them.
    pub(crate) fn enforce_timeouts(&self, limits: &Service) {
        let mut states = self.states.lock();
        states.retain(|state| Arc::strong_count(state) > 1);
        for state in states.iter() {
            state.enforce_timeouts(ConnectionState::now(), limits);
        }
        if states.capacity() > 64 && states.len() * 4 < states.capacity() {
            states.shrink_to_fit();
        }
    }

    /// Asks those to rest that have been idle for a while, `now` by
    /// [`clock`](crate::sys::clock): from number `from` of the list on, and `limit` of them at
    /// most. From where on the others are to be asked, if there may be any.
    pub(crate) fn request_rest(&self, from: usize, limit: usize, now: u64) -> Option<usize> {
        let states = self.states.lock();
        let rest = states.iter().enumerate().skip(from);
        let last = rest.filter(|(_, state)| state.request_rest(now)).nth(limit.saturating_sub(1));
        last.map(|(index, _)| index + 1)
    }

    /// Adds those that have been idle longest, and for `least` or more at `now` by
    /// [`clock`](crate::sys::clock), to `found`: up to `limit` of them, each with since when.
    pub(crate) fn longest_idle(
        &self,
        now: u64,
        least: Duration,
        limit: usize,
        found: &mut Vec<(u64, Weak<ConnectionState>)>,
    ) {
        let states = self.states.lock();
        let idle = |(index, state): (usize, &Arc<ConnectionState>)| {
            let since = state.idle_since()?;
            has_elapsed(now, since, least).then_some((since, index))
        };
        let mut idle: Vec<_> = states.iter().enumerate().filter_map(idle).collect();
        if idle.len() > limit {
            idle.select_nth_unstable(limit);
            idle.truncate(limit);
        }
        found.extend(idle.iter().map(|(since, index)| (*since, Arc::downgrade(&states[*index]))));
    }

    /// How many requests are in flight, and how many connections go on that are
    /// HTTP no longer.
    pub(crate) fn in_flight(&self) -> (u64, u64) {
        let count = |(requests, upgraded), state: &Arc<ConnectionState>| {
            let in_flight = u64::from(state.in_flight());
            if state.is_upgraded() {
                (requests, upgraded + in_flight.min(1))
            } else {
                (requests + in_flight, upgraded)
            }
        };
        self.states.lock().iter().fold((0, 0), count)
    }

    /// Cuts those that have nothing in flight but answers without an end.
    pub(crate) fn cut_endless(&self) {
        for state in self.states.lock().iter().filter(|state| state.is_endless()) {
            state.request_close(CloseMode::Cut);
        }
    }

    /// Asks those to end that have come by one listener.
    pub(crate) fn request_close_of(&self, listener: u32, mode: CloseMode) {
        for state in self.states.lock().iter().filter(|state| state.listener == listener) {
            state.request_close(mode);
        }
    }

    /// Asks every connection to end.
    pub(crate) fn request_close(&self, mode: CloseMode) {
        for state in self.states.lock().iter() {
            state.request_close(mode);
        }
    }
}

#[cfg(test)]
mod tests;
