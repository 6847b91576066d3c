//! The `scope` that an application is called with: what is known of a request before its content.

use std::net::{IpAddr, SocketAddr};

use ::http::Version;
use ::http::header::{HOST, TE};
use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use slimhttp_server::{ClientCertificate, Request};
use slimhttp_site::application::MountedApplication;
use slimhttp_site::client::Arrival;
use slimhttp_site::list_field;

use crate::convert::addresses::ip_text;
use crate::run::applications::Hosted;
use crate::run::asgi::websocket::subprotocols;

/// The version of ASGI.
const VERSION: &str = "3.0";
/// That of its specification of HTTP and WebSockets.
const SPECIFICATION: &str = "2.5";

/// That of a request.
///
/// # Errors
/// When Python has no memory.
pub(super) fn http<'py>(
    py: Python<'py>,
    request: &Request,
    place: &MountedApplication,
    hosted: &Hosted,
) -> PyResult<Bound<'py, PyDict>> {
    static TEMPLATE: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let arrival = arrival(request);
    let scope = common(&TEMPLATE, intern!(py, "http"), request, &arrival, place, hosted)?;
    scope.set_item(intern!(py, "method"), method(py, request))?;
    let scheme = match arrival.scheme() {
        "https" => intern!(py, "https"),
        _ => intern!(py, "http"),
    };
    scope.set_item(intern!(py, "scheme"), scheme)?;
    let extensions = PyDict::new(py);
    let options = &request.scope.options;
    // Not for `web_root` alone: an application that is offered it sends all of its files so.
    if options.private_root.is_some() {
        extensions.set_item(intern!(py, "http.response.pathsend"), PyDict::new(py))?;
    }
    if takes_trailers(request) {
        extensions.set_item(intern!(py, "http.response.trailers"), PyDict::new(py))?;
    }
    if request.version == Version::HTTP_11 {
        extensions.set_item(intern!(py, "http.response.early_hint"), PyDict::new(py))?;
    }
    with_extensions(scope, extensions, request)
}

/// That of a WebSocket.
///
/// # Errors
/// When Python has no memory.
pub(super) fn websocket<'py>(
    py: Python<'py>,
    request: &Request,
    place: &MountedApplication,
    hosted: &Hosted,
) -> PyResult<Bound<'py, PyDict>> {
    static TEMPLATE: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let arrival = arrival(request);
    let scope = common(&TEMPLATE, intern!(py, "websocket"), request, &arrival, place, hosted)?;
    let scheme = match arrival.scheme() {
        "https" => intern!(py, "wss"),
        _ => intern!(py, "ws"),
    };
    scope.set_item(intern!(py, "scheme"), scheme)?;
    let offered: Vec<&str> = subprotocols(request).collect();
    scope.set_item(intern!(py, "subprotocols"), offered)?;
    let extensions = PyDict::new(py);
    extensions.set_item(intern!(py, "websocket.http.response"), PyDict::new(py))?;
    with_extensions(scope, extensions, request)
}

/// The scope, with its own extensions and those that both have.
fn with_extensions<'py>(
    scope: Bound<'py, PyDict>,
    extensions: Bound<'py, PyDict>,
    request: &Request,
) -> PyResult<Bound<'py, PyDict>> {
    add_tls(&extensions, request)?;
    scope.set_item(intern!(scope.py(), "extensions"), extensions)?;
    Ok(scope)
}

/// What both have in common. A copy of what all requests have is filled in, so that the dict has
/// its size from the beginning.
fn common<'py>(
    template: &'static PyOnceLock<Py<PyDict>>,
    kind: &Bound<'py, PyString>,
    request: &Request,
    arrival: &Arrival<'_>,
    place: &MountedApplication,
    hosted: &Hosted,
) -> PyResult<Bound<'py, PyDict>> {
    let py = kind.py();
    let scope = template.get_or_try_init(py, || first(kind).map(Bound::unbind))?.bind(py).copy()?;
    scope.set_item(intern!(py, "asgi"), versions(py)?.copy()?)?;
    let version = match request.version {
        Version::HTTP_2 => intern!(py, "2"),
        Version::HTTP_11 => intern!(py, "1.1"),
        _ => intern!(py, "1.0"),
    };
    scope.set_item(intern!(py, "http_version"), version)?;
    let (path, root_path) = paths(py, request, place);
    scope.set_item(intern!(py, "path"), path)?;
    scope.set_item(intern!(py, "root_path"), root_path)?;
    let raw_path = request.uri.path();
    let raw_path = match place.root_path.is_empty() {
        true => PyBytes::new(py, raw_path.as_bytes()),
        false => PyBytes::new(py, (place.encoded_root_path() + raw_path).as_bytes()),
    };
    scope.set_item(intern!(py, "raw_path"), raw_path)?;
    let query = request.uri.query().unwrap_or_default();
    scope.set_item(intern!(py, "query_string"), PyBytes::new(py, query.as_bytes()))?;
    scope.set_item(intern!(py, "headers"), headers(py, request)?)?;
    scope.set_item(intern!(py, "client"), client(py, request, arrival)?)?;
    scope.set_item(intern!(py, "server"), server(py, request.local)?)?;
    let state = match &hosted.state {
        Some(state) => state.bind(py).copy()?,
        None => PyDict::new(py),
    };
    scope.set_item(intern!(py, "state"), state)?;
    Ok(scope)
}

