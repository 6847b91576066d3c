//! Between an async iterator and the body of a response. The iterator is driven by a task on the
//! event loop's thread, which hands each chunk over and rests until the client takes more; all of
//! it runs there. A client that has left cancels the task.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use slimhttp_bridge::job::{InWords, Pull};
use slimhttp_bridge::job_id::JobId;
use slimhttp_bridge::outcome::ChunkOutcome;
use slimhttp_bridge::pulled_body::PulledBody;
use slimhttp_bridge::reply::ChunkReply;
use slimhttp_bridge::side::Side;
use slimhttp_server::{Answer, Body};

use crate::convert::asyncio::is_cancelled;
use crate::objects::request::HttpRequest;
use crate::process::catch_panic::catch_panic;
use crate::run::dispatcher::Dispatcher;
use crate::run::response::{self, Head};
use crate::run::retained::PendingCall;

/// Between an async iterator and the body of a response: at most one chunk, and
/// only when it was asked for.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct Channel {
    dispatcher: Arc<Dispatcher>,
    stream: JobId,
    call: JobId,
    what: Arc<str>,
    /// The request in words.
    subject: Arc<str>,
    state: Mutex<ChannelState>,
}

#[derive(Default)]
struct ChannelState {
    /// The call, until its answer is out with the first chunk.
    unanswered: Option<(PendingCall, Option<Head>)>,
    /// Where the chunk goes that the client waits for.
    asked: Option<ChunkReply>,
    /// The future on which the iterator rests.
    resting: Option<Py<PyAny>>,
    task: Option<Py<PyAny>>,
    /// Whether the task was cancelled, for nobody takes what comes.
    cancelled: bool,
    /// The request and whether it is debugged, once the answer is out.
    opened: Option<(Py<HttpRequest>, bool)>,
}

impl Channel {
    /// That of the stream which answers `pending`, kept under `stream`.
    pub(crate) fn new(
        dispatcher: Arc<Dispatcher>,
        stream: JobId,
        pending: PendingCall,
        head: Option<Head>,
    ) -> Self {
        let (call, what) = (pending.call.id, pending.what.clone());
        let subject = InWords(&pending.call.request).to_string().into();
        let state = ChannelState { unanswered: Some((pending, head)), ..ChannelState::default() };
        Self { dispatcher, stream, call, what, subject, state: Mutex::new(state) }
    }

    /// The task that drives the iterator.
    pub(crate) fn set_task(&self, task: Py<PyAny>) {
        self.lock().task = Some(task);
    }

    /// The client takes more.
    ///
    /// # Errors
    /// What keeps the event loop from going on.
    pub(crate) fn ask(&self, py: Python<'_>, pull: Pull) -> PyResult<()> {
        let mut state = self.lock();
        let old = state.asked.replace(pull.reply);
        let resting = state.resting.take();
        drop(state);
        drop(old);
        if let Some(future) = resting {
            let future = future.bind(py);
            if !future.call_method0(intern!(py, "done"))?.is_truthy()? {
                future.call_method1(intern!(py, "set_result"), (py.None(),))?;
            }
        }
        Ok(())
    }

