//! Which group a scope's proxy has: the same one as long as the scope has the same upstreams,
//! whatever else of it changes, and anybody holds the group. A mount that inherits its proxy has
//! the group of the scope around it.
//!
//! Requests look it up on the I/O thread of their connection, which keeps what it has found: only
//! a proxy that it has not looked up before takes a lock. A change of the site does nothing for
//! groups, however many scopes forward.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use slimhttp_site::site::{Proxy, Scope, Upstream};

use crate::upstream::by_address::ByAddress;
use crate::upstream::group::UpstreamGroup;

thread_local! {
    /// The groups that this thread has looked up, by the addresses of their proxies.
    static LOOKED_UP: RefCell<ByAddress<LookedUp>> = RefCell::default();
}

/// The proxy that an address stands for as long as it lives, and its group.
type LookedUp = (Weak<Proxy>, Arc<UpstreamGroup>);

/// The groups of one server that anybody holds: an I/O thread, or a request that upstreams
/// carry.
#[derive(Debug, Default)]
pub(crate) struct UpstreamGroups {
    all: Mutex<HashMap<Key, Weak<UpstreamGroup>>>,
}

/// What a group is known by: its scope, the mount in it that names the servers, and these.
type Key = (Option<Arc<str>>, Option<Arc<str>>, Vec<Upstream>);

impl UpstreamGroups {
    /// The group of a scope's proxy.
    pub(crate) fn of(&self, scope: &Scope, proxy: &Arc<Proxy>) -> Arc<UpstreamGroup> {
        let address = Arc::as_ptr(proxy) as usize;
        LOOKED_UP.with_borrow_mut(|known| {
            // An address stands for its proxy while anybody holds on to that, and a weak hold
            // is one.
            if let Some((held, group)) = known.get(&address)
                && held.strong_count() > 0
            {
                return group.clone();
            }
            let group = self.find(scope, proxy);
            // Before it grows, what no site has any more is let go.
            if known.len() == known.capacity() {
                known.retain(|_, (held, _)| held.strong_count() > 0);
            }
            known.insert(address, (Arc::downgrade(proxy), group.clone()));
            group
        })
    }

    fn find(&self, scope: &Scope, proxy: &Proxy) -> Arc<UpstreamGroup> {
        let mut all = self.all.lock();
        let prefix = proxy.mount.as_ref().map(|mount| mount.prefix.clone());
        let key = (scope.name.clone(), prefix, proxy.upstreams.clone());
        if let Some(group) = all.get(&key).and_then(Weak::upgrade) {
            return group;
        }
        // Before it grows, what nobody holds is let go.
        if all.len() == all.capacity() {
            all.retain(|_, group| group.strong_count() > 0);
        }
        let group = Arc::new(UpstreamGroup::new(proxy.upstreams.clone()));
        all.insert(key, Arc::downgrade(&group));
        group
    }
}

#[cfg(test)]
mod tests;
