//! `start_response`, one for each request, and the `write` that it returns. It has the call until
//! it is answered, for `write` answers while the application still runs: on its thread, which
//! waits there, with Python released, until the client has taken what was written before.
//!
//! An application may keep it, and may call it while its iterable is sent. No Python runs under
//! the lock, not even the end of an object.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use parking_lot::{Mutex, MutexGuard};
use pyo3::exceptions::{PyAssertionError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use slimhttp_bridge::completion;
use slimhttp_bridge::job::{Call, InWords};
use slimhttp_bridge::sendfile_header;
use slimhttp_bridge::written_body::{self, Writer};
use slimhttp_server::{Answer, Body, Request};

use crate::convert::errors::ContentError;
use crate::objects::content::wait;
use crate::objects::unwanted::Unwanted;
use crate::objects::wsgi::head::Head;

/// The `start_response` of a request.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct StartResponse {
    request: Arc<Request>,
    /// What messages call the application.
    label: Arc<str>,
    state: Mutex<State>,
}

struct State {
    /// What was said last, until it is sent.
    head: Option<Head>,
    /// Whether anything was said.
    is_started: bool,
    sending: Sending,
}

enum Sending {
    /// Nothing is sent yet.
    Unsent(Call),
    /// The body is what `write` is given.
    Written(Arc<Written>),
    /// The call is answered otherwise.
    Answered,
}

impl StartResponse {
    /// That of a call that the application called `label` answers.
    pub(crate) fn new(call: Call, label: Arc<str>) -> Self {
        let request = call.request.clone();
        let sending = Sending::Unsent(call);
        let state = Mutex::new(State { head: None, is_started: false, sending });
        Self { request, label, state }
    }

    /// The request that is answered.
    pub(crate) fn request(&self) -> &Arc<Request> {
        &self.request
    }

    /// What messages call the application.
    pub(crate) fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// Whether nobody waits for an answer any more that was not sent yet.
    pub(crate) fn is_abandoned(&self) -> bool {
        matches!(&self.lock().sending, Sending::Unsent(call) if call.reply.is_closed())
    }

    /// The body that `write` has begun.
    pub(crate) fn written(&self) -> Option<Arc<Written>> {
        match &self.lock().sending {
            Sending::Written(written) => Some(written.clone()),
            _ => None,
        }
    }

    /// Takes the call and what was said, to answer it.
    ///
    /// # Errors
    /// `AssertionError` where nothing was said; then the call stays.
    pub(crate) fn take(&self) -> PyResult<(Call, Head)> {
        let mut state = self.lock();
        let wrong = if !state.is_started {
            "the application has not called `start_response`"
        } else if let Sending::Unsent(_) = state.sending {
            let head = state.head.take().expect("it was said and not sent");
            let Sending::Unsent(call) = std::mem::replace(&mut state.sending, Sending::Answered)
            else {
                unreachable!("it was looked at just now");
            };
            return Ok((call, head));
        } else {
            "the response was sent already"
        };
        Err(PyAssertionError::new_err(wrong))
    }

    /// Takes the call, if nothing is sent.
    pub(crate) fn take_call(&self) -> Option<Call> {
        let mut state = self.lock();
        if !matches!(state.sending, Sending::Unsent(_)) {
            return None;
        }
        match std::mem::replace(&mut state.sending, Sending::Answered) {
            Sending::Unsent(call) => Some(call),
            _ => None,
        }
    }

    /// Puts the call back that cannot be answered as was said: it fails.
    pub(crate) fn put_back(&self, call: Call) {
        self.lock().sending = Sending::Unsent(call);
    }

