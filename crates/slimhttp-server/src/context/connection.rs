//! A connection's stay: who is told that it came and that it went, and who says
//! whether it is served.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, OnceLock};

use tokio::net::TcpStream;

use crate::api::handler::{ConnectionHandle, Guest, Handler, Visitor};
use crate::context::server::Shared;
use crate::net::admission::Seat;
use crate::net::connection_state::{ConnectionState, Ending, Reading};
use crate::net::framing_fault::FaultCell;
use crate::observe::event::Event;

/// What every exchange of one connection knows.
pub(crate) struct ConnectionContext {
    pub(crate) shared: Arc<Shared>,
    pub(crate) state: Arc<ConnectionState>,
    pub(crate) fault: FaultCell,
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) tls: bool,
    /// The number of the socket's descriptor.
    pub(crate) descriptor: RawFd,
    /// What the handler side keeps with the connection. Filled when it meets it: at
    /// once, where it wants to know of each, else when an upgrade is asked for.
    pub(crate) guest: OnceLock<Guest>,
    /// Held until the last exchange, or the tunnel of an upgrade, has ended.
    pub(crate) _seat: Seat,
}

impl ConnectionContext {
    /// A connection that was accepted. Its stay ends when this is dropped.
    pub(crate) fn begin(
        shared: Arc<Shared>,
        state: Arc<ConnectionState>,
        socket: &TcpStream,
        peer: SocketAddr,
        tls: bool,
        seat: Seat,
    ) -> Arc<Self> {
        shared.events.push(|| Event::Accepted { peer });
        Arc::new(Self {
            state,
            fault: FaultCell::default(),
            peer,
            local: socket.local_addr().unwrap_or(shared.address),
            tls,
            descriptor: socket.as_raw_fd(),
            guest: OnceLock::new(),
            _seat: seat,
            shared,
        })
    }

    /// Whether the connection is served, as far as the handler side has a say;
    /// `None` where it has none.
    pub(crate) fn verdict(&self) -> Option<impl Future<Output = bool> + use<>> {
        let handler = self.shared.handler.as_ref()?;
        let wants = handler.wants();
        if !(wants.connections || wants.verdicts) {
            return None;
        }
        let guest = self.met(handler);
        if !wants.verdicts {
            return None;
        }
        let judged = handler.judge(guest);
        let (state, peer) = (self.state.clone(), self.peer);
        Some(async move {
            // It may take as long as a head: the worker's sweep keeps the time.
            state.read(Reading::Head);
            tokio::select! {
                served = judged => {
                    // What comes next has a time of its own.
                    state.read(Reading::Idle);
                    served && state.ending() == Ending::No
                }
                () = state.cut() => {
                    if state.ending() == Ending::HeadTimeout {
                        tracing::warn!(
                            "{peer}: `on_accept` gave no verdict within `header_timeout`: closed"
                        );
                    }
                    false
                }
            }
        })
    }

    /// Lets the handler side meet the connection.
    pub(crate) fn met(&self, handler: &Arc<dyn Handler>) -> &Guest {
        self.guest.get_or_init(|| {
            handler.meet(Visitor {
                peer: self.peer,
                local: self.local,
                tls: self.tls,
                descriptor: self.descriptor,
                connection: self.handle(),
            })
        })
    }

    /// The way to end the connection from elsewhere.
    pub(crate) fn handle(&self) -> ConnectionHandle {
        ConnectionHandle(Arc::downgrade(&self.state))
    }
}

impl Drop for ConnectionContext {
    fn drop(&mut self) {
        if let (Some(handler), Some(guest)) = (&self.shared.handler, self.guest.take()) {
            handler.left(guest);
        }
        self.shared.events.push(|| Event::Closed { peer: self.peer });
    }
}
