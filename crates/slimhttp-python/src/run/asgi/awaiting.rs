//! What `receive` and `send` give: coroutines of the extension. One that waits for nothing ends with
//! its first step, and no future is made; [`Done`] is the one object for all that has happened
//! already.

use parking_lot::Mutex;
use pyo3::exceptions::{PyBaseException, PyRuntimeError, PyStopIteration};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;
use slimhttp_server::websocket::Message;

use crate::run::asgi::exchange::Exchange;

/// A `send` that has done what it was asked.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(super) struct Done;

/// The one object of its kind: it has no state.
///
/// # Errors
/// When Python has no memory.
pub(super) fn done(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static DONE: PyOnceLock<Py<Done>> = PyOnceLock::new();
    let done = DONE.get_or_try_init(py, || Py::new(py, Done))?;
    Ok(done.bind(py).clone().into_any())
}

/// The protocol of coroutines (`collections.abc.Coroutine`).
#[pymethods]
impl Done {
    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self) -> Option<Py<PyAny>> {
        None
    }

    fn send(&self, _value: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(PyStopIteration::new_err(()))
    }

    #[pyo3(signature = (*error))]
    fn throw(&self, error: &Bound<'_, PyTuple>) -> PyResult<()> {
        Err(thrown(error)?)
    }

    fn close(&self) {}
}

/// What is awaited.
pub(super) enum Awaited {
    /// A message for the application.
    Receive,
    /// Room for what it sends next.
    Room,
    /// Room for this message of a WebSocket, until it is sent.
    WebSocketSend(Message),
    /// That others have run.
    Turn,
}

/// A `receive`, or a `send` that waits.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(super) struct Awaiting {
    exchange: Py<Exchange>,
    awaited: Awaited,
    state: Mutex<State>,
}

enum State {
    New,
    /// It lets others run first.
    Turned,
    /// It waits for this (the iterator of a future).
    Waiting(Py<PyAny>),
    Ended,
}

impl Awaiting {
    /// What waits for this.
    pub(super) fn new(exchange: &Bound<'_, Exchange>, awaited: Awaited) -> Self {
        Self { exchange: exchange.clone().unbind(), awaited, state: Mutex::new(State::New) }
    }

    /// Takes a step: what the loop shall wait for, or the result.
    fn step<'py>(&self, py: Python<'py>) -> PyResult<Step<'py>> {
        let state = std::mem::replace(&mut *self.state.lock(), State::Ended);
        let exchange = self.exchange.bind(py);
        let is_first = match state {
            State::Ended => {
                return Err(PyRuntimeError::new_err("cannot reuse already awaited coroutine"));
            }
            State::New if self.is_turn_due() => {
                *self.state.lock() = State::Turned;
                return Ok(Step::Wait(py.None().into_bound(py)));
            }
            State::New | State::Turned => true,
            State::Waiting(future) => {
                let mut future = future.into_bound(py).cast_into()?;
                if let Some(awaited) = Iterator::next(&mut future).transpose()? {
                    return Ok(self.wait(future.into_any(), awaited));
                }
                false
            }
        };
        if let Some(result) = exchange.get().poll(py, &self.awaited, is_first)? {
            return Ok(Step::Result(Some(result).filter(|result| !result.is_none())));
        }
        if !exchange.get().is_on_loop() {
            let wrong = "`receive` and `send` are awaited on the event loop of the server";
            return Err(PyRuntimeError::new_err(wrong));
        }
        let future = exchange.get().waiters.add(py)?;
        let mut future = future.call_method0(intern!(py, "__await__"))?.cast_into()?;
        let awaited = Iterator::next(&mut future).transpose()?;
        let awaited = awaited.ok_or_else(|| PyRuntimeError::new_err("a new future is done"))?;
        Ok(self.wait(future.into_any(), awaited))
    }

    /// Whether others are to run before anything else.
    fn is_turn_due(&self) -> bool {
        matches!(self.awaited, Awaited::Turn) || self.exchange.get().is_turn_due()
    }

    fn wait<'py>(&self, future: Bound<'py, PyAny>, awaited: Bound<'py, PyAny>) -> Step<'py> {
        *self.state.lock() = State::Waiting(future.unbind());
        Step::Wait(awaited)
    }
}

enum Step<'py> {
    Wait(Bound<'py, PyAny>),
    /// The end; `None` stands for Python's.
    Result(Option<Bound<'py, PyAny>>),
}

/// The protocol of coroutines.
#[pymethods]
impl Awaiting {
    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.step(py)? {
            Step::Wait(awaited) => Ok(Some(awaited)),
            Step::Result(None) => Ok(None),
            Step::Result(Some(result)) => Err(PyStopIteration::new_err((result.unbind(),))),
        }
    }

    fn send<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.__next__(value.py())?.ok_or_else(|| PyStopIteration::new_err(()))
    }

    /// As a rule it was cancelled: what it would have received stays for who asks next.
    #[pyo3(signature = (*error))]
    fn throw(&self, error: &Bound<'_, PyTuple>) -> PyResult<()> {
        *self.state.lock() = State::Ended;
        Err(thrown(error)?)
    }

    fn close(&self) {
        *self.state.lock() = State::Ended;
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.exchange)?;
        match self.state.try_lock().as_deref() {
            Some(State::Waiting(future)) => visit.call(future),
            _ => Ok(()),
        }
    }
}

/// The exception that is thrown in by `(exception,)` or `(type, value, traceback)`.
fn thrown(error: &Bound<'_, PyTuple>) -> PyResult<PyErr> {
    let value = error.get_item(1).ok().filter(|value| !value.is_none());
    let kind = error.get_item(0)?;
    Ok(match value {
        None => PyErr::from_value(kind),
        Some(value) if value.is_instance_of::<PyBaseException>() => PyErr::from_value(value),
        Some(value) => PyErr::from_value(kind.call1((value,))?),
    })
}
