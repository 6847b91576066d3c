//! Who is let in, by the site in force: asked where connections are accepted, on the first I/O
//! thread, on a program's thread that hands over a connection of its own, or on a connection's I/O
//! thread, where a proxy has told whose it is.
//!
//! [`proxied`]: crate::serve::proxied

use std::net::SocketAddr;
use std::sync::Arc;

use slimhttp_site::access;

use crate::context::server::ServerContext;
use crate::net::admission::{AddressPermit, IdleConnections};
use crate::serve::accept::Accepted;
use crate::serve::io_thread::IoThread;
use crate::sys::clock;

/// Admits a connection that was accepted, unless its client may not connect or has too many already.
/// Whose it is that a trusted proxy hands on is known later, and asked then (`serve/proxied.rs`).
pub(super) fn admit(accepted: &Accepted, shared: &ServerContext) -> Option<AddressPermit> {
    if accepted.is_from_proxy() {
        return Some(AddressPermit::of_proxy(&shared.admission));
    }
    admit_client(accepted.peer, shared)
}

/// Admits a connection of the client `peer`, unless that may not connect or has too many already.
/// One that is not let in is answered nothing: dropping the socket closes it.
pub(super) fn admit_client(peer: SocketAddr, shared: &ServerContext) -> Option<AddressPermit> {
    // Not `cached()`: this may be a thread that lives long and seldom takes a snapshot.
    let snapshot = shared.live.current();
    let (ip, admission) = (peer.ip().to_canonical(), &shared.admission);
    if !snapshot.site.admits(ip) {
        tracing::debug!("{} is not allowed to connect: closed", SocketAddr::new(ip, peer.port()));
        return None;
    }
    let limit = snapshot.site.most_connections_of(ip);
    let client = access::client(ip);
    let address = AddressPermit::acquire(admission, client, limit.unwrap_or(usize::MAX));
    if address.is_none() && admission.client_warning.allow() {
        let limit = limit.unwrap_or_default();
        tracing::warn!(
            "{ip} has {limit} connections (`max_connections_per_address`): further ones are \
             closed at once; if it is a proxy, name it in `trusted_proxies`"
        );
    }
    address
}

/// Waits until there is room for one more connection: another has ended, was idle and is asked
/// to close, or a change of the configuration allows more.
pub(super) async fn wait_for_room(
    shared: &ServerContext,
    io_threads: &[Arc<IoThread>],
    idle: &mut IdleConnections,
) {
    let limit = || shared.live.cached().site.service.max_connections;
    let of_threads = || io_threads.iter().map(|io_thread| &io_thread.connections);
    let evict = |count| idle.request_close(count, of_threads, clock::milliseconds());
    shared.admission.wait_for_room(limit, evict).await;
}
