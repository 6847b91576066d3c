//! `HTTP_CLIENT_IDENTITY`: who asks, and the connection on which it asks, as far
//! as a program has to do with it. A program may derive from it.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple, PyWeakrefMethods, PyWeakrefReference};
use slimhttp_bridge::connection::Connection;
use slimhttp_bridge::pipe::Received;
use slimhttp_server::{ConnectionHandle, Request};

use crate::convert::errors;
use crate::objects::callbacks::PyCallbacks;
use crate::objects::request::HttpRequest;
use crate::objects::socket::Socket;

/// The event that says that bytes have come, `Events.CLIENT_DATA`.
const CLIENT_DATA: u8 = 0x40;
/// How many bytes `poll` takes at once unless `buffer_size` says otherwise.
const BUFFER_SIZE: usize = 8192;

/// The client of a request.
///
/// `HTTP_CLIENT_IDENTITY(request)` is one of the connection of a request,
/// `HTTP_CLIENT_IDENTITY(server, socket, address)` one of what `on_accept` is
/// given. Classes that derive from it may take whatever they like.
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
    /// Whether the connection may serve another request; of an upgraded one,
    /// whether it goes on. False ends it after the answer in flight.
    #[pyo3(get)]
    keep_alive: bool,
    /// Whether the connection ends.
    #[pyo3(get, set)]
    closing: bool,
    /// The number of the connection's descriptor where hooks are used, else -1.
    #[pyo3(get, set)]
    fileno: i32,
    /// The connection as a CLIENT_SOCKET where hooks are used, else None.
    #[pyo3(get, set)]
    socket: Option<Py<PyAny>>,
    /// Bytes of an upgraded connection that are not understood yet.
    #[pyo3(get, set)]
    buffer: Option<Py<PyAny>>,
    /// How many bytes are read at once.
    #[pyo3(get, set)]
    buffer_size: usize,
    /// Called when the connection ends.
    #[pyo3(get, set)]
    on_close: Option<Py<PyAny>>,
    connection: ConnectionHandle,
}

impl Identity {
    /// The identity of a request's connection: the one that Python keeps for it
    /// where it has met it, else a new one.
    ///
    /// # Errors
    /// What Python's side raises.
    pub(crate) fn of<'py>(
        callbacks: &PyCallbacks,
        request: &Request,
        object: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = object.py();
        if let Some(connection) = Connection::of(request.connection_data.as_ref()) {
            let id = connection.id.0;
            let socket = Bound::new(py, Socket::new(connection))?;
            let identity = callbacks.identity(py, (id, socket))?;
            if let Ok(built_in) = identity.cast::<Self>() {
                let request = PyWeakrefReference::new(object)?.unbind();
                // One that is just being used elsewhere stays as it is.
                if let Ok(mut built_in) = built_in.try_borrow_mut() {
                    built_in.request = Some(request);
                }
            }
            return Ok(identity);
        }
        // A handler may keep a request longer than its server lives.
        let instance =
            callbacks.instance(py).and_then(|instance| PyWeakrefReference::new(&instance));
        let identity = Self {
            server: instance.ok().map(Bound::unbind),
            request: Some(PyWeakrefReference::new(object)?.unbind()),
            address: request.peer.ip().to_canonical().to_string(),
            source_port: request.peer.port(),
            keep_alive: request.version >= http::Version::HTTP_11,
            connection: request.connection.clone(),
            ..Self::nobody(py)
        };
        Ok(Bound::new(py, identity)?.into_any())
    }

    fn nobody(py: Python<'_>) -> Self {
        Self {
            server: None,
            request: None,
            address: String::new(),
            source_port: 0,
            keep_alive: true,
            closing: false,
            fileno: -1,
            socket: None,
            buffer: Some(PyBytes::new(py, b"").into_any().unbind()),
            buffer_size: BUFFER_SIZE,
            on_close: None,
            connection: ConnectionHandle::default(),
        }
    }

    /// The socket, if it is one of ours.
    fn client_socket(slf: &Bound<'_, Self>) -> Option<Py<Socket>> {
        let py = slf.py();
        let socket = slf.borrow().socket.as_ref()?.clone_ref(py);
        socket.into_bound(py).cast_into::<Socket>().ok().map(Bound::unbind)
    }
}

#[pymethods]
impl Identity {
    #[new]
    #[pyo3(signature = (*args, **kwargs))]
    fn new(args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let py = args.py();
        let mut identity = Self::nobody(py);
        let keywords = kwargs.map(|kwargs| kwargs.values());
        let given = args.iter().chain(keywords.iter().flatten());
        for argument in given {
            if let Ok(request) = argument.cast::<HttpRequest>() {
                let source = request.get().source();
                identity.address = source.peer.ip().to_canonical().to_string();
                identity.source_port = source.peer.port();
                identity.connection = source.connection.clone();
                identity.request = Some(PyWeakrefReference::new(request.as_any())?.unbind());
                if let Some(connection) = Connection::of(source.connection_data.as_ref()) {
                    identity.socket = Some(Py::new(py, Socket::new(connection))?.into_any());
                }
                identity.server = weakly(&request.get().callbacks.instance(py)?);
            } else if argument.is_instance_of::<Socket>() {
                identity.socket = Some(argument.clone().unbind());
            } else if argument.hasattr(intern!(py, "process_new_client"))? {
                identity.server = weakly(&argument);
            }
        }
        if let Some(socket) = &identity.socket
            && let Ok(socket) = socket.bind(py).cast::<Socket>()
        {
            let info = &socket.get().connection.info;
            identity.address = info.peer.ip().to_canonical().to_string();
            identity.source_port = info.peer.port();
            identity.fileno = info.descriptor;
            identity.connection = info.connection.clone();
        }
        Ok(identity)
    }

