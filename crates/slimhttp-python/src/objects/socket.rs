//! `CLIENT_SOCKET`: a connection as hooks and identities see it. It looks like a
//! socket that does not block in reading; what is sent and received are the
//! bytes of an upgraded connection, and of no other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pyo3::exceptions::{PyAttributeError, PyBlockingIOError, PyConnectionError, PyTypeError};
use pyo3::exceptions::{PyTimeoutError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};
use slimhttp_bridge::connection::Connection;
use slimhttp_bridge::pipe::{NotSent, Received};

use crate::convert::bytes::read_bytes;
use crate::convert::errors;

/// Seconds that `send` waits for room unless `settimeout` says otherwise.
const DEFAULT_TIMEOUT: f64 = 60.0;

/// One connection.
#[pyclass(frozen, weakref, name = "CLIENT_SOCKET", module = "slimHTTP")]
pub(crate) struct Socket {
    pub(crate) connection: Arc<Connection>,
    /// The bits of the seconds that `send` waits; infinite: without end.
    timeout: AtomicU64,
}

impl Socket {
    /// The socket of a connection.
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        connection.is_exposed.store(true, Ordering::SeqCst);
        Self { connection, timeout: AtomicU64::new(DEFAULT_TIMEOUT.to_bits()) }
    }

    fn timeout(&self) -> Duration {
        let seconds = f64::from_bits(self.timeout.load(Ordering::Relaxed));
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

#[pymethods]
impl Socket {
    /// Send bytes of an upgraded connection, all of them; gives how many. Waits
    /// for room while the client is slow, a minute unless `settimeout` says
    /// otherwise.
    ///
    /// Raises slimHTTP_Error where the connection speaks HTTP, ConnectionError
    /// where it has ended, TimeoutError or BlockingIOError where there is no room.
    #[pyo3(signature = (data, flags=0))]
    fn send(&self, py: Python<'_>, data: &Bound<'_, PyAny>, flags: i64) -> PyResult<usize> {
        let _ = flags;
        let bytes = match read_bytes(data)? {
            Some(bytes) if !data.is_instance_of::<PyString>() => bytes,
            _ => {
                let found = data.get_type().name()?;
                return Err(PyTypeError::new_err(format!(
                    "expected bytes to send, found `{found}`"
                )));
            }
        };
        let count = bytes.len();
        let timeout = self.timeout();
        match py.detach(|| self.connection.pipe.send(bytes, timeout)) {
            Ok(()) => Ok(count),
            Err(NotSent::Http) => Err(errors::speaks_http(py)),
            Err(NotSent::Ended) => Err(PyConnectionError::new_err("the connection has ended")),
            Err(NotSent::Full) if timeout.is_zero() => {
                Err(PyBlockingIOError::new_err("the client takes no more for now"))
            }
            Err(NotSent::Full) => Err(PyTimeoutError::new_err("the client takes too little")),
        }
    }

    /// Send bytes of an upgraded connection, as `send`.
    #[pyo3(signature = (data, flags=0))]
    fn sendall(&self, py: Python<'_>, data: &Bound<'_, PyAny>, flags: i64) -> PyResult<()> {
        self.send(py, data, flags).map(drop)
    }

    /// Take at most `bufsize` bytes of what the client has sent; `b''` once it
    /// sends no more. Never waits.
    ///
    /// Raises BlockingIOError where nothing has come.
    #[pyo3(signature = (bufsize, flags=0))]
    fn recv<'py>(
        &self,
        py: Python<'py>,
        bufsize: usize,
        flags: i64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let _ = flags;
        match self.connection.pipe.receive(bufsize) {
            Received::Bytes(bytes) => Ok(PyBytes::new(py, &bytes)),
            Received::End => Ok(PyBytes::new(py, b"")),
            Received::Nothing => Err(PyBlockingIOError::new_err("nothing has come")),
        }
    }

    /// Whether bytes of the client wait to be taken.
    fn has_data(&self) -> bool {
        self.connection.pipe.waiting() > 0
    }

    /// How many bytes of the client wait to be taken.
    #[getter]
    fn waiting(&self) -> usize {
        self.connection.pipe.waiting()
    }

    /// End the connection: an upgraded one when what was sent is out, any other
    /// after the answer in flight.
    fn close(&self) {
        if !self.connection.pipe.close() {
            self.connection.info.connection.close();
        }
    }

    /// End the connection, as `close`; `how` has no meaning.
    #[pyo3(signature = (how=2))]
    fn shutdown(&self, how: i64) {
        let _ = how;
        self.close();
    }

    /// The number of the connection's descriptor, -1 once it has ended. A name:
    /// the descriptor is the server's, and is neither read from nor closed here.
    fn fileno(&self) -> i32 {
        if self.connection.info.connection.is_open() { self.connection.info.descriptor } else { -1 }
    }

    /// The client's address and port.
    fn getpeername<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        name_of(py, self.connection.info.peer)
    }

    /// Our address and port on this connection.
    fn getsockname<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        name_of(py, self.connection.info.local)
    }

    /// Let `send` wait so many seconds for room: 0 not at all, None without end.
    fn settimeout(&self, value: Option<f64>) -> PyResult<()> {
        let seconds = value.unwrap_or(f64::INFINITY);
        if seconds.is_nan() || seconds < 0.0 {
            return Err(PyValueError::new_err("expected seconds, or None"));
        }
        self.timeout.store(seconds.to_bits(), Ordering::Relaxed);
        Ok(())
    }

    /// The seconds that `send` waits for room.
    fn gettimeout(&self) -> Option<f64> {
        let seconds = f64::from_bits(self.timeout.load(Ordering::Relaxed));
        seconds.is_finite().then_some(seconds)
    }

    /// `settimeout(None)` or `settimeout(0)`.
    fn setblocking(&self, flag: bool) -> PyResult<()> {
        self.settimeout((!flag).then_some(0.0))
    }

    /// Whether the connection has been upgraded, and has not ended.
    #[getter]
    fn upgraded(&self) -> bool {
        self.connection.pipe.is_open()
    }

    /// Whether the answer to an upgrade has been begun.
    #[getter]
    fn answered(&self) -> bool {
        self.connection.pipe.has_answer()
    }

    /// Whether the program has heard of its end.
    #[getter]
    fn over(&self) -> bool {
        self.connection.is_end_reported.load(Ordering::SeqCst)
    }

    fn __getattr__(&self, name: &str) -> PyResult<Py<PyAny>> {
        Err(PyAttributeError::new_err(format!(
            "a CLIENT_SOCKET has no `{name}`: the socket itself is the server's"
        )))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other
            .cast::<Self>()
            .is_ok_and(|other| Arc::ptr_eq(&self.connection, &other.get().connection))
    }

    fn __hash__(&self) -> u64 {
        self.connection.id.0
    }

    fn __repr__(&self) -> String {
        format!("<CLIENT_SOCKET of {}>", self.connection)
    }
}

/// An address as Python's sockets name it.
fn name_of(py: Python<'_>, address: SocketAddr) -> PyResult<Bound<'_, PyTuple>> {
    (address.ip().to_canonical().to_string(), address.port()).into_pyobject(py)
}
