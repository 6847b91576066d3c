//! Connections that a trusted proxy hands on by the PROXY protocol: whose they are is read before
//! anything else, in the connection's task on its I/O thread, and then that client is admitted as
//! if it had come by itself. From here on nobody asks for the proxy.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::context::server::ServerContext;
use crate::net::admission::AddressPermit;
use crate::net::connection_state::{ConnectionState, ReadPhase};
use crate::net::proxy_header::{self, Proxied};
use crate::serve::admission;

/// The ends of a connection as its client knows them, and the client's admission; `None` where it
/// is to be closed. `ends` are those of the socket, which stay where the connection is the proxy's
/// own. The header may take as long as that of a request.
pub(super) async fn client(
    socket: &mut TcpStream,
    ends: (SocketAddr, SocketAddr),
    state: &ConnectionState,
    shared: &ServerContext,
) -> Option<((SocketAddr, SocketAddr), AddressPermit)> {
    state.record_read(ReadPhase::Head);
    let proxy = ends.0;
    let header = tokio::select! {
        () = state.until_cut() => {
            tracing::debug!("{proxy}: no whole header of the PROXY protocol came in time: closed");
            return None;
        }
        header = proxy_header::read(socket) => header.ok()??,
    };
    let ends = match header {
        Ok(header) => match header.proxied {
            Some(Proxied { client, local }) => (client, local),
            None => ends,
        },
        Err(fault) => {
            if shared.admission.proxy_warning.allow() {
                tracing::warn!(
                    "{proxy}: closed, for its connections are to begin with a header of the PROXY \
                     protocol (`proxy_protocol`): {fault}"
                );
            }
            return None;
        }
    };
    state.record_read(ReadPhase::Idle);
    Some((ends, admission::admit_client(ends.0, shared)?))
}
