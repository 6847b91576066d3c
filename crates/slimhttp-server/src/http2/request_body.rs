//! The body of a request as hyper reads it, handed on as a [`RequestBody`] of ours. It is made
//! on the connection's I/O thread, before the exchange begins; who reads it may be elsewhere.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use crate::message::body::BodyError;
use crate::message::request_body::RequestBody;

pub(super) fn request_body(incoming: Incoming) -> RequestBody {
    RequestBody::incoming(HyperBody(incoming))
}

/// hyper's body, with errors of any kind.
struct HyperBody(Incoming);

impl HttpBody for HyperBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.0).poll_frame(context);
        frame.map(|frame| frame.map(|frame| frame.map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
