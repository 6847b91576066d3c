//! What a program wants to hear of connections, and how many of their ends wait until it does.
//! Set by threads of the interpreter, read by I/O threads; atomics, so nobody waits.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use slimhttp_server::Interests;

/// What a program wants to hear of connections.
#[derive(Debug, Default)]
pub struct InterestFlags(AtomicU8);

const CONNECTIONS: u8 = 1;
const AUTHORIZATION: u8 = 2;
const UPGRADES: u8 = 4;

impl InterestFlags {
    /// Changes them.
    pub fn set(&self, wants: Interests) {
        let Interests { connections, authorization, upgrades } = wants;
        let bit = |wanted: bool, bit: u8| if wanted { bit } else { 0 };
        let bits = bit(connections, CONNECTIONS)
            | bit(authorization, AUTHORIZATION)
            | bit(upgrades, UPGRADES);
        self.0.store(bits, Ordering::Relaxed);
    }

    /// What they are.
    pub fn get(&self) -> Interests {
        let bits = self.0.load(Ordering::Relaxed);
        Interests {
            connections: bits & CONNECTIONS != 0,
            authorization: bits & AUTHORIZATION != 0,
            upgrades: bits & UPGRADES != 0,
        }
    }
}

/// How many ends of connections wait for Python.
#[derive(Debug, Default)]
pub struct CloseBacklog {
    waiting: AtomicUsize,
    most: AtomicUsize,
    /// Whether it was logged that there is no room; until none waits any more.
    pub(crate) is_reported: AtomicBool,
}

impl CloseBacklog {
    /// Of so many calls that may wait, the room for ends is a multiple.
    pub fn set_limit(&self, calls: usize) {
        self.most.store(calls.saturating_mul(16), Ordering::Relaxed);
    }

    /// One more; whether there was room for it.
    pub fn add(&self) -> bool {
        self.waiting.fetch_add(1, Ordering::Relaxed) < self.most.load(Ordering::Relaxed)
    }

    /// One waits no longer.
    pub fn remove(&self) {
        if self.waiting.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.is_reported.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
