//! The body of a request: as it comes in, or collected because a handler has
//! seen it. Never longer than `max_body`.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use slimhttp_site::refusal::Refusal;

use crate::body::BodyError;
use crate::guarded::FaultCell;

/// A request body.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// Not read yet.
    Incoming(Incoming),
    /// All of it.
    Collected(Bytes),
}

/// Whether the announced length is within `max_body`.
pub(crate) fn announced_length_fits(headers: &HeaderMap, max_body: u64) -> Result<(), Refusal> {
    let length =
        headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length > max_body => Err(Refusal::ContentTooLarge(max_body)),
        _ => Ok(()),
    }
}

impl RequestBody {
    /// Reads all of it, at most `max_body` bytes, and keeps it for whoever is
    /// asked next.
    ///
    /// # Errors
    /// Too long, malformed, or the client has left.
    pub(crate) async fn collect(
        &mut self,
        max_body: u64,
        fault: &FaultCell,
    ) -> Result<Bytes, Refusal> {
        let incoming = match self {
            Self::Collected(bytes) => return Ok(bytes.clone()),
            Self::Incoming(incoming) => incoming,
        };
        let bytes = if incoming.is_end_stream() {
            Bytes::new()
        } else {
            read(incoming, max_body, fault).await?
        };
        *self = Self::Collected(bytes.clone());
        Ok(bytes)
    }
}

async fn read(incoming: &mut Incoming, max_body: u64, fault: &FaultCell) -> Result<Bytes, Refusal> {
    let mut whole = BytesMut::new();
    let mut first: Option<Bytes> = None;
    while let Some(frame) =
        std::future::poll_fn(|context| Pin::new(&mut *incoming).poll_frame(context)).await
    {
        let frame = frame.map_err(|_| match fault.get() {
            Some(fault) => fault.refusal.clone(),
            None => Refusal::BadRequest("the body ended early"),
        })?;
        // Trailers are not part of the content (RFC 9110 section 6.5).
        let Ok(data) = frame.into_data() else { continue };
        let length = first.as_ref().map_or(whole.len(), Bytes::len) + data.len();
        if length as u64 > max_body {
            return Err(Refusal::ContentTooLarge(max_body));
        }
        // Most bodies come in one piece, which then needs no copy.
        match first.take() {
            None if whole.is_empty() => first = Some(data),
            None => whole.extend_from_slice(&data),
            Some(earlier) => {
                whole.reserve(length);
                whole.extend_from_slice(&earlier);
                whole.extend_from_slice(&data);
            }
        }
    }
    Ok(first.unwrap_or_else(|| whole.freeze()))
}

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
    sent: u64,
    too_long: bool,
}

impl ForwardedBody {
    pub(crate) fn new(body: RequestBody, max_body: u64) -> Self {
        let (hint, ended) = match &body {
            RequestBody::Incoming(incoming) => (incoming.size_hint(), incoming.is_end_stream()),
            RequestBody::Collected(bytes) => {
                (SizeHint::with_exact(bytes.len() as u64), bytes.is_empty())
            }
        };
        let slot = Slot { body: Some(body), sent: 0, too_long: false };
        Self { slot: Arc::new(Mutex::new(slot)), max_body, hint, ended }
    }

    /// Whether nobody has taken any of it.
    pub(crate) fn is_untouched(&self) -> bool {
        self.lock().sent == 0
    }

    /// Whether it grew beyond `max_body`.
    pub(crate) fn is_too_long(&self) -> bool {
        self.lock().too_long
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
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
        let frame = match &mut slot.body {
            None => return Poll::Ready(None),
            Some(RequestBody::Collected(bytes)) => {
                let bytes = std::mem::take(bytes);
                slot.body = None;
                (!bytes.is_empty()).then(|| Ok(Frame::data(bytes)))
            }
            Some(RequestBody::Incoming(incoming)) => ready!(Pin::new(incoming).poll_frame(context))
                .map(|frame| frame.map_err(BodyError::from)),
        };
        if let Some(Ok(frame)) = &frame {
            slot.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
            if slot.sent > self.max_body {
                slot.too_long = true;
                return Poll::Ready(Some(Err("the request body is longer than `max_body`".into())));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}
