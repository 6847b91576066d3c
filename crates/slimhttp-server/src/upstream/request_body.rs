//! The body of a request on its way to an upstream: read from the client as the upstream takes
//! it, within `max_body` and `body_timeout`.
//!
//! Owned by the exchange, and from the head of an early response on by the response's body. What
//! no upstream has taken is still there for the next one.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use slimhttp_http1::Framing;
use slimhttp_site::refusal::Refusal;

use crate::message::request_body::{BodyFault, ReadTimeout, RequestBody};

/// A body on its way to an upstream. Nothing of it is read before it is polled.
#[derive(Debug)]
pub(crate) struct ForwardedBody {
    body: RequestBody,
    max_body: u64,
    read_timeout: ReadTimeout,
    /// Bytes that the upstream has taken.
    taken: u64,
    /// What was taken, and given back.
    returned: Bytes,
    /// What the client did wrong, if the body broke off for that.
    refusal: Option<Refusal>,
}

impl ForwardedBody {
    pub(crate) fn new(body: RequestBody, max_body: u64, body_timeout: Duration) -> Self {
        Self {
            body,
            max_body,
            read_timeout: ReadTimeout::new(body_timeout),
            taken: 0,
            returned: Bytes::new(),
            refusal: None,
        }
    }

    /// Moves what is left of it; nothing stays.
    pub(super) fn take(&mut self) -> Self {
        let nothing = RequestBody::Collected(Bytes::new());
        std::mem::replace(self, Self::new(nothing, 0, Duration::ZERO))
    }

    /// How it is to be sent, as a whole.
    pub(super) fn framing(&self) -> Framing {
        let length = match &self.body {
            RequestBody::Collected(bytes) => Some(bytes.len() as u64),
            // All that is left of it was taken, and given back.
            RequestBody::Incoming(incoming) if incoming.is_end_stream() => {
                Some(self.returned.len() as u64)
            }
            RequestBody::Incoming(incoming) => {
                incoming.size_hint().exact().map(|left| left + self.returned.len() as u64)
            }
        };
        match length {
            Some(0) => Framing::None,
            Some(length) => Framing::Length(length),
            None => Framing::Chunked,
        }
    }

    /// Begins anew; whether there is all of it still.
    pub(crate) fn rewind(&mut self) -> bool {
        if matches!(self.body, RequestBody::Collected(_)) {
            self.taken = 0;
        }
        self.taken == 0 && self.refusal.is_none()
    }

    /// Takes back the last piece, which nobody has seen.
    pub(super) fn put_back(&mut self, piece: Bytes) {
        self.taken -= piece.len() as u64;
        if matches!(self.body, RequestBody::Incoming(_)) {
            self.returned = piece;
        }
    }

    /// Why it broke off, where that is the client's doing.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal.clone()
    }

    /// It is not what was announced.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
    }

    /// Whether nothing follows what was taken.
    pub(super) fn has_ended(&self) -> bool {
        match &self.body {
            RequestBody::Collected(bytes) => self.taken >= bytes.len() as u64,
            RequestBody::Incoming(incoming) => self.returned.is_empty() && incoming.is_end_stream(),
        }
    }

    /// The next frame, or `None` at the end.
    ///
    /// # Errors
    /// The client's doing; it is known as [`ForwardedBody::refusal`] from then on.
    pub(super) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        let frame = match &mut self.body {
            RequestBody::Collected(bytes) => {
                (!bytes.is_empty() && self.taken == 0).then(|| Ok(Frame::data(bytes.clone())))
            }
            RequestBody::Incoming(_) if !self.returned.is_empty() => {
                Some(Ok(Frame::data(std::mem::take(&mut self.returned))))
            }
            RequestBody::Incoming(incoming) => {
                ready!(self.read_timeout.poll_frame(incoming, context))
            }
        };
        let refusal = match frame {
            None => return Poll::Ready(None),
            Some(Ok(frame)) => {
                self.taken += frame.data_ref().map_or(0, |data| data.len() as u64);
                if self.taken <= self.max_body {
                    return Poll::Ready(Some(Ok(frame)));
                }
                Refusal::ContentTooLarge(self.max_body)
            }
            Some(Err(fault)) => {
                if let BodyFault::Off(error) = &fault {
                    tracing::debug!("the body of a request ended early: {error}");
                }
                fault.into_refusal()
            }
        };
        self.refusal = Some(refusal.clone());
        Poll::Ready(Some(Err(refusal)))
    }
}

#[cfg(test)]
mod tests;
