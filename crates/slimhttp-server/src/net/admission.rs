//! Admission: which connections are served, and when. `allow` says whose. One
//! client has at most `max_connections_per_address`, and more are closed at once.
//! All of them together are at most `max_connections`: where these are taken, the
//! connection that has been idle longest makes room for the one that waits. The
//! same where connections have all descriptors but those kept for files.
//!
//! Called where connections are accepted, on the first I/O thread, and by whoever
//! adopts one. What is counted is left again wherever a connection ends, so it is
//! shared: the total as a number, the clients behind one lock, which is taken when
//! a connection comes and when it goes and never by a request.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::net::connection_state::{CloseMode, ConnectionState};
use crate::net::connections::Connections;
use crate::sys::clock::LogThrottle;
use crate::sys::descriptors;

#[cfg(test)]
mod tests;

/// How often a full server looks whether there is room again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How long a connection has been idle before it makes room for another. Less
/// would make clients that think for a moment push out one another in turn.
const IDLE: Duration = Duration::from_secs(1);

/// How many idle connections one look at all of them finds, so that the next ones
/// need no look.
const FOUND: usize = 64;

/// The connections of all I/O threads.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    taken: AtomicUsize,
    left: Notify,
    /// How many connections each client has, see [`access::client`]; none is 0.
    clients: Mutex<HashMap<IpAddr, usize>>,
    full_warning: LogThrottle,
    descriptors_warning: LogThrottle,
    pub(crate) client_warning: LogThrottle,
}

impl Admission {
    fn clients(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.clients.lock()
    }
}

/// The connections of one I/O thread that have not ended.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCount {
    count: AtomicUsize,
    changed: Notify,
}

impl ConnectionCount {
    /// One more.
    pub(crate) fn enter(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether there are any.
    pub(crate) fn any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Waits until there are none; may be told too early.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// One less.
    pub(crate) fn leave(&self) {
        if self.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.changed.notify_one();
        }
    }
}

/// A connection that is admitted, as one of its client's; it may have to wait for
/// its [`ConnectionPermit`].
#[derive(Debug)]
pub(crate) struct AddressPermit {
    admission: Arc<Admission>,
    client: IpAddr,
}

impl AddressPermit {
    /// One more connection of `client`, if it may have one more.
    pub(crate) fn take(admission: &Arc<Admission>, client: IpAddr, most: usize) -> Option<Self> {
        let mut clients = admission.clients();
        let count = clients.entry(client).or_default();
        if *count >= most {
            if *count == 0 {
                clients.remove(&client);
            }
            return None;
        }
        *count += 1;
        Some(Self { admission: admission.clone(), client })
    }

    /// The place of the connection at an I/O thread.
    pub(crate) fn permit(self, active: &Arc<ConnectionCount>) -> ConnectionPermit {
        active.enter();
        self.admission.taken.fetch_add(1, Ordering::Relaxed);
        let descriptor = descriptors::ClientDescriptor::take();
        ConnectionPermit { active: active.clone(), address: self, _descriptor: descriptor }
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let mut clients = self.admission.clients();
        if let Some(count) = clients.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&self.client);
            }
        }
        // A flood is over: its room is not kept.
        if clients.capacity() > 1024 && clients.len() * 8 < clients.capacity() {
            clients.shrink_to_fit();
        }
    }
}

/// A connection's place among those that the server allows at once; leaving it
/// lets the next one in.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    active: Arc<ConnectionCount>,
    address: AddressPermit,
    _descriptor: descriptors::ClientDescriptor,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.active.leave();
        self.address.admission.taken.fetch_sub(1, Ordering::Relaxed);
        self.address.admission.left.notify_one();
    }
}

impl Admission {
    /// Waits until there are fewer than `most` connections, and a descriptor for one
    /// more. `ask` asks so many to leave, and gives how many there were to ask.
    pub(crate) async fn room(&self, most: impl Fn() -> usize, mut ask: impl FnMut(usize) -> usize) {
        // How many are asked to leave for each one that is to. Who was asked may be
        // slow to go, an HTTP/2 client above all; then further ones are asked.
        let mut eagerness = 1;
        loop {
            let most = most();
            let left = self.left.notified();
            let mut left = pin!(left);
            // Before the number is looked at, and whoever has left earlier is no news.
            let stale = left.as_mut().enable();
            let taken = self.taken.load(Ordering::Relaxed);
            let is_full = taken >= most;
            if !is_full && descriptors::are_left_for_clients() {
                return;
            }
            if stale {
                continue;
            }
            let asked = ask((taken.saturating_sub(most) + 1).saturating_mul(eagerness));
            self.warn(is_full.then_some(taken));
            // Another listener may have been told of the one that left.
            eagerness = match tokio::time::timeout(LOOK_AGAIN, left).await {
                Err(_) if asked > 0 => (eagerness * 2).min(FOUND),
                _ => 1,
            };
        }
    }

    /// Says now and then that there is no room: so many connections are open, or
    /// they have all descriptors.
    fn warn(&self, open: Option<usize>) {
        match open {
            None if self.descriptors_warning.allow() => tracing::warn!(
                "connections have nearly all descriptors that the limit of open files allows: \
                 idle ones are closed to make room, and where none is idle others wait"
            ),
            Some(open) if self.full_warning.allow() => tracing::warn!(
                "{open} connections are open (`max_connections`): idle ones are closed to make \
                 room, and where none is idle others wait to be accepted"
            ),
            _ => {}
        }
    }
}

/// The connections that had been idle longest when all of them were looked at
/// last, the longest last. What each of them has done since is seen when it is
/// its turn.
#[derive(Debug, Default)]
pub(crate) struct Idle {
    found: Vec<(u64, Weak<ConnectionState>)>,
}

impl Idle {
    /// Asks up to `count` connections of `all` I/O threads to leave, `now` by [`clock`];
    /// how many there were to ask.
    pub(crate) fn ask_to_leave<'w, W: Iterator<Item = &'w Connections>>(
        &mut self,
        count: usize,
        all: impl Fn() -> W,
        now: u64,
    ) -> usize {
        let mut asked = 0;
        let mut looked = false;
        while asked < count {
            let Some((since, state)) = self.found.pop() else {
                if looked {
                    break;
                }
                looked = true;
                self.look(all(), now);
                continue;
            };
            if let Some(state) = state.upgrade().filter(|state| state.idle_since() == Some(since)) {
                // HTTP/1 closes, HTTP/2 says GOAWAY (RFC 9113 section 6.8).
                state.request_close(CloseMode::Gracefully);
                asked += 1;
            }
        }
        asked
    }

    fn look<'w>(&mut self, all: impl Iterator<Item = &'w Connections>, now: u64) {
        for connections in all {
            connections.longest_idle(now, IDLE, FOUND, &mut self.found);
        }
        self.found.sort_unstable_by_key(|(since, _)| std::cmp::Reverse(*since));
        let surplus = self.found.len().saturating_sub(FOUND);
        self.found.drain(..surplus);
    }
}
