//! Connections as the seam knows them: what is asked of Python about them, and
//! on whose wish. No Python in it; the identity that a program sees is known
//! here by its number.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use slimhttp_server::handler::{ConnectionData, ConnectionInfo};
use tokio::sync::oneshot;

use crate::job_id::JobId;
use crate::pipe::Pipe;

/// One connection.
#[derive(Debug)]
pub struct Guest {
    /// Under which Python keeps its identity.
    pub id: JobId,
    /// Who and where.
    pub visitor: ConnectionInfo,
    /// Its bytes, once it is upgraded.
    pub pipe: Arc<Pipe>,
    /// Whether Python has seen it, and may keep an identity for it.
    pub is_seen: AtomicBool,
    /// Whether Python has been told of its end.
    pub is_told: AtomicBool,
}

impl Guest {
    /// One that has just come.
    pub fn new(id: JobId, visitor: ConnectionInfo) -> Self {
        Self {
            id,
            visitor,
            pipe: Arc::default(),
            is_seen: AtomicBool::new(false),
            is_told: AtomicBool::new(false),
        }
    }

    /// The guest that a request brings along.
    pub fn of(any: Option<&ConnectionData>) -> Option<Arc<Self>> {
        any.cloned()?.downcast::<Self>().ok()
    }
}

impl fmt::Display for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.visitor.peer;
        SocketAddr::new(peer.ip().to_canonical(), peer.port()).fmt(f)
    }
}

/// What is asked of Python about a connection.
#[derive(Debug)]
pub enum HookJob {
    /// Whether it is served.
    Judge(Arc<Guest>, oneshot::Sender<bool>),
    /// To take what its client has sent.
    Data(Arc<Guest>),
    /// To hear that it has ended.
    Left(Arc<Guest>),
}

impl HookJob {
    /// Whether nobody waits for the outcome any more.
    pub fn is_abandoned(&self) -> bool {
        match self {
            Self::Judge(_, reply) => reply.is_closed(),
            Self::Data(_) | Self::Left(_) => false,
        }
    }

    /// What it is, for messages.
    pub fn subject(&self) -> Arc<str> {
        match self {
            Self::Judge(guest, _) => format!("on_accept of {guest}"),
            Self::Data(guest) => format!("the upgraded connection of {guest}"),
            Self::Left(guest) => format!("on_close of {guest}"),
        }
        .into()
    }
}
