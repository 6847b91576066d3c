//! `environ` (PEP 3333, "environ Variables"; RFC 3875 section 4.1). What is the same for all
//! requests of an application on one address is made once and copied; the rest is set under keys
//! that are interned. On the thread that answers.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue,
};
use http::{Method, Version};
use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};
use slimhttp_server::Request;
use slimhttp_site::application::MountedApplication;
use slimhttp_site::client::Arrival;

use crate::convert::addresses::ip_text;
use crate::convert::latin1;
use crate::objects::wsgi::errors::Errors;
use crate::objects::wsgi::file_wrapper::FileWrapper;
use crate::objects::wsgi::input::Input;
use crate::run::wsgi::tls_variables;

/// How many of them are kept for one application: as many as there are addresses, and places of
/// it, within reason.
const MOST: usize = 16;

/// The keys that are set for every request, or taken out of its copy.
const EVERY: &str = "PATH_INFO RAW_URI REQUEST_URI REMOTE_ADDR REMOTE_PORT HTTP_HOST wsgi.input";

/// What an application's requests have in common.
pub(crate) struct Environs {
    errors: Py<Errors>,
    /// Whether several threads may call the application at once.
    is_multithreaded: bool,
    bases: Mutex<Vec<Base>>,
}

/// What is the same for all requests of an application at one place on one address.
struct Base {
    /// Weakly: that nobody holds it any more tells that no request of it is in flight.
    place: Weak<MountedApplication>,
    local: SocketAddr,
    scheme: &'static str,
    environ: Py<PyDict>,
}

impl Environs {
    /// Those of the application that messages call `label`.
    ///
    /// # Errors
    /// When Python has no memory.
    pub(crate) fn new(py: Python<'_>, label: Arc<str>, is_multithreaded: bool) -> PyResult<Self> {
        let errors = Py::new(py, Errors::new(label))?;
        Ok(Self { errors, is_multithreaded, bases: Mutex::default() })
    }

    /// What the application has said, and to whom.
    pub(crate) fn errors(&self) -> &Errors {
        self.errors.get()
    }

