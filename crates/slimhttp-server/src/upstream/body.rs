//! The body of a request on its way to an upstream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use slimhttp_site::refusal::Refusal;

use crate::message::body::BodyError;
use crate::message::request_body::{BodyFault, ReadTimeout, RequestBody};

/// A body on its way to an upstream. It is taken only when the upstream asks
/// for it, so that after a failed connection the next upstream can have it.
#[derive(Clone, Debug)]
pub(crate) struct ForwardedBody {
    slot: Arc<Mutex<Slot>>,
    max_body: u64,
    hint: SizeHint,
    ended: bool,
}

#[derive(Debug)]
struct Slot {
    body: Option<RequestBody>,
    pause: ReadTimeout,
    sent: u64,
    /// What the client did wrong, if the body broke off for that.
    refusal: Option<Refusal>,
}

impl ForwardedBody {
    pub(crate) fn new(body: RequestBody, max_body: u64, patience: Duration) -> Self {
        let (hint, ended) = match &body {
            RequestBody::Incoming(incoming) => (incoming.size_hint(), incoming.is_end_stream()),
            RequestBody::Collected(bytes) => {
                (SizeHint::with_exact(bytes.len() as u64), bytes.is_empty())
            }
        };
        let slot =
            Slot { body: Some(body), pause: ReadTimeout::new(patience), sent: 0, refusal: None };
        Self { slot: Arc::new(Mutex::new(slot)), max_body, hint, ended }
    }

    /// Whether nobody has taken any of it.
    pub(crate) fn is_untouched(&self) -> bool {
        self.lock().sent == 0
    }

    /// Why it broke off, where that is the client's doing.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.lock().refusal.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock()
    }
}

impl HttpBody for ForwardedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut slot = self.lock();
        let slot = &mut *slot;
        let frame = match &mut slot.body {
            None => return Poll::Ready(None),
            Some(RequestBody::Collected(bytes)) => {
                let bytes = std::mem::take(bytes);
                slot.body = None;
                (!bytes.is_empty()).then(|| Ok(Frame::data(bytes)))
            }
            Some(RequestBody::Incoming(incoming)) => {
                ready!(slot.pause.poll_frame(incoming, context))
            }
        };
        let frame = match frame {
            None => return Poll::Ready(None),
            Some(Ok(frame)) => frame,
            Some(Err(BodyFault::Stalled)) => {
                slot.refusal = Some(Refusal::RequestTimeout);
                return Poll::Ready(Some(Err("the client paused for too long".into())));
            }
            Some(Err(BodyFault::Off(error))) => {
                slot.refusal = Some(Refusal::BadRequest("the body ended early"));
                return Poll::Ready(Some(Err(error)));
            }
        };
        slot.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
        if slot.sent > self.max_body {
            slot.refusal = Some(Refusal::ContentTooLarge(self.max_body));
            return Poll::Ready(Some(Err("the request body is longer than `max_body`".into())));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}
