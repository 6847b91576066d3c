//! The one door to Python exceptions of our own: they are classes of
//! `slimHTTP._errors`, written in Python.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use slimhttp_server::server::StartError;
use slimhttp_site::fault::Faults;

/// `ConfError` with every fault as its message.
pub(crate) fn conf_error(py: Python<'_>, faults: &Faults) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    raise(py, &CLASS, "ConfError", faults.to_string())
}

/// `slimHTTP_Error`.
pub(crate) fn slimhttp_error(py: Python<'_>, message: String) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    raise(py, &CLASS, "slimHTTP_Error", message)
}

/// `WebSocketClosed`.
pub(crate) fn websocket_closed(py: Python<'_>, code: u16, reason: &str) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match CLASS.import(py, "slimHTTP._errors", "WebSocketClosed") {
        Ok(class) => PyErr::from_type(class.clone(), (code, reason.to_owned())),
        Err(missing) => missing,
    }
}

/// Whether `error` is a `WebSocketClosed`.
pub(crate) fn is_websocket_closed(py: Python<'_>, error: &PyErr) -> bool {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = CLASS.import(py, "slimHTTP._errors", "WebSocketClosed");
    class.is_ok_and(|class| error.is_instance(py, class))
}

/// Why a server did not start.
pub(crate) fn start_error(py: Python<'_>, error: &StartError) -> PyErr {
    match error {
        StartError::Config(faults) => conf_error(py, faults),
        StartError::Listen { .. } => slimhttp_error(py, error.to_string()),
    }
}

fn raise(
    py: Python<'_>,
    class: &'static PyOnceLock<Py<PyType>>,
    name: &str,
    message: String,
) -> PyErr {
    match class.import(py, "slimHTTP._errors", name) {
        Ok(class) => PyErr::from_type(class.clone(), message),
        Err(missing) => missing,
    }
}