    /// Sends the head, and begins the body that `write` fills.
    fn begin_writing(&self) -> PyResult<Arc<Written>> {
        if let Some(written) = self.written() {
            return Ok(written);
        }
        let (call, mut head) = self.take()?;
        let announced = head.length;
        let sendfile =
            sendfile_header::answer(&self.request, &self.label, head.status, &mut head.fields);
        let (outcome, writer) = match sendfile {
            Some(outcome) => (outcome, None),
            None if self.request.method == Method::HEAD || head.is_bodiless() => {
                (Ok(Answer::Reply(head.without_content(None))), None)
            }
            None => {
                let (writer, body) = written_body::channel();
                (Ok(Answer::Reply(head.with_body(Body::stream(body)))), Some(writer))
            }
        };
        let unwanted = writer.is_none().then(Unwanted::new);
        let progress = Mutex::new(Progress { left: announced, unwanted });
        let request = self.request.clone();
        let written = Arc::new(Written { writer, announced, progress, request });
        self.lock().sending = Sending::Written(written.clone());
        call.answer(outcome);
        completion::notify_batched();
        Ok(written)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[pymethods]
impl StartResponse {
    #[pyo3(signature = (status, response_headers, exc_info=None))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        status: &Bound<'py, PyAny>,
        response_headers: &Bound<'py, PyAny>,
        exc_info: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let start = slf.get();
        // As PEP 3333 has it: `if exc_info`.
        let exc_info = match exc_info {
            Some(exc_info) if exc_info.is_truthy()? => Some(exc_info),
            _ => None,
        };
        let (is_started, is_sent) = {
            let state = start.lock();
            (state.is_started, !matches!(state.sending, Sending::Unsent(_)))
        };
        match exc_info {
            Some(exc_info) if is_sent => return Err(raised(exc_info)?),
            None if is_started => {
                return Err(PyAssertionError::new_err(
                    "`start_response` was called a second time without `exc_info`",
                ));
            }
            _ => {}
        }
        let head = Head::read(status, response_headers)?;
        let mut state = start.lock();
        state.is_started = true;
        let old = state.head.replace(head);
        drop(state);
        drop(old);
        slf.getattr(intern!(slf.py(), "write"))
    }

    /// Sends bytes now; waits until the client has taken those of before.
    fn write(&self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let Ok(data) = data.cast::<PyBytes>() else {
            let found = data.get_type().name()?;
            return Err(PyTypeError::new_err(format!("`write` takes bytes, not `{found}`")));
        };
        // PEP 3333: the head goes out with the first byte.
        if data.as_bytes().is_empty() {
            return Ok(());
        }
        self.begin_writing()?.write(data)
    }
}

/// The exception that `exc_info` holds, with its traceback.
fn raised(exc_info: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    let py = exc_info.py();
    let held = exc_info.cast::<PyTuple>().ok().filter(|held| held.len() == 3);
    let Some(held) = held else {
        return Err(PyTypeError::new_err("`exc_info` is a tuple as of `sys.exc_info()`"));
    };
    let (value, traceback) = (held.get_item(1)?, held.get_item(2)?);
    if value.is_none() {
        return Err(PyAssertionError::new_err("the response was sent already"));
    }
    let value = value.call_method1(intern!(py, "with_traceback"), (traceback,))?;
    Ok(PyErr::from_value(value))
}

/// A body that `write` fills.
pub(crate) struct Written {
    /// `None` where no content is sent: what is written is passed over.
    writer: Option<Writer>,
    announced: Option<u64>,
    progress: Mutex<Progress>,
    request: Arc<Request>,
}

struct Progress {
    /// What is yet to come of what was announced.
    left: Option<u64>,
    /// What comes beyond, once it does.
    unwanted: Option<Unwanted>,
}

impl Written {
    /// Whether nothing that is written is sent.
    pub(crate) fn is_without_content(&self) -> bool {
        self.writer.is_none()
    }

    /// Whether all that was announced is written.
    pub(crate) fn is_complete(&self) -> bool {
        self.progress.lock().left == Some(0)
    }

    /// Whether the client has left, or its connection needs no more.
    pub(crate) fn is_gone(&self) -> bool {
        self.writer.as_ref().is_some_and(Writer::is_gone)
    }

    /// Sends bytes, no more of all than were announced.
    ///
    /// # Errors
    /// `ClientDisconnected`, also where the client has long had all that it gets; and what a signal
    /// raises while this waits.
    pub(crate) fn write(&self, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        let py = data.py();
        let bytes = self.within(data.as_bytes()).ok_or_else(|| {
            let why = "the client has all that it gets of the response";
            ContentError::Disconnected.raised(py, why.to_owned())
        })?;
        let Some(writer) = self.writer.as_ref().filter(|_| !bytes.is_empty()) else {
            return Ok(());
        };
        let mut chunk = Some(Bytes::copy_from_slice(bytes));
        wait(py, |context| writer.poll_write(&mut chunk, context))?.map_err(|_gone| {
            ContentError::Disconnected.raised(py, "the client has left".to_owned())
        })
    }

    /// Those of `bytes` that are sent; the log says once that there are others than were announced.
    /// `None` where too many were passed over.
    fn within<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let mut progress = self.progress.lock();
        let sent = match (&self.writer, progress.left) {
            (None, _) => 0,
            (Some(_), None) => bytes.len(),
            (Some(_), Some(left)) => {
                let count = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                progress.left = Some(left - count as u64);
                count
            }
        };
        let excess = bytes.len() - sent;
        if excess > 0 {
            if self.writer.is_some() && progress.unwanted.is_none() {
                log_excess(&self.request, self.announced.unwrap_or_default());
            }
            if !progress.unwanted.get_or_insert_with(Unwanted::new).passes_over(excess) {
                return None;
            }
        }
        Some(&bytes[..sent])
    }

    /// All is written: the body ends, or breaks off where more was announced.
    pub(crate) fn finish(&self) {
        let Some(writer) = &self.writer else { return };
        match self.progress.lock().left {
            None | Some(0) => writer.end(),
            Some(_) => {
                let (request, announced) = (&self.request, self.announced.unwrap_or_default());
                tracing::error!(
                    "{}: the body is shorter than its Content-Length of {announced}",
                    InWords(request)
                );
                writer.abort();
            }
        }
    }

    /// The application has failed: the body breaks off.
    pub(crate) fn abort(&self) {
        if let Some(writer) = &self.writer {
            writer.abort();
        }
    }
}

/// Says in the log that a body was cut.
pub(crate) fn log_excess(request: &Request, announced: u64) {
    tracing::error!(
        "{}: the body is longer than its Content-Length of {announced}; the rest is not sent",
        InWords(request)
    );
}
