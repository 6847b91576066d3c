//! The socket of a connection to an upstream: plain, or behind TLS.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A connected socket. It is used on the I/O thread that has opened it.
#[derive(Debug)]
pub(crate) enum UpstreamSocket {
    /// Bytes go over the wire as they are.
    Plain(TcpStream),
    /// Its state is large, and most are plain.
    Tls(Box<TlsStream<TcpStream>>),
    /// One end of a pipe in memory.
    #[cfg(test)]
    Memory(tokio::io::DuplexStream),
}

impl UpstreamSocket {
    /// Whether the system has received anything that was not read, or the end, also where the
    /// runtime has not heard of it yet.
    pub(super) fn has_received(&self) -> bool {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(socket) => socket.get_ref().0,
            #[cfg(test)]
            Self::Memory(_) => return false,
        };
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        !matches!(recv(socket, &mut [0], flags), Err(Errno::AGAIN))
    }
}

/// Does the same with whichever socket it is.
macro_rules! with_socket {
    ($this:expr, $socket:ident => $work:expr) => {
        match $this.get_mut() {
            UpstreamSocket::Plain($socket) => {
                let $socket = Pin::new($socket);
                $work
            }
            UpstreamSocket::Tls($socket) => {
                let $socket = Pin::new(&mut **$socket);
                $work
            }
            #[cfg(test)]
            UpstreamSocket::Memory($socket) => {
                let $socket = Pin::new($socket);
                $work
            }
        }
    };
}

impl AsyncRead for UpstreamSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        with_socket!(self, socket => socket.poll_read(context, buffer))
    }
}

impl AsyncWrite for UpstreamSocket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        with_socket!(self, socket => socket.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        with_socket!(self, socket => socket.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_socket!(self, socket => socket.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_socket!(self, socket => socket.poll_shutdown(context))
    }
}
