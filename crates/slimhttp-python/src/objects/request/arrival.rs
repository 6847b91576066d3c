//! Who asks and for which address, the cookies that came along, and those that
//! are sent back.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use slimhttp_server::Request;
use slimhttp_site::client::Arrival;
use slimhttp_site::cookie;

/// How the request has come.
pub(super) fn arrival(request: &Request) -> Arrival<'_> {
    Arrival {
        peer: request.peer.ip(),
        tls: request.tls,
        uri: &request.uri,
        headers: &request.headers,
        trusted: &request.scope.options.trusted_proxies,
    }
}

/// The address at which the client sees what it asked for, as far as the path.
pub(super) fn base_url(request: &Request) -> String {
    let arrival = arrival(request);
    format!("{}://{}{}", arrival.scheme(), arrival.host(), request.uri.path())
}

/// The cookies: of a name that comes twice the first, which is that of the longer
/// path (RFC 6265 section 5.4).
///
/// # Errors
/// When Python has no memory.
pub(super) fn cookies<'py>(py: Python<'py>, request: &Request) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in cookie::pairs(&request.headers) {
        let name = String::from_utf8_lossy(name);
        if !dict.contains(&name)? {
            dict.set_item(name, String::from_utf8_lossy(value))?;
        }
    }
    Ok(dict)
}

/// Adds a cookie to the header fields of a response.
///
/// # Errors
/// `TypeError` and `ValueError` for what is no cookie.
pub(super) fn set_cookie(
    headers: &Bound<'_, PyAny>,
    name: &str,
    value: &str,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<()> {
    static SET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let set = SET.import(headers.py(), "slimHTTP._message._cookies", "set_on")?;
    set.call((headers, name, value), options).map(drop)
}
