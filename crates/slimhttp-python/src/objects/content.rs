//! The content of a request as Python reads it: all of it at once, and what its
//! bytes are. What is wrong with it is the client's doing, and so are the
//! exceptions that say so; let out of a handler, they are answered 4xx.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use pyo3::exceptions::{PyLookupError, PyRecursionError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyBytes;
use slimhttp_server::{Content, ContentFault, ContentStream, HandlerFault, Request};
use slimhttp_site::refusal::Refusal;

use crate::convert::errors;

/// How long a read may wait before it looks whether a signal has come.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(200);

/// Wakes the thread that waits for content, or for room.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The next bytes of a content, `None` at its end. Waits with the interpreter let
/// go.
///
/// # Errors
/// What keeps it from coming, and what a signal raises meanwhile.
pub(crate) fn next_chunk(py: Python<'_>, stream: &ContentStream) -> PyResult<Option<Bytes>> {
    stream.resume();
    wait(py, |context| stream.poll_chunk(context))?.map_err(|fault| error_of(py, &fault))
}

/// What `poll` gives in the end; waits for it on this thread, with the interpreter let go.
///
/// # Errors
/// What a signal raises meanwhile.
pub(crate) fn wait<T>(
    py: Python<'_>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> PyResult<T> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(outcome) = poll(&mut context) {
            return Ok(outcome);
        }
        py.detach(|| std::thread::park_timeout(SIGNAL_INTERVAL));
        py.check_signals()?;
    }
}

/// All of a content that nobody has read yet.
///
/// # Errors
/// As [`next_chunk`].
pub(crate) fn read_all<'py>(py: Python<'py>, content: &Content) -> PyResult<Bound<'py, PyBytes>> {
    let stream = match content {
        Content::Whole(bytes) => return Ok(PyBytes::new(py, bytes)),
        Content::Streamed(stream) => stream,
    };
    let mut whole = BytesMut::new();
    while let Some(chunk) = next_chunk(py, stream)? {
        whole.extend_from_slice(&chunk);
    }
    Ok(PyBytes::new(py, &whole))
}

/// The exception for a content that does not come.
pub(crate) fn error_of(py: Python<'_>, fault: &ContentFault) -> PyErr {
    use errors::ContentError as E;
    let kind = match fault {
        ContentFault::Refused(Refusal::ContentTooLarge(_)) => E::TooLarge,
        ContentFault::Refused(Refusal::RequestTimeout) => E::Timeout,
        ContentFault::Refused(_) => E::Malformed,
        ContentFault::Over => E::Disconnected,
    };
    kind.raised(py, fault.to_string())
}

/// What a handler that lets out an exception about its content has come to.
/// `None` for every other exception.
pub(crate) fn fault_of(py: Python<'_>, error: &PyErr, request: &Request) -> Option<HandlerFault> {
    use errors::ContentError as E;
    let refusal = match E::of(py, error)? {
        E::TooLarge => Refusal::ContentTooLarge(request.scope.options.max_body),
        E::Timeout => Refusal::RequestTimeout,
        // Nobody hears what a client is answered that has left.
        E::Malformed | E::Disconnected => Refusal::MalformedContent,
    };
    Some(HandlerFault::Refused(refusal, Some(error.value(py).to_string().into())))
}

/// The content type that the head names.
pub(crate) fn content_type(request: &Request) -> Option<&str> {
    request.headers.get(CONTENT_TYPE)?.to_str().ok()
}

/// The content as text, by the charset of its type, UTF-8 unless it names one.
///
/// # Errors
/// `MalformedContent` where it is no such text.
pub(crate) fn text<'py>(
    request: &Request,
    payload: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = payload.py();
    let parameter = content_type(request)
        .and_then(|value| slimhttp_site::media_type::parameter(value, "charset"));
    let charset = parameter.as_deref().unwrap_or("utf-8");
    payload.call_method1(intern!(py, "decode"), (charset,)).map_err(|error| {
        let wrong =
            error.is_instance_of::<PyValueError>(py) || error.is_instance_of::<PyLookupError>(py);
        if wrong {
            malformed(py, "the body is not the text that it says to be", error)
        } else {
            error
        }
    })
}

/// The object that a JSON text is.
///
/// # Errors
/// `MalformedContent` that says where it is none.
pub(crate) fn json<'py>(payload: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = payload.py();
    LOADS.import(py, "slimHTTP._message._json", "json_loads")?.call1((payload,)).map_err(|error| {
        let wrong = error.is_instance_of::<PyValueError>(py)
            || error.is_instance_of::<PyRecursionError>(py);
        if wrong { malformed(py, "the body is not JSON", error) } else { error }
    })
}

fn malformed(py: Python<'_>, what: &str, cause: PyErr) -> PyErr {
    let message = format!("{what}: {}", cause.value(py));
    let error = errors::ContentError::Malformed.raised(py, message);
    error.set_cause(py, Some(cause));
    error
}
