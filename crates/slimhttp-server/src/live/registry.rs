//! The live sites of this process, by which a change finds proxies that lead in a loop.
//! Looked at by changes only, on the thread that makes one, never by requests.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use slimhttp_site::site::Site;

/// A live site as the others know it.
pub(crate) trait LocalSite: Send + Sync {
    /// The site that is in force now, where this is what `host`:`port` reaches.
    fn site_at(&self, host: &str, port: u16) -> Option<Arc<Site>>;
}

/// Held weakly: a server that is dropped leaves by itself.
static LOCAL: Mutex<Vec<Weak<dyn LocalSite>>> = Mutex::new(Vec::new());

/// Makes a live site known to the changes of the others.
pub(crate) fn register(live: &Arc<impl LocalSite + 'static>) {
    let mut local = LOCAL.lock();
    local.retain(|other| other.strong_count() > 0);
    let live: Arc<dyn LocalSite> = live.clone();
    local.push(Arc::downgrade(&live));
}

/// Forgets a live site: its port is free for others now.
pub(crate) fn unregister(live: &Arc<impl LocalSite>) {
    let mut local = LOCAL.lock();
    local.retain(|other| !std::ptr::addr_eq(other.as_ptr(), Arc::as_ptr(live)));
}

/// The site that this process serves at `host`:`port`, if it does.
pub(super) fn local_site(host: &str, port: u16) -> Option<Arc<Site>> {
    let local = LOCAL.lock();
    local.iter().filter_map(Weak::upgrade).find_map(|live| live.site_at(host, port))
}

#[cfg(test)]
mod tests;
