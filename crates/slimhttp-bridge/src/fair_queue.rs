//! What waits for Python, in a lane for each virtual host. The hosts take turns,
//! so that a flood for one keeps the calls of no other waiting; and where there
//! is no more room, the host that has the most of it makes room.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many empty lanes are kept for whoever comes next.
const SPARE: usize = 8;

/// Why something was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// As many calls wait as may.
    Full,
    /// Nobody takes jobs any more.
    Closed,
}

/// What can wait.
pub trait Waits {
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
pub struct Room {
    limit: AtomicUsize,
    /// How many clients have left since the lanes were last swept.
    left: AtomicUsize,
}

impl Room {
    /// Room for `limit` calls.
    pub fn new(limit: usize) -> Self {
        Self { limit: AtomicUsize::new(limit), left: AtomicUsize::new(0) }
    }

    /// Changes how many calls may wait.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Notes that a client has left: its call may be among those that wait.
    pub fn note_left(&self) {
        self.left.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets `thing` into `lanes` and gives what has to go for it, see
    /// [`Lanes::push`]. Calls that nobody waits for any more take no room; they are
    /// put into `abandoned`, to be dropped where no lock is held.
    pub fn admit<T: Waits>(
        &self,
        thing: T,
        lanes: &mut Lanes<T>,
        abandoned: &mut Vec<T>,
    ) -> Option<T> {
        let limit = self.limit.load(Ordering::Relaxed);
        if lanes.is_full(limit) && self.left.swap(0, Ordering::Relaxed) > 0 {
            abandoned.append(&mut lanes.sweep());
        }
        lanes.push(thing, limit)
    }
}

/// The lanes.
#[derive(Debug)]
pub struct Lanes<T> {
    /// None is empty; the first has its turn.
    lanes: VecDeque<Lane<T>>,
    spare: Vec<VecDeque<T>>,
    waiting: usize,
    calls: usize,
}

#[derive(Debug)]
struct Lane<T> {
    host: Option<Arc<str>>,
    things: VecDeque<T>,
    calls: usize,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { lanes: VecDeque::new(), spare: Vec::new(), waiting: 0, calls: 0 }
    }
}

impl<T: Waits> Lanes<T> {
    /// How much waits.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Whether `limit` calls wait.
    pub fn is_full(&self, limit: usize) -> bool {
        self.calls >= limit
    }

    /// Puts something at the end of its lane. Where `limit` calls wait already,
    /// gives the call that has to go: the newest of the longest lane, or this one
    /// if its own lane would be the longest.
    pub fn push(&mut self, thing: T, limit: usize) -> Option<T> {
        let own = self.lanes.iter().rposition(|lane| is_same(lane.host.as_ref(), thing.host()));
        let mut evicted = None;
        if thing.is_call() && self.is_full(limit) {
            let own_calls = own.map_or(0, |own| self.lanes[own].calls);
            let longest = self.lanes.iter_mut().max_by_key(|lane| lane.calls);
            // It keeps one more than the newcomer would have, so it is never emptied.
            let Some(longest) = longest.filter(|lane| lane.calls > own_calls + 1) else {
                return Some(thing);
            };
            let newest = longest.things.iter().rposition(T::is_call);
            evicted = newest.and_then(|newest| longest.things.remove(newest));
            longest.calls -= 1;
            self.calls -= 1;
            self.waiting -= 1;
        }
        let own = own.unwrap_or_else(|| {
            let things = self.spare.pop().unwrap_or_default();
            self.lanes.push_back(Lane { host: thing.host().cloned(), things, calls: 0 });
            self.lanes.len() - 1
        });
        let is_call = usize::from(thing.is_call());
        self.calls += is_call;
        self.waiting += 1;
        self.lanes[own].calls += is_call;
        self.lanes[own].things.push_back(thing);
        evicted
    }

    /// Takes the first of the lane that has its turn.
    pub fn pop(&mut self) -> Option<T> {
        let lane = self.lanes.front_mut()?;
        let thing = lane.things.pop_front()?;
        let is_call = usize::from(thing.is_call());
        lane.calls -= is_call;
        self.calls -= is_call;
        self.waiting -= 1;
        if lane.things.is_empty() {
            let empty = self.lanes.pop_front();
            if let Some(lane) = empty.filter(|_| self.spare.len() < SPARE) {
                self.spare.push(lane.things);
            }
        } else if self.lanes.len() > 1 {
            self.lanes.rotate_left(1);
        }
        Some(thing)
    }

    /// Takes everything out, in turn.
    pub fn take(&mut self) -> Vec<T> {
        let mut taken = Vec::with_capacity(self.waiting);
        while let Some(thing) = self.pop() {
            taken.push(thing);
        }
        taken
    }

    /// Takes out what nobody waits for.
    pub fn sweep(&mut self) -> Vec<T> {
        self.take_out(T::is_abandoned)
    }

    /// Takes out what is `unwanted`.
    pub fn take_out(&mut self, unwanted: impl Fn(&T) -> bool) -> Vec<T> {
        let mut out = Vec::new();
        for thing in std::mem::take(self).take() {
            if unwanted(&thing) {
                out.push(thing);
            } else {
                let evicted = self.push(thing, usize::MAX);
                debug_assert!(evicted.is_none(), "there is room without end");
            }
        }
        out
    }

    /// Everything that waits, lane by lane.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.lanes.iter().flat_map(|lane| &lane.things)
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
