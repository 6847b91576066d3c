//! Answers that an iterator gives: the first chunk with the head, each further one
//! by a job, and the end, when the iterator has no more or the client has left.
//!
//! A client that leaves has nothing to do with the thread that is in its iterator
//! at that moment: whoever closes an iterator waits until nobody is in it.

use std::sync::Arc;

use bytes::Bytes;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyIterator;
use slimhttp_server::body::Body;
use slimhttp_server::handler::Answer;

use super::{Dispatcher, Kept, Pending};
use crate::objects::face::Face;
use crate::objects::request::HttpRequest;
use crate::process::catch_panic::contain;
use crate::run::response::{self, Head};
use slimhttp_bridge::job::{Call, InWords, Job, Pull};
use slimhttp_bridge::job_id::Ticket;
use slimhttp_bridge::outcome::Piece;
use slimhttp_bridge::pulled_body::PulledBody;
use slimhttp_bridge::side::Side;

/// An iterator with what its messages need.
pub(crate) struct Stream {
    iterator: Py<PyIterator>,
    request: Py<HttpRequest>,
    what: Arc<str>,
    /// The request in words.
    subject: Arc<str>,
    debug: bool,
    visited: Visited,
}

/// An iterator that an `async def` handler has returned, until a thread opens it.
pub(crate) struct Unopened {
    iterator: Py<PyIterator>,
    head: Option<Head>,
    request: Py<HttpRequest>,
    what: Arc<str>,
}

impl Unopened {
    /// For the garbage collector.
    ///
    /// # Errors
    /// Its own.
    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.iterator)?;
        visit.call(&self.request)
    }
}

/// Whether a thread is in an iterator.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visited {
    No,
    Now,
    /// And its client has left meanwhile.
    AndLeft,
}

impl Stream {
    /// For the garbage collector.
    ///
    /// # Errors
    /// Its own.
    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.iterator)?;
        visit.call(&self.request)
    }
}

/// The stay of a thread in an iterator.
struct Visit<'d> {
    dispatcher: &'d Dispatcher,
    stream: Ticket,
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let before = match self.dispatcher.lock().get_mut(&self.stream) {
            Some(Kept::Iterator(stream)) => std::mem::replace(&mut stream.visited, Visited::No),
            _ => Visited::No,
        };
        if before == Visited::AndLeft {
            // Once more, for now it may be closed.
            self.dispatcher.desk.queue.release(self.stream);
        }
    }
}

