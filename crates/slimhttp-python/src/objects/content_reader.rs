//! `request.stream()`: one object for `for` and for `async for`. The former waits on the handler's
//! thread, with Python released; the latter awaits a future, which the event loop's thread resolves
//! when the I/O thread has queued a job that says that content has come.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyBytes;
use slimhttp_bridge::bridge::Bridge;
use slimhttp_bridge::job_id::JobId;
use slimhttp_bridge::loop_queue::LoopJob;
use slimhttp_server::{ContentFault, ContentStream};

use crate::convert::asyncio::running_loop;
use crate::objects::callbacks::PyCallbacks;
use crate::objects::content::{error_of, next_chunk};

/// An iterator of the chunks of a content.
#[pyclass(name = "ContentStream", module = "slimHTTP", frozen)]
pub(crate) struct ContentReader {
    callbacks: Arc<PyCallbacks>,
    source: Source,
    awaited: Mutex<Awaited>,
}

/// Who awaits a chunk on an event loop.
#[derive(Default)]
struct Awaited {
    future: Option<Py<PyAny>>,
    /// Under which the reader is kept meanwhile; always the same.
    id: Option<JobId>,
}

enum Source {
    /// The content is there: its one chunk, until it was given.
    Whole(Mutex<Option<Py<PyAny>>>),
    /// It comes in.
    Streamed(Arc<ContentStream>),
}

/// Queues a job for the event loop, which then asks again. Woken on the I/O thread.
struct Notify {
    bridge: Arc<Bridge>,
    reader: JobId,
}

impl Wake for Notify {
    fn wake(self: Arc<Self>) {
        // A closed queue has cancelled everything already.
        let _ = self.bridge.hand_to_loop(LoopJob::Content(self.reader));
    }
}

impl ContentReader {
    /// The content that is there.
    pub(crate) fn whole(callbacks: Arc<PyCallbacks>, payload: Bound<'_, PyAny>) -> Self {
        let source = Source::Whole(Mutex::new(Some(payload.unbind())));
        Self { callbacks, source, awaited: Mutex::default() }
    }

    /// The content that comes in.
    pub(crate) fn streamed(callbacks: Arc<PyCallbacks>, stream: Arc<ContentStream>) -> Self {
        Self { callbacks, source: Source::Streamed(stream), awaited: Mutex::default() }
    }

    /// Content has come, or none will: on the loop's thread.
    ///
    /// # Errors
    /// What keeps the event loop from going on.
    pub(crate) fn arrived(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let Some(future) = slf.get().waiting(py) else { return Ok(()) };
        let its_loop = future.call_method0(intern!(py, "get_loop"))?;
        if its_loop.is(&running_loop(py)?) {
            return Self::deliver(slf, &future);
        }
        // Somebody reads on an event loop of their own.
        let deliver = slf.getattr(intern!(py, "_deliver"))?;
        its_loop.call_method1(intern!(py, "call_soon_threadsafe"), (deliver,)).map(drop)
    }

    /// Gives what has come to who awaits it.
    fn deliver(slf: &Bound<'_, Self>, future: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        // What comes for nobody stays for who asks next.
        if future.call_method0(intern!(py, "done"))?.is_truthy()? {
            slf.get().forget();
            return Ok(());
        }
        let outcome = match Self::poll(slf) {
            Poll::Pending => return Ok(()),
            Poll::Ready(outcome) => outcome,
        };
        slf.get().forget();
        let (method, value) = match outcome {
            Ok(Some(chunk)) => (intern!(py, "set_result"), PyBytes::new(py, &chunk).into_any()),
            Ok(None) => {
                let end = PyStopAsyncIteration::new_err(());
                (intern!(py, "set_exception"), end.into_value(py).into_bound(py).into_any())
            }
            Err(fault) => {
                let error = error_of(py, &fault).into_value(py);
                (intern!(py, "set_exception"), error.into_bound(py).into_any())
            }
        };
        future.call_method1(method, (value,)).map(drop)
    }

