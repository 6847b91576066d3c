//! The body of an upstream's response on its way to the client: read as the client takes it,
//! on the I/O thread of both. Dropping it before its end closes the upstream's connection.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use crate::message::body::BodyError;
use crate::upstream::control::Control;
use crate::upstream::group::UpstreamPermit;

/// A response's body as it arrives.
pub(crate) struct UpstreamBody {
    incoming: Incoming,
    control: Option<Control>,
    permit: Option<UpstreamPermit>,
}

impl UpstreamBody {
    pub(super) fn new(incoming: Incoming, control: Option<Control>) -> Self {
        Self { incoming, control, permit: None }
    }

    /// Holds the request's permit until the body has been sent or dropped.
    pub(crate) fn hold(&mut self, permit: UpstreamPermit) {
        self.permit = Some(permit);
    }

    /// The connection is to be something else than HTTP: it is not idle when this is dropped.
    pub(super) fn take_control(&mut self) -> Option<Control> {
        self.control.take()
    }
}

impl Drop for UpstreamBody {
    fn drop(&mut self) {
        // One of which more was to come is not idle, but ends of itself.
        if let Some(control) = &self.control {
            control.mark_idle();
        }
    }
}

impl HttpBody for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.incoming)
            .poll_frame(context)
            .map(|frame| frame.map(|frame| frame.map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
