//! The coroutine of which the event loop makes a task for each call: it calls the application in its
//! first step, so that all of the application runs as that task and within its context, and tells
//! the [`Exchange`] in the very step in which it ends.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use pyo3::exceptions::{PyAttributeError, PyStopIteration};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};

use pyo3::types::{PyDict, PyIterator, PyTuple};
use slimhttp_bridge::completion::Batch;

use crate::convert::asyncio::pump_module;
use crate::process::catch_panic::catch_panic;
use crate::run::asgi::exchange::Exchange;

/// The coroutine. What it does not know itself (`__qualname__`, `cr_frame` and whatever else a
/// debugger looks at) it asks the application's.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(super) struct ApplicationCoroutine {
    exchange: Py<Exchange>,
    /// `None` once the application is called.
    scope: Mutex<Option<Py<PyDict>>>,
    coroutine: OnceLock<Py<PyAny>>,
    /// By which the coroutine is run.
    steps: OnceLock<Py<PyIterator>>,
}

impl ApplicationCoroutine {
    /// What calls the application of an exchange.
    pub(super) fn new(exchange: &Bound<'_, Exchange>, scope: Bound<'_, PyDict>) -> Self {
        Self {
            exchange: exchange.clone().unbind(),
            scope: Mutex::new(Some(scope.unbind())),
            coroutine: OnceLock::new(),
            steps: OnceLock::new(),
        }
    }

    /// Takes a step by `advance`: what the loop shall wait for, or `None` at the end, in which the
    /// call is answered.
    fn step<'py>(
        &self,
        py: Python<'py>,
        advance: impl FnOnce(&Bound<'py, PyIterator>) -> PyResult<Option<Bound<'py, PyAny>>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        // The I/O thread is woken once for all that is sent in a step.
        let _batch = Batch::begin_unless_begun();
        let exchange = self.exchange.bind(py).get();
        if exchange.is_concluded() {
            return Ok(None);
        }
        exchange.begins_turn();
        let label = || Arc::clone(&exchange.hosted.label);
        let stepped = catch_panic(label, || match self.steps(py)? {
            Some(steps) => advance(&steps),
            None => Ok(None),
        });
        let result = match stepped {
            Some(Ok(Some(awaited))) => return Ok(Some(awaited)),
            Some(Ok(None)) => Ok(()),
            Some(Err(error)) if error.is_instance_of::<PyStopIteration>(py) => Ok(()),
            Some(Err(error)) => Err(error),
            None => {
                exchange.give_up();
                return Ok(None);
            }
        };
        if exchange.is_concluded() {
            return Ok(None);
        }
        catch_panic(label, || exchange.conclude(py, result)).unwrap_or(Ok(())).map(|()| None)
    }

    /// The steps of the application, which is called with the first of them. `None` where its
    /// call goes back.
    fn steps<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyIterator>>> {
        if let Some(steps) = self.steps.get() {
            return Ok(Some(steps.bind(py).clone()));
        }
        let scope = self.scope.lock().take();
        let exchange = self.exchange.bind(py);
        let Some(scope) = scope else { return Ok(None) };
        if exchange.get().goes_back() {
            return Ok(None);
        }
        let receive = exchange.getattr(intern!(py, "receive"))?;
        let send = exchange.getattr(intern!(py, "send"))?;
        let mut coroutine =
            exchange.get().hosted.callable.bind(py).call1((scope, receive, send))?;
        let steps = match coroutine.getattr(intern!(py, "__await__")) {
            Ok(steps) => steps.call0()?,
            Err(_) => {
                coroutine = pump_module(py)?.call_method1(intern!(py, "finish"), (coroutine,))?;
                coroutine.call_method0(intern!(py, "__await__"))?
            }
        };
        let steps = steps.cast_into::<PyIterator>()?;
        // Nobody else has taken the scope, so nobody has filled them.
        let _ = self.coroutine.set(coroutine.unbind());
        let _ = self.steps.set(steps.clone().unbind());
        Ok(Some(steps))
    }
}

/// The protocol of coroutines (`collections.abc.Coroutine`).
#[pymethods]
impl ApplicationCoroutine {
    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    /// As `send(None)`, which is what the loop mostly asks.
    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.step(py, |steps| Iterator::next(&mut steps.clone()).transpose())
    }

    fn send<'py>(&self, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = value.py();
        let step = match value.is_none() {
            true => self.__next__(py)?,
            false => {
                self.step(py, |steps| steps.call_method1(intern!(py, "send"), (value,)).map(Some))?
            }
        };
        step.ok_or_else(|| PyStopIteration::new_err(()))
    }

    #[pyo3(signature = (*error))]
    fn throw<'py>(&self, error: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let py = error.py();
        let throw = |steps: &Bound<'py, PyIterator>| {
            steps.call_method1(intern!(py, "throw"), error).map(Some)
        };
        self.step(py, throw)?.ok_or_else(|| PyStopIteration::new_err(()))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        drop(self.scope.lock().take());
        match self.steps.get() {
            Some(steps) => steps.call_method0(py, intern!(py, "close")).map(drop),
            None => Ok(()),
        }
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        match self.coroutine.get() {
            Some(coroutine) => coroutine.bind(py).getattr(name),
            None => Err(PyAttributeError::new_err(name.to_owned())),
        }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        match self.coroutine.get() {
            Some(coroutine) => Ok(coroutine.bind(py).repr()?.to_string()),
            None => Ok(format!("<{}>", self.exchange.get().hosted.label)),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.exchange)?;
        if let Some(coroutine) = self.coroutine.get() {
            visit.call(coroutine)?;
        }
        if let Some(steps) = self.steps.get() {
            visit.call(steps)?;
        }
        match self.scope.try_lock() {
            Some(scope) => visit.call(&*scope),
            None => Ok(()),
        }
    }
}
