//! The contexts (`contextvars`) in which a program's Python runs. Each request has
//! one, a copy of that of the thread which takes it: it sees what the program has
//! set at start, and what it sets itself nobody else ever sees. Its generator, its
//! task and its WebSocket go on in it.
//!
//! Contexts are no part of the stable interface of C, so they are entered as
//! Python enters them, by `Context.run`.

use pyo3::call::PyCallArgs;
use pyo3::exceptions::PyStopIteration;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};

/// What contexts are made and entered by.
pub(crate) struct Contexts {
    copy: Py<PyAny>,
    run: Py<PyAny>,
    next: Py<PyAny>,
}

impl Contexts {
    /// Looks everything up.
    ///
    /// # Errors
    /// When Python lacks something.
    pub(crate) fn new(py: Python<'_>) -> PyResult<Self> {
        let contextvars = py.import(intern!(py, "contextvars"))?;
        let builtins = py.import(intern!(py, "builtins"))?;
        Ok(Self {
            copy: contextvars.getattr(intern!(py, "copy_context"))?.unbind(),
            run: contextvars.getattr(intern!(py, "Context"))?.getattr(intern!(py, "run"))?.unbind(),
            next: builtins.getattr(intern!(py, "next"))?.unbind(),
        })
    }

    /// A copy of the one in which this thread is.
    ///
    /// # Errors
    /// When Python has no memory.
    pub(crate) fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.copy.bind(py).call0()
    }

    /// Calls within a context: `arguments` are the context, whom to call, and with
    /// what. It is entered by one thread at a time.
    ///
    /// # Errors
    /// Whatever is raised.
    pub(crate) fn run<'py>(
        &self,
        py: Python<'py>,
        arguments: impl PyCallArgs<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.run.bind(py).call1(arguments)
    }

    /// The next element of an iterator, which runs within `context`.
    ///
    /// # Errors
    /// Whatever it raises.
    pub(crate) fn next<'py>(
        &self,
        context: &Bound<'py, PyAny>,
        iterator: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = context.py();
        match self.run(py, (context, &self.next, iterator)) {
            Ok(element) => Ok(Some(element)),
            Err(error) if error.is_instance_of::<PyStopIteration>(py) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// For the garbage collector.
    ///
    /// # Errors
    /// Its own.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.copy)?;
        visit.call(&self.run)?;
        visit.call(&self.next)
    }
}
