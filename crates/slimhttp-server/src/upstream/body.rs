//! The body of a request on its way to an upstream: read from the client as the upstream takes
//! it, within `max_body` and `body_timeout`.
//!
//! Hyper's client polls it in the task of the upstream's connection, which is on the same I/O
//! thread as the exchange; the exchange keeps a clone, to learn afterwards what became of it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::{Mutex, MutexGuard};
use slimhttp_site::refusal::Refusal;

use crate::message::body::BodyError;
use crate::message::request_body::{BodyFault, MalformedBody, ReadTimeout, RequestBody};

/// A body on its way to an upstream. Clones share it, and nothing of it is read before one of
/// them is polled, so that after a failed connection the next upstream can have it.
#[derive(Clone, Debug)]
pub(crate) struct ForwardedBody {
    state: Arc<Mutex<State>>,
    max_body: u64,
    size_hint: SizeHint,
    is_empty: bool,
}

#[derive(Debug)]
struct State {
    /// What is left of it; `None` once all of a collected one is sent.
    body: Option<RequestBody>,
    read_timeout: ReadTimeout,
    /// Bytes that the upstream has taken.
    sent: u64,
    /// What the client did wrong, if the body broke off for that.
    refusal: Option<Refusal>,
}

impl ForwardedBody {
    pub(crate) fn new(body: RequestBody, max_body: u64, body_timeout: Duration) -> Self {
        let (size_hint, is_empty) = match &body {
            RequestBody::Incoming(incoming) => (incoming.size_hint(), incoming.is_end_stream()),
            RequestBody::Collected(bytes) => {
                (SizeHint::with_exact(bytes.len() as u64), bytes.is_empty())
            }
        };
        let read_timeout = ReadTimeout::new(body_timeout);
        let state = State { body: Some(body), read_timeout, sent: 0, refusal: None };
        Self { state: Arc::new(Mutex::new(state)), max_body, size_hint, is_empty }
    }

    /// Whether no upstream has taken any of it.
    pub(crate) fn is_untouched(&self) -> bool {
        self.lock().sent == 0
    }

    /// Why it broke off, where that is the client's doing.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.lock().refusal.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl HttpBody for ForwardedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut state = self.lock();
        let state = &mut *state;
        let frame = match &mut state.body {
            None => return Poll::Ready(None),
            Some(RequestBody::Collected(bytes)) => {
                let bytes = std::mem::take(bytes);
                state.body = None;
                (!bytes.is_empty()).then(|| Ok(Frame::data(bytes)))
            }
            Some(RequestBody::Incoming(incoming)) => {
                ready!(state.read_timeout.poll_frame(incoming, context))
            }
        };
        let frame = match frame {
            None => return Poll::Ready(None),
            Some(Ok(frame)) => frame,
            Some(Err(BodyFault::Stalled)) => {
                state.refusal = Some(Refusal::RequestTimeout);
                return Poll::Ready(Some(Err("the client paused for too long".into())));
            }
            Some(Err(BodyFault::Refused(refusal))) => {
                state.refusal = Some(refusal.clone());
                return Poll::Ready(Some(Err(MalformedBody(refusal).into())));
            }
            Some(Err(BodyFault::Off(error))) => {
                state.refusal = Some(Refusal::BadRequest("the body ended early"));
                return Poll::Ready(Some(Err(error)));
            }
        };
        state.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
        if state.sent > self.max_body {
            state.refusal = Some(Refusal::ContentTooLarge(self.max_body));
            return Poll::Ready(Some(Err("the request body is longer than `max_body`".into())));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty
    }

    fn size_hint(&self) -> SizeHint {
        self.size_hint
    }
}

#[cfg(test)]
mod tests;
