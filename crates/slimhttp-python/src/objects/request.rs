//! `HTTP_REQUEST`: the request that handlers see. It is made empty; an
//! attribute is built when it is first read and then kept, so that a handler
//! pays for what it uses. Every attribute may be set.
//!
//! This file has the attributes as Python sees them; what one is made of has a file of its own.

mod arrival;
mod attributes;
mod form;
mod raw_head;

use std::sync::Arc;

use http::StatusCode;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyBytes, PyDict, PyString};
use slimhttp_server::{Content, Request};
use slimhttp_site::route::Params;

use crate::convert::values;
use crate::objects::callbacks::PyCallbacks;
use crate::objects::content;
use crate::objects::content_reader::ContentReader;
use crate::objects::identity::Identity;
use crate::objects::tls;
use attributes::{Attribute, Attributes};

/// A request.
#[pyclass(name = "HTTP_REQUEST", module = "slimHTTP", subclass, dict, weakref, frozen)]
pub(crate) struct HttpRequest {
    pub(crate) callbacks: Arc<PyCallbacks>,
    attributes: Attributes,
}

impl HttpRequest {
    /// The request `source`, of which a pattern took `params`.
    pub(crate) fn new(callbacks: Arc<PyCallbacks>, source: Arc<Request>, params: Params) -> Self {
        Self { callbacks, attributes: Attributes::new(source, params) }
    }

    /// Lives from a copy of what it was made of from now on: so it may be kept
    /// with the very request without holding it in a circle.
    pub(crate) fn detach_from_source(&self) {
        self.attributes.detach_from_source();
    }

    /// Another pattern took `params` from the path.
    pub(crate) fn take_params(&self, params: Params) {
        self.attributes.take_params(params);
    }

    /// The status that `ret_code` says.
    ///
    /// # Errors
    /// `TypeError` or `ValueError` when it is no status of a response.
    pub(crate) fn status(&self, py: Python<'_>) -> PyResult<StatusCode> {
        match self.attributes.peek(py, Attribute::RetCode) {
            None => Ok(StatusCode::OK),
            Some(code) => values::read_status(code.bind(py)),
        }
    }

    /// `response_headers`, if anybody has touched them.
    pub(crate) fn touched_response_headers<'py>(
        &self,
        py: Python<'py>,
    ) -> Option<Bound<'py, PyAny>> {
        self.attributes.peek(py, Attribute::ResponseHeaders).map(|headers| headers.into_bound(py))
    }

    /// The context in which all of its Python runs, made when it is first asked for
    /// of that in which this thread is.
    ///
    /// # Errors
    /// When Python has no memory.
    pub(crate) fn context<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attributes.get(py, Attribute::Context, || self.callbacks.contexts.copy(py))
    }

    /// Its Python has run in this context, and goes on in it.
    pub(crate) fn adopt_context(&self, context: &Bound<'_, PyAny>) {
        self.attributes.set(Attribute::Context, context.clone());
    }

    /// Goes on in a copy of the context in which this thread is: that of the task
    /// which has answered, and in which the program may have set something.
    ///
    /// # Errors
    /// When Python has no memory.
    pub(crate) fn follow_context(&self, py: Python<'_>) -> PyResult<()> {
        self.attributes.set(Attribute::Context, self.callbacks.contexts.copy(py)?);
        Ok(())
    }

    /// Whether bytes begin with the head that `build_headers` has made for this very
    /// request: so they are a raw response, however they were put together.
    pub(crate) fn is_headed(&self, py: Python<'_>, bytes: &[u8]) -> bool {
        let head = self.attributes.peek(py, Attribute::RawHead);
        let head = head.as_ref().and_then(|head| head.cast_bound::<PyBytes>(py).ok());
        head.is_some_and(|head| bytes.starts_with(head.as_bytes()))
    }

    fn both_of_form<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attributes.get(py, Attribute::Form, || form::read(py, self))
    }

    /// What it is made of.
    pub(crate) fn source(&self) -> Arc<Request> {
        self.attributes.source()
    }
}

