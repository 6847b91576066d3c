//! The trailer section of a body that is forwarded, in either direction: the fields that may
//! stand there go on ([`forward::trailers`]), content passes as it comes. Polled by whoever sends
//! the body, on the I/O thread of the exchange.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use slimhttp_site::forward;

use crate::message::body::BodyError;

/// A body with the trailers that may be forwarded.
pub(super) struct WithTrailers<B>(pub(super) B);

impl<B: HttpBody<Data = Bytes, Error = BodyError> + Unpin> HttpBody for WithTrailers<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            let frame = match ready!(Pin::new(&mut self.0).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            };
            match frame.into_trailers().map(forward::trailers) {
                Err(data) => return Poll::Ready(Some(Ok(data))),
                // None is left: the body ends as one without trailers.
                Ok(trailers) if trailers.is_empty() => {}
                Ok(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

#[cfg(test)]
mod tests;
