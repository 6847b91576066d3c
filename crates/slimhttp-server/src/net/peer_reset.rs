//! Whether a peer that has closed its sending side has gone altogether. Nothing more can be read
//! of it, so only the system knows: a peer that has gone answers the next byte that is sent to it
//! with a reset, which shows as an error of the socket (EPOLLERR).
//!
//! Watched by a connection's task, on its I/O thread, and only while it has something in work for
//! such a peer.

use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::sys::descriptors::ExtraDescriptors;

/// Becomes ready when the peer has reset the connection.
pub(crate) struct PeerReset(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl PeerReset {
    /// Watches `socket` by a descriptor of its own: whoever waits for the errors of a
    /// [`TcpStream`] borrows it for that long, and it is to be written to meanwhile. `None` where
    /// there is no descriptor for it.
    pub(crate) fn watch(socket: &TcpStream) -> Option<Self> {
        let counted = ExtraDescriptors::take(1)?;
        let descriptor = socket.as_fd().try_clone_to_owned().ok()?;
        let watched = TcpStream::from_std(std::net::TcpStream::from(descriptor)).ok()?;
        Some(Self(Box::pin(async move {
            let _counted = counted;
            // The only error is that the runtime ends.
            let _ = watched.ready(Interest::ERROR).await;
        })))
    }

    /// Whether it has.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests;
