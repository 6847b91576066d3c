//! `HTTP_REQUEST`: the request that handlers see. It is made empty; an
//! attribute is built when it is first read and then kept, so that a handler
//! pays for what it uses. Every attribute may be set.
//!
//! No Python runs under the lock, not even the end of an object.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use http::{HeaderName, StatusCode};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use slimhttp_server::handler::Request;
use slimhttp_site::route::Params;

use crate::face::Face;
use crate::fields;
use crate::identity::Identity;
use crate::{query, values};

/// The attributes that are built when they are first read.
#[derive(Clone, Copy)]
enum Attribute {
    Method,
    Url,
    Headers,
    Query,
    Payload,
    Data,
    Vhost,
    WebRoot,
    Params,
    RetCode,
    RetCodeMapper,
    ResponseHeaders,
    SessionStorage,
    Identity,
}

/// How many there are: one more than the last.
const ATTRIBUTES: usize = Attribute::Identity as usize + 1;

/// A request.
#[pyclass(name = "HTTP_REQUEST", module = "slimHTTP", subclass, dict, weakref, frozen)]
pub(crate) struct HttpRequest {
    pub(crate) face: Arc<Face>,
    state: Mutex<State>,
}

struct State {
    source: Arc<Request>,
    params: Params,
    built: [Option<Py<PyAny>>; ATTRIBUTES],
}

impl HttpRequest {
    /// The request `source`, of which a pattern took `params`.
    pub(crate) fn new(face: Arc<Face>, source: Arc<Request>, params: Params) -> Self {
        let built = [const { None }; ATTRIBUTES];
        Self { face, state: Mutex::new(State { source, params, built }) }
    }

    /// Lives from a copy of what it was made of from now on: so it may be kept
    /// with the very request without holding it in a circle.
    pub(crate) fn detach_from_source(&self) {
        let mut state = self.lock();
        let source = &state.source;
        let copy = Arc::new(Request {
            method: source.method.clone(),
            uri: source.uri.clone(),
            version: source.version,
            headers: source.headers.clone(),
            path: source.path.clone(),
            body: source.body.clone(),
            peer: source.peer,
            local: source.local,
            tls: source.tls,
            scope: source.scope.clone(),
            line: source.line.clone(),
            guest: source.guest.clone(),
            companion: OnceLock::new(),
        });
        let source = std::mem::replace(&mut state.source, copy);
        drop(state);
        drop(source);
    }

    /// The status that `ret_code` says.
    ///
    /// # Errors
    /// `TypeError` or `ValueError` when it is no status of a response.
    pub(crate) fn status(&self, py: Python<'_>) -> PyResult<StatusCode> {
        match self.peek(py, Attribute::RetCode) {
            None => Ok(StatusCode::OK),
            Some(code) => values::read_status(code.bind(py)),
        }
    }

    /// `response_headers`, if anybody has touched them.
    pub(crate) fn touched_response_headers<'py>(
        &self,
        py: Python<'py>,
    ) -> Option<Bound<'py, PyAny>> {
        self.peek(py, Attribute::ResponseHeaders).map(|headers| headers.into_bound(py))
    }

    /// What it is made of.
    pub(crate) fn source(&self) -> Arc<Request> {
        self.lock().source.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn peek(&self, py: Python<'_>, attribute: Attribute) -> Option<Py<PyAny>> {
        self.lock().built[attribute as usize].as_ref().map(|value| value.clone_ref(py))
    }

    fn get<'py>(
        &self,
        py: Python<'py>,
        attribute: Attribute,
        build: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(value) = self.peek(py, attribute) {
            return Ok(value.into_bound(py));
        }
        let fresh = build()?;
        let mut state = self.lock();
        // Another thread may have been quicker; all shall have the same object.
        let kept = state.built[attribute as usize].get_or_insert_with(|| fresh.clone().unbind());
        let kept = kept.clone_ref(py);
        drop(state);
        Ok(kept.into_bound(py))
    }

    fn set(&self, attribute: Attribute, value: Bound<'_, PyAny>) {
        let mut state = self.lock();
        let old = state.built[attribute as usize].replace(value.unbind());
        drop(state);
        drop(old);
    }
}

