//! `HTTPError`: what a program raises, from however deep, to answer with a status
//! of its choice. It is an answer and no failure.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;
use slimhttp_bridge::outcome::CallOutcome;
use slimhttp_server::websocket::INTERNAL;
use slimhttp_server::{Answer, Body, HandlerFault};
use slimhttp_site::refusal::{Raised, Refusal};

use crate::convert::fields;
use crate::convert::values::read_status;
use crate::objects::callbacks::PyCallbacks;
use crate::run::response::{self, Head};

/// The code of a WebSocket that is closed for the client's doing.
const POLICY: u16 = 1008;

/// What is answered. A detail that is nothing or text becomes a page as of any
/// refusal, the scope's own where it has one; anything else, and text of which the
/// fields tell the type, is sent as a handler's answer is.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn outcome(
    callbacks: &PyCallbacks,
    py: Python<'_>,
    error: &PyErr,
) -> PyResult<CallOutcome> {
    let raised = error.value(py);
    let status = read_status(&raised.getattr(intern!(py, "status"))?)?;
    if status.as_u16() < 300 {
        let wrong = format!("an `HTTPError` has a status from 300 to 599, not {}", status.as_u16());
        return Err(PyValueError::new_err(wrong));
    }
    let mut fields = match raised.getattr(intern!(py, "headers"))? {
        headers if headers.is_none() => HeaderMap::new(),
        headers => fields::read_map(&headers)?,
    };
    let detail = raised.getattr(intern!(py, "detail"))?;
    let text = detail.cast::<PyString>().ok().filter(|_| !fields.contains_key(CONTENT_TYPE));
    if detail.is_none() && status.is_redirection() {
        let head = Head::new(status, fields);
        return Ok(Ok(Answer::Reply(head.with_body(Body::Empty, None))));
    }
    if detail.is_none() || text.is_some() {
        // How it is framed is the connection's to say.
        fields.remove(TRANSFER_ENCODING);
        fields.remove(CONTENT_LENGTH);
        // An unpaired surrogate, as of a name that is no UTF-8, becomes U+FFFD.
        let text = text.map(|text| text.to_string_lossy().into_owned());
        let refusal = Refusal::Raised(Box::new(Raised { status, text, fields }));
        return Ok(Err(HandlerFault::Refused(refusal, None)));
    }
    let Some((body, kind)) = response::read_body(callbacks, &detail)? else {
        let found = detail.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "the detail of an `HTTPError` is str, bytes, dict, list or None, not `{found}`"
        )));
    };
    Ok(Ok(Answer::Reply(Head::new(status, fields).with_body(body, Some(kind)))))
}

/// The code with which a WebSocket is closed that is open already (RFC 6455 section
/// 7.4.1): 1008 where the client is told no, 1011 where the server cannot.
pub(crate) fn close_code(py: Python<'_>, error: &PyErr) -> u16 {
    let status = error.value(py).getattr(intern!(py, "status"));
    match status.and_then(|status| read_status(&status)) {
        Ok(status) if status.is_server_error() => INTERNAL,
        _ => POLICY,
    }
}
