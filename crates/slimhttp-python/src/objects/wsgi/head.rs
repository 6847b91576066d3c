//! Status and header fields as an application gives them to `start_response`, checked while the
//! application still runs, so that what is wrong with them is raised where it is written.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE};
use http::header::{TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use pyo3::exceptions::{PyAssertionError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
use slimhttp_server::Body;

use crate::convert::fields::MAX_FIELDS;
use crate::convert::header_names;
use crate::convert::latin1;

/// Status and header fields of a response.
pub(crate) struct Head {
    /// The status. Its reason phrase is not kept: HTTP/2 has none, and RFC 9112 section 4 has
    /// clients pass over it.
    pub(crate) status: StatusCode,
    /// The header fields.
    pub(crate) fields: HeaderMap,
    /// The length that they announce.
    pub(crate) length: Option<u64>,
}

impl Head {
    /// What an application says.
    ///
    /// # Errors
    /// `TypeError`, `ValueError`, and `AssertionError` for fields that are the server's to send.
    pub(crate) fn read(status: &Bound<'_, PyAny>, headers: &Bound<'_, PyAny>) -> PyResult<Self> {
        let status = read_status(status)?;
        let Ok(headers) = headers.cast::<PyList>() else {
            let found = headers.get_type().name()?;
            return Err(PyTypeError::new_err(format!(
                "the headers of `start_response` are a list of tuples, not `{found}`"
            )));
        };
        let mut head =
            Self { status, fields: HeaderMap::with_capacity(headers.len().min(32)), length: None };
        for pair in headers.iter() {
            head.add(&pair)?;
        }
        Ok(head)
    }

    fn add(&mut self, pair: &Bound<'_, PyAny>) -> PyResult<()> {
        let pair = pair.cast::<PyTuple>().ok().filter(|pair| pair.len() == 2);
        let Some(pair) = pair else {
            return Err(PyTypeError::new_err("a header is a tuple of two str: name and value"));
        };
        let (name, value) = (pair.get_item(0)?, pair.get_item(1)?);
        let name = read_name(&name)?;
        let value = read_value(&name, &value)?;
        if name == CONTENT_LENGTH {
            if self.length.is_some() {
                return Err(PyValueError::new_err("there is more than one Content-Length"));
            }
            self.length = Some(read_length(&value)?);
        }
        if self.fields.len() >= MAX_FIELDS {
            let wrong = format!("an answer has at most {MAX_FIELDS} header fields");
            return Err(PyValueError::new_err(wrong));
        }
        self.fields.append(name, value);
        Ok(())
    }

    /// Whether the status leaves no room for content (RFC 9110 sections 15.3.5, 15.3.6 and
    /// 15.4.5).
    pub(crate) fn is_bodiless(&self) -> bool {
        use StatusCode as S;
        matches!(self.status, S::NO_CONTENT | S::RESET_CONTENT | S::NOT_MODIFIED)
    }

    /// The response to a request that gets no content: to HEAD, or by the status. The content
    /// would be of this `length`, where that is known.
    pub(crate) fn without_content(mut self, length: Option<u64>) -> Response<Body> {
        match self.status {
            // RFC 9110 section 8.6.
            StatusCode::NO_CONTENT => drop(self.fields.remove(CONTENT_LENGTH)),
            // RFC 9110 section 15.3.6.
            StatusCode::RESET_CONTENT => {
                self.fields.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            StatusCode::NOT_MODIFIED => {}
            _ => {
                if let (None, Some(length)) = (self.length, length) {
                    self.fields.insert(CONTENT_LENGTH, length.into());
                }
                // Of the length of what was not made nothing is said.
                return self.with_body(Body::Omitted);
            }
        }
        self.with_body(Body::Empty)
    }

    /// The response with all of its content.
    pub(crate) fn with_content(self, content: Bytes) -> Response<Body> {
        self.with_body(content.into())
    }

    /// The response with this body.
    pub(crate) fn with_body(self, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.fields;
        response
    }
}

fn read_status(status: &Bound<'_, PyAny>) -> PyResult<StatusCode> {
    let Ok(text) = status.cast::<PyString>() else {
        let found = status.get_type().name()?;
        return Err(PyTypeError::new_err(format!("a status is str, not `{found}`")));
    };
    match latin1::with_bytes(text, parse_status) {
        Some(status) => Ok(status),
        None => Err(PyValueError::new_err(format!(
            "a status is a number from 200 to 599 with its reason, such as `200 OK`, not {}",
            text.repr()?.to_string_lossy()
        ))),
    }
}

fn parse_status(text: &[u8]) -> Option<StatusCode> {
    let (code, reason) = text.split_at_checked(3)?;
    let is_apart = reason.first().is_none_or(|space| *space == b' ');
    let is_plain = reason.iter().all(|byte| *byte >= b' ' && *byte != 0x7f);
    let status = StatusCode::from_bytes(code).ok()?;
    (is_apart && is_plain && (200..600).contains(&status.as_u16())).then_some(status)
}

fn read_name(name: &Bound<'_, PyAny>) -> PyResult<HeaderName> {
    let Ok(text) = name.cast::<PyString>() else {
        let found = name.get_type().name()?;
        return Err(PyTypeError::new_err(format!("the name of a header is str, not `{found}`")));
    };
    let read = || latin1::with_bytes(text, |bytes| HeaderName::from_bytes(bytes).ok());
    let Some(known) = header_names::of(text, read) else {
        let shown = text.repr()?;
        let wrong = format!("{} is no name of a header", shown.to_string_lossy());
        return Err(PyValueError::new_err(wrong));
    };
    if is_hop_by_hop(&known) {
        return Err(PyAssertionError::new_err(format!(
            "the header `{known}` is about the connection, which is the server's (PEP 3333)"
        )));
    }
    Ok(known)
}

/// Whether a field is about one connection (RFC 9110 section 7.6.1), so that no application sends
/// it.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        *name,
        CONNECTION
            | PROXY_AUTHENTICATE
            | PROXY_AUTHORIZATION
            | TE
            | TRAILER
            | TRANSFER_ENCODING
            | UPGRADE
    ) || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "trailers")
}

fn read_value(name: &HeaderName, value: &Bound<'_, PyAny>) -> PyResult<HeaderValue> {
    let Ok(text) = value.cast::<PyString>() else {
        let found = value.get_type().name()?;
        let wrong = format!("the value of the header `{name}` is str, not `{found}`");
        return Err(PyTypeError::new_err(wrong));
    };
    let read = |bytes: &[u8]| HeaderValue::from_bytes(without_whitespace(bytes)).ok();
    let value = latin1::with_bytes(text, read);
    value.ok_or_else(|| {
        let shown = text.repr().map_or_else(|_| "that".into(), |shown| shown.to_string());
        PyValueError::new_err(format!(
            "the header `{name}` cannot be {shown}: it has a line break, a control character, or \
             one that is not of ISO-8859-1"
        ))
    })
}

/// A value without the whitespace around it (RFC 9110 section 5.5), to which line breaks do not
/// belong.
fn without_whitespace(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

fn read_length(value: &HeaderValue) -> PyResult<u64> {
    let digits = value.to_str().unwrap_or_default();
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number).ok_or_else(|| {
        PyValueError::new_err(format!("a Content-Length is one number of bytes, not {value:?}"))
    })
}
