//! The upstreams of a scope as one group: how many requests they carry at once, on
//! whichever I/O thread they came, and which wait for a permit.
//!
//! A group lasts as long as the scope has these upstreams (`groups`): a change of anything
//! else leaves its permits and its queue as they are. A request that waits delays none
//! of another group. Dropping the future of [`UpstreamGroup::acquire`] leaves the queue.
//!
//! The connections to its upstreams are each I/O thread's own (`pool`).
//!
//! All I/O threads share a group behind one lock, which is held for a few instructions; a
//! request that waits is woken on its own thread, by the one that gives a permit back.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use slimhttp_site::forward::Pseudonym;
use slimhttp_site::site::{Proxy, Upstream};
use tokio::sync::oneshot;

use crate::sys::descriptors::{self, UpstreamRequestCount};
use crate::upstream::failures::FailureLog;

/// The upstreams of a scope, all together.
#[derive(Debug, Default)]
pub(crate) struct UpstreamGroup {
    upstreams: Vec<Upstream>,
    /// What marks requests and responses that pass through it, once there was one.
    pseudonym: OnceLock<Pseudonym>,
    state: Mutex<State>,
    /// What went wrong with them lately.
    pub(crate) failures: FailureLog,
}

#[derive(Debug, Default)]
struct State {
    /// Permits that are held.
    active: usize,
    /// How many there are, as the last request had it.
    max_requests: usize,
    /// Requests that wait for one, the first first. Those that have left are passed over.
    queue: VecDeque<oneshot::Sender<UpstreamPermit>>,
}

impl State {
    /// Whether there is a permit: for the first request always, and for further ones as
    /// long as the group takes no more descriptors than it leaves for all the others.
    fn has_permit(&self) -> bool {
        let most = self.max_requests.min(descriptors::room_for_upstream_requests()).max(1);
        self.active < most
    }

    /// Requests that still wait.
    fn queued(&self) -> usize {
        self.queue.iter().filter(|request| !request.is_closed()).count()
    }
}

/// The permit of one request among those that a group carries; held for as long as
/// the upstream has to do with it, and given to the next in the queue when it is dropped, on
/// whichever thread that is.
#[derive(Debug)]
pub(crate) struct UpstreamPermit(Option<(Arc<UpstreamGroup>, UpstreamRequestCount)>);

impl UpstreamPermit {
    /// One that `group` has counted.
    fn of(group: &Arc<UpstreamGroup>) -> Self {
        Self(Some((group.clone(), UpstreamRequestCount::take())))
    }
}

impl Drop for UpstreamPermit {
    fn drop(&mut self) {
        if let Some((group, count)) = self.0.take() {
            drop(count);
            group.lock().active -= 1;
            group.grant();
        }
    }
}

/// Why a request gets no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPermit {
    /// Too many wait already.
    QueueFull,
    /// None was free in time.
    TimedOut,
}

impl UpstreamGroup {
    /// That of these upstreams, which carries nothing yet.
    pub(super) fn new(upstreams: Vec<Upstream>) -> Self {
        Self { upstreams, ..Self::default() }
    }

    /// The pseudonym in `Via` of what passes through it, which `make` knows.
    pub(crate) fn pseudonym(&self, make: impl FnOnce() -> String) -> &Pseudonym {
        self.pseudonym.get_or_init(|| Pseudonym::new(make()))
    }

    /// One of the upstreams for the log, `host:port`.
    pub(crate) fn name(&self, index: usize) -> String {
        self.upstreams.get(index).map_or_else(String::new, |Upstream { host, port, .. }| {
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
        })
    }

    /// All of them for the log.
    pub(crate) fn names(&self) -> String {
        (0..self.upstreams.len()).map(|index| self.name(index)).collect::<Vec<_>>().join(", ")
    }

    /// A permit, at once or when the requests that came before have had theirs.
    ///
    /// # Errors
    /// Too many wait, or it takes too long.
    pub(crate) async fn acquire(
        self: &Arc<Self>,
        proxy: &Proxy,
    ) -> Result<UpstreamPermit, NoPermit> {
        self.acquire_of(proxy.max_requests, proxy.max_queue, proxy.queue_timeout).await
    }

    /// A permit of a group that has any number of them.
    #[cfg(test)]
    pub(crate) async fn acquire_one(self: &Arc<Self>) -> UpstreamPermit {
        self.acquire_of(usize::MAX, 0, Duration::ZERO).await.expect("has any number")
    }

    async fn acquire_of(
        self: &Arc<Self>,
        max_requests: usize,
        max_queue: usize,
        queue_timeout: Duration,
    ) -> Result<UpstreamPermit, NoPermit> {
        let granted = {
            let mut state = self.lock();
            state.max_requests = max_requests;
            if state.has_permit() && state.queue.is_empty() {
                state.active += 1;
                return Ok(UpstreamPermit::of(self));
            }
            if state.queue.len() >= max_queue {
                state.queue.retain(|request| !request.is_closed());
            }
            if state.queue.len() >= max_queue {
                return Err(NoPermit::QueueFull);
            }
            let (request, granted) = oneshot::channel();
            state.queue.push_back(request);
            granted
        };
        // There may be more permits than before.
        self.grant();
        match tokio::time::timeout(queue_timeout, granted).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(NoPermit::TimedOut),
        }
    }

    /// Gives the free permits to the requests that wait, in their order.
    fn grant(self: &Arc<Self>) {
        loop {
            let next = {
                let mut state = self.lock();
                if !state.has_permit() {
                    return;
                }
                let Some(next) = state.queue.pop_front() else { return };
                if next.is_closed() {
                    continue;
                }
                state.active += 1;
                next
            };
            // Outside of the lock: the request that is woken may give it back at once.
            if let Err(mut unwanted) = next.send(UpstreamPermit::of(self)) {
                unwanted.0 = None;
                self.lock().active -= 1;
            }
        }
    }

    /// How many requests its servers carry, and how many wait.
    pub(crate) fn load(&self) -> (usize, usize) {
        let state = self.lock();
        (state.active, state.queued())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[cfg(test)]
mod tests;
