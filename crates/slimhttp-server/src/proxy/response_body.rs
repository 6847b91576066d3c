//! The body of an upstream's response on its way to the client.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use crate::message::body::BodyError;
use crate::upstream::control::Control;
use crate::upstream::group::UpstreamPermit;

/// An upstream's body, sent on as it arrives.
pub(super) struct UpstreamBody {
    incoming: Incoming,
    control: Option<Control>,
    _place: UpstreamPermit,
}

impl UpstreamBody {
    pub(super) fn new(incoming: Incoming, control: Option<Control>, place: UpstreamPermit) -> Self {
        Self { incoming, control, _place: place }
    }
}

impl Drop for UpstreamBody {
    fn drop(&mut self) {
        // One of which more was to come does not rest, but ends of itself.
        if let Some(control) = &self.control {
            control.rest();
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
