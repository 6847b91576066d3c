//! What the extension asks of `asyncio`, and the two coroutines of its own with which the
//! event loop serves what is none itself. Called on the thread of an event loop.

use std::ffi::CString;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyModule, PyString};

/// Ends a coroutine that nobody will await, without Python's warning about it.
///
/// # Errors
/// What it raises as it ends.
pub(crate) fn close(awaitable: &Bound<'_, PyAny>) -> PyResult<()> {
    if let Ok(close) = awaitable.getattr(intern!(awaitable.py(), "close")) {
        close.call0()?;
    }
    Ok(())
}

/// Lets a coroutine of ours be called as what it serves, where that has a name: the log
/// and whoever looks at tasks name the program's own.
///
/// # Errors
/// When the name cannot be set.
pub(crate) fn name_after(coroutine: &Bound<'_, PyAny>, served: &Bound<'_, PyAny>) -> PyResult<()> {
    let attribute = intern!(coroutine.py(), "__qualname__");
    match served.getattr(attribute) {
        Ok(name) if name.is_instance_of::<PyString>() => coroutine.setattr(attribute, name),
        _ => Ok(()),
    }
}

/// Whether `error` is a `CancelledError`.
///
/// # Errors
/// When `asyncio` cannot be imported.
pub(crate) fn is_cancelled(py: Python<'_>, error: &PyErr) -> PyResult<bool> {
    let cancelled = py.import(intern!(py, "asyncio"))?.getattr(intern!(py, "CancelledError"))?;
    Ok(error.is_instance(py, &cancelled))
}

/// Lets `KeyboardInterrupt` end the event loop that runs on this thread, behind what it does now.
///
/// # Errors
/// `RuntimeError` where none does.
pub(crate) fn interrupt(py: Python<'_>) -> PyResult<()> {
    let raise = pump_module(py)?.getattr(intern!(py, "interrupt"))?;
    running_loop(py)?.call_method1(intern!(py, "call_soon"), (raise,)).map(drop)
}

/// The event loop that runs on this thread.
///
/// # Errors
/// `RuntimeError` where none does.
pub(crate) fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static RUNNING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    RUNNING.import(py, "asyncio", "get_running_loop")?.call0()
}

/// The Python functions that drive awaitables and async iterators.
///
/// # Errors
/// When Python has no memory.
pub(crate) fn pump_module(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static PUMP: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = PUMP.get_or_try_init(py, || {
        PyModule::from_code(
            py,
            &CString::new(include_str!("pump.py"))?,
            c"slimHTTP/pump.py",
            c"slimHTTP._pump",
        )
        .map(Bound::unbind)
    })?;
    Ok(module.bind(py))
}
