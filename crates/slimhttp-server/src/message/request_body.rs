//! The body of a request: as it comes in, or collected because a handler has had it. Never longer
//! than `max_body`. An engine of HTTP makes it; a handler, an upstream or nobody reads it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body as HttpBody, Frame, SizeHint};
use slimhttp_site::refusal::Refusal;
use tokio::time::Sleep;

use crate::message::body::BodyError;
use crate::sys::memory::BodyBuffer;

/// A body as an engine of HTTP reads it from a connection. It may be read on any thread, by
/// one reader at a time, and dropping it gives up what has not come in.
pub(crate) type IncomingBody =
    Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send + Sync>>;

/// A request body.
pub(crate) enum RequestBody {
    /// It comes in as it is read.
    Incoming(IncomingBody),
    /// All of it: it came with the head, or was collected.
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

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incoming(_) => f.write_str("Incoming"),
            Self::Collected(bytes) => write!(f, "Collected({} bytes)", bytes.len()),
        }
    }
}

impl RequestBody {
    /// A body that comes in; boxed unless it is empty, as most are.
    pub(crate) fn incoming(
        body: impl HttpBody<Data = Bytes, Error = BodyError> + Send + Sync + 'static,
    ) -> Self {
        if body.is_end_stream() {
            Self::Collected(Bytes::new())
        } else {
            Self::Incoming(Box::pin(body))
        }
    }

    /// Whether it is known to have no content.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Incoming(incoming) => incoming.is_end_stream(),
            Self::Collected(bytes) => bytes.is_empty(),
        }
    }

    /// As it comes in, or would.
    pub(crate) fn into_incoming(self) -> IncomingBody {
        match self {
            Self::Incoming(incoming) => incoming,
            Self::Collected(bytes) => Box::pin(Whole(bytes)),
        }
    }

    /// Reads all of it, at most `max_body` bytes. All bodies that are held take `max_memory`
    /// bytes at most, and this one counts until the last who holds it lets go. Each pause of the
    /// client may last for `timeout`.
    ///
    /// # Errors
    /// Too long, too slow, malformed, no memory for it, or the client has left.
    pub(crate) async fn collect(
        self,
        max_body: u64,
        max_memory: u64,
        timeout: Duration,
    ) -> Result<Bytes, Refusal> {
        match self {
            body if body.is_empty() => Ok(Bytes::new()),
            Self::Collected(bytes) => {
                let mut body = BodyBuffer::new(Some(bytes.len() as u64), max_memory);
                push(&mut body, bytes, max_body)?;
                Ok(body.finish())
            }
            Self::Incoming(incoming) => read(incoming, max_body, max_memory, timeout).await,
        }
    }
}

/// A body that has come whole.
struct Whole(Bytes);

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let whole = std::mem::take(&mut self.0);
        Poll::Ready((!whole.is_empty()).then(|| Ok(Frame::data(whole))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

async fn read(
    mut incoming: IncomingBody,
    max_body: u64,
    max_memory: u64,
    timeout: Duration,
) -> Result<Bytes, Refusal> {
    let mut timeout = ReadTimeout::new(timeout);
    let mut body = BodyBuffer::new(incoming.size_hint().exact(), max_memory);
    while let Some(frame) =
        std::future::poll_fn(|context| timeout.poll_frame(&mut incoming, context)).await
    {
        let frame = frame.map_err(BodyFault::into_refusal)?;
        // Trailers are not part of the content (RFC 9110 section 6.5).
        if let Ok(data) = frame.into_data() {
            push(&mut body, data, max_body)?;
        }
    }
    if !body.is_long() {
        return Ok(body.finish());
    }
    // The other connections of this thread would wait for the copy.
    let work = tokio::task::spawn_blocking(move || body.finish());
    work.await.map_err(|_| Refusal::Unavailable)
}

/// Puts what has come behind what came before.
fn push(body: &mut BodyBuffer, data: Bytes, max_body: u64) -> Result<(), Refusal> {
    if body.len() + data.len() as u64 > max_body {
        return Err(Refusal::ContentTooLarge(max_body));
    }
    body.push(data)
}

/// What is wrong with a body, as the protocol that reads it has found: the error of such a body.
#[derive(Debug)]
pub(crate) struct MalformedBody(pub(crate) Refusal);

impl fmt::Display for MalformedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Refusal::BadRequest(what) => f.write_str(what),
            other => write!(f, "{}", other.status()),
        }
    }
}

impl std::error::Error for MalformedBody {}

/// Why no more of a body comes.
#[derive(Debug)]
pub(crate) enum BodyFault {
    /// The client paused for too long.
    Stalled,
    /// What it sent is no body: what it is to be answered.
    Refused(Refusal),
    /// It left, or its body ended early.
    Off(BodyError),
}

impl BodyFault {
    /// What the client is answered.
    pub(crate) fn into_refusal(self) -> Refusal {
        match self {
            Self::Stalled => Refusal::RequestTimeout,
            Self::Refused(refusal) => refusal,
            Self::Off(_) => Refusal::BadRequest("the body ended early"),
        }
    }
}

impl From<BodyError> for BodyFault {
    fn from(error: BodyError) -> Self {
        match error.downcast::<MalformedBody>() {
            Ok(malformed) => Self::Refused(malformed.0),
            Err(error) => Self::Off(error),
        }
    }
}

/// Times the pauses of a client in which we wait for its body, and no others:
/// while an upstream or a handler takes its time, the client's does not pass.
#[derive(Debug)]
pub(crate) struct ReadTimeout {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl ReadTimeout {
    /// One that does not count yet.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, timer: None }
    }

    /// Begins to count anew.
    pub(crate) fn restart(&mut self) {
        self.timer = None;
    }

    /// The next frame. Within a runtime, whose timers it takes.
    pub(crate) fn poll_frame(
        &mut self,
        incoming: &mut IncomingBody,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        if let Poll::Ready(frame) = incoming.as_mut().poll_frame(context) {
            self.timer = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyFault::from)));
        }
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        timer.as_mut().poll(context).map(|()| Some(Err(BodyFault::Stalled)))
    }
}

#[cfg(test)]
mod tests;
