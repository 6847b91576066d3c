//! The upstreams of a scope as one group: how many requests they carry at once,
//! whoever of the I/O threads they came by, and who waits for a place among them.
//!
//! A group lasts as long as the scope has these upstreams: a change of anything
//! else leaves its places and its line as they are. Whoever waits holds up nobody
//! of another group, and leaves the line with its client.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use slimhttp_site::site::{Proxy, Scope, Upstream};
use tokio::sync::oneshot;

use crate::sys::descriptors::{self, UpstreamRequestCount};

use crate::upstream::failures::Failures;

thread_local! {
    /// The groups that this worker has asked for, so that no request looks them up
    /// among those of the server.
    static SEEN: RefCell<HashMap<usize, Seen>> = RefCell::new(HashMap::new());
}

/// A group by the proxy that was asked for, which is known by its address.
type Seen = (Weak<Proxy>, Arc<UpstreamGroup>);

/// The groups of a server.
#[derive(Debug, Default)]
pub(crate) struct UpstreamGroups {
    all: Mutex<HashMap<Key, Weak<UpstreamGroup>>>,
}

/// What a group is known by: its scope and its servers.
type Key = (Option<Arc<str>>, Vec<Upstream>);

impl UpstreamGroups {
    /// The group of a scope.
    pub(crate) fn of(&self, scope: &Scope, proxy: &Arc<Proxy>) -> Arc<UpstreamGroup> {
        let address = Arc::as_ptr(proxy) as usize;
        SEEN.with_borrow_mut(|seen| {
            // An address stands for its proxy while anybody holds on to that, and
            // a weak hold is one.
            if let Some((_, group)) = seen.get(&address).filter(|(held, _)| held.strong_count() > 0)
            {
                return group.clone();
            }
            let group = self.find(scope, proxy);
            // Before it grows, what no site has any more is let go.
            if seen.len() == seen.capacity() {
                seen.retain(|_, (held, _)| held.strong_count() > 0);
            }
            seen.insert(address, (Arc::downgrade(proxy), group.clone()));
            group
        })
    }

    fn find(&self, scope: &Scope, proxy: &Proxy) -> Arc<UpstreamGroup> {
        let mut all = self.all.lock();
        let key = (scope.name.clone(), proxy.upstreams.clone());
        if let Some(group) = all.get(&key).and_then(Weak::upgrade) {
            return group;
        }
        if all.len() == all.capacity() {
            all.retain(|_, group| group.strong_count() > 0);
        }
        let group = Arc::new(UpstreamGroup::default());
        all.insert(key, Arc::downgrade(&group));
        group
    }
}

/// The upstreams of a scope, all together.
#[derive(Debug, Default)]
pub(crate) struct UpstreamGroup {
    line: Mutex<Line>,
    /// What went wrong with it, as far as it was told.
    pub(crate) failures: Failures,
}

#[derive(Debug, Default)]
struct Line {
    /// Places that are taken.
    running: usize,
    /// How many there are, as the last to ask had it.
    most: usize,
    /// Who waits, the first first. Who has left is passed over.
    waiting: VecDeque<oneshot::Sender<UpstreamPermit>>,
}

impl Line {
    /// Whether one more may run: the first may, and further ones as long as the group
    /// takes no more descriptors than it leaves for all the others.
    fn has_place(&self) -> bool {
        let most = self.most.min(descriptors::left_to_carry()).max(1);
        self.running < most
    }
}

/// The place of one request among those that a group carries; held for as long as
/// the upstream has to do with it.
#[derive(Debug)]
pub(crate) struct UpstreamPermit(Option<(Arc<UpstreamGroup>, UpstreamRequestCount)>);

impl UpstreamPermit {
    /// One that the line of `group` has counted.
    fn of(group: &Arc<UpstreamGroup>) -> Self {
        Self(Some((group.clone(), UpstreamRequestCount::take())))
    }
}

impl Drop for UpstreamPermit {
    fn drop(&mut self) {
        if let Some((group, carried)) = self.0.take() {
            drop(carried);
            group.line().running -= 1;
            group.admit();
        }
    }
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPermit {
    /// Too many wait already.
    Full,
    /// It did not come in time.
    Late,
}

impl UpstreamGroup {
    /// A place, at once or when those that asked before have had theirs.
    ///
    /// # Errors
    /// Too many wait, or it takes too long.
    pub(crate) async fn enter(self: &Arc<Self>, proxy: &Proxy) -> Result<UpstreamPermit, NoPermit> {
        self.place(proxy.max_requests, proxy.max_queue, proxy.queue_timeout).await
    }

    async fn place(
        self: &Arc<Self>,
        most: usize,
        max_queue: usize,
        patience: Duration,
    ) -> Result<UpstreamPermit, NoPermit> {
        let turn = {
            let mut line = self.line();
            line.most = most;
            if line.has_place() && line.waiting.is_empty() {
                line.running += 1;
                return Ok(UpstreamPermit::of(self));
            }
            if line.waiting.len() >= max_queue {
                line.waiting.retain(|waits| !waits.is_closed());
            }
            if line.waiting.len() >= max_queue {
                return Err(NoPermit::Full);
            }
            let (mine, turn) = oneshot::channel();
            line.waiting.push_back(mine);
            turn
        };
        // There may be more places than before.
        self.admit();
        match tokio::time::timeout(patience, turn).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(NoPermit::Late),
        }
    }

    /// Gives the free places to those who wait, in their order.
    fn admit(self: &Arc<Self>) {
        loop {
            let next = {
                let mut line = self.line();
                if !line.has_place() {
                    return;
                }
                let Some(next) = line.waiting.pop_front() else { return };
                if next.is_closed() {
                    continue;
                }
                line.running += 1;
                next
            };
            // Outside of the lock: whoever is woken may give its place back at once.
            if let Err(mut unwanted) = next.send(UpstreamPermit::of(self)) {
                unwanted.0 = None;
                self.line().running -= 1;
            }
        }
    }

    /// How many requests its servers carry, and how many wait.
    pub(crate) fn load(&self) -> (usize, usize) {
        let line = self.line();
        (line.running, line.waiting.iter().filter(|waits| !waits.is_closed()).count())
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock()
    }
}

#[cfg(test)]
mod tests;
