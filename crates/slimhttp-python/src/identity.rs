//! `HTTP_CLIENT_IDENTITY`: who asks. A plain object; the connection itself is
//! the server's and is not reached from here.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyWeakrefMethods, PyWeakrefReference};
use slimhttp_server::handler::Request;

use crate::face::Face;

/// The client of a request.
#[pyclass(name = "HTTP_CLIENT_IDENTITY", module = "slimHTTP", subclass, dict, weakref)]
pub(crate) struct Identity {
    server: Option<Py<PyWeakrefReference>>,
    request: Option<Py<PyWeakrefReference>>,
    /// The client's address as text; an IPv4 address always in its own form.
    #[pyo3(get, set)]
    address: String,
    /// The client's port.
    #[pyo3(get, set)]
    source_port: u16,
    /// Whether the connection may serve another request.
    #[pyo3(get, set)]
    keep_alive: bool,
    /// Whether the connection ends.
    #[pyo3(get, set)]
    closing: bool,
    /// The socket belongs to the server: always -1.
    #[pyo3(get)]
    fileno: i32,
    /// The socket belongs to the server: always None.
    #[pyo3(get)]
    socket: Option<Py<PyAny>>,
    /// Bytes read but not understood yet: always empty.
    #[pyo3(get)]
    buffer: Py<PyBytes>,
    /// How many bytes are read at once.
    #[pyo3(get, set)]
    buffer_size: usize,
    /// Called when the connection ends.
    #[pyo3(get, set)]
    on_close: Option<Py<PyAny>>,
}

impl Identity {
    /// The client of `request`, whose Python object is `object`.
    ///
    /// # Errors
    /// When Python has no memory.
    pub(crate) fn new(face: &Face, request: &Request, object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        // A handler may keep a request longer than its server lives.
        let instance = face.instance(py).and_then(|instance| PyWeakrefReference::new(&instance));
        Ok(Self {
            server: instance.ok().map(Bound::unbind),
            request: Some(PyWeakrefReference::new(object)?.unbind()),
            address: request.peer.ip().to_canonical().to_string(),
            source_port: request.peer.port(),
            keep_alive: request.version >= http::Version::HTTP_11,
            closing: false,
            fileno: -1,
            socket: None,
            buffer: PyBytes::new(py, b"").unbind(),
            buffer_size: 8192,
            on_close: None,
        })
    }
}

#[pymethods]
impl Identity {
    /// The instance that serves, or None once it is gone.
    #[getter]
    fn server<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.server.as_ref()?.bind(py).upgrade()
    }

    /// The request, or None once it is gone.
    #[getter]
    fn request<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.request.as_ref()?.bind(py).upgrade()
    }

    /// Whether bytes wait that no request has taken: never.
    fn has_data(&self) -> bool {
        false
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let class = slf.get_type().name()?;
        let identity = slf.borrow();
        Ok(format!("<{class} @ {}:{}>", identity.address, identity.source_port))
    }

    fn __traverse__(
        &self,
        visit: pyo3::pyclass::PyVisit<'_>,
    ) -> Result<(), pyo3::pyclass::PyTraverseError> {
        visit.call(&self.server)?;
        visit.call(&self.request)?;
        visit.call(&self.on_close)
    }

    fn __clear__(&mut self) {
        self.on_close = None;
    }
}
