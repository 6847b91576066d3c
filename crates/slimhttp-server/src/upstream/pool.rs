//! The idle connections to the upstreams of a group, and whose turn it is among these. Each I/O
//! thread has its own of each group, so that no thread waits for another, and a socket stays with
//! the runtime that polls it.
//!
//! The connection that was used last is used first. One is closed when it has been idle for too
//! long or the upstream has closed it, which housekeeping looks for ([`drop_expired`]); when there
//! are too many to its upstream; when its group is gone; and when a descriptor is needed: a
//! request that lacks one closes the idle connections of its thread at once ([`make_room`]) and
//! wakes a task on each other thread, which does so there.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::sys::clock;
use crate::upstream::by_address::ByAddress;
use crate::upstream::connection::{Place, UpstreamConnection};
use crate::upstream::group::UpstreamGroup;

/// Notified when a request lacks a descriptor.
static DESCRIPTOR_WANTED: Notify = Notify::const_new();

thread_local! {
    /// What this thread has of each group.
    static POOLS: RefCell<Box<Pools>> = RefCell::default();
}

/// How connections without a request are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idling {
    /// How many to each upstream.
    pub(crate) max: usize,
    /// For how long each.
    pub(crate) timeout: Duration,
}

#[derive(Default)]
struct Pools {
    /// By the addresses of their groups.
    all: ByAddress<Pool>,
    /// Whether a task of this thread waits for [`DESCRIPTOR_WANTED`].
    has_task: bool,
}

/// What a thread has of one group.
struct Pool {
    /// An address stands for its group as long as anybody holds on to that, if only weakly.
    group: Weak<UpstreamGroup>,
    /// How many requests there were.
    turns: usize,
    /// Idle connections, by upstreams.
    idle: Vec<Vec<Idle>>,
}

struct Idle {
    connection: Box<UpstreamConnection>,
    /// When it is closed ([`clock`]).
    expires_at: u64,
}

impl Pools {
    fn of(&mut self, group: &Weak<UpstreamGroup>) -> &mut Pool {
        if !std::mem::replace(&mut self.has_task, true) {
            tokio::spawn(close_idle_on_demand());
        }
        self.all.entry(group.as_ptr() as usize).or_insert_with(|| Pool {
            group: group.clone(),
            turns: 0,
            idle: Vec::new(),
        })
    }

    fn drop_expired(&mut self) {
        let now = clock::milliseconds();
        self.all.retain(|_, pool| {
            for idle in &mut pool.idle {
                idle.retain_mut(|idle| now < idle.expires_at && idle.connection.is_quiet());
                idle.iter_mut().for_each(|idle| idle.connection.silence.drop_unused_timer());
            }
            pool.group.strong_count() > 0
        });
    }
}

/// Where the next request of a group goes first: each time to the next one of `count` upstreams.
pub(crate) fn next_turn(group: &Arc<UpstreamGroup>, count: usize) -> usize {
    POOLS.with_borrow_mut(|pools| {
        let pool = match pools.all.get_mut(&(Arc::as_ptr(group) as usize)) {
            Some(pool) => pool,
            None => pools.of(&Arc::downgrade(group)),
        };
        let turn = pool.turns;
        pool.turns = turn.wrapping_add(1);
        turn % count
    })
}

/// An idle connection to that upstream, which the upstream has not closed as far as is known.
pub(crate) fn take(group: &Arc<UpstreamGroup>, index: usize) -> Option<Box<UpstreamConnection>> {
    let address = Arc::as_ptr(group) as usize;
    POOLS.with_borrow_mut(|pools| {
        let idle = pools.all.get_mut(&address)?.idle.get_mut(index)?;
        let now = clock::milliseconds();
        while let Some(mut last) = idle.pop() {
            if now < last.expires_at && last.connection.is_fit() {
                return Some(last.connection);
            }
        }
        None
    })
}

/// Keeps a connection on which an exchange has ended, where another one may follow; else closes
/// it.
pub(super) fn give_back(mut connection: Box<UpstreamConnection>, idling: Idling) {
    if idling.max == 0 || !connection.is_reusable() {
        return;
    }
    connection.make_idle();
    let timeout = u64::try_from(idling.timeout.as_millis()).unwrap_or(u64::MAX);
    let expires_at = clock::milliseconds().saturating_add(timeout);
    POOLS.with_borrow_mut(|pools| {
        let Place { group, index } = &connection.place;
        let (all, index) = (&mut pools.of(group).idle, *index);
        if all.len() <= index {
            all.resize_with(index + 1, Vec::new);
        }
        let idle = &mut all[index];
        // The one that has been idle longest is the first.
        let surplus = (idle.len() + 1).saturating_sub(idling.max);
        idle.drain(..surplus);
        idle.push(Idle { connection, expires_at });
    });
}

/// Closes the connections that have been idle for too long, or that upstreams have closed, and
/// forgets groups that are gone. Called by the thread's housekeeping.
pub(crate) fn drop_expired() {
    POOLS.with_borrow_mut(|pools| pools.drop_expired());
}

/// Closes the idle connections, here at once and on the other threads soon.
pub(crate) fn make_room() {
    close_idle();
    DESCRIPTOR_WANTED.notify_waiters();
}

/// Closes the idle connections of this thread.
fn close_idle() {
    POOLS.with_borrow_mut(|pools| {
        for idle in pools.all.values_mut().flat_map(|pool| &mut pool.idle) {
            idle.clear();
        }
    });
}

/// Makes room when a request of another thread asks for it.
async fn close_idle_on_demand() {
    loop {
        DESCRIPTOR_WANTED.notified().await;
        close_idle();
    }
}

#[cfg(test)]
mod tests;