/// What every scope has a copy of, for a program may change it.
fn versions(py: Python<'_>) -> PyResult<&Bound<'_, PyDict>> {
    static VERSIONS: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let versions = VERSIONS.get_or_try_init(py, || {
        let versions = PyDict::new(py);
        versions.set_item(PyString::intern(py, "version"), VERSION)?;
        versions.set_item(PyString::intern(py, "spec_version"), SPECIFICATION)?;
        PyResult::Ok(versions.unbind())
    })?;
    Ok(versions.bind(py))
}

/// A scope in which nothing is said but its type.
fn first<'py>(kind: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyDict>> {
    let py = kind.py();
    let scope = PyDict::new(py);
    scope.set_item("type", kind)?;
    let is_http = kind.as_any().eq(intern!(py, "http"))?;
    let own = if is_http { "method" } else { "subprotocols" };
    let names = [
        "asgi",
        "http_version",
        own,
        "scheme",
        "path",
        "raw_path",
        "query_string",
        "root_path",
        "headers",
        "client",
        "server",
        "state",
        "extensions",
    ];
    for name in names {
        scope.set_item(PyString::intern(py, name), py.None())?;
    }
    Ok(scope)
}

/// How the request has come.
fn arrival(request: &Request) -> Arrival<'_> {
    Arrival {
        peer: request.peer.ip(),
        tls: request.tls,
        uri: &request.uri,
        headers: &request.headers,
        trusted: &request.scope.options.trusted_proxies,
    }
}

fn method<'py>(py: Python<'py>, request: &Request) -> Bound<'py, PyString> {
    match request.method.as_str() {
        "GET" => intern!(py, "GET").clone(),
        "POST" => intern!(py, "POST").clone(),
        "HEAD" => intern!(py, "HEAD").clone(),
        "PUT" => intern!(py, "PUT").clone(),
        "DELETE" => intern!(py, "DELETE").clone(),
        other => PyString::new(py, other),
    }
}

/// The path with all that stands before the application in it, and what that is.
fn paths<'py>(
    py: Python<'py>,
    request: &Request,
    place: &MountedApplication,
) -> (Bound<'py, PyString>, Bound<'py, PyString>) {
    let path = String::from_utf8_lossy(&request.path);
    if place.root_path.is_empty() {
        return (PyString::new(py, &path), PyString::new(py, &place.prefix));
    }
    let whole = format!("{}{path}", place.root_path);
    (PyString::new(py, &whole), PyString::new(py, &format!("{}{}", place.root_path, place.prefix)))
}

/// The header fields in their order, those of one name together; `Host` first where HTTP/2 says
/// `:authority` (RFC 9113 section 8.3.1).
fn headers<'py>(py: Python<'py>, request: &Request) -> PyResult<Bound<'py, PyList>> {
    let mut fields = Vec::with_capacity(request.headers.len() + 1);
    let pair = |name: &[u8], value: &[u8]| {
        PyTuple::new(py, [PyBytes::new(py, name), PyBytes::new(py, value)])
    };
    if let Some(authority) = request.uri.authority()
        && !request.headers.contains_key(HOST)
    {
        fields.push(pair(b"host", authority.as_str().as_bytes())?);
    }
    for (name, value) in &request.headers {
        fields.push(pair(name.as_str().as_bytes(), value.as_bytes())?);
    }
    PyList::new(py, fields)
}

/// The client; its port is known where no proxy stands before us.
fn client<'py>(
    py: Python<'py>,
    request: &Request,
    arrival: &Arrival<'_>,
) -> PyResult<Bound<'py, PyTuple>> {
    let (remote, peer) = (arrival.remote(), request.peer.ip().to_canonical());
    address(py, remote, if remote == peer { request.peer.port() } else { 0 })
}

/// Our address, which most requests have in common.
fn server(py: Python<'_>, local: SocketAddr) -> PyResult<Bound<'_, PyTuple>> {
    static LAST: Mutex<Option<(SocketAddr, Py<PyTuple>)>> = Mutex::new(None);
    if let Some((known, tuple)) = &*LAST.lock()
        && *known == local
    {
        return Ok(tuple.bind(py).clone());
    }
    let tuple = address(py, local.ip().to_canonical(), local.port())?;
    let before = LAST.lock().replace((local, tuple.clone().unbind()));
    drop(before);
    Ok(tuple)
}

fn address(py: Python<'_>, ip: IpAddr, port: u16) -> PyResult<Bound<'_, PyTuple>> {
    (ip_text(py, ip), port).into_pyobject(py)
}

/// Whether trailers reach the client: those of HTTP/1.1 have to be asked for (RFC 9110 section
/// 6.5.1).
fn takes_trailers(request: &Request) -> bool {
    match request.version {
        Version::HTTP_2 => true,
        Version::HTTP_11 => list_field::names(&request.headers, &TE, "trailers"),
        _ => false,
    }
}

/// The extension `tls`: what is known of it. Our own certificate is not told.
fn add_tls(extensions: &Bound<'_, PyDict>, request: &Request) -> PyResult<()> {
    if !request.tls {
        return Ok(());
    }
    let py = extensions.py();
    let session = request.tls_session.as_deref();
    let client = session.and_then(|session| session.client_certificate.as_deref());
    let chain = client.map(ClientCertificate::chain_pem).unwrap_or_default();
    let tls = PyDict::new(py);
    tls.set_item(intern!(py, "server_cert"), py.None())?;
    tls.set_item(intern!(py, "client_cert_chain"), PyList::new(py, chain)?)?;
    tls.set_item(intern!(py, "client_cert_name"), client.map(|client| &*client.subject))?;
    // One that cannot be verified makes no connection.
    tls.set_item(intern!(py, "client_cert_error"), py.None())?;
    tls.set_item(intern!(py, "tls_version"), session.map(|session| session.version))?;
    tls.set_item(intern!(py, "cipher_suite"), session.map(|session| session.cipher_suite))?;
    extensions.set_item(intern!(py, "tls"), tls)
}
