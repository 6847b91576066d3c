//! The attributes of a request: what they are made of, and those that were
//! built already. The first who reads one builds it.
//!
//! No Python runs under the lock, not even the end of an object.

use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use slimhttp_server::Request;
use slimhttp_site::route::Params;

/// The attributes that are built when they are first read.
#[derive(Clone, Copy)]
pub(super) enum Attribute {
    Method,
    Url,
    Headers,
    Query,
    Args,
    Payload,
    Data,
    Text,
    Json,
    Form,
    /// Why the content that came in was no form: a class and its arguments.
    FormFault,
    Cookies,
    Vhost,
    WebRoot,
    Params,
    RetCode,
    RetCodeMapper,
    ResponseHeaders,
    SessionStorage,
    Identity,
    /// The context of the request, which no program sees.
    Context,
    /// The head that `build_headers` has made last.
    RawHead,
}

/// How many there are: one more than the last.
const ATTRIBUTES: usize = Attribute::RawHead as usize + 1;

/// The attributes of one request.
pub(super) struct Attributes(Mutex<State>);

struct State {
    source: Arc<Request>,
    params: Params,
    built: [Option<Py<PyAny>>; ATTRIBUTES],
}

impl Attributes {
    /// Those of `source`, of which a pattern took `params`.
    pub(super) fn new(source: Arc<Request>, params: Params) -> Self {
        Self(Mutex::new(State { source, params, built: [const { None }; ATTRIBUTES] }))
    }

    /// What they are made of.
    pub(super) fn source(&self) -> Arc<Request> {
        self.lock().source.clone()
    }

    /// What a pattern took from the path.
    pub(super) fn params(&self) -> Params {
        self.lock().params.clone()
    }

    /// Another pattern took these from the path.
    pub(super) fn take_params(&self, params: Params) {
        let mut state = self.lock();
        state.params = params;
        let old = state.built[Attribute::Params as usize].take();
        drop(state);
        drop(old);
    }

    /// Lives from a copy of what it was made of from now on.
    pub(super) fn detach_from_source(&self) {
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
            tls_session: source.tls_session.clone(),
            scope: source.scope.clone(),
            connection: source.connection.clone(),
            connection_data: source.connection_data.clone(),
            handler_data: OnceLock::new(),
        });
        let source = std::mem::replace(&mut state.source, copy);
        drop(state);
        drop(source);
    }

    /// An attribute, if it was built.
    pub(super) fn peek(&self, py: Python<'_>, attribute: Attribute) -> Option<Py<PyAny>> {
        self.lock().built[attribute as usize].as_ref().map(|value| value.clone_ref(py))
    }

    /// An attribute, which `build` makes if nobody has.
    ///
    /// # Errors
    /// Those of `build`.
    pub(super) fn get<'py>(
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

    /// Puts a value in place of an attribute.
    pub(super) fn set(&self, attribute: Attribute, value: Bound<'_, PyAny>) {
        let mut state = self.lock();
        let old = state.built[attribute as usize].replace(value.unbind());
        drop(state);
        drop(old);
    }

    /// For the garbage collector.
    ///
    /// # Errors
    /// Its own.
    // As in `identity.rs`: it may be asked when all is zero.
    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Whoever holds the lock is between two moves and holds the object too.
        if let Some(state) = self.0.try_lock() {
            for value in &state.built {
                visit.call(value)?;
            }
        }
        Ok(())
    }

    /// Forgets every attribute.
    pub(super) fn clear(&self) {
        let mut state = self.lock();
        let built = std::mem::replace(&mut state.built, [const { None }; ATTRIBUTES]);
        drop(state);
        drop(built);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}
