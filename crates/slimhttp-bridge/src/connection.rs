//! Connections as the bridge knows them, and the jobs about them. Made on the I/O thread that
//! serves the connection, shared with the threads of the interpreter; the identity that a program
//! sees is known here by its id.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use slimhttp_server::{ConnectionData, ConnectionInfo};
use tokio::sync::oneshot;

use crate::job_id::JobId;
use crate::pipe::Pipe;

/// One connection.
#[derive(Debug)]
pub struct Connection {
    /// By which Python knows its identity.
    pub id: JobId,
    /// Who and where.
    pub info: ConnectionInfo,
    /// Its bytes, once it is upgraded.
    pub pipe: Arc<Pipe>,
    /// Whether Python has been given it, and may keep an identity for it.
    pub is_exposed: AtomicBool,
    /// Whether the program hears of its end: it has, or is about to.
    pub is_end_reported: AtomicBool,
}

impl Connection {
    /// One that has just come.
    pub fn new(id: JobId, info: ConnectionInfo) -> Self {
        Self {
            id,
            info,
            pipe: Arc::default(),
            is_exposed: AtomicBool::new(false),
            is_end_reported: AtomicBool::new(false),
        }
    }

    /// The one that the server keeps for us with a connection and its requests.
    pub fn of(any: Option<&ConnectionData>) -> Option<Arc<Self>> {
        any.cloned()?.downcast::<Self>().ok()
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.info.peer;
        SocketAddr::new(peer.ip().to_canonical(), peer.port()).fmt(f)
    }
}

/// What is asked of Python about a connection.
#[derive(Debug)]
pub enum ConnectionJob {
    /// Whether it is served.
    Authorize(Arc<Connection>, oneshot::Sender<bool>),
    /// To take what its client has sent.
    Data(Arc<Connection>),
    /// To hear that it has ended.
    Closed(Arc<Connection>),
}

impl ConnectionJob {
    /// Whether nobody waits for the outcome any more.
    pub fn is_abandoned(&self) -> bool {
        match self {
            Self::Authorize(_, reply) => reply.is_closed(),
            Self::Data(_) | Self::Closed(_) => false,
        }
    }

    /// What it is, for messages.
    pub fn subject(&self) -> Arc<str> {
        match self {
            Self::Authorize(connection, _) => format!("on_accept of {connection}"),
            Self::Data(connection) => format!("the upgraded connection of {connection}"),
            Self::Closed(connection) => format!("on_close of {connection}"),
        }
        .into()
    }
}