    /// The client has left.
    ///
    /// # Errors
    /// What keeps the event loop from going on.
    pub(crate) fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        let mut state = self.lock();
        state.cancelled = true;
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.call_method0(py, intern!(py, "cancel"))?;
        }
        Ok(())
    }

    /// Sends the head, with the first chunk if there is one.
    fn open(
        &self,
        py: Python<'_>,
        pending: PendingCall,
        head: Option<Head>,
        first: Option<Bytes>,
    ) -> PyResult<()> {
        let head = head.map_or_else(|| Head::of(pending.request.bind(py)), Ok);
        let method = &pending.call.request.method;
        let announced = head.and_then(|head| Ok((head.announced(first.is_some(), method)?, head)));
        let (announced, head) = match announced {
            Ok(opened) => opened,
            Err(error) => {
                // Nobody will ask the iterator for more.
                self.cancel(py)?;
                return self.dispatcher.fail(py, pending, error);
            }
        };
        // From here on it is the body that says when the client leaves.
        drop(self.dispatcher.retained.take(self.call));
        let PendingCall { call, request, .. } = pending;
        let body = match first {
            None => Body::Empty,
            Some(first) => {
                let subject = InWords(&call.request).to_string().into();
                let host = call.request.scope.name.clone();
                let first = Some(first).filter(|first| !first.is_empty());
                let bridge = self.dispatcher.bridge.clone();
                let body = PulledBody::new(bridge, Side::Loop, self.stream, subject, host, first);
                body.of_length(announced)
            }
        };
        self.lock().opened = Some((request, call.request.scope.options.debug));
        call.reply.send(Ok(Answer::Reply(head.with_stream(body))));
        Ok(())
    }

    /// Says by the task's result how the stream ends.
    fn conclude(&self, task: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = task.py();
        let state = std::mem::take(&mut *self.lock());
        drop(self.dispatcher.retained.take(self.call));
        drop(self.dispatcher.retained.take(self.stream));
        let result = task.call_method0(intern!(py, "result"));
        match (state.unanswered, result) {
            (Some((pending, _)), Err(_)) if pending.call.reply.is_closed() => Ok(()),
            (Some((pending, head)), Ok(_)) => self.open(py, pending, head, None),
            (Some((pending, _)), Err(error)) => self.dispatcher.fail(py, pending, error),
            (None, result) => {
                // Nobody asks any more: the client has left, and this is cancelled.
                let asked = state.asked.filter(|reply| !reply.is_closed());
                if asked.is_none() && !self.dispatcher.bridge.loop_queue.is_closed() {
                    tracing::debug!("{}: the client has left the stream", self.subject);
                }
                let failed = match result {
                    Ok(_) => None,
                    Err(error) if asked.is_none() && is_cancelled(py, &error)? => None,
                    // Of what goes wrong while it cleans up the program wants to hear.
                    Err(error) => Some(error),
                };
                if let (Some(error), Some((request, debug))) = (&failed, &state.opened) {
                    self.dispatcher.failed(request.bind(py), error, &self.what, *debug);
                }
                if let Some(reply) = asked {
                    reply.send(if failed.is_none() {
                        ChunkOutcome::End
                    } else {
                        ChunkOutcome::Fault
                    });
                }
                Ok(())
            }
        }
    }

    /// Whether nobody takes what comes: the client has left or the server is closed. Until
    /// the answer is out it is the call that says so, and the task is cancelled by its id.
    fn is_cancelled(&self, state: &ChannelState) -> bool {
        state.cancelled
            || state.unanswered.as_ref().is_some_and(|(pending, _)| pending.call.reply.is_closed())
            || self.dispatcher.bridge.loop_queue.is_closed()
    }

    fn lock(&self) -> MutexGuard<'_, ChannelState> {
        self.state.lock()
    }
}

#[pymethods]
impl Channel {
    /// Hands a chunk over, unless the stream has been cancelled; whether it was not.
    /// `asked` is done once the client takes more.
    fn give(&self, chunk: &Bound<'_, PyAny>, asked: Py<PyAny>) -> PyResult<bool> {
        let py = chunk.py();
        let chunk = response::read_chunk(chunk, &self.what)?;
        let mut state = self.lock();
        if self.is_cancelled(&state) {
            return Ok(false);
        }
        let unanswered = state.unanswered.take();
        let waiting = state.asked.take();
        let old = state.resting.replace(asked);
        drop(state);
        drop(old);
        match (unanswered, waiting) {
            (Some((pending, head)), _) => self.open(py, pending, head, Some(chunk))?,
            // A client that has left releases the id, which cancels this.
            (None, Some(reply)) => reply.send(ChunkOutcome::Chunk(chunk)),
            (None, None) => {}
        }
        Ok(true)
    }

    /// Called when the task is done: the iterator has ended, raised, or was
    /// cancelled.
    fn finish(&self, task: &Bound<'_, PyAny>) -> PyResult<()> {
        catch_panic(|| &self.what, || self.conclude(task)).unwrap_or(Ok(()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(state) = self.state.try_lock() else { return Ok(()) };
        if let Some((pending, _)) = &state.unanswered {
            visit.call(&pending.request)?;
        }
        if let Some((request, _)) = &state.opened {
            visit.call(request)?;
        }
        visit.call(&state.resting)?;
        visit.call(&state.task)
    }
}
