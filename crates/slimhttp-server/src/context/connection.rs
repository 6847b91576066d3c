//! One connection as everything above knows it, from its acceptance to the end of the last of its
//! exchanges: whether a handler lets it be served, and that the handler hears of it and of its end.
//!
//! Lives on the connection's I/O thread; the last exchange that holds it, or the task of an
//! upgrade, drops it. Whoever ends the connection from another thread has a handle of its own.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, OnceLock};

use slimhttp_site::plan::{Security, Transport};
use tokio::net::TcpStream;

use crate::api::handler::{ConnectionData, ConnectionHandle, ConnectionInfo, Handler};
use crate::context::server::ServerContext;
use crate::net::admission::ConnectionPermit;
use crate::net::connection_state::{CloseMode, ConnectionState, ReadPhase};
use crate::observe::event::Event;

/// What every exchange of one connection knows.
pub(crate) struct ConnectionContext {
    pub(crate) shared: Arc<ServerContext>,
    pub(crate) state: Arc<ConnectionState>,
    pub(crate) peer: SocketAddr,
    /// Shared with most other connections.
    pub(crate) local: Arc<SocketAddr>,
    pub(crate) security: Security,
    /// The number of the socket's descriptor.
    pub(crate) descriptor: RawFd,
    /// What the handler keeps with the connection. Filled when it hears of it: at
    /// once, where it wants to hear of each, else when an upgrade is asked for.
    pub(crate) data: OnceLock<ConnectionData>,
    /// Held until the last exchange, or the tunnel of an upgrade, has ended.
    pub(crate) _permit: ConnectionPermit,
}

impl ConnectionContext {
    /// A connection that was accepted, between these two ends. It has ended when this is dropped.
    pub(crate) fn begin(
        shared: Arc<ServerContext>,
        state: Arc<ConnectionState>,
        socket: &TcpStream,
        (peer, local): (SocketAddr, SocketAddr),
        security: Security,
        permit: ConnectionPermit,
    ) -> Arc<Self> {
        shared.events.push(|| Event::Accepted { peer });
        Arc::new(Self {
            state,
            peer,
            local: shared.local_address(local),
            security,
            descriptor: socket.as_raw_fd(),
            data: OnceLock::new(),
            _permit: permit,
            shared,
        })
    }

    /// Whether the handler lets the connection be served; `None` where it is not asked.
    /// Nothing is read of the connection meanwhile.
    pub(crate) fn authorized(&self) -> Option<impl Future<Output = bool> + use<>> {
        let handler = self.shared.handler.as_ref()?;
        let interests = handler.interests();
        if !(interests.connections || interests.authorization) {
            return None;
        }
        let data = self.connected(handler);
        if !interests.authorization {
            return None;
        }
        let authorized = handler.authorize(data);
        let (state, peer) = (self.state.clone(), self.peer);
        Some(async move {
            // It may take as long as a head, see `ReadPhase::Head`.
            state.record_read(ReadPhase::Head);
            tokio::select! {
                is_served = authorized => {
                    // What comes next has a time of its own.
                    state.record_read(ReadPhase::Idle);
                    is_served && !state.close_mode().ends_idle()
                }
                () = state.until_cut() => {
                    if state.close_mode() == CloseMode::HeadTimeout {
                        tracing::warn!(
                            "{peer}: `on_accept` gave no verdict within `header_timeout`: closed"
                        );
                    }
                    false
                }
            }
        })
    }

    /// Lets the handler hear of the connection, once; what it keeps with it.
    pub(crate) fn connected(&self, handler: &Arc<dyn Handler>) -> &ConnectionData {
        self.data.get_or_init(|| {
            handler.on_connect(ConnectionInfo {
                peer: self.peer,
                local: *self.local,
                tls: self.security.is_tls(),
                descriptor: self.descriptor,
                connection: self.handle(),
            })
        })
    }

    /// How requests come on it, for the plan.
    pub(crate) fn transport(&self) -> Transport {
        Transport { port: self.local.port(), peer: self.peer.ip(), security: self.security }
    }

    /// The way to end the connection from elsewhere.
    pub(crate) fn handle(&self) -> ConnectionHandle {
        ConnectionHandle(Arc::downgrade(&self.state))
    }
}

impl Drop for ConnectionContext {
    fn drop(&mut self) {
        if let (Some(handler), Some(data)) = (&self.shared.handler, self.data.take()) {
            handler.on_disconnect(data);
        }
        self.shared.events.push(|| Event::Closed { peer: self.peer });
    }
}