    /// The environ of a request.
    ///
    /// # Errors
    /// When Python has no memory.
    pub(super) fn of<'py>(
        &self,
        py: Python<'py>,
        request: &Request,
        place: &Arc<MountedApplication>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let arrival = Arrival {
            peer: request.peer.ip(),
            tls: request.tls,
            uri: &request.uri,
            headers: &request.headers,
            trusted: &request.scope.options.trusted_proxies,
        };
        let environ = self.base(py, request.local, place, arrival.scheme())?;
        if request.method != Method::GET {
            environ.set_item(intern!(py, "REQUEST_METHOD"), method(py, &request.method))?;
        }
        if request.version != Version::HTTP_11 {
            environ.set_item(intern!(py, "SERVER_PROTOCOL"), protocol(py, request.version))?;
        }
        if let Some(query) = request.uri.query() {
            environ.set_item(intern!(py, "QUERY_STRING"), latin1::text(py, query.as_bytes()))?;
        }
        let target = target(py, request);
        environ.set_item(intern!(py, "PATH_INFO"), path_info(py, &request.path, place))?;
        environ.set_item(intern!(py, "RAW_URI"), &target)?;
        environ.set_item(intern!(py, "REQUEST_URI"), target)?;
        let (client, peer) = (arrival.remote(), request.peer.ip().to_canonical());
        environ.set_item(intern!(py, "REMOTE_ADDR"), ip_text(py, client))?;
        let port = intern!(py, "REMOTE_PORT");
        if client == peer {
            environ.set_item(port, request.peer.port().to_string())?;
        } else {
            // Of a client behind a proxy it is not known.
            environ.del_item(port)?;
        }
        set_fields(&environ, request)?;
        tls_variables::set(&environ, request)?;
        environ.set_item(intern!(py, "wsgi.input"), Bound::new(py, Input::new(&request.body))?)?;
        Ok(environ)
    }

    /// A copy of what all have in common.
    fn base<'py>(
        &self,
        py: Python<'py>,
        local: SocketAddr,
        place: &Arc<MountedApplication>,
        scheme: &'static str,
    ) -> PyResult<Bound<'py, PyDict>> {
        let known = {
            let bases = self.bases.lock();
            let known = bases.iter().find(|base| {
                std::ptr::eq(base.place.as_ptr(), Arc::as_ptr(place))
                    && base.local == local
                    && base.scheme == scheme
            });
            known.map(|base| base.environ.clone_ref(py))
        };
        if let Some(known) = known {
            return known.bind(py).copy();
        }
        let environ = self.make_base(py, local, place, scheme)?;
        let copy = environ.copy()?;
        let base = Base { place: Arc::downgrade(place), local, scheme, environ: environ.unbind() };
        let mut bases = self.bases.lock();
        let oldest = (bases.len() >= MOST).then(|| bases.remove(0));
        bases.push(base);
        drop(bases);
        drop(oldest);
        Ok(copy)
    }

    fn make_base<'py>(
        &self,
        py: Python<'py>,
        local: SocketAddr,
        place: &MountedApplication,
        scheme: &'static str,
    ) -> PyResult<Bound<'py, PyDict>> {
        let environ = PyDict::new(py);
        let script_name = [place.root_path.as_bytes(), place.prefix.as_bytes()].concat();
        let name = local.ip().to_canonical();
        environ.set_item("SCRIPT_NAME", latin1::text(py, &script_name))?;
        environ.set_item("SERVER_NAME", name.to_string())?;
        environ.set_item("SERVER_PORT", local.port().to_string())?;
        environ.set_item("SERVER_SOFTWARE", concat!("slimHTTP/", env!("CARGO_PKG_VERSION")))?;
        environ.set_item("wsgi.version", (1, 0))?;
        environ.set_item("wsgi.url_scheme", scheme)?;
        environ.set_item("wsgi.errors", self.errors.clone_ref(py))?;
        environ.set_item("wsgi.multithread", self.is_multithreaded)?;
        environ.set_item("wsgi.multiprocess", false)?;
        environ.set_item("wsgi.run_once", false)?;
        environ.set_item("wsgi.input_terminated", true)?;
        environ.set_item("wsgi.file_wrapper", py.get_type::<FileWrapper>())?;
        if scheme == "https" {
            environ.set_item("HTTPS", "on")?;
        }
        // What most requests have, and what each sets anew or takes out: so a copy has room for
        // the keys of a request, and need not grow for each.
        environ.set_item("REQUEST_METHOD", "GET")?;
        environ.set_item("SERVER_PROTOCOL", "HTTP/1.1")?;
        environ.set_item("QUERY_STRING", "")?;
        for key in EVERY.split_ascii_whitespace() {
            environ.set_item(PyString::intern(py, key), py.None())?;
        }
        Ok(environ)
    }
}

fn method<'py>(py: Python<'py>, method: &Method) -> Bound<'py, PyString> {
    match method.as_str() {
        "GET" => intern!(py, "GET").clone(),
        "POST" => intern!(py, "POST").clone(),
        "HEAD" => intern!(py, "HEAD").clone(),
        "PUT" => intern!(py, "PUT").clone(),
        "PATCH" => intern!(py, "PATCH").clone(),
        "DELETE" => intern!(py, "DELETE").clone(),
        "OPTIONS" => intern!(py, "OPTIONS").clone(),
        other => PyString::new(py, other),
    }
}

/// What is left of the decoded path behind the place of the application.
fn path_info<'py>(
    py: Python<'py>,
    path: &[u8],
    place: &MountedApplication,
) -> Bound<'py, PyString> {
    match path.strip_prefix(place.prefix.as_bytes()).unwrap_or(path) {
        b"/" => intern!(py, "/").clone(),
        rest => latin1::text(py, rest),
    }
}