    /// Takes whatever the constructor takes.
    #[pyo3(signature = (*args, **kwargs))]
    fn __init__(&self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) {
        let _ = (args, kwargs);
    }

    #[setter(keep_alive)]
    fn set_keep_alive(&mut self, value: bool) {
        self.keep_alive = value;
        if !value {
            self.connection.close();
        }
    }

    /// The instance that serves, or None once it is gone.
    #[getter]
    fn server<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.server.as_ref()?.bind(py).upgrade()
    }
    #[setter(server)]
    fn set_server(&mut self, value: &Bound<'_, PyAny>) {
        self.server = weakly(value);
    }

    /// The request, the newest of the connection; None once it is gone.
    #[getter]
    fn request<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.request.as_ref()?.bind(py).upgrade()
    }
    #[setter(request)]
    fn set_request(&mut self, value: &Bound<'_, PyAny>) {
        self.request = weakly(value);
    }

    /// Sends bytes of an upgraded connection, all of them; gives how many. See
    /// CLIENT_SOCKET. slimHTTP_Error where the connection speaks HTTP.
    fn send<'py>(slf: &Bound<'py, Self>, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let socket = slf.borrow().socket.as_ref().map(|socket| socket.clone_ref(py));
        match socket {
            Some(socket) => socket.bind(py).call_method1(intern!(py, "send"), (data,)),
            None => Err(errors::speaks_http(py)),
        }
    }

    /// Ends the connection: an upgraded one when what was sent is out, any other
    /// after the answer in flight.
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (socket, connection) = {
            let mut identity = slf.borrow_mut();
            identity.closing = true;
            identity.keep_alive = false;
            (identity.socket.as_ref().map(|it| it.clone_ref(py)), identity.connection.clone())
        };
        match socket {
            Some(socket) => socket.call_method0(py, intern!(py, "close")).map(drop),
            None => {
                connection.close();
                Ok(())
            }
        }
    }

    /// Takes bytes of an upgraded connection that have come, at most
    /// `buffer_size`, to the end of `buffer`. Gives a list of what happened:
    /// `(Events.CLIENT_DATA, length of the buffer)`, or nothing. Never waits.
    #[pyo3(signature = (*args, **kwargs))]
    fn poll<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let _ = (args, kwargs);
        let py = slf.py();
        let Some(socket) = Self::client_socket(slf) else { return Ok(PyList::empty(py)) };
        let most = slf.borrow().buffer_size;
        let Received::Bytes(bytes) = socket.get().connection.pipe.receive(most) else {
            return Ok(PyList::empty(py));
        };
        let buffer = slf.getattr(intern!(py, "buffer"))?;
        let buffer = buffer.add(PyBytes::new(py, &bytes))?;
        let length = buffer.len()?;
        slf.setattr(intern!(py, "buffer"), buffer)?;
        PyList::new(py, [(CLIENT_DATA, length)])
    }

    /// What the bytes in `buffer` mean, as events: nothing, unless a class that
    /// derives from this one says it.
    fn build_request<'py>(&self, py: Python<'py>) -> Bound<'py, PyList> {
        PyList::empty(py)
    }

    /// Whether bytes of the client wait that nobody has understood.
    fn has_data(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let waits = Self::client_socket(slf)
            .is_some_and(|socket| socket.get().connection.pipe.waiting() > 0);
        Ok(waits || slf.getattr(intern!(slf.py(), "buffer"))?.is_truthy()?)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let class = slf.get_type().name()?;
        let identity = slf.borrow();
        Ok(format!("<{class} @ {}:{}>", identity.address, identity.source_port))
    }

    // The collector may come when the object has been made and nothing put into it
    // yet: `object.__new__` makes its dict then. All is zero at that moment, so that
    // whatever is visited has to be an `Option`.
    fn __traverse__(
        &self,
        visit: pyo3::pyclass::PyVisit<'_>,
    ) -> Result<(), pyo3::pyclass::PyTraverseError> {
        visit.call(&self.server)?;
        visit.call(&self.request)?;
        visit.call(&self.socket)?;
        visit.call(&self.buffer)?;
        visit.call(&self.on_close)
    }

    fn __clear__(&mut self) {
        self.socket = None;
        self.on_close = None;
    }
}

/// A weak reference, where the object can be weakly referred to.
fn weakly(object: &Bound<'_, PyAny>) -> Option<Py<PyWeakrefReference>> {
    PyWeakrefReference::new(object).ok().map(Bound::unbind)
}