    /// Asks for the next chunk; who has to wait goes on by a job.
    fn poll(slf: &Bound<'_, Self>) -> Poll<Result<Option<Bytes>, ContentFault>> {
        let Source::Streamed(stream) = &slf.get().source else {
            return Poll::Ready(Ok(None));
        };
        let waiting = &slf.get().callbacks.waiting;
        let id = *slf.get().awaited().id.get_or_insert_with(|| waiting.bridge.next_id());
        // Kept first: the job may come at once.
        waiting.keep(id, slf.clone().into_any().unbind());
        let notify = Notify { bridge: waiting.bridge.clone(), reader: id };
        let waker = Waker::from(Arc::new(notify));
        let outcome = stream.poll_chunk(&mut Context::from_waker(&waker));
        if outcome.is_ready() {
            drop(waiting.take(id));
        }
        outcome
    }

    fn waiting<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.awaited().future.as_ref().map(|future| future.clone_ref(py).into_bound(py))
    }

    fn forget(&self) {
        let future = self.awaited().future.take();
        drop(future);
    }

    fn awaited(&self) -> MutexGuard<'_, Awaited> {
        self.awaited.lock()
    }

    fn take_whole(whole: &Mutex<Option<Py<PyAny>>>) -> Option<Py<PyAny>> {
        whole.lock().take()
    }
}

/// The chunk as it is iterated over, unless there is nothing in it.
fn filled<'py>(py: Python<'py>, chunk: Option<Py<PyAny>>) -> PyResult<Option<Bound<'py, PyAny>>> {
    match chunk {
        Some(chunk) if chunk.bind(py).is_truthy()? => Ok(Some(chunk.into_bound(py))),
        _ => Ok(None),
    }
}

#[pymethods]
impl ContentReader {
    fn __iter__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match &self.source {
            Source::Whole(whole) => filled(py, Self::take_whole(whole)),
            Source::Streamed(stream) => {
                let chunk = next_chunk(py, stream)?;
                Ok(chunk.map(|chunk| PyBytes::new(py, &chunk).into_any()))
            }
        }
    }

    fn __aiter__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    fn __anext__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (py, reader) = (slf.py(), slf.get());
        let new_future = || running_loop(py)?.call_method0(intern!(py, "create_future"));
        let chunk = match &reader.source {
            Source::Whole(whole) => filled(py, Self::take_whole(whole))?,
            Source::Streamed(stream) => {
                if let Some(other) = reader.waiting(py)
                    && !other.call_method0(intern!(py, "done"))?.is_truthy()?
                {
                    return Err(PyRuntimeError::new_err("another task reads this content"));
                }
                stream.resume();
                let future = new_future()?;
                reader.callbacks.ensure_loop(py)?;
                let old = reader.awaited().future.replace(future.clone().unbind());
                drop(old);
                match Self::poll(slf) {
                    Poll::Pending => return Ok(Some(future)),
                    Poll::Ready(outcome) => {
                        reader.forget();
                        let chunk = outcome.map_err(|fault| error_of(py, &fault))?;
                        chunk.map(|chunk| PyBytes::new(py, &chunk).into_any())
                    }
                }
            }
        };
        let Some(chunk) = chunk else { return Ok(None) };
        let future = new_future()?;
        future.call_method1(intern!(py, "set_result"), (chunk,))?;
        Ok(Some(future))
    }

    /// Called on the event loop of who awaits a chunk.
    fn _deliver(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let Some(future) = slf.get().waiting(py) else { return Ok(()) };
        Self::deliver(slf, &future)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Source::Whole(whole) = &self.source
            && let Some(whole) = whole.try_lock()
        {
            visit.call(&*whole)?;
        }
        match self.awaited.try_lock() {
            Some(awaited) => visit.call(&awaited.future),
            None => Ok(()),
        }
    }

    fn __clear__(&self) {
        self.forget();
        if let Source::Whole(whole) = &self.source {
            drop(Self::take_whole(whole));
        }
    }
}
