//! A handler's coroutine with the call that it answers, as one coroutine of
//! which the event loop makes a task. The answer is sent in the very step in
//! which the handler returns, and not in a callback of the task's end, which
//! the loop would run a round later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};
use pyo3::call::PyCallArgs;
use pyo3::exceptions::{PyKeyboardInterrupt, PyStopIteration};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyString, PyTuple};
use slimhttp_bridge::side::Side;
use slimhttp_server::HandlerFault;

use crate::convert::asyncio::{close, is_cancelled};
use crate::process::catch_panic::catch_panic;
use crate::run::dispatcher::Dispatcher;
use crate::run::response;
use crate::run::retained::PendingCall;

/// The coroutine. What it does not know itself (`__name__`, `cr_frame` and
/// whatever else a debugger looks at) it asks the handler's coroutine.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct AnsweringCoroutine {
    dispatcher: Arc<Dispatcher>,
    coroutine: Py<PyAny>,
    /// `None` once it is answered.
    pending: Mutex<Option<PendingCall>>,
    /// Whether nothing of the handler has run yet.
    unstarted: AtomicBool,
}

impl AnsweringCoroutine {
    /// Answers the call of `pending` by what `coroutine` comes to.
    pub(crate) fn new(
        dispatcher: Arc<Dispatcher>,
        pending: PendingCall,
        coroutine: Bound<'_, PyAny>,
    ) -> Self {
        let (coroutine, pending) = (coroutine.unbind(), Mutex::new(Some(pending)));
        Self { dispatcher, coroutine, pending, unstarted: AtomicBool::new(false) }
    }

    /// The same for a coroutine that is all of the handler: until its first step the
    /// call may go back.
    pub(crate) fn unstarted(
        dispatcher: Arc<Dispatcher>,
        pending: PendingCall,
        coroutine: Bound<'_, PyAny>,
    ) -> Self {
        let answering = Self::new(dispatcher, pending, coroutine);
        answering.unstarted.store(true, Ordering::Relaxed);
        answering
    }

    /// Whether the call waits for its answer.
    pub(crate) fn is_pending(&self) -> bool {
        self.lock().is_some()
    }

    /// Answers the call by `error`, which is why there is no task.
    ///
    /// # Errors
    /// `KeyboardInterrupt`, with which the call may have been answered in the task's first step.
    pub(crate) fn give_up(&self, py: Python<'_>, error: PyErr) -> PyResult<()> {
        match self.take() {
            Some(pending) => self.dispatcher.fail(py, pending, error),
            None => Err(error),
        }
    }

    /// Takes a step by `method`: what the loop shall wait for, or `None` at the
    /// end, in which the call is answered.
    fn step<'py, A: PyCallArgs<'py>>(
        &self,
        py: Python<'py>,
        method: &Bound<'py, PyString>,
        argument: A,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if self.unstarted.swap(false, Ordering::Relaxed) && self.goes_back(py)? {
            return Ok(None);
        }
        let step = || self.coroutine.bind(py).call_method1(method, argument);
        let error = match catch_panic(|| self.what(), step) {
            Some(Ok(awaited)) => return Ok(Some(awaited)),
            Some(Err(error)) => error,
            None => {
                if let Some(pending) = self.take() {
                    drop(self.dispatcher.retained.take(pending.call.id));
                    pending.call.reply.send(Err(HandlerFault::Raised { page: None }));
                }
                return Ok(None);
            }
        };
        let result = match error.is_instance_of::<PyStopIteration>(py) {
            true => error.value(py).getattr(intern!(py, "value")),
            false => Err(error),
        };
        let Some(pending) = self.take() else {
            return result.map(|_| None);
        };
        drop(self.dispatcher.retained.take(pending.call.id));
        // The task is to know that it was cancelled, and the loop of Ctrl-C; of
        // everything else the handler's failure is logged here and nowhere else.
        let passed_on = match &result {
            Err(error) if is_cancelled(py, error)? || is_interrupt(error, py) => {
                Some(error.clone_ref(py))
            }
            _ => None,
        };
        if result.is_err() && pending.call.reply.is_closed() {
            // Cancelled because the client has left.
            return passed_on.map_or(Ok(None), Err);
        }
        if !result.as_ref().is_ok_and(response::is_final) {
            // Whoever goes on sees what the task has set.
            pending.request.get().follow_context(py)?;
        }
        let what = pending.what.clone();
        let settle = || self.dispatcher.settle(py, Side::Loop, pending, result);
        catch_panic(|| what, settle).unwrap_or(Ok(()))?;
        passed_on.map_or(Ok(None), Err)
    }

    /// Whether the call goes back as it begins: others that were handed to the loop
    /// with it have answered, and their connection has no more room.
    fn goes_back(&self, py: Python<'_>) -> PyResult<bool> {
        let full = |pending: &mut PendingCall| !pending.call.request.connection.has_room();
        let Some(pending) = self.lock().take_if(full) else { return Ok(false) };
        drop(self.dispatcher.retained.take(pending.call.id));
        let closed = close(self.coroutine.bind(py));
        pending.call.reply.send(Err(HandlerFault::NoRoom));
        closed.map(|()| true)
    }

    /// Who answers, for messages.
    fn what(&self) -> Arc<str> {
        self.lock().as_ref().map_or_else(|| "a task".into(), |pending| pending.what.clone())
    }

    fn take(&self) -> Option<PendingCall> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<PendingCall>> {
        self.pending.lock()
    }
}

fn ended() -> PyErr {
    PyStopIteration::new_err(())
}

fn is_interrupt(error: &PyErr, py: Python<'_>) -> bool {
    error.is_instance_of::<PyKeyboardInterrupt>(py)
}

/// The protocol of coroutines (`collections.abc.Coroutine`).
#[pymethods]
impl AnsweringCoroutine {
    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    /// As `send(None)`, which is what the loop mostly asks.
    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.step(py, intern!(py, "send"), (py.None(),))
    }

    fn send<'py>(&self, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = value.py();
        self.step(py, intern!(py, "send"), (value,))?.ok_or_else(ended)
    }

    #[pyo3(signature = (*error))]
    fn throw<'py>(&self, error: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let py = error.py();
        self.step(py, intern!(py, "throw"), error)?.ok_or_else(ended)
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.coroutine.bind(py).call_method0(intern!(py, "close")).map(drop)
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.coroutine.bind(py).getattr(name)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.coroutine.bind(py).repr()?.to_string())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.coroutine)?;
        match self.pending.try_lock().as_deref() {
            Some(Some(pending)) => visit.call(&pending.request),
            _ => Ok(()),
        }
    }
}
