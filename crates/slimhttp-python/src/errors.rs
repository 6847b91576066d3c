//! The one door to Python exceptions of our own: they are classes of
//! `slimHTTP._errors`, written in Python.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use slimhttp_server::server::StartError;
use slimhttp_site::fault::Faults;

/// `ConfError` with every fault as its message.
pub(crate) fn conf_error(py: Python<'_>, faults: &Faults) -> PyErr {
    conf_error_saying(py, faults.to_string())
}

/// `ConfError` that says this.
pub(crate) fn conf_error_saying(py: Python<'_>, message: String) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    raise(py, &CLASS, "ConfError", message)
}

/// `slimHTTP_Error`.
pub(crate) fn slimhttp_error(py: Python<'_>, message: String) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    raise(py, &CLASS, "slimHTTP_Error", message)
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
