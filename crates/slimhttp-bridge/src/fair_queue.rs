//! A queue that is fair among virtual hosts: each has a queue of its own, and they take turns, so
//! that a flood for one keeps the calls of no other waiting. Where as many calls wait as may, the
//! newest call of the host that has most of them is refused.
//!
//! Plain data under the lock of who owns it ([`Queue`](crate::queue::Queue) and
//! [`LoopQueue`](crate::loop_queue::LoopQueue)); what is taken out is given to the caller, who drops
//! it outside of that lock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many empty queues of hosts are kept to be used again.
const SPARE: usize = 8;

/// Why something was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// As many calls wait as may.
    Full,
    /// Nobody takes jobs any more.
    Closed,
}

/// What can be queued.
pub trait Queued {
    /// The virtual host that it is for; `None` is the global level.
    fn host(&self) -> Option<&Arc<str>>;
    /// Whether it is a call: only these are bounded. What else there is belongs
    /// to a response under way.
    fn is_call(&self) -> bool;
    /// Whether nobody waits for the outcome any more.
    fn is_abandoned(&self) -> bool;
}

/// How many calls may wait.
#[derive(Debug)]
pub(crate) struct Capacity {
    limit: AtomicUsize,
    /// How many clients have left since what they waited for was last removed.
    left: AtomicUsize,
}

impl Capacity {
    /// A capacity of `limit` calls.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit: AtomicUsize::new(limit), left: AtomicUsize::new(0) }
    }

    /// Changes how many calls may wait.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// How many calls may wait.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Counts a client that has left: its call may be among those that wait.
    pub(crate) fn client_left(&self) {
        self.left.fetch_add(1, Ordering::Relaxed);
    }

    /// Puts `item` into `queue` and gives what has to go for it, see [`FairQueue::push`]. Calls
    /// that nobody waits for any more do not count; they are put into `abandoned`, to be dropped
    /// where no lock is held.
    pub(crate) fn admit<T: Queued>(
        &self,
        item: T,
        queue: &mut FairQueue<T>,
        abandoned: &mut Vec<T>,
    ) -> Option<T> {
        let limit = self.limit();
        if queue.is_full(limit) && self.left.swap(0, Ordering::Relaxed) > 0 {
            abandoned.append(&mut queue.remove_abandoned());
        }
        queue.push(item, limit)
    }
}

/// The queue.
#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    /// None is empty; the first has its turn.
    hosts: VecDeque<HostQueue<T>>,
    spare: Vec<VecDeque<T>>,
    waiting: usize,
    calls: usize,
}

#[derive(Debug)]
struct HostQueue<T> {
    host: Option<Arc<str>>,
    items: VecDeque<T>,
    calls: usize,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { hosts: VecDeque::new(), spare: Vec::new(), waiting: 0, calls: 0 }
    }
}

impl<T: Queued> FairQueue<T> {
    /// How much waits.
    pub(crate) fn len(&self) -> usize {
        self.waiting
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Whether `limit` calls wait.
    pub(crate) fn is_full(&self, limit: usize) -> bool {
        self.calls >= limit
    }

    /// Puts something at the end of its host's queue. Where `limit` calls wait already, gives the
    /// call that has to go: the newest of the longest queue, or this one if its own queue would be
    /// the longest.
    pub(crate) fn push(&mut self, item: T, limit: usize) -> Option<T> {
        let own = self.hosts.iter().rposition(|host| is_same(host.host.as_ref(), item.host()));
        let mut evicted = None;
        if item.is_call() && self.is_full(limit) {
            let own_calls = own.map_or(0, |own| self.hosts[own].calls);
            let longest = self.hosts.iter_mut().max_by_key(|host| host.calls);
            // It keeps one more than the newcomer would have, so it is never emptied.
            let Some(longest) = longest.filter(|host| host.calls > own_calls + 1) else {
                return Some(item);
            };
            let newest = longest.items.iter().rposition(T::is_call);
            evicted = newest.and_then(|newest| longest.items.remove(newest));
            longest.calls -= 1;
            self.calls -= 1;
            self.waiting -= 1;
        }
        let own = own.unwrap_or_else(|| {
            let items = self.spare.pop().unwrap_or_default();
            self.hosts.push_back(HostQueue { host: item.host().cloned(), items, calls: 0 });
            self.hosts.len() - 1
        });
        let is_call = usize::from(item.is_call());
        self.calls += is_call;
        self.waiting += 1;
        self.hosts[own].calls += is_call;
        self.hosts[own].items.push_back(item);
        evicted
    }

    /// Takes the first of the host that has its turn.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let host = self.hosts.front_mut()?;
        let item = host.items.pop_front()?;
        let is_call = usize::from(item.is_call());
        host.calls -= is_call;
        self.calls -= is_call;
        self.waiting -= 1;
        if host.items.is_empty() {
            let empty = self.hosts.pop_front();
            if let Some(host) = empty.filter(|_| self.spare.len() < SPARE) {
                self.spare.push(host.items);
            }
        } else if self.hosts.len() > 1 {
            self.hosts.rotate_left(1);
        }
        Some(item)
    }

    /// Takes everything out, in turn.
    pub(crate) fn take(&mut self) -> Vec<T> {
        let mut taken = Vec::with_capacity(self.waiting);
        while let Some(item) = self.pop() {
            taken.push(item);
        }
        taken
    }

    /// Takes out what nobody waits for.
    pub(crate) fn remove_abandoned(&mut self) -> Vec<T> {
        self.remove_where(T::is_abandoned)
    }

    /// Takes out what is `unwanted`.
    pub(crate) fn remove_where(&mut self, unwanted: impl Fn(&T) -> bool) -> Vec<T> {
        let mut out = Vec::new();
        for item in std::mem::take(self).take() {
            if unwanted(&item) {
                out.push(item);
            } else {
                let evicted = self.push(item, usize::MAX);
                debug_assert!(evicted.is_none(), "there is room without end");
            }
        }
        out
    }

    /// Everything that waits, host by host.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.hosts.iter().flat_map(|host| &host.items)
    }
}

/// Mostly the two are one and the same text in memory.
fn is_same(one: Option<&Arc<str>>, other: Option<&Arc<str>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
