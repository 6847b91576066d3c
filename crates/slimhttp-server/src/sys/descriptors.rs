//! The descriptors of the process and what they are reserved for. Every connection
//! takes one, those to clients and those to upstreams, and some take more for a while; where
//! the system gives no more, nobody is accepted and no file is opened. So all of these are
//! counted, for the whole process, and each kind stops before the last descriptor is gone.
//!
//! Counts are atomics, taken and given back on any thread; nothing here opens or closes anything.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Resource, getrlimit};
use tokio::sync::Notify;

static CLIENTS: AtomicUsize = AtomicUsize::new(0);
static UPSTREAMS: AtomicUsize = AtomicUsize::new(0);
/// Those that connections have beside their own.
static EXTRA: AtomicUsize = AtomicUsize::new(0);
/// Requests that are at upstreams, each with a connection or about to have one.
static UPSTREAM_REQUESTS: AtomicUsize = AtomicUsize::new(0);
/// The limit as it was when it was read last; 0: not yet.
static LIMIT: AtomicUsize = AtomicUsize::new(0);
/// Notified when a connection to an upstream has ended.
static UPSTREAM_FREED: Notify = Notify::const_new();

/// How the descriptors of a process are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shares {
    /// Descriptors in use beside which a client is accepted.
    accepting: usize,
    /// Descriptors in use beside which a connection to an upstream is opened. More
    /// than `accepting`: clients who are there are to be answered.
    opening: usize,
    /// Connections to upstreams.
    upstreams: usize,
}

impl Shares {
    /// An eighth, at most 1,024, is for nobody who comes: half of it is for files and
    /// for what else the program opens, the other half for connections to upstreams
    /// too. Of the rest, upstreams have half: each serves a client who has one too.
    fn of(limit: usize) -> Self {
        let reserve = (limit / 8).clamp(16, 1024).min(limit / 2);
        let accepting = limit - reserve;
        Self { accepting, opening: limit - reserve / 2, upstreams: accepting / 2 }
    }

    /// Those of this process.
    fn now() -> Self {
        Self::of(match LIMIT.load(Ordering::Relaxed) {
            0 => refresh_limit(),
            limit => limit,
        })
    }
}

/// Reads the limit in force, which may be changed from outside; called from the
/// housekeeping of the I/O threads, so that no request pays for it.
pub(crate) fn refresh_limit() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    LIMIT.store(limit, Ordering::Relaxed);
    limit
}

/// How many are in use, but for files.
fn open() -> usize {
    clients() + UPSTREAMS.load(Ordering::Relaxed)
}

/// Those of clients, and what they have beside.
fn clients() -> usize {
    CLIENTS.load(Ordering::Relaxed) + EXTRA.load(Ordering::Relaxed)
}

/// Whether there is a descriptor for one more client.
pub(crate) fn has_room_for_client() -> bool {
    open() < Shares::now().accepting
}

/// Whether one more connection to an upstream may be opened.
fn has_room_for_upstream() -> bool {
    let Shares { opening, upstreams, .. } = Shares::now();
    UPSTREAMS.load(Ordering::Relaxed) < upstreams && open() < opening
}

/// How many requests upstreams may carry beside those that they do. Idle
/// connections do not count: they are used again, or make room.
pub(crate) fn room_for_upstream_requests() -> usize {
    let Shares { opening, upstreams, .. } = Shares::now();
    let all = upstreams.min(opening.saturating_sub(clients()));
    all.saturating_sub(UPSTREAM_REQUESTS.load(Ordering::Relaxed))
}

/// Waits until a connection to an upstream has ended; for one who waits each.
pub(crate) async fn upstream_freed() {
    UPSTREAM_FREED.notified().await;
}

/// A request that an upstream carries.
#[derive(Debug)]
pub(crate) struct UpstreamRequestCount(());

impl UpstreamRequestCount {
    pub(crate) fn take() -> Self {
        UPSTREAM_REQUESTS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for UpstreamRequestCount {
    fn drop(&mut self) {
        UPSTREAM_REQUESTS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The descriptor of a client's connection.
#[derive(Debug)]
pub(crate) struct ClientDescriptor(());

impl ClientDescriptor {
    pub(crate) fn take() -> Self {
        CLIENTS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for ClientDescriptor {
    fn drop(&mut self) {
        CLIENTS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Descriptors that a connection has beside its own, and can do without.
#[derive(Debug)]
pub(crate) struct ExtraDescriptors(usize);

impl ExtraDescriptors {
    /// Takes so many, where a client would be accepted beside them.
    pub(crate) fn take(count: usize) -> Option<Self> {
        Self::take_of(Shares::now(), count)
    }

    fn take_of(shares: Shares, count: usize) -> Option<Self> {
        if open() + count > shares.accepting {
            return None;
        }
        EXTRA.fetch_add(count, Ordering::Relaxed);
        Some(Self(count))
    }
}

impl Drop for ExtraDescriptors {
    fn drop(&mut self) {
        EXTRA.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// The descriptor of a connection to an upstream.
#[derive(Debug)]
pub(crate) struct UpstreamDescriptor(());

impl UpstreamDescriptor {
    /// Takes one, where one is left. Those who ask in the same moment may together
    /// take a few more, one for each I/O thread: the reserve bears that.
    pub(crate) fn take() -> Option<Self> {
        if !has_room_for_upstream() {
            return None;
        }
        UPSTREAMS.fetch_add(1, Ordering::Relaxed);
        Some(Self(()))
    }
}

impl Drop for UpstreamDescriptor {
    fn drop(&mut self) {
        UPSTREAMS.fetch_sub(1, Ordering::Relaxed);
        UPSTREAM_FREED.notify_one();
    }
}

#[cfg(test)]
mod tests;
