//! Opens connections to upstreams, and ends them in silence: one on which nothing moves for
//! longer than a limit, in either direction, fails with a time-out. What counts
//! is the pause between two bytes (nginx's `proxy_read_timeout`), not how long a
//! response takes.
//!
//! Called by hyper's client, which polls a connection in a task of the I/O thread on which it
//! was opened. Names are resolved on tokio's blocking threads. Dropping the future of
//! [`Connector`] gives the descriptor back that was taken for the connection.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use rustix::io::Errno;
use tokio::time::{Instant, Sleep};
use tower_service::Service;

use crate::sys::descriptors::UpstreamDescriptor;
use crate::upstream::control::Control;
use crate::upstream::error::causes;

/// How long an upstream may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct UpstreamTimeouts {
    /// To connect: names, TCP and TLS together.
    pub(crate) connect: Duration,
    /// To move a byte.
    pub(crate) silence: Duration,
}

/// Makes connections that keep to a [`UpstreamTimeouts`].
#[derive(Clone)]
pub(crate) struct Connector {
    inner: HttpsConnector<HttpConnector>,
    timeouts: UpstreamTimeouts,
}

impl Connector {
    pub(crate) fn new(tls: rustls::ClientConfig, timeouts: UpstreamTimeouts) -> Self {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let inner = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Self { inner, timeouts }
    }
}

type Inner = <HttpsConnector<HttpConnector> as Service<Uri>>::Response;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for Connector {
    type Response = TimeoutIo<Inner>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Some(descriptor) = UpstreamDescriptor::take() else {
            return Box::pin(std::future::ready(Err(Exhausted.into())));
        };
        let connecting = self.inner.call(uri);
        let UpstreamTimeouts { connect, silence } = self.timeouts;
        Box::pin(async move {
            match tokio::time::timeout(connect, connecting).await {
                Ok(Ok(connection)) => Ok(TimeoutIo::new(connection, silence, descriptor)),
                Ok(Err(error)) if is_exhausted(&*error) => Err(Exhausted.into()),
                Ok(Err(error)) => Err(error),
                Err(_) => {
                    let late = format!("no connection within {connect:?}");
                    Err(io::Error::new(io::ErrorKind::TimedOut, late).into())
                }
            }
        })
    }
}

/// There is no descriptor left for a connection: no upstream can help that.
#[derive(Debug)]
pub(crate) struct Exhausted;

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no descriptor is left for a connection: see the limit of open files")
    }
}

impl std::error::Error for Exhausted {}

/// Whether the system has refused a descriptor.
fn is_exhausted(error: &(dyn std::error::Error + 'static)) -> bool {
    let refused = |error: &io::Error| {
        let number = error.raw_os_error().map(Errno::from_raw_os_error);
        matches!(number, Some(Errno::MFILE | Errno::NFILE))
    };
    causes(error).any(|cause| cause.downcast_ref().is_some_and(refused))
}

/// A connection that ends when nothing moves for too long.
pub(crate) struct TimeoutIo<S> {
    inner: S,
    limit: Duration,
    /// When a byte moved last.
    moved_at: Instant,
    /// Set once and moved on only when it fires, so that a busy connection
    /// costs no timer.
    timer: Option<Pin<Box<Sleep>>>,
    control: Control,
    _descriptor: UpstreamDescriptor,
}

impl<S> TimeoutIo<S> {
    fn new(inner: S, limit: Duration, descriptor: UpstreamDescriptor) -> Self {
        Self {
            inner,
            limit,
            moved_at: Instant::now(),
            timer: None,
            control: Control::new(),
            _descriptor: descriptor,
        }
    }

    /// Restarts the time where something moved, and fails where nothing did for too long.
    fn check_silence<T>(
        &mut self,
        outcome: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.moved_at = Instant::now();
            return outcome;
        }
        if self.control.may_be_silent() {
            return Poll::Pending;
        }
        loop {
            let deadline = self.moved_at + self.limit;
            let timer =
                self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= deadline {
                let silent = format!("nothing came for {:?}", self.limit);
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, silent)));
            }
            timer.as_mut().reset(deadline);
        }
    }
}

impl<S: Connection> Connection for TimeoutIo<S> {
    fn connected(&self) -> Connected {
        self.inner.connected().extra(self.control.clone())
    }
}

impl<S: Read + Unpin> Read for TimeoutIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_read(context, cursor);
        if outcome.is_pending() && self.control.is_closing(context.waker()) {
            // Nothing read: the end of the stream.
            return Poll::Ready(Ok(()));
        }
        self.check_silence(outcome, context)
    }
}

impl<S: Write + Unpin> Write for TimeoutIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.control.mark_busy();
        let outcome = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.check_silence(outcome, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.control.mark_busy();
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.check_silence(outcome, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
