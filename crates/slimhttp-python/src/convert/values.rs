//! The values of a request's attributes: from what the server knows to Python
//! objects. Each is a function of its arguments and keeps nothing.

use http::{StatusCode, header};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict};
use slimhttp_bridge::query;
use slimhttp_server::Request;
use slimhttp_site::route::{Param, Params};

/// The status that an object says.
///
/// # Errors
/// `TypeError` or `ValueError` when it is none that a response may have.
pub(crate) fn read_status(code: &Bound<'_, PyAny>) -> PyResult<StatusCode> {
    let Ok(number) = code.extract::<u16>() else {
        return Err(PyTypeError::new_err(format!(
            "`ret_code` is a number from 200 to 599, not {}",
            code.repr()?.to_string_lossy()
        )));
    };
    match StatusCode::from_u16(number) {
        Ok(status) if (200..600).contains(&number) => Ok(status),
        _ => Err(PyValueError::new_err(format!(
            "`ret_code` is a number from 200 to 599, not {number}"
        ))),
    }
}

/// RFC 9112 section 4: the reason phrase may be empty, its space may not.
pub(crate) fn status_line(status: StatusCode) -> String {
    format!("HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default())
}

/// The header fields as the original has them: lower-case bytes to bytes, a
/// repeated field joined; and `b'METHOD'`, `b'URL'`, `b'URI_QUERY'`.
///
/// # Errors
/// When Python has no memory.
pub(crate) fn headers_dict<'py>(
    py: Python<'py>,
    source: &Request,
    url: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    // HTTP/2 says `:authority` where HTTP/1 says `Host`; RFC 9113 section 8.3.1.
    if let Some(authority) = source.uri.authority()
        && !source.headers.contains_key(header::HOST)
    {
        dict.set_item(PyBytes::new(py, b"host"), PyBytes::new(py, authority.as_str().as_bytes()))?;
    }
    for name in source.headers.keys() {
        let mut values = source.headers.get_all(name).iter();
        let first = values.next().map(|value| value.as_bytes()).unwrap_or_default();
        let value = match values.next() {
            None => PyBytes::new(py, first),
            Some(second) => {
                // RFC 9110 section 5.3, and RFC 9113 section 8.2.3 for cookies.
                let separator: &[u8] = if name == header::COOKIE { b"; " } else { b", " };
                let mut joined = first.to_vec();
                for value in std::iter::once(second).chain(values) {
                    joined.extend_from_slice(separator);
                    joined.extend_from_slice(value.as_bytes());
                }
                PyBytes::new(py, &joined)
            }
        };
        dict.set_item(PyBytes::new(py, name.as_str().as_bytes()), value)?;
    }
    let query = PyDict::new(py);
    for (name, value) in query::pairs(query_of(source)) {
        query.set_item(PyBytes::new(py, &name.to_ascii_lowercase()), PyBytes::new(py, &value))?;
    }
    dict.set_item(
        PyBytes::new(py, b"METHOD"),
        PyBytes::new(py, source.method.as_str().as_bytes()),
    )?;
    dict.set_item(PyBytes::new(py, b"URL"), url)?;
    dict.set_item(PyBytes::new(py, b"URI_QUERY"), query)?;
    Ok(dict)
}

/// The query as the original has it: lower-case names, the last of a name wins.
///
/// # Errors
/// When Python has no memory.
pub(crate) fn query_dict<'py>(py: Python<'py>, source: &Request) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in query::pairs(query_of(source)) {
        let name = name.to_ascii_lowercase();
        dict.set_item(String::from_utf8_lossy(&name), String::from_utf8_lossy(&value))?;
    }
    Ok(dict)
}

/// The names and values of the query, every one as it was sent.
///
/// # Errors
/// When Python has no memory.
pub(crate) fn arguments<'py>(py: Python<'py>, source: &Request) -> PyResult<Bound<'py, PyAny>> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let pairs = query::pairs(query_of(source)).map(|(name, value)| (text(name), text(value)));
    let pairs: Vec<(String, String)> = pairs.collect();
    MAKE.import(py, "slimHTTP._message._forms", "read_query")?.call1((pairs,))
}

fn query_of(source: &Request) -> &[u8] {
    source.uri.query().unwrap_or_default().as_bytes()
}

/// The dict of what a pattern took from a path.
///
/// # Errors
/// When Python has no memory.
pub(crate) fn params_dict<'py>(py: Python<'py>, params: &Params) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in params {
        match value {
            Param::Text(text) => dict.set_item(&**name, text)?,
            Param::Integer(number) => dict.set_item(&**name, number)?,
        }
    }
    Ok(dict)
}

/// Whether the body says to be JSON: `application/json`, or a structured suffix
/// `+json` (RFC 6839 section 3.1).
pub(crate) fn is_json(request: &Request) -> bool {
    let Some(value) = request.headers.get(header::CONTENT_TYPE) else { return false };
    let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    essence == b"application/json" || essence.ends_with(b"+json")
}