/// The target as it was sent, without the authority that HTTP/2 sends beside it.
fn target<'py>(py: Python<'py>, request: &Request) -> Bound<'py, PyString> {
    let target = request.uri.path_and_query().map_or("*", |target| target.as_str());
    latin1::text(py, target.as_bytes())
}

fn protocol(py: Python<'_>, version: Version) -> &Bound<'_, PyString> {
    match version {
        Version::HTTP_10 => intern!(py, "HTTP/1.0"),
        Version::HTTP_2 => intern!(py, "HTTP/2.0"),
        _ => intern!(py, "HTTP/1.1"),
    }
}

/// Sets the header fields. One that comes several times is joined (RFC 9110 section 5.3, RFC 6265
/// section 5.4). A name with `_` cannot be told from one with `-` and is left out, as nginx does;
/// so is `Proxy`, which programs would take for the variable `HTTP_PROXY`.
fn set_fields(environ: &Bound<'_, PyDict>, request: &Request) -> PyResult<()> {
    let (py, fields) = (environ.py(), &request.headers);
    let mut fields = fields.iter().peekable();
    while let Some((name, value)) = fields.next() {
        let is_same = |(next, _): &(&HeaderName, &HeaderValue)| std::ptr::eq(*next, name);
        let text = match fields.next_if(is_same) {
            None => latin1::text(py, value.as_bytes()),
            Some((_, second)) => {
                let separator: &[u8] = if *name == COOKIE { b"; " } else { b"," };
                let mut joined = [value.as_bytes(), separator, second.as_bytes()].concat();
                while let Some((_, further)) = fields.next_if(is_same) {
                    joined.extend_from_slice(separator);
                    joined.extend_from_slice(further.as_bytes());
                }
                latin1::text(py, &joined)
            }
        };
        match known_keys(py).get(name) {
            Some(key) => environ.set_item(key, text)?,
            None => {
                if let Some(key) = key(name) {
                    environ.set_item(key, text)?;
                }
            }
        }
    }
    if !request.headers.contains_key(HOST) {
        let host = intern!(py, "HTTP_HOST");
        // HTTP/2 may send the host as `:authority` alone (RFC 9113 section 8.3.1).
        match request.uri.authority() {
            Some(authority) => environ.set_item(host, authority.as_str())?,
            None => environ.del_item(host)?,
        }
    }
    Ok(())
}

/// The key of a field, `None` for one that is left out.
fn key(name: &HeaderName) -> Option<String> {
    if *name == CONTENT_TYPE || *name == CONTENT_LENGTH {
        return Some(name.as_str().to_ascii_uppercase().replace('-', "_"));
    }
    let name = name.as_str();
    if name == "proxy" || name.contains('_') {
        return None;
    }
    let mut key = String::with_capacity("HTTP_".len() + name.len());
    key.push_str("HTTP_");
    key.extend(name.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_uppercase() }));
    Some(key)
}

/// The keys of the fields that browsers, programs and proxies send.
fn known_keys(py: Python<'_>) -> &HeaderMap<Py<PyString>> {
    static KEYS: PyOnceLock<HeaderMap<Py<PyString>>> = PyOnceLock::new();
    KEYS.get_or_init(py, || {
        let known = KNOWN.split_ascii_whitespace().map(HeaderName::from_static);
        let keyed = known.filter_map(|name| Some((key(&name)?, name)));
        keyed.map(|(key, name)| (name, PyString::intern(py, &key).unbind())).collect()
    })
}

const KNOWN: &str = "accept accept-charset accept-encoding accept-language access-control-request-headers \
    access-control-request-method authorization cache-control connection content-encoding \
    content-length content-type cookie dnt expect forwarded from host if-match if-modified-since \
    if-none-match if-range if-unmodified-since keep-alive max-forwards origin pragma priority \
    range referer sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode \
    sec-fetch-site sec-fetch-user sec-gpc te transfer-encoding upgrade upgrade-insecure-requests \
    user-agent via x-csrf-token x-csrftoken x-forwarded-for x-forwarded-host x-forwarded-proto \
    x-real-ip x-request-id x-requested-with";
