//! The content of a request as a handler has it: all of it, or as it comes in.
//!
//! What comes in is pulled by whoever reads: while nobody does, nothing is
//! read from the client, and `100 Continue` is not sent (RFC 9110 section
//! 10.1.1). It may be read on any thread, of a runtime or not, and ends with its
//! exchange, however long a handler keeps it.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use bytes::Bytes;
use http_body::Body as _;
use slimhttp_site::refusal::Refusal;
use tokio::runtime::Handle;

use crate::message::request_body::{BodyFault, IncomingBody, ReadTimeout, RequestBody};
use crate::net::connection_state::{CloseMode, ConnectionState};
use crate::sys::memory::BodyBuffer;

/// The content of a request.
#[derive(Clone, Debug)]
pub enum Content {
    /// All of it.
    Whole(Bytes),
    /// It is read as it comes in.
    Streamed(Arc<ContentStream>),
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

/// Why no more of a content comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentFault {
    /// The client's doing, and what it is to be answered: too long, too slow,
    /// malformed.
    Refused(Refusal),
    /// The client has left, or its request is answered already.
    Over,
}

impl fmt::Display for ContentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(Refusal::ContentTooLarge(most)) => {
                write!(f, "the body is longer than `max_body`, {most} bytes")
            }
            Self::Refused(Refusal::RequestTimeout) => {
                f.write_str("the client paused for longer than `body_timeout`")
            }
            Self::Refused(Refusal::BadRequest(what)) => f.write_str(what),
            Self::Refused(other) => write!(f, "{}", other.status()),
            Self::Over => f.write_str("the client has left, or its request has been answered"),
        }
    }
}

