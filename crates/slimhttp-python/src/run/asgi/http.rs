//! A request of HTTP, as an application receives it: its content as it comes in, and then that it
//! is over.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use slimhttp_bridge::job::Call;
use slimhttp_server::{Content, ContentFault, ContentStream};
use slimhttp_site::refusal::Refusal;

use crate::run::asgi::exchange::{Exchange, Rest};
use crate::run::asgi::response::{End, Responder};

/// A message is given once it has so many bytes of what has come: with its last piece it is less
/// than twice as long.
const MESSAGE: usize = 256 * 1024;

/// What an application has received and sent.
pub(super) struct Http {
    content: Source,
    pub(super) response: Responder,
    /// Whether the application knows that nobody takes more of its response.
    pub(super) was_told: bool,
}

/// Where the rest of the content is.
enum Source {
    /// Here, all of it.
    Whole(Bytes),
    /// It comes in. One piece more was taken than was given, so that the last one says that it is.
    Streamed { stream: Arc<ContentStream>, ahead: Option<Bytes>, waker: Option<Waker> },
    /// All of it was given.
    Given,
}

/// A message for the application.
pub(super) enum Received {
    /// `http.request`, with these bytes, and whether there is more.
    Request(Vec<Bytes>, bool),
    /// `http.disconnect`.
    Disconnect,
}

/// Lets those who wait for content look again. Woken on the I/O thread.
struct Notify<F>(F);

impl<F: Fn() + Send + Sync> Wake for Notify<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

impl Http {
    /// Of a call.
    pub(super) fn new(call: Call) -> Self {
        let content = match &call.request.body {
            Content::Whole(bytes) => Source::Whole(bytes.clone()),
            Content::Streamed(stream) => {
                Source::Streamed { stream: stream.clone(), ahead: None, waker: None }
            }
        };
        Self { content, response: Responder::new(call), was_told: false }
    }

    /// The next message, if it is there.
    pub(super) fn poll_receive(&mut self, exchange: &Exchange, is_first: bool) -> Option<Received> {
        if self.response.is_over() {
            return Some(self.disconnect());
        }
        let (stream, ahead, waker) = match &mut self.content {
            Source::Given => return None,
            Source::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                self.content = Source::Given;
                return Some(Received::Request(vec![bytes], false));
            }
            Source::Streamed { stream, ahead, waker } => (stream, ahead, waker),
        };
        if is_first {
            stream.resume();
        }
        let waker = waker.get_or_insert_with(|| Waker::from(Arc::new(Notify(exchange.waker()))));
        let mut chunks: Vec<Bytes> = ahead.take().into_iter().collect();
        let mut size: usize = chunks.iter().map(Bytes::len).sum();
        loop {
            match stream.poll_chunk(&mut Context::from_waker(waker)) {
                Poll::Pending if chunks.is_empty() => return None,
                Poll::Pending => return Some(Received::Request(chunks, true)),
                Poll::Ready(Ok(Some(chunk))) if size >= MESSAGE => {
                    *ahead = Some(chunk);
                    return Some(Received::Request(chunks, true));
                }
                Poll::Ready(Ok(Some(chunk))) => {
                    size += chunk.len();
                    chunks.push(chunk);
                }
                Poll::Ready(Ok(None)) => {
                    self.content = Source::Given;
                    return Some(Received::Request(chunks, false));
                }
                // What came before is given first; the same fault comes again.
                Poll::Ready(Err(_)) if !chunks.is_empty() => {
                    return Some(Received::Request(chunks, true));
                }
                Poll::Ready(Err(fault)) => return Some(self.fault(fault)),
            }
        }
    }

    /// The content does not come: the client is told why, where it is its own doing, and the
    /// application that it is over.
    fn fault(&mut self, fault: ContentFault) -> Received {
        let why = fault.to_string();
        let refusal = match fault {
            ContentFault::Refused(refusal) => refusal,
            // One that has closed its side only still hears it.
            ContentFault::Over => Refusal::MalformedContent,
        };
        self.response.refuse(refusal, why);
        self.disconnect()
    }

    fn disconnect(&mut self) -> Received {
        self.was_told |= !self.response.is_complete();
        self.content = Source::Given;
        Received::Disconnect
    }

    /// The application has ended.
    pub(super) fn end(&mut self) -> Rest {
        self.content = Source::Given;
        match self.response.end() {
            End::Unanswered(call) => Rest::Call(call),
            End::BrokenOff => Rest::Unfinished("before its response was complete"),
            End::Complete => Rest::Nothing,
            End::Gone => Rest::Gone { was_told: self.was_told },
            End::Unwanted if self.was_told => Rest::Unwanted,
            End::Unwanted => Rest::Unfinished("before its response was complete"),
        }
    }
}

impl Received {
    /// As the dict that it is.
    ///
    /// # Errors
    /// When Python has no memory.
    pub(super) fn into_message(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let message = PyDict::new(py);
        let kind = intern!(py, "type");
        match self {
            Self::Disconnect => message.set_item(kind, intern!(py, "http.disconnect"))?,
            Self::Request(chunks, more) => {
                message.set_item(kind, intern!(py, "http.request"))?;
                message.set_item(intern!(py, "body"), joined(py, &chunks)?)?;
                message.set_item(intern!(py, "more_body"), more)?;
            }
        }
        Ok(message.into_any())
    }
}

/// The chunks as one object, copied once.
fn joined<'py>(py: Python<'py>, chunks: &[Bytes]) -> PyResult<Bound<'py, PyBytes>> {
    if let [chunk] = chunks {
        return Ok(PyBytes::new(py, chunk));
    }
    let size = chunks.iter().map(Bytes::len).sum();
    PyBytes::new_with(py, size, |mut buffer| {
        for chunk in chunks {
            let (here, rest) = buffer.split_at_mut(chunk.len());
            here.copy_from_slice(chunk);
            buffer = rest;
        }
        Ok(())
    })
}
