//! The messages that an application sends, read from their dicts: what is in them, or what is wrong
//! with it.

use std::path::PathBuf;

use ::http::header::LINK;
use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use bytes::Bytes;
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use crate::convert::bytes::read_bytes;
use crate::convert::fields::MAX_FIELDS;
use crate::convert::header_names;

/// What is sent of a response.
pub(super) enum ResponseEvent {
    /// `http.response.start`.
    Start {
        status: StatusCode,
        fields: HeaderMap,
        /// Whether trailers follow the body.
        trailers: bool,
    },
    /// `http.response.body`.
    Body { chunk: Bytes, more: bool },
    /// `http.response.trailers`.
    Trailers { fields: HeaderMap, more: bool },
    /// `http.response.pathsend`.
    File(PathBuf),
    /// `http.response.early_hint`.
    EarlyHint(HeaderMap),
}

impl ResponseEvent {
    /// What it is called in messages, about a response in the place of a WebSocket too.
    pub(super) fn name(&self, is_denial: bool) -> &'static str {
        match self {
            Self::Start { .. } if is_denial => "websocket.http.response.start",
            Self::Body { .. } if is_denial => "websocket.http.response.body",
            Self::Start { .. } => "http.response.start",
            Self::Body { .. } => "http.response.body",
            Self::Trailers { .. } => "http.response.trailers",
            Self::File(_) => "http.response.pathsend",
            Self::EarlyHint(_) => "http.response.early_hint",
        }
    }
}

/// The dict that a message is, and its type.
///
/// # Errors
/// `TypeError`.
pub(super) fn open<'m, 'py>(
    message: &'m Bound<'py, PyAny>,
) -> PyResult<(&'m Bound<'py, PyDict>, Bound<'py, PyString>)> {
    let Ok(dict) = message.cast::<PyDict>() else {
        return Err(wrong_type("a message is a dict", message));
    };
    match get(dict, intern!(message.py(), "type"))? {
        Some(kind) => match kind.cast_into::<PyString>() {
            Ok(kind) => Ok((dict, kind)),
            Err(error) => Err(wrong_type("`type` is str", &error.into_inner())),
        },
        None => Err(PyTypeError::new_err("a message has a `type`")),
    }
}

/// Reads a message about a response of HTTP; `None` where it is of another type.
///
/// # Errors
/// `TypeError` and `ValueError`.
pub(super) fn response_event(
    message: &Bound<'_, PyDict>,
    kind: &Bound<'_, PyString>,
) -> PyResult<Option<ResponseEvent>> {
    let py = message.py();
    let is = |name: &Bound<'_, PyString>| kind.as_any().eq(name);
    if is(intern!(py, "http.response.body"))? {
        return body(message).map(Some);
    }
    if is(intern!(py, "http.response.start"))? {
        let mut event = start(message)?;
        if let ResponseEvent::Start { trailers, .. } = &mut event {
            *trailers = flag(message, intern!(py, "trailers"))?;
        }
        return Ok(Some(event));
    }
    Ok(Some(if is(intern!(py, "http.response.trailers"))? {
        let more = flag(message, intern!(py, "more_trailers"))?;
        ResponseEvent::Trailers { fields: fields(message)?, more }
    } else if is(intern!(py, "http.response.pathsend"))? {
        match get(message, intern!(py, "path"))? {
            Some(path) if path.is_instance_of::<PyString>() => ResponseEvent::File(path.extract()?),
            Some(path) => return Err(wrong_type("`path` is str", &path)),
            None => return Err(PyTypeError::new_err("`http.response.pathsend` has a `path`")),
        }
    } else if is(intern!(py, "http.response.early_hint"))? {
        ResponseEvent::EarlyHint(links(message)?)
    } else {
        return Ok(None);
    }))
}

/// Reads a message of the type `websocket.http.response.start` or `.body`.
///
/// # Errors
/// As [`response_event`].
pub(super) fn start(message: &Bound<'_, PyDict>) -> PyResult<ResponseEvent> {
    let py = message.py();
    let status = get(message, intern!(py, "status"))?;
    let status = status.ok_or_else(|| PyTypeError::new_err("a response has a `status`"))?;
    let Ok(number) = status.extract::<i64>() else {
        return Err(wrong_type("`status` is int", &status));
    };
    let known = u16::try_from(number).ok().filter(|number| (200..600).contains(number));
    let status = known.and_then(|number| StatusCode::from_u16(number).ok()).ok_or_else(|| {
        PyValueError::new_err(format!("`status` is a number from 200 to 599, not {number}"))
    })?;
    Ok(ResponseEvent::Start { status, fields: fields(message)?, trailers: false })
}

/// As [`start`].
///
/// # Errors
/// As [`response_event`].
pub(super) fn body(message: &Bound<'_, PyDict>) -> PyResult<ResponseEvent> {
    let py = message.py();
    let chunk = match get(message, intern!(py, "body"))? {
        None => Bytes::new(),
        Some(body) => bytes_of(&body, "`body` is bytes")?,
    };
    Ok(ResponseEvent::Body { chunk, more: flag(message, intern!(py, "more_body"))? })
}

