//! The handler's end of a WebSocket, for `_net/_websocket.py`: what does not wait,
//! for the event loop, and what does, with Python released, for threads.

use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use slimhttp_bridge::pending_handshake::PendingHandshake;
use slimhttp_server::websocket::{
    CloseFrame, Message, NO_CODE, PingId, TryRecvError, TrySendError, WebSocket,
};

use crate::convert::bytes::read_bytes;
use crate::convert::errors;

/// The end of one WebSocket. Whatever is asked of one that is closed raises
/// WebSocketClosed, unless it says something else.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct WebSocketEnd {
    socket: WebSocket,
    pending_handshake: Arc<PendingHandshake>,
}

impl WebSocketEnd {
    pub(crate) fn new(socket: WebSocket, pending_handshake: Arc<PendingHandshake>) -> Self {
        Self { socket, pending_handshake }
    }

    /// The WebSocket, to be used: whoever does so has let its client in.
    fn used(&self) -> &WebSocket {
        self.pending_handshake.accept();
        &self.socket
    }

    /// Why nothing can be sent.
    fn closed_error(&self, py: Python<'_>) -> PyErr {
        let closure = self.socket.close_frame();
        closure.map_or_else(|| errors::websocket_closed(py, NO_CODE, ""), |it| closed(py, &it))
    }

    fn taken<T>(&self, py: Python<'_>, outcome: Result<T, TrySendError>) -> PyResult<Option<T>> {
        match outcome {
            Ok(taken) => Ok(Some(taken)),
            Err(TrySendError::Full) => Ok(None),
            Err(TrySendError::Closed) => Err(self.closed_error(py)),
        }
    }
}

fn closed(py: Python<'_>, closure: &CloseFrame) -> PyErr {
    errors::websocket_closed(py, closure.code, &closure.reason)
}

/// Seconds as Python gives them; None, and what no clock can count, is for ever.
fn read_timeout(seconds: Option<f64>) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds?.max(0.0)).ok()
}

fn read_message(message: &Bound<'_, PyAny>) -> PyResult<Message> {
    if let Ok(text) = message.cast::<PyString>() {
        return Ok(Message::Text(text.to_cow()?.into_owned().into()));
    }
    read_bytes(message)?.map(Message::Binary).ok_or_else(|| {
        PyTypeError::new_err(format!(
            "a message is str or bytes, not {}",
            message.get_type().name().map_or_else(|_| "that".to_owned(), |name| name.to_string())
        ))
    })
}

fn write_message<'py>(py: Python<'py>, message: &Message) -> Bound<'py, PyAny> {
    match message {
        Message::Text(text) => PyString::new(py, text.as_str()).into_any(),
        Message::Binary(bytes) => PyBytes::new(py, bytes).into_any(),
    }
}

fn write_received<'py>(
    py: Python<'py>,
    received: Result<Message, TryRecvError>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match received {
        Ok(message) => Ok(Some(write_message(py, &message))),
        Err(TryRecvError::Empty) => Ok(None),
        Err(TryRecvError::Closed(closure)) => Err(closed(py, &closure)),
    }
}

#[pymethods]
impl WebSocketEnd {
    /// The next message, or None where none has come yet; `_wake` is called when
    /// that may have changed. Likewise wherever nothing waits.
    fn receive<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        write_received(py, self.used().try_recv())
    }

    /// Waits for the next message; None where `timeout` seconds have passed.
    #[pyo3(signature = (timeout))]
    fn receive_within<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<f64>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let received = py.detach(|| self.used().recv_timeout(read_timeout(timeout)));
        write_received(py, received)
    }

    /// Takes a message to be sent; False where too many wait.
    fn send(&self, message: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = message.py();
        // First of all, for a message that is not taken need not be copied.
        if self.taken(py, self.used().try_ready())?.is_none() {
            return Ok(false);
        }
        let message = read_message(message)?;
        Ok(self.taken(py, self.used().try_send(message))?.is_some())
    }

    /// Waits until a message may be sent; False where `timeout` seconds have passed.
    #[pyo3(signature = (timeout))]
    fn room_within(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let room = py.detach(|| self.used().ready_timeout(read_timeout(timeout)));
        Ok(self.taken(py, room)?.is_some())
    }

    /// Takes a ping to be sent and gives its number; None where too much waits.
    /// ValueError for more than 125 bytes.
    #[pyo3(signature = (data))]
    fn ping(&self, py: Python<'_>, data: Option<Bound<'_, PyAny>>) -> PyResult<Option<u64>> {
        let read = |data: Bound<'_, PyAny>| {
            read_bytes(&data)?.ok_or_else(|| PyTypeError::new_err("expected str or bytes"))
        };
        let payload = data.map(read).transpose()?;
        if payload.as_ref().is_some_and(|payload| payload.len() > 125) {
            return Err(PyValueError::new_err("a ping has at most 125 bytes"));
        }
        Ok(self.taken(py, self.used().try_ping(payload))?.map(|PingId(number)| number))
    }

    /// Whether that ping was answered.
    fn answered(&self, py: Python<'_>, ping: u64) -> PyResult<bool> {
        self.used().has_pong(PingId(ping)).map_err(|closure| closed(py, &closure))
    }

    /// Waits until it is; False where `timeout` seconds have passed.
    #[pyo3(signature = (ping, timeout))]
    fn answered_within(&self, py: Python<'_>, ping: u64, timeout: Option<f64>) -> PyResult<bool> {
        let timeout = read_timeout(timeout);
        py.detach(|| self.used().pong_timeout(PingId(ping), timeout))
            .map_err(|closure| closed(py, &closure))
    }

    /// Closes, behind what waits to be sent. ValueError for a code that may not be
    /// sent, and for a reason of more than 123 bytes.
    fn close(&self, code: i64, reason: &str) -> PyResult<()> {
        // What is no code at all is not one that may be sent.
        let code = u16::try_from(code).unwrap_or(0);
        let closure = CloseFrame::new(code, reason)
            .map_err(|expected| PyValueError::new_err(format!("expected {expected}")))?;
        self.used().close(closure);
        Ok(())
    }

    /// `(code, reason)` once it has ended, None before; raises nothing.
    fn ended(&self) -> Option<(u16, String)> {
        self.socket.try_closed().map(|closure| (closure.code, closure.reason.into()))
    }

    /// Waits until it has; None where `timeout` seconds have passed.
    #[pyo3(signature = (timeout))]
    fn ended_within(&self, py: Python<'_>, timeout: Option<f64>) -> Option<(u16, String)> {
        py.detach(|| self.used().closed_timeout(read_timeout(timeout)))
            .map(|closure| (closure.code, closure.reason.into()))
    }

    /// Whether nothing can be sent any more.
    #[getter]
    fn closed(&self) -> bool {
        self.socket.is_closed()
    }

    /// The protocol that was agreed on.
    #[getter]
    fn subprotocol(&self) -> Option<&str> {
        self.socket.subprotocol()
    }
}

/// Gives one message to many ends, copied once; for each of them whether it was
/// taken.
#[pyfunction]
pub(crate) fn broadcast(
    ends: Vec<PyRef<'_, WebSocketEnd>>,
    message: &Bound<'_, PyAny>,
) -> PyResult<Vec<bool>> {
    let message = read_message(message)?;
    Ok(ends.iter().map(|end| end.used().try_send(message.clone()).is_ok()).collect())
}
