//! What the threads of one server share: made once, when it binds, and reached from every
//! connection and exchange.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use slimhttp_site::site::{Proxy, Scope};

use crate::api::handler::Handler;
use crate::context::failed_start::ShownFailure;
use crate::fs::watcher::FileWatcher;
use crate::live::Live;
use crate::message::encoder::EncoderCount;
use crate::net::admission::Admission;
use crate::net::listeners::Listeners;
use crate::net::shutdown::Shutdown;
use crate::observe::event::Events;

/// What the threads of one server share. Each part may be used on any thread; requests change
/// none of it but events and what is counted.
pub(crate) struct ServerContext {
    pub(crate) live: Arc<Live>,
    pub(crate) listeners: Arc<Listeners>,
    /// Our address on the connection that was accepted last, see [`Self::local_address`].
    pub(crate) last_local: Mutex<Option<Arc<SocketAddr>>>,
    /// Who answers calls.
    pub(crate) handler: Option<Arc<dyn Handler>>,
    pub(crate) events: Events,
    pub(crate) admission: Arc<Admission>,
    pub(crate) shutdown: Shutdown,
    /// What open pages are made of, where browsers load them anew.
    pub(crate) watcher: FileWatcher,
    /// How many answers are compressed piece by piece.
    pub(crate) encoders: Arc<EncoderCount>,
    /// Why the program that was to take over has not started.
    pub(crate) failed_start: ShownFailure,
    /// Tells this server from every other, and from itself before a restart.
    pub(crate) id: u64,
}

impl ServerContext {
    /// Our address on a connection that is accepted. Most have the same one, and then share it.
    pub(crate) fn local_address(&self, address: SocketAddr) -> Arc<SocketAddr> {
        let mut last = self.last_local.lock();
        match &*last {
            Some(local) if **local == address => local.clone(),
            _ => last.insert(Arc::new(address)).clone(),
        }
    }

    /// The pseudonym under which a scope forwards to a proxy (`Via`, RFC 9110 section 7.6.3): a request
    /// that comes back to the same scope has gone in a loop.
    pub(crate) fn pseudonym(&self, scope: &Scope, proxy: &Proxy) -> String {
        let names = scope.name.iter().map(|name| &**name);
        // No name of a host has a slash in it, and every key of a mount begins with one.
        let names = names.chain(proxy.mount.iter().map(|mount| &*mount.key));
        let bytes: Vec<u8> = names.flat_map(str::bytes).collect();
        // FNV-1a: a short name that is the same for the same key.
        let hash = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        let scope = if bytes.is_empty() { 0 } else { bytes.iter().fold(0x811c_9dc5, hash) };
        format!("slimhttp-{:016x}-{scope:08x}", self.id)
    }
}