/// A content that comes in. One reads it at a time.
#[derive(Debug)]
pub struct ContentStream {
    max_body: u64,
    /// What bodies that are held may take together.
    max_memory: u64,
    /// Whose timers time the pauses of the client.
    runtime: Handle,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` once it has ended.
    source: Option<Source>,
    /// What has come before anybody has read.
    ahead: Option<Bytes>,
    received: u64,
    /// How it has ended: well unless there is a fault.
    fault: Option<ContentFault>,
    /// Who waits for more.
    waker: Option<Waker>,
}

struct Source {
    incoming: IncomingBody,
    /// What the head has announced.
    length: Option<u64>,
    timeout: ReadTimeout,
    connection: Arc<ConnectionState>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("length", &self.length).finish_non_exhaustive()
    }
}

/// Held by an exchange: its end is that of the content.
#[derive(Debug)]
pub(crate) struct ContentGuard(Arc<ContentStream>);

impl ContentGuard {
    /// Whether some of it may still come.
    pub(crate) fn is_unread(&self) -> bool {
        self.0.lock().source.is_some()
    }
}

impl Drop for ContentGuard {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl ContentStream {
    /// The content that comes in on `connection`, at most `max_body` bytes, with
    /// pauses of at most `timeout`; what is held of it ahead of its reader is of `max_memory`. It
    /// ends when the second of the pair does.
    pub(crate) fn open(
        incoming: IncomingBody,
        (max_body, max_memory): (u64, u64),
        timeout: Duration,
        connection: Arc<ConnectionState>,
    ) -> (Arc<Self>, ContentGuard) {
        let length = incoming.size_hint().exact();
        let timeout = ReadTimeout::new(timeout);
        let source = Source { incoming, length, timeout, connection };
        let state =
            State { source: Some(source), ahead: None, received: 0, fault: None, waker: None };
        let (runtime, state) = (Handle::current(), Mutex::new(state));
        let stream = Arc::new(Self { max_body, max_memory, runtime, state });
        (stream.clone(), ContentGuard(stream))
    }

    /// The next bytes, `None` at the end. Whoever has polled before and still waits is
    /// not woken any more.
    ///
    /// # Errors
    /// Too long, too slow, malformed, or over; every further call returns the same.
    pub fn poll_chunk(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, ContentFault>> {
        let mut state = self.lock();
        if let Some(ahead) = state.ahead.take() {
            return Poll::Ready(Ok(Some(ahead)));
        }
        let outcome = ready!(self.advance(&mut state, context));
        let ended = if matches!(outcome, Ok(Some(_))) {
            None
        } else {
            state.fault = outcome.as_ref().err().cloned();
            state.source.take()
        };
        state.waker = None;
        drop(state);
        drop(ended);
        Poll::Ready(outcome)
    }

    /// Waits until the content has ended or `least` bytes of it are here, for whoever reads it where
    /// waiting costs a thread. Called before anybody reads, in the task of the connection; that the
    /// client pauses or leaves is noticed as ever. What comes is held, and counts among the bodies
    /// that are: it is less than `least` bytes and one piece more. What is wrong with a content
    /// its reader learns, behind what has come before.
    ///
    /// # Errors
    /// There is no memory for it; the content is lost then.
    pub async fn prefetch(&self, least: u64) -> Result<(), Refusal> {
        let length = match &*self.lock() {
            State { ahead: None, source: Some(source), .. } => source.length,
            _ => return Ok(()),
        };
        let mut buffer = BodyBuffer::new(length.map(|length| length.min(least)), self.max_memory);
        while buffer.len() < least {
            let chunk = std::future::poll_fn(|context| self.poll_chunk(context)).await;
            let Ok(Some(chunk)) = chunk else { break };
            buffer.push(chunk)?;
            if length == Some(buffer.len()) {
                break;
            }
        }
        let ahead = buffer.finish();
        self.lock().ahead = (!ahead.is_empty()).then_some(ahead);
        Ok(())
    }

    /// Reading begins anew: the client's time counts from the next poll on.
    pub fn resume(&self) {
        if let Some(source) = &mut self.lock().source {
            source.timeout.restart();
        }
    }

    /// Takes back the body that nobody has read any of.
    pub(crate) fn reclaim(&self) -> Option<RequestBody> {
        let mut state = self.lock();
        if state.received > 0 {
            return None;
        }
        state.source.take().map(|source| RequestBody::Incoming(source.incoming))
    }

    fn advance(
        &self,
        state: &mut State,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, ContentFault>> {
        let Some(source) = &mut state.source else {
            return Poll::Ready(match &state.fault {
                Some(fault) => Err(fault.clone()),
                None => Ok(None),
            });
        };
        // A pause is timed by the runtime of the connection, whatever thread reads.
        let _entered = self.runtime.enter();
        loop {
            let Poll::Ready(frame) = source.timeout.poll_frame(&mut source.incoming, context)
            else {
                match &mut state.waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    none => *none = Some(context.waker().clone()),
                }
                return Poll::Pending;
            };
            let Some(frame) = frame else {
                // A connection that is cut says nothing of the content it breaks off.
                let short = source.length.is_some_and(|length| state.received < length);
                let cut = source.connection.close_mode() == CloseMode::Cut;
                return Poll::Ready(if short || cut { Err(ContentFault::Over) } else { Ok(None) });
            };
            let frame = match frame {
                Ok(frame) => frame,
                Err(BodyFault::Off(_)) => return Poll::Ready(Err(ContentFault::Over)),
                Err(fault) => {
                    return Poll::Ready(Err(ContentFault::Refused(fault.into_refusal())));
                }
            };
            // Trailers are not part of the content (RFC 9110 section 6.5).
            let Ok(data) = frame.into_data() else { continue };
            if data.is_empty() {
                continue;
            }
            state.received += data.len() as u64;
            if state.received > self.max_body {
                let refusal = Refusal::ContentTooLarge(self.max_body);
                return Poll::Ready(Err(ContentFault::Refused(refusal)));
            }
            return Poll::Ready(Ok(Some(data)));
        }
    }

    /// Ends it with its exchange.
    fn end(&self) {
        let mut state = self.lock();
        let (source, ahead) = (state.source.take(), state.ahead.take());
        if source.is_some() || ahead.is_some() {
            state.fault = Some(ContentFault::Over);
        }
        let waker = state.waker.take();
        drop(state);
        drop((source, ahead));
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[cfg(test)]
mod tests;
