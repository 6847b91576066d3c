//! Connections that a handler has to itself when they stop being HTTP: the raw bytes are its
//! own from the 101 on (RFC 9110 section 7.8). Polled on the I/O thread of the connection.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

/// The bytes of a connection, both ways.
pub trait Bytestream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Bytestream for S {}

/// What runs a connection that has switched protocols, see [`crate::Answer::Switch`].
pub trait UpgradedConnection: Send + 'static {
    /// Runs it until it ends. The future is polled on the connection's I/O thread,
    /// so it never blocks. When it is done the connection is closed; it is dropped where the
    /// connection is cut ([`crate::ConnectionHandle::cut`], or the end of the server).
    fn run(
        self: Box<Self>,
        connection: Box<dyn Bytestream>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl fmt::Debug for dyn UpgradedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpgradedConnection")
    }
}
