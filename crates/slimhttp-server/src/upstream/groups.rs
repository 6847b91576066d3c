//! Which group a scope's proxy has. Each snapshot owns the groups of its scopes, so that a scope
//! that goes lets its group go, and what a request asks for is found without a lock; a table
//! that lasts as long as the server gives the same group to the next snapshot as long as the
//! scope has the same upstreams, whatever else of it changes.
//!
//! Snapshots are made on the thread that changes the site, one after the other; requests look
//! into theirs on any I/O thread.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use slimhttp_site::site::{Proxy, Scope, Site, Upstream};

use crate::upstream::group::UpstreamGroup;

/// The groups of a server that anybody holds: a snapshot, or a request that its upstreams
/// carry.
#[derive(Debug, Default)]
pub(crate) struct GroupTable {
    all: Mutex<HashMap<Key, Weak<UpstreamGroup>>>,
}

/// What a group is known by: its scope and its servers.
type Key = (Option<Arc<str>>, Vec<Upstream>);

impl GroupTable {
    fn group_of(&self, scope: &Scope, proxy: &Proxy) -> Arc<UpstreamGroup> {
        let mut all = self.all.lock();
        let key = (scope.name.clone(), proxy.upstreams.clone());
        if let Some(group) = all.get(&key).and_then(Weak::upgrade) {
            return group;
        }
        // Before it grows, what nobody holds is let go.
        if all.len() == all.capacity() {
            all.retain(|_, group| group.strong_count() > 0);
        }
        let group = Arc::new(UpstreamGroup::default());
        all.insert(key, Arc::downgrade(&group));
        group
    }
}

/// The groups of one snapshot, by the addresses of its proxies, which its site keeps alive.
#[derive(Clone, Debug, Default)]
pub(crate) struct UpstreamGroups(Arc<HashMap<usize, Arc<UpstreamGroup>>>);

impl UpstreamGroups {
    /// Those of `site`. A proxy that the site before had too keeps its group without a look
    /// into the table.
    pub(crate) fn open(site: &Site, table: &GroupTable, previous: Option<&Self>) -> Self {
        let scopes = std::iter::once(&site.global).chain(site.hosts.iter().map(|(_, scope)| scope));
        let groups = scopes.filter_map(|scope| {
            let proxy = scope.options.proxy.as_ref()?;
            let carried_over = previous.and_then(|previous| previous.0.get(&address(proxy)));
            let group = match carried_over {
                Some(group) => group.clone(),
                None => table.group_of(scope, proxy),
            };
            Some((address(proxy), group))
        });
        Self(Arc::new(groups.collect()))
    }

    /// The group of a proxy of the snapshot's site.
    pub(crate) fn of(&self, proxy: &Arc<Proxy>) -> &Arc<UpstreamGroup> {
        self.0.get(&address(proxy)).expect("each proxy of the site has a group")
    }
}

fn address(proxy: &Arc<Proxy>) -> usize {
    Arc::as_ptr(proxy) as usize
}

#[cfg(test)]
mod tests;
