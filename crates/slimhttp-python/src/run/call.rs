//! A call: whom it asks is found by number or path, given the request as Python knows it, and
//! called within the request's context. The only file that calls the handlers of requests.
//! Runs on a thread in `turn()`, or for `async def` on the event loop's.

use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;
use slimhttp_bridge::job::Call;
use slimhttp_bridge::retained_request::RetainedRequest;
use slimhttp_server::{Callee, HandlerFault, Request};
use slimhttp_site::application::MountedApplication;
use slimhttp_site::site::ModuleReload;
use slimhttp_site::websocket::Handshake;

use crate::objects::request::HttpRequest;
use crate::objects::script::Script;
use crate::run::applications::Hosted;
use crate::run::asgi;
use crate::run::connection_hooks;
use crate::run::dispatcher::Dispatcher;
use crate::run::retained::PendingCall;
use crate::run::wsgi;

/// A call of an application, where that is, what it is, and the handshake of a WebSocket.
type AskedApplication = (Call, Arc<MountedApplication>, Arc<Hosted>, Option<Box<Handshake>>);

impl Dispatcher {
    /// Has a WSGI application answer a call, on a thread in `turn()`.
    ///
    /// # Errors
    /// As [`wsgi::answer`].
    pub(crate) fn ask_wsgi(&self, py: Python<'_>, call: Call) -> PyResult<()> {
        match self.hosted(call) {
            Some((call, place, hosted, _)) => wsgi::answer(self, py, call, &hosted, &place),
            None => Ok(()),
        }
    }

    /// Has an ASGI application answer a call, on the event loop's thread.
    ///
    /// # Errors
    /// As [`asgi::start`].
    pub(crate) fn ask_asgi(
        self: &Arc<Self>,
        start_task: &Bound<'_, PyAny>,
        call: Call,
    ) -> PyResult<()> {
        match self.hosted(call) {
            Some((call, place, hosted, handshake)) => {
                asgi::start(self, start_task, call, &hosted, &place, handshake)
            }
            None => Ok(()),
        }
    }

    /// The application that a call asks. `None` where its connection has no room for an answer,
    /// or the application is gone; the call is answered then.
    fn hosted(&self, mut call: Call) -> Option<AskedApplication> {
        let Callee::Application(place, handshake) = &mut call.callee else {
            unreachable!("only calls of applications come here");
        };
        let (place, handshake) = (place.clone(), handshake.take());
        if !call.request.connection.has_room() {
            call.reply.send(Err(HandlerFault::NoRoom));
            return None;
        }
        let Some(hosted) = self.applications.get(place.application.id) else {
            let why = "the application has ended";
            call.reply.send(Err(HandlerFault::NotStarted { is_starting: true, why, page: None }));
            return None;
        };
        Some((call, place, hosted, handshake))
    }

    /// Calls whom a call asks; gives what it returned or raised. `None` when its
    /// connection has no room for an answer, or Python has no memory for a request;
    /// the call is answered then.
    pub(crate) fn begin<'py>(
        &self,
        py: Python<'py>,
        call: Call,
    ) -> Option<(PendingCall, PyResult<Bound<'py, PyAny>>)> {
        if !call.request.connection.has_room() {
            call.reply.send(Err(HandlerFault::NoRoom));
            return None;
        }
        let request = match self.request_object(py, &call) {
            Ok(request) => request,
            Err(error) => {
                error.write_unraisable(py, None);
                call.reply.send(Err(HandlerFault::Raised { page: None }));
                return None;
            }
        };
        let (what, result) = self.ask(&call, &request);
        Some((PendingCall { call, request: request.unbind(), what }, result))
    }

    fn request_object<'py>(
        &self,
        py: Python<'py>,
        call: &Call,
    ) -> PyResult<Bound<'py, HttpRequest>> {
        let params = match &call.callee {
            Callee::Route(_, params) | Callee::WebSocket(_, params, _) => Some(params.clone()),
            Callee::Application(..)
            | Callee::Module(_)
            | Callee::Script { .. }
            | Callee::Upgrade => None,
        };
        if let Some(request) = self.kept_request(py, &call.request) {
            if let Some(params) = params {
                // Whoever was asked before was none of a pattern, or of another one.
                request.get().take_params(params);
            }
            return Ok(request.into_bound(py));
        }
        let params = params.unwrap_or_default();
        Bound::new(py, HttpRequest::new(self.callbacks.clone(), call.request.clone(), params))
    }

    /// The object that somebody was given who has left the request to others.
    fn kept_request(&self, py: Python<'_>, source: &Request) -> Option<Py<HttpRequest>> {
        self.retained.request(py, RetainedRequest::of(source)?.id)
    }

    /// Asks whom a call names, within the context of its request.
    fn ask<'py>(
        &self,
        call: &Call,
        request: &Bound<'py, HttpRequest>,
    ) -> (Arc<str>, PyResult<Bound<'py, PyAny>>) {
        let py = request.py();
        let context = match request.get().context(py) {
            Ok(context) => context,
            Err(error) => return ("a request".into(), Err(error)),
        };
        match &call.callee {
            Callee::Route(id, _) => match self.handlers.get(py, *id) {
                Some(handler) => {
                    let asked = (&context, &handler.callable, request);
                    (handler.label, self.callbacks.contexts.run(py, asked))
                }
                None => {
                    let gone = PyRuntimeError::new_err("the route's handler is gone");
                    ("a route".into(), Err(gone))
                }
            },
            // What it is is read from the route itself, see `settle`.
            Callee::WebSocket(id, ..) => match self.handlers.get(py, *id) {
                Some(handler) => (handler.label, Ok(handler.callable.into_bound(py))),
                None => ("a route".into(), Err(PyRuntimeError::new_err("the route is gone"))),
            },
            Callee::Application(..) => unreachable!("`ask_wsgi` and `ask_asgi` call applications"),
            Callee::Module(module) => {
                let what = module.label.clone();
                let result = text_of(py, &module.path).and_then(|path| {
                    let reload = reload_name(py, module.reload);
                    self.callbacks.run_module(&context, request.as_any(), &path, reload)
                });
                (what, result)
            }
            Callee::Upgrade => {
                ("on_upgrade".into(), connection_hooks::upgrade(self, call, &context, request))
            }
            Callee::Script { path, file, reload } => {
                let what = format!("script `{}`", path.display()).into();
                let result = text_of(py, path).and_then(|path| {
                    let (script, reload) = (Script::new(file.clone()), reload_name(py, *reload));
                    self.callbacks.run_script(&context, request.as_any(), &path, script, reload)
                });
                (what, result)
            }
        }
    }
}

fn text_of<'py>(py: Python<'py>, path: &std::path::Path) -> PyResult<Bound<'py, PyString>> {
    Ok(path.as_os_str().into_pyobject(py)?)
}

fn reload_name(py: Python<'_>, reload: ModuleReload) -> &Bound<'_, PyString> {
    match reload {
        ModuleReload::Always => intern!(py, "always"),
        ModuleReload::Changed => intern!(py, "changed"),
        ModuleReload::Never => intern!(py, "never"),
    }
}