#[pymethods]
impl HttpRequest {
    /// The method, in capitals as it was sent.
    #[getter]
    fn method<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, Attribute::Method, || {
            Ok(match self.source().method.as_str() {
                "GET" => intern!(py, "GET").clone().into_any(),
                "POST" => intern!(py, "POST").clone().into_any(),
                other => PyString::new(py, other).into_any(),
            })
        })
    }
    #[setter(method)]
    fn set_method(&self, value: Bound<'_, PyAny>) {
        self.set(Attribute::Method, value);
    }

    /// The path, decoded, without the query.
    #[getter]
    fn url<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, Attribute::Url, || {
            let source = self.source();
            Ok(PyString::new(py, &String::from_utf8_lossy(&source.path)).into_any())
        })
    }
    #[setter(url)]
    fn set_url(&self, value: Bound<'_, PyAny>) {
        self.set(Attribute::Url, value);
    }

    /// The header fields: lower-case bytes to bytes, a repeated field joined;
    /// and `b'METHOD'`, `b'URL'`, `b'URI_QUERY'`.
    #[getter]
    fn headers<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let request = slf.get();
        request.get(slf.py(), Attribute::Headers, || {
            let url = request.url(slf.py())?;
            values::headers_dict(slf.py(), &request.source(), &url).map(Bound::into_any)
        })
    }
    #[setter(headers)]
    fn set_headers(&self, value: Bound<'_, PyAny>) {
        self.set(Attribute::Headers, value);
    }

    /// The query: lower-case names to values, the last of a name wins.
    #[getter]
    fn query<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, Attribute::Query, || {
            let source = self.source();
            let dict = PyDict::new(py);
            for (name, value) in query::pairs(source.uri.query().unwrap_or_default()) {
                dict.set_item(String::from_utf8_lossy(&name), String::from_utf8_lossy(&value))?;
            }
            Ok(dict.into_any())
        })
    }
    #[setter(query)]
    fn set_query(&self, value: Bound<'_, PyAny>) {
        self.set(Attribute::Query, value);
    }

    /// The body.
    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, Attribute::Payload, || Ok(PyBytes::new(py, &self.source().body).into_any()))
    }
    #[setter(payload)]
    fn set_payload(&self, value: Bound<'_, PyAny>) {
        self.set(Attribute::Payload, value);
    }

    /// The body; an older spelling of `payload`.
    #[getter]
    fn request_payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.payload(py)
    }
    #[setter(request_payload)]
    fn set_request_payload(&self, value: Bound<'_, PyAny>) {
        self.set(Attribute::Payload, value);
    }

    /// The body, parsed when its content type is JSON, else as bytes.
    /// ValueError when it says to be JSON and is not.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, Attribute::Data, || {
            let payload = self.payload(py)?;
            if values::is_json(&self.source()) { values::parse_json(&payload) } else { Ok(payload) }
        })
    }
    #[setter(data)]
    fn set_data(&self, value: Bound<'_, PyAny>) {
        self.set(Attribute::Data, value);
    }

    /// The key of the virtual host that answers, None at the global level.
    #[getter]
    fn vhost<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, Attribute::Vhost, || {
            Ok(match &self.source().scope.name {
                Some(name) => PyString::new(py, name).into_any(),
                None => py.None().into_bound(py),
            })
        })
    }
    #[setter(vhost)]
    fn set_vhost(&self, value: Bound<'_, PyAny>) {
        self.set(Attribute::Vhost, value);
    }

    /// The folder of files, or None.
    #[getter]
    fn web_root<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, Attribute::WebRoot, || {
            Ok(match &self.source().scope.options.web_root {
                Some(path) => path.as_os_str().into_pyobject(py)?.into_any(),
                None => py.None().into_bound(py),
            })
        })
    }
    #[setter(web_root)]
    fn set_web_root(&self, value: Bound<'_, PyAny>) {
        self.set(Attribute::WebRoot, value);
    }

    /// What the route's pattern took from the path.
    #[getter]
    fn params<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, Attribute::Params, || {
            let params = self.lock().params.clone();
            values::params_dict(py, &params).map(Bound::into_any)
        })
    }
    #[setter(params)]
    fn set_params(&self, value: Bound<'_, PyAny>) {
        self.set(Attribute::Params, value);
    }

    /// The status of the response, 200 unless it is set.
    #[getter]
    fn ret_code<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.peek(py, Attribute::RetCode) {
            Some(code) => Ok(code.into_bound(py)),
            None => Ok(200_u16.into_pyobject(py)?.into_any()),
        }
    }
    #[setter(ret_code)]
    fn set_ret_code(&self, value: Bound<'_, PyAny>) {
        self.set(Attribute::RetCode, value);
    }

    /// Status to status line, as `build_headers` writes it; may be edited.
    #[getter]
    fn ret_code_mapper<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, Attribute::RetCodeMapper, || {
            let dict = PyDict::new(py);
            for code in 100..600 {
                if let Ok(status) = StatusCode::from_u16(code)
                    && status.canonical_reason().is_some()
                {
                    dict.set_item(code, values::status_line(status))?;
                }
            }
            Ok(dict.into_any())
        })
    }
    #[setter(ret_code_mapper)]
    fn set_ret_code_mapper(&self, value: Bound<'_, PyAny>) {
        self.set(Attribute::RetCodeMapper, value);
    }

    /// Header fields of the response: str or bytes to str, bytes, int or a
    /// list of them.
    #[getter]
    fn response_headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, Attribute::ResponseHeaders, || Ok(PyDict::new(py).into_any()))
    }
    #[setter(response_headers)]
    fn set_response_headers(&self, value: Bound<'_, PyAny>) {
        self.set(Attribute::ResponseHeaders, value);
    }

    /// Whatever handlers keep with the request.
    #[getter]
    fn session_storage<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.get(py, Attribute::SessionStorage, || Ok(PyDict::new(py).into_any()))
    }
    #[setter(session_storage)]
    fn set_session_storage(&self, value: Bound<'_, PyAny>) {
        self.set(Attribute::SessionStorage, value);
    }

    /// Who asks.
    #[getter(CLIENT_IDENTITY)]
    fn client_identity<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let request = slf.get();
        request.get(slf.py(), Attribute::Identity, || {
            Identity::of(&request.face, &request.source(), slf.as_any())
        })
    }
    #[setter(CLIENT_IDENTITY)]
    fn set_client_identity(&self, value: Bound<'_, PyAny>) {
        self.set(Attribute::Identity, value);
    }

    /// The head of a raw response: the status line by `ret_code`, then
    /// `response_headers`, then the additional ones, which win, and the blank
    /// line. ValueError where one of them would break the head.
    #[pyo3(signature = (additional_headers=None))]
    fn build_headers<'py>(
        &self,
        py: Python<'py>,
        additional_headers: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let additional = match additional_headers {
            Some(headers) => fields::read(&headers)?,
            None => Vec::new(),
        };
        let response = match self.touched_response_headers(py) {
            Some(headers) => fields::read(&headers)?,
            None => Vec::new(),
        };
        let is_replaced = |name: &HeaderName| additional.iter().any(|field| field.name == *name);
        let mut head = self.raw_status_line(py)?;
        let response = response.iter().filter(|field| !is_replaced(&field.name));
        for field in response.chain(&additional) {
            head.extend_from_slice(&field.written);
            head.extend_from_slice(b": ");
            head.extend_from_slice(field.value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        Ok(PyBytes::new(py, &head))
    }

    /// The first of `index_files` (a name or a list of names) that exists under
    /// `web_root`; when none does, the first of them, or None unless
    /// `return_any`.
    #[pyo3(signature = (index_files, return_any=true))]
    fn locate_index_file<'py>(
        &self,
        py: Python<'py>,
        index_files: Bound<'py, PyAny>,
        return_any: bool,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let names =
            if index_files.is_instance_of::<PyList>() || index_files.is_instance_of::<PyTuple>() {
                index_files.try_iter()?.collect::<PyResult<Vec<_>>>()?
            } else {
                vec![index_files]
            };
        let root = self.web_root(py)?;
        if !root.is_none() {
            let root: std::path::PathBuf = root.extract()?;
            for name in &names {
                let path = root.join(name.extract::<std::path::PathBuf>()?);
                if py.detach(|| path.is_file()) {
                    return Ok(Some(name.clone()));
                }
            }
        }
        Ok(names.into_iter().next().filter(|_| return_any))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let class = slf.get_type().name()?;
        let source = slf.get().source();
        Ok(format!("<{class} {} {}>", source.method, source.uri))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Whoever holds the lock is between two moves and holds the object too.
        if let Ok(state) = self.state.try_lock() {
            for value in &state.built {
                visit.call(value)?;
            }
        }
        Ok(())
    }

    fn __clear__(&self) {
        let mut state = self.lock();
        let built = std::mem::replace(&mut state.built, [const { None }; ATTRIBUTES]);
        drop(state);
        drop(built);
    }
}

impl HttpRequest {
    fn raw_status_line(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        let status = self.status(py)?;
        if let Some(mapper) = self.peek(py, Attribute::RetCodeMapper)
            && let Ok(line) = mapper.bind(py).get_item(status.as_u16())
        {
            let line: Vec<u8> = match line.cast::<PyBytes>() {
                Ok(bytes) => bytes.as_bytes().to_vec(),
                Err(_) => line.str()?.to_cow()?.as_bytes().to_vec(),
            };
            let line = line.trim_ascii_end();
            if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
                return Err(PyValueError::new_err(format!(
                    "`ret_code_mapper` has no single line for {status}"
                )));
            }
            return Ok([line, b"\r\n"].concat());
        }
        Ok(values::status_line(status).into_bytes())
    }
}
