//! Admission: how many connections are served at once, and which of them makes room for another.
//! One client has at most `max_connections_per_address`, and more are closed at once. All of them
//! together are at most `max_connections`: where these are open, the connection that has been idle
//! longest is asked to close for the one that waits. The same where connections have all
//! descriptors but those that are reserved for files.
//!
//! Used by `serve/admission.rs` where connections are accepted, on the first I/O thread, and on
//! any thread by a program that hands over a connection of its own. Permits are dropped wherever a
//! connection ends, so the counts are shared: the total is an atomic, the clients stand behind one
//! lock, which is taken when a connection comes and when it goes and never by a request.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::net::connection_state::{CloseMode, ConnectionState};
use crate::net::connections::Connections;
use crate::sys::clock::LogThrottle;
use crate::sys::descriptors;

#[cfg(test)]
mod tests;

/// How long a full server waits for a connection to end before it asks others to.
const RETRY: Duration = Duration::from_millis(100);

/// How long a connection has been idle before it makes room for another. With less, clients
/// that think for a moment would push out one another in turn.
const LEAST_IDLE: Duration = Duration::from_secs(1);

/// How many idle connections one scan of all of them finds, so that the next ones
/// need no scan.
const SCANNED: usize = 64;

/// The connections of a server, counted; shared by its threads and by every permit.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    /// Those of all I/O threads that have a [`ConnectionPermit`].
    open: AtomicUsize,
    /// Notified when one of them has ended.
    freed: Notify,
    /// How many connections each client has, see [`slimhttp_site::access::client`]; none has 0.
    clients: Mutex<HashMap<IpAddr, usize>>,
    full_warning: LogThrottle,
    descriptors_warning: LogThrottle,
    pub(crate) client_warning: LogThrottle,
    pub(crate) proxy_warning: LogThrottle,
}

/// How many connections one I/O thread has that have not ended, those included whose task has not
/// begun. Counted up on the thread that hands a connection over, down where it ends.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCount {
    count: AtomicUsize,
    /// Notified when the last one has ended.
    emptied: Notify,
}

impl ConnectionCount {
    fn increment(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    fn decrement(&self) {
        if self.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.emptied.notify_one();
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Waits until the last connection has ended. It may return too early, for an end that was
    /// before, so who waits looks at [`Self::is_zero`] again.
    pub(crate) async fn emptied(&self) {
        self.emptied.notified().await;
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
    /// One more connection of `client`, unless it has `limit` already.
    pub(crate) fn acquire(
        admission: &Arc<Admission>,
        client: IpAddr,
        limit: usize,
    ) -> Option<Self> {
        let mut clients = admission.clients.lock();
        let count = clients.entry(client).or_default();
        if *count >= limit {
            if *count == 0 {
                clients.remove(&client);
            }
            return None;
        }
        *count += 1;
        Some(Self { admission: admission.clone(), client })
    }

    /// A connection that a proxy hands on, before that has told whose it is: it counts for nobody.
    pub(crate) fn of_proxy(admission: &Arc<Admission>) -> Self {
        /// The address of no client.
        const NOBODY: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        Self::acquire(admission, NOBODY, usize::MAX).expect("there are fewer connections")
    }

    /// Lets the connection be one of those that are open, on the I/O thread that `count` counts.
    pub(crate) fn permit(self, count: &Arc<ConnectionCount>) -> ConnectionPermit {
        count.increment();
        self.admission.open.fetch_add(1, Ordering::Relaxed);
        let descriptor = descriptors::ClientDescriptor::take();
        ConnectionPermit { of_thread: count.clone(), address: self, _descriptor: descriptor }
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        let mut clients = self.admission.clients.lock();
        if let Some(count) = clients.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&self.client);
            }
        }
        // After a flood of clients the table gives its memory back.
        if clients.capacity() > 1024 && clients.len() * 8 < clients.capacity() {
            clients.shrink_to_fit();
        }
    }
}

/// A connection is one of those that the server allows at once while it holds this; dropped, on
/// whichever thread, it lets the next one in.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    of_thread: Arc<ConnectionCount>,
    address: AddressPermit,
    _descriptor: descriptors::ClientDescriptor,
}

impl ConnectionPermit {
    /// Counts the connection as one of this client, which the proxy that hands it on has told.
    pub(crate) fn belongs_to(&mut self, address: AddressPermit) {
        self.address = address;
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.of_thread.decrement();
        self.address.admission.open.fetch_sub(1, Ordering::Relaxed);
        self.address.admission.freed.notify_one();
    }
}

impl Admission {
    /// Waits until there are fewer than `limit` connections, and a descriptor for one
    /// more. `evict` asks so many to close, and returns how many it has found to ask.
    ///
    /// Dropping the future takes nothing away: who waits holds no place.
    pub(crate) async fn wait_for_room(
        &self,
        limit: impl Fn() -> usize,
        mut evict: impl FnMut(usize) -> usize,
    ) {
        // How many are asked to close for each one that is to. Some are slow to go, clients
        // of HTTP/2 above all; then further ones are asked.
        let mut eagerness = 1;
        loop {
            let limit = limit();
            let freed = self.freed.notified();
            let mut freed = pin!(freed);
            // Registered before the number is read; an end that was before tells nothing new.
            let is_stale = freed.as_mut().enable();
            let open = self.open.load(Ordering::Relaxed);
            let is_full = open >= limit;
            if !is_full && descriptors::has_room_for_client() {
                return;
            }
            if is_stale {
                continue;
            }
            let evicted = evict((open.saturating_sub(limit) + 1).saturating_mul(eagerness));
            self.warn(is_full.then_some(open));
            // The task of another listener may have been woken for the one that ended.
            eagerness = match tokio::time::timeout(RETRY, freed).await {
                Err(_) if evicted > 0 => (eagerness * 2).min(SCANNED),
                _ => 1,
            };
        }
    }

    /// Logs now and then that there is no room: so many connections are open, or
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

/// The connections that had been idle longest at the last scan of all of them, the longest last.
/// What each of them has done since is looked at when its turn comes.
#[derive(Debug, Default)]
pub(crate) struct IdleConnections {
    found: Vec<(u64, Weak<ConnectionState>)>,
}

impl IdleConnections {
    /// Asks up to `count` connections of all I/O threads to close, `now` by
    /// [`clock`](crate::sys::clock); how many there were to ask.
    pub(crate) fn request_close<'c, C: Iterator<Item = &'c Connections>>(
        &mut self,
        count: usize,
        of_threads: impl Fn() -> C,
        now: u64,
    ) -> usize {
        let mut requested = 0;
        let mut has_scanned = false;
        while requested < count {
            let Some((since, state)) = self.found.pop() else {
                if has_scanned {
                    break;
                }
                has_scanned = true;
                self.scan(of_threads(), now);
                continue;
            };
            if let Some(state) = state.upgrade().filter(|state| state.idle_since() == Some(since)) {
                // HTTP/1 closes, HTTP/2 says GOAWAY (RFC 9113 section 6.8).
                state.request_close(CloseMode::Gracefully);
                requested += 1;
            }
        }
        requested
    }

    fn scan<'c>(&mut self, of_threads: impl Iterator<Item = &'c Connections>, now: u64) {
        for connections in of_threads {
            connections.longest_idle(now, LEAST_IDLE, SCANNED, &mut self.found);
        }
        self.found.sort_unstable_by_key(|(since, _)| std::cmp::Reverse(*since));
        let surplus = self.found.len().saturating_sub(SCANNED);
        self.found.drain(..surplus);
    }
}
