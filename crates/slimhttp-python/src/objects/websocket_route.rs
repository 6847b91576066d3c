//! What stands in a route table in place of the handler of a WebSocket: who serves it, and
//! whom it lets in. The site has judged the handshakes of its own routes by the same rules.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use slimhttp_bridge::job::Call;
use slimhttp_server::Callee;
use slimhttp_site::refusal::Refusal;
use slimhttp_site::route::RouteKind;
use slimhttp_site::websocket::{Handshake, Origins, WebSocketRules, negotiate};

/// What stands in a route table in place of the handler of a WebSocket.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct WebSocketRoute {
    /// Who serves it.
    #[pyo3(get)]
    pub(crate) handler: Py<PyAny>,
    /// Whether it is a task of the event loop.
    pub(crate) is_async: bool,
    rules: Arc<WebSocketRules>,
}

#[pymethods]
impl WebSocketRoute {
    /// ValueError for an origin that is none.
    #[new]
    fn new(
        handler: Py<PyAny>,
        is_async: bool,
        origins: Option<Vec<String>>,
        subprotocols: Vec<String>,
    ) -> PyResult<Self> {
        let origins = Origins::read(origins).map_err(|entry| {
            PyValueError::new_err(format!(
                "origins: expected origins such as `https://example.com`, or `*`, found `{entry}`"
            ))
        })?;
        let subprotocols = subprotocols.into_iter().map(String::into_boxed_str).collect();
        let rules = Arc::new(WebSocketRules { origins, subprotocols });
        Ok(Self { handler, is_async, rules })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.handler)
    }
}

impl WebSocketRoute {
    /// The kind of the route in a site.
    pub(crate) fn kind(&self) -> RouteKind {
        RouteKind::WebSocket(self.rules.clone())
    }

    /// What was agreed on, or is now: a site has judged the handshakes of its own
    /// routes; those of a module's run are known only here.
    ///
    /// # Errors
    /// Why there is no WebSocket.
    pub(crate) fn handshake(&self, call: &Call) -> Result<Handshake, Refusal> {
        if let Callee::WebSocket(.., handshake) = &call.callee {
            return Ok(Handshake::clone(handshake));
        }
        let request = &*call.request;
        let compress = request.scope.options.websocket.compress;
        negotiate(&request.method, request.version, &request.headers, &self.rules, compress)
    }
}
