//! A connection to an upstream that has answered 101: from there on its bytes are no HTTP (RFC
//! 9110 section 7.8), and no time-outs hold but those of its two ends.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::upstream::connection::UpstreamConnection;

/// The bytes of such a connection, those in front that came right behind the 101.
#[derive(Debug)]
pub(crate) struct UpstreamUpgrade(pub(super) Box<UpstreamConnection>);

impl AsyncRead for UpstreamUpgrade {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let UpstreamConnection { unread, socket, .. } = &mut *self.0;
        if unread.is_empty() {
            return Pin::new(socket).poll_read(context, buffer);
        }
        let length = unread.len().min(buffer.remaining());
        buffer.put_slice(&unread[..length]);
        unread.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for UpstreamUpgrade {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.socket).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.socket).poll_shutdown(context)
    }
}
