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
use pyo3::types::PyIterator;
use slimhttp_bridge::job::{Call, InWords, Job, Pull};
use slimhttp_bridge::job_id::JobId;
use slimhttp_bridge::outcome::ChunkOutcome;
use slimhttp_bridge::pulled_body::PulledBody;
use slimhttp_bridge::side::Side;
use slimhttp_server::{Answer, Body};

use crate::objects::callbacks::PyCallbacks;
use crate::objects::request::HttpRequest;
use crate::process::catch_panic::catch_panic;
use crate::run::dispatcher::Dispatcher;
use crate::run::response::{self, Head};
use crate::run::retained::{
    IteratorStream, Occupied, OpenedFile, PendingCall, Retained, UnopenedStream,
};
use crate::run::wsgi;

/// The stay of a thread in an iterator.
struct Visit<'d> {
    dispatcher: &'d Dispatcher,
    stream: JobId,
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if self.dispatcher.retained.leave(self.stream) {
            // Once more, for now it may be closed.
            self.dispatcher.bridge.queue.release(self.stream);
        }
    }
}

impl Dispatcher {
    /// The head goes out with the first chunk, so that a generator that raises
    /// before it is a 500, and `ret_code` set in its body is heard.
    pub(super) fn open_stream(
        &self,
        py: Python<'_>,
        pending: PendingCall,
        iterator: Bound<'_, PyIterator>,
        head: Option<Head>,
    ) -> PyResult<()> {
        let (request, read) = (pending.request.bind(py), response::read_chunk);
        let first = next_chunk(&self.callbacks, request, &iterator, &pending.what, read);
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
                let stream = self.bridge.next_id();
                let subject: Arc<str> = InWords(&pending.call.request).to_string().into();
                let host = pending.call.request.scope.name.clone();
                self.retained.keep(
                    stream,
                    Retained::Iterator(IteratorStream::new(
                        iterator.unbind(),
                        pending.request,
                        pending.what,
                        subject.clone(),
                        pending.call.request.scope.options.debug,
                    )),
                );
                let first = Some(first).filter(|first| !first.is_empty());
                let bridge = self.bridge.clone();
                let body = PulledBody::new(bridge, Side::Thread, stream, subject, host, first);
                body.of_length(announced)
            }
        };
        pending.call.reply.send(Ok(Answer::Reply(head.with_stream(body))));
        Ok(())
    }

    /// Leaves an iterator that may block to a thread, which [`Self::open_left`]s it.
    pub(super) fn leave_stream(
        &self,
        pending: PendingCall,
        iterator: Bound<'_, PyIterator>,
        head: Option<Head>,
    ) {
        let PendingCall { call, request, what } = pending;
        if call.reply.is_closed() {
            return; // A client that leaves later cancels by the call's id.
        }
        let unopened = UnopenedStream { iterator: iterator.unbind(), head, request, what };
        self.retained.keep(call.id, Retained::UnopenedStream(unopened));
        self.bridge.take_jobs([Job::Open(call)]);
    }

    /// Opens what the event loop has left to a thread.
    ///
    /// # Errors
    /// `KeyboardInterrupt`.
    pub(super) fn open_left(&self, py: Python<'_>, call: Call) -> PyResult<()> {
        // Without an iterator its client has left.
        let Some(Retained::UnopenedStream(unopened)) = self.retained.take(call.id) else {
            return Ok(());
        };
        let UnopenedStream { iterator, head, request, what } = unopened;
        let pending = PendingCall { call, request, what };
        self.open_stream(py, pending, iterator.into_bound(py), head)
    }

    /// Fetches a chunk.
    ///
    /// # Errors
    /// `KeyboardInterrupt`.
    pub(super) fn pull(&self, py: Python<'_>, pull: Pull) -> PyResult<()> {
        // Without an iterator the dropped slot ends the body.
        let Some(occupied) = self.retained.enter(py, pull.stream) else { return Ok(()) };
        let visit = Visit { dispatcher: self, stream: pull.stream };
        let Occupied { iterator, request, what, is_wsgi } = occupied;
        let read = if is_wsgi { wsgi::result::read_chunk } else { response::read_chunk };
        let next = next_chunk(&self.callbacks, request.bind(py), iterator.bind(py), &what, read);
        // Before the chunk is sent, for the next one may be asked for at once, on
        // another thread.
        drop(visit);
        let piece = match next {
            Ok(Some(chunk)) => {
                // Where the client has left meanwhile its body has released the id.
                pull.reply.send(ChunkOutcome::Chunk(chunk));
                return Ok(());
            }
            Ok(None) => Ok(ChunkOutcome::End),
            Err(error) => Err(error),
        };
        let Some(Retained::Iterator(stream)) = self.retained.take(pull.stream) else {
            return Ok(());
        };
        let outcome = match piece {
            Ok(piece) => {
                pull.reply.send(piece);
                Ok(())
            }
            Err(error) => {
                let outcome = self.report(py, &stream, error);
                pull.reply.send(ChunkOutcome::Fault);
                outcome
            }
        };
        self.bridge.arm_watchdog(); // What was sent does not wait for the iterator's end.
        self.close_stream(py, stream);
        outcome
    }

    /// Drops what is kept for owners that are gone.
    pub(crate) fn drop_released(&self, py: Python<'_>) {
        for id in self.bridge.queue.take_released() {
            match self.retained.take_unoccupied(id) {
                Some(Retained::Iterator(stream)) => {
                    if !self.bridge.loop_queue.is_closed() {
                        tracing::debug!("{}: the client has left the stream", stream.subject);
                    }
                    let what = stream.what.clone();
                    catch_panic(|| what, || self.close_stream(py, stream));
                }
                Some(Retained::OpenedFile(OpenedFile { iterable, request, what })) => {
                    let (iterable, request) = (iterable.bind(py), request.bind(py));
                    catch_panic(|| &what, || self.close_iterable(iterable, request, &what));
                }
                _ => {}
            }
        }
    }

    fn report(&self, py: Python<'_>, stream: &IteratorStream, error: PyErr) -> PyResult<()> {
        if error.is_instance_of::<PyKeyboardInterrupt>(py) {
            return Err(error);
        }
        self.failed(stream.request.bind(py), &error, &stream.what, stream.debug);
        Ok(())
    }

    /// Lets an iterator clean up here and now: its `finally` blocks run on a
    /// thread on which its body may run, and within its context.
    fn close_stream(&self, py: Python<'_>, stream: IteratorStream) {
        let closed = stream.iterable.as_ref().unwrap_or(stream.iterator.as_any());
        self.close_iterable(closed.bind(py), stream.request.bind(py), &stream.what);
    }

    /// Calls `close`, where there is one, within the context of the request.
    fn close_iterable(
        &self,
        iterable: &Bound<'_, PyAny>,
        request: &Bound<'_, HttpRequest>,
        what: &str,
    ) {
        let py = request.py();
        let Ok(close) = iterable.getattr(intern!(py, "close")) else { return };
        let closed = request
            .get()
            .context(py)
            .and_then(|context| self.callbacks.contexts.run(py, (context, close)));
        if let Err(error) = closed {
            let debug = request.get().source().scope.options.debug;
            self.failed(request, &error, what, debug);
        }
    }
}

fn next_chunk(
    callbacks: &PyCallbacks,
    request: &Bound<'_, HttpRequest>,
    iterator: &Bound<'_, PyIterator>,
    what: &str,
    read: fn(&Bound<'_, PyAny>, &str) -> PyResult<Bytes>,
) -> PyResult<Option<Bytes>> {
    let context = request.get().context(request.py())?;
    match callbacks.contexts.next(&context, iterator.as_any())? {
        None => Ok(None),
        Some(chunk) => read(&chunk, what).map(Some),
    }
}
