//! The body of a request: as it comes in, or collected because a handler has had it. Never longer
//! than `max_body`. An engine of HTTP makes it; a handler, an upstream or nobody reads it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body as HttpBody, Frame};
use slimhttp_site::refusal::Refusal;
use tokio::time::Sleep;

use crate::message::body::BodyError;
use crate::net::framing_fault::FaultCell;
use crate::sys::memory::BodyBuffer;

/// A body as an engine of HTTP reads it from a connection. It may be read on any thread, by
/// one reader at a time, and dropping it gives up what has not come in.
pub(crate) type IncomingBody =
    Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send + Sync>>;

/// A request body.
pub(crate) enum RequestBody {
    /// Not read yet.
    Incoming(IncomingBody),
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

    /// Reads all of it, at most `max_body` bytes, and keeps it for who is called
    /// next. All bodies that are held take `max_memory` bytes at most. Each
    /// pause of the client may last for `timeout`.
    ///
    /// # Errors
    /// Too long, too slow, malformed, no memory for it, or the client has left.
    pub(crate) async fn collect(
        &mut self,
        max_body: u64,
        max_memory: u64,
        timeout: Duration,
        fault: &FaultCell,
    ) -> Result<Bytes, Refusal> {
        let incoming = match self {
            Self::Collected(bytes) => return Ok(bytes.clone()),
            Self::Incoming(incoming) => incoming,
        };
        let bytes = if incoming.is_end_stream() {
            Bytes::new()
        } else {
            read(incoming, max_body, max_memory, timeout, fault).await?
        };
        *self = Self::Collected(bytes.clone());
        Ok(bytes)
    }
}

async fn read(
    incoming: &mut IncomingBody,
    max_body: u64,
    max_memory: u64,
    timeout: Duration,
    fault: &FaultCell,
) -> Result<Bytes, Refusal> {
    let mut timeout = ReadTimeout::new(timeout);
    let mut body = BodyBuffer::new(incoming.size_hint().exact(), max_memory);
    while let Some(frame) =
        std::future::poll_fn(|context| timeout.poll_frame(incoming, context)).await
    {
        let frame = frame.map_err(|broken| match (fault.get(), broken) {
            (Some(fault), _) => fault.refusal.clone(),
            (None, BodyFault::Stalled) => Refusal::RequestTimeout,
            (None, BodyFault::Off(_)) => Refusal::BadRequest("the body ended early"),
        })?;
        // Trailers are not part of the content (RFC 9110 section 6.5).
        let Ok(data) = frame.into_data() else { continue };
        if body.len() + data.len() as u64 > max_body {
            return Err(Refusal::ContentTooLarge(max_body));
        }
        body.push(data)?;
    }
    if !body.is_long() {
        return Ok(body.finish());
    }
    // The other connections of this thread would wait for the copy.
    let work = tokio::task::spawn_blocking(move || body.finish());
    work.await.map_err(|_| Refusal::Unavailable)
}

/// Why no more of a body comes.
#[derive(Debug)]
pub(crate) enum BodyFault {
    /// The client paused for too long.
    Stalled,
    /// It left, or sent what is no body.
    Off(BodyError),
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
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyFault::Off)));
        }
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        timer.as_mut().poll(context).map(|()| Some(Err(BodyFault::Stalled)))
    }
}

#[cfg(test)]
mod tests;
