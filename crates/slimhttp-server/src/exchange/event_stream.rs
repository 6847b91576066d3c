//! Streams of events (`text/event-stream`) end when the server does. They have no
//! end of their own that could be waited for, and a browser that sees one end asks
//! for it again. What is streamed is dropped at once, which closes a handler's iterator
//! and an upstream's connection. Where the client takes nothing the stream is not polled,
//! and so not dropped: its connection is counted as one with an endless answer, which the
//! end of the I/O thread does not wait for. Polled as any body, on the connection's I/O thread.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use slimhttp_site::answer_coding::is_event_stream;

use crate::context::connection::ConnectionContext;
use crate::message::body::{Body, BodyError};
use crate::net::connection_state::ConnectionState;

/// The response, whose content ends with the server if it is a stream of events.
pub(super) fn until_stop(
    response: Response<Body>,
    connection: &ConnectionContext,
) -> Response<Body> {
    // Most answers are none, and look up no field.
    if !matches!(response.body(), Body::Stream(_) | Body::Socket(_)) {
        return response;
    }
    // What has a length was promised whole.
    let endless = response.body().size_hint().exact().is_none();
    if !(is_event_stream(response.headers()) && endless) {
        return response;
    }
    let (shared, state) = (connection.shared.clone(), connection.state.clone());
    let stop = Box::pin(async move { shared.shutdown.requested().await });
    state.begin_endless();
    response.map(|body| Body::stream(EventStream { body: Some(body), stop, state }))
}

struct EventStream {
    /// `None` once the server is to stop.
    body: Option<Body>,
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
    state: Arc<ConnectionState>,
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.state.end_endless();
    }
}

impl HttpBody for EventStream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self { body, stop, .. } = &mut *self;
        if body.is_some() && stop.as_mut().poll(context).is_ready() {
            *body = None;
        }
        match body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