#[pymethods]
impl HttpRequest {
    /// The method, in capitals as it was sent.
    #[getter]
    fn method<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attributes.get(py, Attribute::Method, || {
            Ok(match self.source().method.as_str() {
                "GET" => intern!(py, "GET").clone().into_any(),
                "POST" => intern!(py, "POST").clone().into_any(),
                other => PyString::new(py, other).into_any(),
            })
        })
    }
    #[setter(method)]
    fn set_method(&self, value: Bound<'_, PyAny>) {
        self.attributes.set(Attribute::Method, value);
    }

    /// The path, decoded, without the query.
    #[getter]
    fn url<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attributes.get(py, Attribute::Url, || {
            let source = self.source();
            Ok(PyString::new(py, &String::from_utf8_lossy(&source.path)).into_any())
        })
    }
    #[setter(url)]
    fn set_url(&self, value: Bound<'_, PyAny>) {
        self.attributes.set(Attribute::Url, value);
    }

    /// The header fields: lower-case bytes to bytes, a repeated field joined;
    /// and `b'METHOD'`, `b'URL'`, `b'URI_QUERY'`.
    #[getter]
    fn headers<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let request = slf.get();
        request.attributes.get(slf.py(), Attribute::Headers, || {
            let url = request.url(slf.py())?;
            values::headers_dict(slf.py(), &request.source(), &url).map(Bound::into_any)
        })
    }
    #[setter(headers)]
    fn set_headers(&self, value: Bound<'_, PyAny>) {
        self.attributes.set(Attribute::Headers, value);
    }

    /// The query: lower-case names to values, the last of a name wins.
    #[getter]
    fn query<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attributes.get(py, Attribute::Query, || {
            values::query_dict(py, &self.source()).map(Bound::into_any)
        })
    }
    #[setter(query)]
    fn set_query(&self, value: Bound<'_, PyAny>) {
        self.attributes.set(Attribute::Query, value);
    }

    /// The query: every name and value as it was sent. `args['name']` is the first
    /// value, `args.getlist('name')` is all of them.
    #[getter]
    fn args<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attributes.get(py, Attribute::Args, || values::arguments(py, &self.source()))
    }

    /// The body.
    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attributes.get(py, Attribute::Payload, || {
            Ok(content::read_all(py, &self.source().body)?.into_any())
        })
    }
    #[setter(payload)]
    fn set_payload(&self, value: Bound<'_, PyAny>) {
        self.attributes.set(Attribute::Payload, value);
    }

    /// The body in chunks of bytes, for `for` and for `async for`. With
    /// `stream=True` they are given as they come in.
    fn stream(&self, py: Python<'_>) -> PyResult<ContentReader> {
        let callbacks = self.callbacks.clone();
        let source = self.source();
        match (&source.body, self.attributes.peek(py, Attribute::Payload)) {
            (Content::Streamed(stream), None) => {
                Ok(ContentReader::streamed(callbacks, stream.clone()))
            }
            _ => Ok(ContentReader::whole(callbacks, self.payload(py)?)),
        }
    }

    /// The body as text, by the charset of its content type, UTF-8 unless that
    /// names one. MalformedContent when it is none.
    #[getter]
    fn text<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attributes
            .get(py, Attribute::Text, || content::text(&self.source(), &self.payload(py)?))
    }

    /// The body parsed as JSON, whatever its content type. MalformedContent when
    /// it is none.
    #[getter]
    fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attributes.get(py, Attribute::Json, || content::json(&self.payload(py)?))
    }

    /// The fields of a form, urlencoded or multipart; empty where the body is no
    /// form. `form['name']` is the first value. MalformedContent, ContentTooLarge.
    #[getter]
    fn form<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.both_of_form(py)?.get_item(0)
    }

    /// The uploads of a form, by the name of their field. As `form`.
    #[getter]
    fn files<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.both_of_form(py)?.get_item(1)
    }

    /// The body; an older spelling of `payload`.
    #[getter]
    fn request_payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.payload(py)
    }
    #[setter(request_payload)]
    fn set_request_payload(&self, value: Bound<'_, PyAny>) {
        self.attributes.set(Attribute::Payload, value);
    }

    /// The body, parsed when its content type is JSON, else as bytes.
    /// MalformedContent when it says to be JSON and is not.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attributes.get(py, Attribute::Data, || {
            let payload = self.payload(py)?;
            if values::is_json(&self.source()) { content::json(&payload) } else { Ok(payload) }
        })
    }
    #[setter(data)]
    fn set_data(&self, value: Bound<'_, PyAny>) {
        self.attributes.set(Attribute::Data, value);
    }

    /// The key of the virtual host that answers, None at the global level.
    #[getter]
    fn vhost<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attributes.get(py, Attribute::Vhost, || {
            Ok(match &self.source().scope.name {
                Some(name) => PyString::new(py, name).into_any(),
                None => py.None().into_bound(py),
            })
        })
    }
    #[setter(vhost)]
    fn set_vhost(&self, value: Bound<'_, PyAny>) {
        self.attributes.set(Attribute::Vhost, value);
    }

    /// The folder of files, or None.
    #[getter]
    fn web_root<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attributes.get(py, Attribute::WebRoot, || {
            Ok(match &self.source().scope.options.web_root {
                Some(path) => path.as_os_str().into_pyobject(py)?.into_any(),
                None => py.None().into_bound(py),
            })
        })
    }
    #[setter(web_root)]
    fn set_web_root(&self, value: Bound<'_, PyAny>) {
        self.attributes.set(Attribute::WebRoot, value);
    }

    /// What the route's pattern took from the path.
    #[getter]
    fn params<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attributes.get(py, Attribute::Params, || {
            let params = self.attributes.params();
            values::params_dict(py, &params).map(Bound::into_any)
        })
    }
    #[setter(params)]
    fn set_params(&self, value: Bound<'_, PyAny>) {
        self.attributes.set(Attribute::Params, value);
    }

    /// The status of the response, 200 unless it is set.
    #[getter]
    fn ret_code<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.attributes.peek(py, Attribute::RetCode) {
            Some(code) => Ok(code.into_bound(py)),
            None => Ok(200_u16.into_pyobject(py)?.into_any()),
        }
    }
    #[setter(ret_code)]
    fn set_ret_code(&self, value: Bound<'_, PyAny>) {
        self.attributes.set(Attribute::RetCode, value);
    }

    /// Status to status line, as `build_headers` writes it; may be edited.
    #[getter]
    fn ret_code_mapper<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attributes.get(py, Attribute::RetCodeMapper, || {
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
        self.attributes.set(Attribute::RetCodeMapper, value);
    }

    /// Header fields of the response: str or bytes to str, bytes, int or a
    /// list of them.
    #[getter]
    fn response_headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attributes.get(py, Attribute::ResponseHeaders, || Ok(PyDict::new(py).into_any()))
    }
    #[setter(response_headers)]
    fn set_response_headers(&self, value: Bound<'_, PyAny>) {
        self.attributes.set(Attribute::ResponseHeaders, value);
    }

    /// Whatever handlers keep with the request.
    #[getter]
    fn session_storage<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attributes.get(py, Attribute::SessionStorage, || Ok(PyDict::new(py).into_any()))
    }
    #[setter(session_storage)]
    fn set_session_storage(&self, value: Bound<'_, PyAny>) {
        self.attributes.set(Attribute::SessionStorage, value);
    }

    /// The cookies that the client sent, names to values.
    #[getter]
    fn cookies<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.attributes
            .get(py, Attribute::Cookies, || Ok(arrival::cookies(py, &self.source())?.into_any()))
    }

    /// Adds a cookie to the response; `options` are `max_age` (seconds, or a
    /// timedelta; without it the cookie ends with the browser), `path='/'`,
    /// `domain`, `secure=False`, `httponly=True` and `samesite='Lax'`. ValueError
    /// where it would break the header or browsers would not take it.
    #[pyo3(signature = (name, value="", **options))]
    fn set_cookie(
        &self,
        py: Python<'_>,
        name: &str,
        value: &str,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        arrival::set_cookie(&self.response_headers(py)?, name, value, options)
    }

    /// Has the client forget a cookie; `path` and `domain` are those with which
    /// it was set.
    #[pyo3(signature = (name, **options))]
    fn delete_cookie(
        &self,
        py: Python<'_>,
        name: &str,
        options: Option<Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let options = options.unwrap_or_else(|| PyDict::new(py));
        options.set_item("max_age", 0)?;
        self.set_cookie(py, name, "", Some(&options))
    }

    /// The folder of files that handlers may answer with and no URL reaches, or
    /// None.
    #[getter]
    fn private_root<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match &self.source().scope.options.private_root {
            Some(path) => path.as_os_str().into_pyobject(py)?.into_any(),
            None => py.None().into_bound(py),
        })
    }

    /// The address of the client, as text: behind `trusted_proxies` the one that
    /// they tell.
    #[getter]
    fn remote(&self) -> String {
        arrival::arrival(&self.source()).remote().to_string()
    }

    /// `https` or `http`, as the client speaks it; behind `trusted_proxies` as
    /// they tell.
    #[getter]
    fn scheme(&self) -> &'static str {
        arrival::arrival(&self.source()).scheme()
    }

    /// What the TLS of the connection has negotiated, and who the client is, if it says so; None
    /// where the request has come without TLS, also where a proxy tells that its client speaks it.
    #[getter]
    fn tls(&self) -> Option<tls::Session> {
        self.source().tls_session.clone().map(tls::Session)
    }

    /// The host that the client asked for, with its port if it named one.
    #[getter]
    fn host(&self) -> String {
        arrival::arrival(&self.source()).host().into_owned()
    }

    /// The address that the client asked for, without the query.
    #[getter]
    fn base_url(&self) -> String {
        arrival::base_url(&self.source())
    }

    /// The address that the client asked for, with the query.
    #[getter]
    fn full_url(&self) -> String {
        let source = self.source();
        let query = source.uri.query().map(|query| format!("?{query}"));
        arrival::base_url(&source) + &query.unwrap_or_default()
    }

    /// Who asks.
    #[getter(CLIENT_IDENTITY)]
    fn client_identity<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let request = slf.get();
        request.attributes.get(slf.py(), Attribute::Identity, || {
            Identity::of(&request.callbacks, &request.source(), slf.as_any())
        })
    }
    #[setter(CLIENT_IDENTITY)]
    fn set_client_identity(&self, value: Bound<'_, PyAny>) {
        self.attributes.set(Attribute::Identity, value);
    }

    /// The head of a raw response: the status line by `ret_code`, then
    /// `response_headers`, then the additional ones, which win, and the blank
    /// line. What begins with it is a raw response (`Raw`). ValueError where one of
    /// them would break the head.
    #[pyo3(signature = (additional_headers=None))]
    fn build_headers<'py>(
        &self,
        py: Python<'py>,
        additional_headers: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let head = raw_head::build(py, self, additional_headers.as_ref())?;
        let head = self.callbacks.raw_type.bind(py).call1((head,))?;
        self.attributes.set(Attribute::RawHead, head.clone());
        Ok(head)
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
        raw_head::locate(&self.web_root(py)?, index_files, return_any)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let class = slf.get_type().name()?;
        let source = slf.get().source();
        Ok(format!("<{class} {} {}>", source.method, source.uri))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.attributes.traverse(&visit)
    }

    fn __clear__(&self) {
        self.attributes.clear();
    }
}
