//! A client's connection that has stopped being HTTP (RFC 9110 section 7.8), whichever engine
//! spoke HTTP on it before. Lives on the connection's I/O thread.

use std::io;
use std::pin::Pin;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::net::stream::Stream;

/// The bytes of such a connection, with what the client sent ahead in front.
pub(crate) trait Upgraded: AsyncRead + AsyncWrite + Unpin + Send {
    /// The socket itself, without whoever spoke HTTP on it, and what was read from it already,
    /// in order.
    ///
    /// # Errors
    /// It is of a kind that the engine does not know.
    fn into_socket(self: Box<Self>) -> io::Result<(Box<dyn Stream>, [Bytes; 2])>;
}

/// What the connection of a request becomes if it is answered with 101.
pub(crate) trait PendingUpgrade: Send + Sync {
    /// Gives the connection once the 101 has been written.
    ///
    /// # Errors
    /// The connection ended before that.
    fn upgraded(self: Box<Self>) -> UpgradedFuture;
}

/// See [`PendingUpgrade::upgraded`].
pub(crate) type UpgradedFuture =
    Pin<Box<dyn Future<Output = io::Result<Box<dyn Upgraded>>> + Send + 'static>>;

/// Of a request that may be answered with 101.
pub(crate) type OnUpgrade = Box<dyn PendingUpgrade>;

/// One end of a pipe in memory, for tests, on which 101 has been written.
#[cfg(test)]
impl Upgraded for tokio::io::DuplexStream {
    fn into_socket(self: Box<Self>) -> io::Result<(Box<dyn Stream>, [Bytes; 2])> {
        Ok((self, [Bytes::new(), Bytes::new()]))
    }
}

#[cfg(test)]
impl PendingUpgrade for tokio::io::DuplexStream {
    fn upgraded(self: Box<Self>) -> UpgradedFuture {
        Box::pin(std::future::ready(Ok(self as Box<dyn Upgraded>)))
    }
}
