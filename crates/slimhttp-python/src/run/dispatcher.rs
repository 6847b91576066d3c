//! What all of a server's calls share, on threads in `turn()` and on the event loop: the handlers,
//! what is kept between jobs, and how a call is answered whose handler has raised. How one is
//! called is in `call`, what its result means in `settle`.

use std::sync::Arc;

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use slimhttp_bridge::bridge::Bridge;
use slimhttp_bridge::job::InWords;
use slimhttp_bridge::loop_queue::LoopJob;
use slimhttp_server::{DebugPage, HandlerFault};

use crate::convert::errors;
use crate::objects::callbacks::PyCallbacks;
use crate::objects::content;
use crate::objects::request::HttpRequest;
use crate::run::applications::Applications;
use crate::run::handlers::Handlers;
use crate::run::http_error;
use crate::run::retained::{PendingCall, Retained, RetainedObjects};
use crate::run::websocket_threads::WebSocketThreads;

/// The dispatcher of one server.
pub(crate) struct Dispatcher {
    /// Where jobs come from.
    pub(crate) bridge: Arc<Bridge>,
    /// The Python half of the package.
    pub(crate) callbacks: Arc<PyCallbacks>,
    /// The handlers of routes.
    pub(crate) handlers: Handlers,
    /// The applications that have started.
    pub(crate) applications: Applications,
    /// Those that serve WebSockets, one each.
    pub(crate) websocket_threads: Arc<WebSocketThreads>,
    /// What is kept between jobs.
    pub(crate) retained: RetainedObjects,
}

impl Dispatcher {
    /// A dispatcher without handlers.
    pub(crate) fn new(bridge: Arc<Bridge>, callbacks: PyCallbacks) -> Self {
        Self {
            bridge,
            callbacks: Arc::new(callbacks),
            handlers: Handlers::default(),
            applications: Applications::default(),
            websocket_threads: Arc::default(),
            retained: RetainedObjects::default(),
        }
    }

    /// Answers a call by the exception that its handler raised.
    ///
    /// # Errors
    /// `KeyboardInterrupt`, and nothing else that a handler raises.
    pub(crate) fn fail(&self, py: Python<'_>, pending: PendingCall, error: PyErr) -> PyResult<()> {
        if error.is_instance_of::<PyKeyboardInterrupt>(py) {
            pending.call.reply.send(Err(HandlerFault::Raised { page: None }));
            return Err(error);
        }
        let error = match errors::is_http_error(py, &error) {
            false => error,
            true => match http_error::outcome(&self.callbacks, py, &error) {
                Ok(outcome) => {
                    tracing::debug!(
                        "{}: {} says {error}",
                        InWords(&pending.call.request),
                        pending.what
                    );
                    pending.call.answer(outcome);
                    return Ok(());
                }
                Err(wrong) => wrong,
            },
        };
        let debug = pending.call.request.scope.options.debug;
        let page = self.failed(pending.request.bind(py), &error, &pending.what, debug);
        let fault = content::fault_of(py, &error, &pending.call.request)
            .unwrap_or(HandlerFault::Raised { page });
        pending.call.reply.send(Err(fault));
        Ok(())
    }

    /// Logs an exception; see [`PyCallbacks::failed`].
    pub(crate) fn failed(
        &self,
        request: &Bound<'_, HttpRequest>,
        error: &PyErr,
        what: &str,
        debug: bool,
    ) -> Option<DebugPage> {
        match request.get().context(request.py()) {
            Ok(context) => self.callbacks.failed(error, &context, request.as_any(), what, debug),
            Err(no_memory) => {
                no_memory.write_unraisable(request.py(), None);
                None
            }
        }
    }

    /// For the garbage collector.
    ///
    /// # Errors
    /// Its own.
    pub(crate) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.retained.traverse(&visit)?;
        self.applications.traverse(&visit)?;
        self.callbacks.traverse(visit)?;
        self.handlers.traverse(visit)
    }

    /// Leaves a call to the event loop, which takes what `retain` makes of it by its number.
    ///
    /// # Errors
    /// As [`Dispatcher::fail`].
    pub(crate) fn hand_to_loop(
        &self,
        py: Python<'_>,
        pending: PendingCall,
        retain: impl FnOnce(PendingCall) -> Retained,
    ) -> PyResult<()> {
        if let Err(error) = self.callbacks.ensure_loop(py) {
            return self.fail(py, pending, error);
        }
        let id = pending.call.id;
        self.retained.keep(id, retain(pending));
        if self.bridge.hand_to_loop(LoopJob::Resume(id)).is_err() {
            // Closed: dropping the slot answers that the server has stopped.
            drop(self.retained.take(id));
        }
        Ok(())
    }
}
