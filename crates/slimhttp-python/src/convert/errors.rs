//! The exceptions of our own, which are classes of `slimHTTP._errors`, written in Python: each is
//! looked up once for the process. The only file that names them.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use slimhttp_server::StartError;
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

/// `slimHTTP_Error` where bytes are sent on a connection that speaks HTTP.
pub(crate) fn speaks_http(py: Python<'_>) -> PyErr {
    let message = "this connection speaks HTTP: return the answer from the handler; bytes are sent \
                   on a connection that `on_upgrade` has taken";
    slimhttp_error(py, message.to_owned())
}

/// `WebSocketClosed`.
pub(crate) fn websocket_closed(py: Python<'_>, code: u16, reason: &str) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match CLASS.import(py, "slimHTTP._errors", "WebSocketClosed") {
        Ok(class) => PyErr::from_type(class.clone(), (code, reason.to_owned())),
        Err(missing) => missing,
    }
}

/// Whether `error` is an `HTTPError`.
pub(crate) fn is_http_error(py: Python<'_>, error: &PyErr) -> bool {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = CLASS.import(py, "slimHTTP._errors", "HTTPError");
    class.is_ok_and(|class| error.is_instance(py, class))
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

/// What may be wrong with the content of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentError {
    /// It is not what it says to be.
    Malformed,
    /// It is longer than it may be.
    TooLarge,
    /// The client paused for too long.
    Timeout,
    /// The client has left.
    Disconnected,
}

impl ContentError {
    const ALL: [Self; 4] = [Self::Malformed, Self::TooLarge, Self::Timeout, Self::Disconnected];

    fn class(self) -> (&'static PyOnceLock<Py<PyType>>, &'static str) {
        static CLASSES: [PyOnceLock<Py<PyType>>; 4] = [const { PyOnceLock::new() }; 4];
        let name = match self {
            Self::Malformed => "MalformedContent",
            Self::TooLarge => "ContentTooLarge",
            Self::Timeout => "ContentTimeout",
            Self::Disconnected => "ClientDisconnected",
        };
        (&CLASSES[self as usize], name)
    }

    /// The exception that says so.
    pub(crate) fn raised(self, py: Python<'_>, message: String) -> PyErr {
        let (class, name) = self.class();
        raise(py, class, name, message)
    }

    /// Which of them an exception is, if it is one.
    pub(crate) fn of(py: Python<'_>, error: &PyErr) -> Option<Self> {
        static BASE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        if !error.is_instance(py, BASE.import(py, "slimHTTP._errors", "ContentError").ok()?) {
            return None;
        }
        let is = |kind: &Self| {
            let (class, name) = kind.class();
            let class = class.import(py, "slimHTTP._errors", name);
            class.is_ok_and(|class| error.is_instance(py, class))
        };
        Self::ALL.into_iter().find(is)
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
