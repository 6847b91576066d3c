//! Who is let in, by the site in force: asked where connections are accepted.

use std::net::SocketAddr;
use std::sync::Arc;

use slimhttp_site::access;

use crate::context::server::Shared;
use crate::net::admission::{AddressPermit, Idle};
use crate::serve::io_thread::IoThread;
use crate::sys::clock;

/// Admits a connection from `peer`, unless its client may not connect or has too
/// many already. Whom it does not let in is told nothing: dropping the socket
/// closes it.
pub(crate) fn admit(peer: SocketAddr, shared: &Shared) -> Option<AddressPermit> {
    // Not `cached()`: this may be a thread that lives long and asks seldom.
    let snapshot = shared.live.current();
    let (ip, admission) = (peer.ip().to_canonical(), &shared.admission);
    if !snapshot.site.admits(ip) {
        tracing::debug!("{} is not allowed to connect: closed", SocketAddr::new(ip, peer.port()));
        return None;
    }
    let most = snapshot.site.most_connections_of(ip);
    let client = access::client(ip);
    let address = AddressPermit::take(admission, client, most.unwrap_or(usize::MAX));
    if address.is_none() && admission.client_warning.allow() {
        let most = most.unwrap_or_default();
        tracing::warn!(
            "{ip} has {most} connections (`max_connections_per_address`): further ones are \
             closed at once; if it is a proxy, name it in `trusted_proxies`"
        );
    }
    address
}

/// Waits until another connection has room: one has left, was idle and is asked
/// to, or a change of the configuration allows more.
pub(crate) async fn room(shared: &Shared, io_threads: &[Arc<IoThread>], idle: &mut Idle) {
    let most = || shared.live.cached().site.service.max_connections;
    let of_threads = || io_threads.iter().map(|io_thread| &io_thread.connections);
    let ask = |count| idle.ask_to_leave(count, of_threads, clock::milliseconds());
    shared.admission.room(most, ask).await;
}
