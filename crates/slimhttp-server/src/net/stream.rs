//! A client's socket, plain or behind TLS.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A socket, perhaps behind TLS.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// The bare socket, where nothing stands between it and the bytes sent.
    fn tcp(&self) -> Option<&TcpStream> {
        None
    }

    /// The bare socket, whatever stands between it and the bytes sent: to watch it, and not to
    /// read or write. `None` where there is none, as in tests.
    fn bare(&self) -> Option<&TcpStream> {
        self.tcp()
    }

    /// Whether it is behind TLS.
    fn is_encrypted(&self) -> bool {
        self.bare().is_some() && self.tcp().is_none()
    }
}

impl Stream for TcpStream {
    fn tcp(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

impl Stream for Box<dyn Stream> {
    fn tcp(&self) -> Option<&TcpStream> {
        (**self).tcp()
    }

    fn bare(&self) -> Option<&TcpStream> {
        (**self).bare()
    }
}

impl Stream for Box<tokio_rustls::server::TlsStream<TcpStream>> {
    fn bare(&self) -> Option<&TcpStream> {
        Some(self.get_ref().0)
    }
}

/// Both ends of a connection in memory, for tests.
#[cfg(test)]
impl Stream for tokio::io::DuplexStream {}
