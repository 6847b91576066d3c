//! What a handler returned → what the server answers. Told apart by type, the
//! usual ones first; what is none of them is a fault that names the type.

use std::path::PathBuf;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyList, PyString};
use slimhttp_server::{Answer, Body};
use slimhttp_site::raw_reply;

use crate::convert::bytes::read_bytes;
use crate::convert::config::is_path_like;
use crate::convert::fields;
use crate::convert::json;
use crate::convert::values::read_status;
use crate::objects::callbacks::PyCallbacks;
use crate::objects::request::HttpRequest;
use crate::objects::upgrade_answer::UpgradeAnswer;
use crate::objects::websocket_route::WebSocketRoute;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What is expected of a handler, for the message of a fault.
const EXPECTED: &str = "HTTP_RESPONSE, bytes, str, dict, list, a file, an iterator or None";

/// What a result means.
pub(crate) enum ReturnValue<'py> {
    /// The answer is complete.
    Answer(Answer),
    /// A body that an iterator gives.
    Iterator(Bound<'py, PyIterator>, Option<Head>),
    /// A body that an async iterator gives.
    AsyncIterator(Bound<'py, PyAny>, Option<Head>),
    /// To be awaited.
    Awaitable(Bound<'py, PyAny>),
    /// A WebSocket.
    WebSocket(Bound<'py, WebSocketRoute>),
}

/// Status and header fields of a response, before its body.
pub(crate) struct Head {
    status: StatusCode,
    fields: HeaderMap,
}

impl Head {
    /// Of these.
    pub(crate) fn new(status: StatusCode, fields: HeaderMap) -> Self {
        Self { status, fields }
    }

    /// What the request says: `ret_code` and `response_headers`.
    ///
    /// # Errors
    /// `TypeError` and `ValueError` where they say nonsense.
    pub(crate) fn of(request: &Bound<'_, HttpRequest>) -> PyResult<Self> {
        let py = request.py();
        let request = request.get();
        let fields = match request.touched_response_headers(py) {
            Some(headers) => fields::read_map(&headers)?,
            None => HeaderMap::new(),
        };
        Ok(Self { status: request.status(py)?, fields })
    }

    /// The length that the fields announce for a stream, which gives `some`
    /// bytes to begin with or none at all.
    ///
    /// # Errors
    /// `ValueError` when it is no length (RFC 9110 section 8.6), or is not that
    /// of nothing.
    pub(crate) fn announced(&self, some: bool, method: &Method) -> PyResult<Option<u64>> {
        let mut values = self.fields.get_all(CONTENT_LENGTH).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let digits = value.to_str().unwrap_or_default();
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let length = digits.parse::<u64>().ok().filter(|_| is_number && values.next().is_none());
        let Some(length) = length else {
            let given = self.fields.get_all(CONTENT_LENGTH).iter().collect::<Vec<_>>();
            return Err(PyValueError::new_err(format!(
                "a Content-Length is one number of bytes, not {given:?}"
            )));
        };
        if length > 0 && !some && !self.is_bodiless() && method != Method::HEAD {
            return Err(PyValueError::new_err(format!(
                "the stream is empty, its Content-Length is {length}"
            )));
        }
        Ok(Some(length))
    }

    /// Whether the status leaves no room for content (RFC 9110 sections 15.3.5,
    /// 15.3.6 and 15.4.5).
    fn is_bodiless(&self) -> bool {
        use StatusCode as S;
        matches!(self.status, S::NO_CONTENT | S::RESET_CONTENT | S::NOT_MODIFIED)
    }

    /// The response with a body of which `kind` is the content type, unless the
    /// fields name another.
    pub(crate) fn with_body(mut self, body: Body, kind: Option<HeaderValue>) -> Response<Body> {
        // How a body is framed is the connection's to say. A length that a
        // handler gives is believed only of a stream; its end is checked there.
        self.fields.remove(TRANSFER_ENCODING);
        if !matches!(body, Body::Stream(_)) {
            self.fields.remove(CONTENT_LENGTH);
        }
        let bodiless = self.is_bodiless();
        // RFC 9110 section 8.6: 204 has no length; section 15.3.6: that of 205 is 0.
        if self.status == StatusCode::NO_CONTENT {
            self.fields.remove(CONTENT_LENGTH);
        } else if self.status == StatusCode::RESET_CONTENT {
            self.fields.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if let Some(kind) = kind
            && !bodiless
        {
            self.fields.entry(CONTENT_TYPE).or_insert(kind);
        }
        let mut response = Response::new(if bodiless { Body::Empty } else { body });
        *response.status_mut() = self.status;
        *response.headers_mut() = self.fields;
        response
    }

    /// The response with a body of HTML or text that is yet to come.
    pub(crate) fn with_stream(self, body: Body) -> Response<Body> {
        self.with_body(body, Some(HTML))
    }
}

/// Reads what a handler returned; `what` names the handler.
///
/// # Errors
/// The exception that says what is wrong with it.
pub(crate) fn read<'py>(
    callbacks: &PyCallbacks,
    request: &Bound<'py, HttpRequest>,
    result: Bound<'py, PyAny>,
    what: &str,
) -> PyResult<ReturnValue<'py>> {
    if result.is_none() {
        return Ok(ReturnValue::Answer(Answer::Pass));
    }
    if let Ok(bytes) = result.cast::<PyBytes>()
        && is_whole(callbacks, request, bytes, what)?
    {
        return read_raw(bytes.as_bytes()).map(ReturnValue::Answer);
    }
    let py = result.py();
    // Before all that it is not, which takes longer.
    if result.get_type().is(&callbacks.response_type) {
        return read_response(callbacks, request, &result, what);
    }
    if let Some((body, kind)) = read_body(callbacks, &result)? {
        let response = Head::of(request)?.with_body(body, Some(kind));
        return Ok(ReturnValue::Answer(Answer::Reply(response)));
    }
    if result.is_instance(callbacks.response_type.bind(py))? {
        return read_response(callbacks, request, &result, what);
    }
    if result.is_instance(callbacks.coroutine_type.bind(py))? {
        return Ok(ReturnValue::Awaitable(result));
    }
    if result.is_instance(callbacks.file_types.bind(py).as_any())? {
        let path = result.getattr(intern!(py, "path"))?;
        return read_file(request, &path).map(ReturnValue::Answer);
    }
    if is_path_like(&result)? {
        return read_file(request, &result).map(ReturnValue::Answer);
    }
    if let Ok(iterator) = result.cast::<PyIterator>() {
        return Ok(ReturnValue::Iterator(iterator.clone(), None));
    }
    if result.hasattr(intern!(py, "__anext__"))? {
        return Ok(ReturnValue::AsyncIterator(result, None));
    }
    if result.hasattr(intern!(py, "__await__"))? {
        return Ok(ReturnValue::Awaitable(result));
    }
    if let Ok(route) = result.cast::<WebSocketRoute>() {
        return Ok(ReturnValue::WebSocket(route.clone()));
    }
    if let Ok(switch) = result.cast::<UpgradeAnswer>()
        && let Some(answer) = switch.get().take()
    {
        return Ok(ReturnValue::Answer(answer));
    }
    let found = result.get_type().name()?;
    Err(PyTypeError::new_err(format!("{what} returned `{found}`, expected {EXPECTED}")))
}

/// The bytes of a chunk of a stream.
///
/// # Errors
/// `TypeError` when it is neither bytes nor str.
pub(crate) fn read_chunk(chunk: &Bound<'_, PyAny>, what: &str) -> PyResult<Bytes> {
    match read_bytes(chunk)? {
        Some(bytes) => Ok(bytes),
        None => {
            let found = chunk.get_type().name()?;
            Err(PyTypeError::new_err(format!("{what} yielded `{found}`, expected bytes or str")))
        }
    }
}

/// Whether a result is an answer that no task has to go on with.
pub(crate) fn is_final(result: &Bound<'_, PyAny>) -> bool {
    result.is_exact_instance_of::<PyString>()
        || result.is_exact_instance_of::<PyDict>()
        || result.is_exact_instance_of::<PyBytes>()
        || result.is_exact_instance_of::<PyList>()
}

/// Whether bytes are a whole response, head and body: such as say so by their
/// type, and such as begin with the head that was made for this request. What
/// they look like says nothing, for a client may have sent them.
fn is_whole(
    callbacks: &PyCallbacks,
    request: &Bound<'_, HttpRequest>,
    bytes: &Bound<'_, PyBytes>,
    what: &str,
) -> PyResult<bool> {
    let py = request.py();
    if !bytes.is_exact_instance_of::<PyBytes>() && bytes.is_instance(callbacks.raw_type.bind(py))? {
        return Ok(true);
    }
    if !raw_reply::looks_raw(bytes.as_bytes()) {
        return Ok(false);
    }
    if request.get().is_headed(py, bytes.as_bytes()) {
        return Ok(true);
    }
    callbacks.looks_raw(py, what)?;
    Ok(false)
}

/// A whole body and its content type; `None` for a type that is none.
///
/// # Errors
/// What keeps it from being JSON.
pub(crate) fn read_body(
    callbacks: &PyCallbacks,
    object: &Bound<'_, PyAny>,
) -> PyResult<Option<(Body, HeaderValue)>> {
    if let Some(bytes) = read_bytes(object)? {
        return Ok(Some((bytes.into(), HTML)));
    }
    if object.is_instance_of::<PyDict>() || object.is_instance_of::<PyList>() {
        let bytes = match json::text(object)? {
            Some(text) => text.into(),
            None => Bytes::copy_from_slice(callbacks.json(object)?.as_bytes()),
        };
        return Ok(Some((bytes.into(), JSON)));
    }
    Ok(None)
}

fn read_raw(raw: &[u8]) -> PyResult<Answer> {
    let reply = raw_reply::parse(raw).map_err(PyValueError::new_err)?;
    let head = Head { status: reply.status, fields: reply.headers };
    let body = Body::from(Bytes::copy_from_slice(&raw[reply.body_start..]));
    Ok(Answer::Reply(head.with_body(body, None)))
}

fn read_response<'py>(
    callbacks: &PyCallbacks,
    request: &Bound<'py, HttpRequest>,
    response: &Bound<'py, PyAny>,
    what: &str,
) -> PyResult<ReturnValue<'py>> {
    let py = response.py();
    let status = read_status(&response.getattr(intern!(py, "ret_code"))?)?;
    let mut fields = fields::read_map(&response.getattr(intern!(py, "headers"))?)?;
    if let Some(defaults) = request.get().touched_response_headers(py) {
        fields::add_missing(&mut fields, fields::read_map(&defaults)?)?;
    }
    let head = Head { status, fields };
    let payload = response.getattr(intern!(py, "payload"))?;
    if payload.is_none() {
        return Ok(ReturnValue::Answer(Answer::Reply(head.with_body(Body::Empty, None))));
    }
    if let Some((body, kind)) = read_body(callbacks, &payload)? {
        // An empty body is of no kind.
        let kind = if matches!(body, Body::Empty) { None } else { Some(kind) };
        return Ok(ReturnValue::Answer(Answer::Reply(head.with_body(body, kind))));
    }
    if let Ok(iterator) = payload.cast::<PyIterator>() {
        return Ok(ReturnValue::Iterator(iterator.clone(), Some(head)));
    }
    if payload.hasattr(intern!(py, "__anext__"))? {
        return Ok(ReturnValue::AsyncIterator(payload, Some(head)));
    }
    let found = payload.get_type().name()?;
    Err(PyTypeError::new_err(format!(
        "{what} returned HTTP_RESPONSE with `{found}` as its payload, \
         expected bytes, str, dict, list, an iterator or None"
    )))
}

fn read_file(request: &Bound<'_, HttpRequest>, path: &Bound<'_, PyAny>) -> PyResult<Answer> {
    let py = request.py();
    let path: PathBuf = match path.cast::<PyBytes>() {
        Ok(bytes) => {
            use std::os::unix::ffi::OsStrExt;
            std::ffi::OsStr::from_bytes(bytes.as_bytes()).into()
        }
        Err(_) => path.extract()?,
    };
    let fields = match request.get().touched_response_headers(py) {
        Some(headers) => fields::read_map(&headers)?,
        None => HeaderMap::new(),
    };
    Ok(Answer::File(path, fields))
}