impl Dispatcher {
    /// The head goes out with the first chunk, so that a generator that raises
    /// before it is a 500, and `ret_code` set in its body is heard.
    pub(super) fn open_stream(
        &self,
        py: Python<'_>,
        pending: Pending,
        iterator: Bound<'_, PyIterator>,
        head: Option<Head>,
    ) -> PyResult<()> {
        let first = next_chunk(&self.face, pending.request.bind(py), &iterator, &pending.what);
        let opened = first.and_then(|first| {
            let head = match head {
                Some(head) => head,
                None => Head::of(pending.request.bind(py))?,
            };
            let announced = head.announced(first.is_some(), &pending.call.request.method)?;
            Ok((first, head, announced))
        });
        let (first, head, announced) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.fail(py, pending, error),
        };
        let body = match first {
            None => Body::Empty,
            Some(first) => {
                let stream = self.desk.ticket();
                let subject: Arc<str> = InWords(&pending.call.request).to_string().into();
                let host = pending.call.request.scope.name.clone();
                self.keep(
                    stream,
                    Kept::Iterator(Stream {
                        iterator: iterator.unbind(),
                        request: pending.request,
                        what: pending.what,
                        subject: subject.clone(),
                        debug: pending.call.request.scope.options.debug,
                        visited: Visited::No,
                    }),
                );
                let first = Some(first).filter(|first| !first.is_empty());
                let desk = self.desk.clone();
                let body = PulledBody::new(desk, Side::Thread, stream, subject, host, first);
                body.of_length(announced)
            }
        };
        pending.call.reply.send(Ok(Answer::Reply(head.with_stream(body))));
        Ok(())
    }

    /// Leaves an iterator that may block to a thread, which [`Self::open_left`]s it.
    pub(super) fn leave_stream(
        &self,
        pending: Pending,
        iterator: Bound<'_, PyIterator>,
        head: Option<Head>,
    ) {
        let Pending { call, request, what } = pending;
        if call.reply.is_closed() {
            return; // Who leaves later is told of by the call's ticket.
        }
        let unopened = Unopened { iterator: iterator.unbind(), head, request, what };
        self.keep(call.ticket, Kept::Unopened(unopened));
        self.desk.take_jobs([Job::Open(call)]);
    }

    /// Opens what the event loop has left to a thread.
    ///
    /// # Errors
    /// `KeyboardInterrupt`.
    pub(super) fn open_left(&self, py: Python<'_>, call: Call) -> PyResult<()> {
        // Without an iterator its client has left.
        let Some(Kept::Unopened(unopened)) = self.take(call.ticket) else { return Ok(()) };
        let Unopened { iterator, head, request, what } = unopened;
        let pending = Pending { call, request, what };
        self.open_stream(py, pending, iterator.into_bound(py), head)
    }

    /// Fetches a chunk.
    ///
    /// # Errors
    /// `KeyboardInterrupt`.
    pub(super) fn pull(&self, py: Python<'_>, pull: Pull) -> PyResult<()> {
        // Without an iterator the dropped slot ends the body.
        let Some((visit, iterator, request, what)) = self.visit(py, pull.stream) else {
            return Ok(());
        };
        let next = next_chunk(&self.face, request.bind(py), iterator.bind(py), &what);
        // Before the chunk is sent, for the next one may be asked for at once, on
        // another thread.
        drop(visit);
        let piece = match next {
            Ok(Some(chunk)) => {
                // A client that has left meanwhile gives the ticket back itself.
                pull.reply.send(Piece::Chunk(chunk));
                return Ok(());
            }
            Ok(None) => Ok(Piece::End),
            Err(error) => Err(error),
        };
        let Some(Kept::Iterator(stream)) = self.take(pull.stream) else { return Ok(()) };
        let outcome = match piece {
            Ok(piece) => {
                pull.reply.send(piece);
                Ok(())
            }
            Err(error) => {
                let outcome = self.report(py, &stream, error);
                pull.reply.send(Piece::Fault);
                outcome
            }
        };
        self.desk.attend(); // What was sent does not wait for the iterator's end.
        self.close_stream(py, stream);
        outcome
    }

    /// Drops what is kept for owners that are gone.
    pub(crate) fn drop_released(&self, py: Python<'_>) {
        for ticket in self.desk.queue.take_released() {
            if let Some(Kept::Iterator(stream)) = self.take_unvisited(ticket) {
                if !self.desk.loop_queue.is_closed() {
                    tracing::debug!("{}: the client has left the stream", stream.subject);
                }
                let what = stream.what.clone();
                contain(|| what, || self.close_stream(py, stream));
            }
        }
    }

    /// Enters an iterator.
    #[allow(clippy::type_complexity, reason = "taken apart where it is given")]
    fn visit(
        &self,
        py: Python<'_>,
        ticket: Ticket,
    ) -> Option<(Visit<'_>, Py<PyIterator>, Py<HttpRequest>, Arc<str>)> {
        let mut kept = self.lock();
        let Some(Kept::Iterator(stream)) = kept.get_mut(&ticket) else { return None };
        stream.visited = Visited::Now;
        let (iterator, request) = (stream.iterator.clone_ref(py), stream.request.clone_ref(py));
        let what = stream.what.clone();
        drop(kept);
        Some((Visit { dispatcher: self, stream: ticket }, iterator, request, what))
    }

    /// Takes what is kept for an owner that is gone, but for an iterator in which a
    /// thread is: that gives its ticket back when it leaves.
    fn take_unvisited(&self, ticket: Ticket) -> Option<Kept> {
        let mut kept = self.lock();
        match kept.get_mut(&ticket) {
            Some(Kept::Iterator(stream)) if stream.visited != Visited::No => {
                stream.visited = Visited::AndLeft;
                None
            }
            _ => kept.remove(&ticket),
        }
    }

    fn report(&self, py: Python<'_>, stream: &Stream, error: PyErr) -> PyResult<()> {
        if error.is_instance_of::<PyKeyboardInterrupt>(py) {
            return Err(error);
        }
        self.failed(stream.request.bind(py), &error, &stream.what, stream.debug);
        Ok(())
    }

    /// Lets an iterator clean up here and now: its `finally` blocks run on a
    /// thread on which its body may run, and within its context.
    fn close_stream(&self, py: Python<'_>, stream: Stream) {
        let request = stream.request.bind(py);
        let Ok(close) = stream.iterator.bind(py).getattr(intern!(py, "close")) else { return };
        let closed = request
            .get()
            .context(py)
            .and_then(|context| self.face.contexts.run(py, (context, close)));
        if let Err(error) = closed {
            self.failed(request, &error, &stream.what, stream.debug);
        }
    }
}

fn next_chunk(
    face: &Face,
    request: &Bound<'_, HttpRequest>,
    iterator: &Bound<'_, PyIterator>,
    what: &str,
) -> PyResult<Option<Bytes>> {
    let context = request.get().context(request.py())?;
    match face.contexts.next(&context, iterator.as_any())? {
        None => Ok(None),
        Some(chunk) => response::read_chunk(&chunk, what).map(Some),
    }
}