/// The header fields of a message: any iterable of pairs of bytes, none where it has none.
///
/// # Errors
/// `TypeError` and `ValueError` that name the field.
pub(super) fn fields(message: &Bound<'_, PyDict>) -> PyResult<HeaderMap> {
    let Some(pairs) = get(message, intern!(message.py(), "headers"))? else {
        return Ok(HeaderMap::new());
    };
    let count = pairs.len().unwrap_or(0).min(MAX_FIELDS);
    let mut fields = HeaderMap::with_capacity(count);
    for pair in pairs.try_iter()? {
        if fields.len() == MAX_FIELDS {
            let wrong = format!("an answer has at most {MAX_FIELDS} header fields");
            return Err(PyValueError::new_err(wrong));
        }
        let (name, value) = field(&pair?)?;
        fields.append(name, value);
    }
    Ok(fields)
}

fn field(pair: &Bound<'_, PyAny>) -> PyResult<(HeaderName, HeaderValue)> {
    let (name, value) = match pair.cast::<PyTuple>() {
        Ok(tuple) if tuple.len() == 2 => (tuple.get_item(0)?, tuple.get_item(1)?),
        _ => {
            let mut items = pair.try_iter()?;
            match (items.next(), items.next(), items.next()) {
                (Some(name), Some(value), None) => (name?, value?),
                _ => return Err(PyValueError::new_err("`headers` are pairs of name and value")),
            }
        }
    };
    let name = read_name(&name)?;
    let value = with_bytes(&value, "the value of a header is bytes", |bytes| {
        HeaderValue::from_bytes(bytes).map_err(|_| {
            let shown = String::from_utf8_lossy(bytes);
            PyValueError::new_err(format!(
                "the header `{name}` cannot be {shown:?}: it has a line break or a control \
                 character"
            ))
        })
    })?;
    Ok((name, value))
}

fn read_name(name: &Bound<'_, PyAny>) -> PyResult<HeaderName> {
    if let Ok(bytes) = name.cast::<PyBytes>() {
        let read = || HeaderName::from_bytes(bytes.as_bytes()).ok();
        if let Some(known) = header_names::of(name, read) {
            return Ok(known);
        }
    }
    with_bytes(name, "the name of a header is bytes", |bytes| {
        HeaderName::from_bytes(bytes).map_err(|_| {
            let shown = String::from_utf8_lossy(bytes);
            PyValueError::new_err(format!("{shown:?} is no name of a header"))
        })
    })
}

/// The `Link` fields of an early hint.
fn links(message: &Bound<'_, PyDict>) -> PyResult<HeaderMap> {
    let mut fields = HeaderMap::new();
    let Some(links) = get(message, intern!(message.py(), "links"))? else { return Ok(fields) };
    for link in links.try_iter()? {
        let link = bytes_of(&link?, "`links` are bytes")?;
        let value = HeaderValue::from_maybe_shared(link)
            .map_err(|_| PyValueError::new_err("a link has a line break or a control character"))?;
        if fields.len() < MAX_FIELDS {
            fields.append(LINK, value);
        }
    }
    Ok(fields)
}

/// What stands under a key.
///
/// # Errors
/// When Python cannot tell.
pub(super) fn get<'py>(
    message: &Bound<'py, PyDict>,
    key: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    message.get_item(key)
}

fn flag(message: &Bound<'_, PyDict>, key: &Bound<'_, PyString>) -> PyResult<bool> {
    match get(message, key)? {
        Some(flag) => flag.is_truthy(),
        None => Ok(false),
    }
}

/// The bytes of an object, copied. Text is none.
///
/// # Errors
/// `TypeError` that says what was expected.
pub(super) fn bytes_of(object: &Bound<'_, PyAny>, expected: &str) -> PyResult<Bytes> {
    match object.is_instance_of::<PyString>() {
        true => Err(wrong_type(expected, object)),
        false => read_bytes(object)?.ok_or_else(|| wrong_type(expected, object)),
    }
}

fn with_bytes<R>(
    object: &Bound<'_, PyAny>,
    expected: &str,
    read: impl FnOnce(&[u8]) -> PyResult<R>,
) -> PyResult<R> {
    match object.cast::<PyBytes>() {
        Ok(bytes) => read(bytes.as_bytes()),
        Err(_) => read(&bytes_of(object, expected)?),
    }
}

/// `TypeError` that says what was expected.
pub(super) fn wrong_type(expected: &str, found: &Bound<'_, PyAny>) -> PyErr {
    match found.get_type().name() {
        Ok(name) => PyTypeError::new_err(format!("{expected}, not `{name}`")),
        Err(error) => error,
    }
}

/// `RuntimeError` about a message that does not stand in its place.
pub(super) fn out_of_place(kind: &str, why: &str) -> PyErr {
    PyRuntimeError::new_err(format!("unexpected ASGI message '{kind}': {why}"))
}
