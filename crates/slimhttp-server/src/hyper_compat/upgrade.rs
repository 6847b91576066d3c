//! Upgrades as hyper has them, handed on as those of [`crate::net::upgraded`]. Once the 101 is
//! sent, a task of its own carries the bytes of such a connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::hyper_compat::validating_io::ValidatingIo;
use crate::net::stream::Stream;
use crate::net::upgraded::{PendingUpgrade, Upgraded, UpgradedFuture};

impl PendingUpgrade for hyper::upgrade::OnUpgrade {
    fn upgraded(self: Box<Self>) -> UpgradedFuture {
        Box::pin(async move {
            let upgraded = self.await.map_err(io::Error::other)?;
            Ok(Box::new(HyperUpgraded(TokioIo::new(upgraded))) as Box<dyn Upgraded>)
        })
    }
}

struct HyperUpgraded(TokioIo<hyper::upgrade::Upgraded>);

impl Upgraded for HyperUpgraded {
    fn into_socket(self: Box<Self>) -> io::Result<(Box<dyn Stream>, [Bytes; 2])> {
        let upgraded = match self.0.into_inner().downcast::<ValidatingIo<TcpStream>>() {
            Ok(parts) => return Ok(into_socket(parts.io, parts.read_buf)),
            Err(upgraded) => upgraded,
        };
        match upgraded.downcast::<ValidatingIo<TlsStream<TcpStream>>>() {
            Ok(parts) => Ok(into_socket(parts.io, parts.read_buf)),
            Err(_) => Err(io::Error::other("an upgraded connection of an unknown kind")),
        }
    }
}

fn into_socket<S: Stream>(
    validating: ValidatingIo<S>,
    read: Bytes,
) -> (Box<dyn Stream>, [Bytes; 2]) {
    let (socket, unread) = validating.into_parts();
    (Box::new(socket), [read, unread])
}

impl AsyncRead for HyperUpgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for HyperUpgraded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
