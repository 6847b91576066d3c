//! Job → callable → reply. The only file that calls handlers, and the keeper
//! of every Python object that a request or a stream needs between its jobs.
//! Answers that an iterator gives are in `streams`.
//!
//! No Python runs under a lock of ours: not a call, not the end of an object.

mod streams;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyString;
use slimhttp_server::handler::{Answer, Callee, DebugPage, HandlerFault, Request};
use slimhttp_site::site::Reload;

use crate::convert::errors;
use crate::objects::content;
use crate::objects::face::Face;
use crate::objects::request::HttpRequest;
use crate::objects::script::Script;
use crate::objects::websocket_route::WebSocketRoute;
use crate::process::catch_panic::contain;
use crate::run::connection_hooks;
use crate::run::event_loop::Channel;
use crate::run::handlers::Handlers;
use crate::run::http_error;
use crate::run::response::{self, Head, Reading};
use crate::run::websocket;
use crate::run::websocket_threads::WebSocketThreads;
use slimhttp_bridge::bridge::Desk;
use slimhttp_bridge::companion::Companion;
use slimhttp_bridge::fair_queue::Waits;
use slimhttp_bridge::job::{Call, InWords, Job};
use slimhttp_bridge::job_id::Ticket;
use slimhttp_bridge::loop_queue::Note;
use slimhttp_bridge::queue::Run;
use slimhttp_bridge::side::Side;
use streams::{Stream, Unopened};

/// The dispatcher of one server.
pub(crate) struct Dispatcher {
    /// Where jobs come from.
    pub(crate) desk: Arc<Desk>,
    /// The Python side of the package.
    pub(crate) face: Arc<Face>,
    /// The handlers of routes.
    pub(crate) handlers: Handlers,
    /// Those that serve WebSockets, one each.
    pub(crate) websocket_threads: Arc<WebSocketThreads>,
    kept: Mutex<HashMap<Ticket, Kept>>,
}

/// What is kept between jobs.
pub(crate) enum Kept {
    /// The object of a request whose exchange goes on: a route has passed.
    Request(Py<HttpRequest>),
    /// An iterator on its way to a thread, for a call of this ticket.
    Unopened(Unopened),
    /// The iterator of a response under way.
    Iterator(Stream),
    /// An awaitable on its way to the event loop.
    Awaitable(Py<PyAny>, Pending),
    /// An async iterator on its way to the event loop.
    AsyncIterator(Py<PyAny>, Option<Head>, Pending),
    /// A task that answers a call.
    Task(Py<PyAny>),
    /// An async iterator of a response under way.
    Channel(Py<Channel>),
    /// A WebSocket on its way to the event loop.
    Opening(Py<WebSocketRoute>, Pending),
    /// A WebSocket, and the task that serves it.
    WebSocket(Py<PyAny>, Py<PyAny>),
}

/// A call that has begun.
pub(crate) struct Pending {
    /// The call.
    pub(crate) call: Call,
    /// Its request as Python knows it.
    pub(crate) request: Py<HttpRequest>,
    /// Who answers, for messages.
    pub(crate) what: Arc<str>,
}

impl Dispatcher {
    /// A dispatcher without handlers.
    pub(crate) fn new(desk: Arc<Desk>, face: Face) -> Self {
        Self {
            desk,
            face: Arc::new(face),
            handlers: Handlers::default(),
            websocket_threads: Arc::default(),
            kept: Mutex::default(),
        }
    }

    /// Does one job, the one of `run`.
    ///
    /// # Errors
    /// `KeyboardInterrupt`, and nothing else that a handler raises.
    pub(crate) fn run(&self, py: Python<'_>, run: Run, job: Job) -> PyResult<()> {
        let subject = || self.desk.queue.subject(run).map_or_else(String::new, |it| it.to_string());
        contain(subject, || match job {
            job if job.is_abandoned() => Ok(()),
            Job::Call(call) => match self.begin(py, call) {
                Some((pending, result)) => self.settle(py, Side::Thread, pending, result),
                None => Ok(()),
            },
            Job::Open(call) => self.open_left(py, call),
            Job::Pull(pull) => self.pull(py, pull),
            Job::Hook(hook) => connection_hooks::run(self, py, hook),
        })
        .unwrap_or(Ok(()))
    }

    /// Calls whom a call asks; gives what it returned or raised. `None` when its
    /// connection has no room for an answer, or Python has no memory for a request;
    /// the call is answered then.
    pub(crate) fn begin<'py>(
        &self,
        py: Python<'py>,
        call: Call,
    ) -> Option<(Pending, PyResult<Bound<'py, PyAny>>)> {
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
        Some((Pending { call, request: request.unbind(), what }, result))
    }

    /// Answers a call by what its handler returned or raised.
    ///
    /// # Errors
    /// As [`Dispatcher::run`].
    pub(crate) fn settle(
        &self,
        py: Python<'_>,
        side: Side,
        pending: Pending,
        result: PyResult<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let request = pending.request.bind(py).clone();
        let reading =
            result.and_then(|result| response::read(&self.face, &request, result, &pending.what));
        match reading {
            Ok(Reading::Answer(Answer::Pass)) => {
                self.keep_request(&pending.call, &request);
                pending.call.reply.send(Ok(Answer::Pass));
                Ok(())
            }
            Ok(Reading::Answer(answer)) => {
                pending.call.answer(Ok(answer));
                Ok(())
            }
            Ok(Reading::Iterator(iterator, head)) => match side {
                Side::Thread => self.open_stream(py, pending, iterator, head),
                Side::Loop => {
                    self.leave_stream(pending, iterator, head);
                    Ok(())
                }
            },
            Ok(Reading::Awaitable(awaitable)) => self
                .hand_to_loop(py, pending, |pending| Kept::Awaitable(awaitable.unbind(), pending)),
            Ok(Reading::AsyncIterator(iterator, head)) => {
                self.hand_to_loop(py, pending, |pending| {
                    Kept::AsyncIterator(iterator.unbind(), head, pending)
                })
            }
            Ok(Reading::WebSocket(route)) => websocket::open_on_thread(self, py, pending, &route),
            Err(error) => self.fail(py, pending, error),
        }
    }

    /// Answers a call by the exception that its handler raised.
    ///
    /// # Errors
    /// As [`Dispatcher::run`].
    pub(crate) fn fail(&self, py: Python<'_>, pending: Pending, error: PyErr) -> PyResult<()> {
        if error.is_instance_of::<PyKeyboardInterrupt>(py) {
            pending.call.reply.send(Err(HandlerFault::Raised { page: None }));
            return Err(error);
        }
        let error = match errors::is_http_error(py, &error) {
            false => error,
            true => match http_error::verdict(&self.face, py, &error) {
                Ok(verdict) => {
                    tracing::debug!(
                        "{}: {} says {error}",
                        InWords(&pending.call.request),
                        pending.what
                    );
                    pending.call.answer(verdict);
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

    /// Tells the log of an exception; see [`Face::failed`].
    pub(crate) fn failed(
        &self,
        request: &Bound<'_, HttpRequest>,
        error: &PyErr,
        what: &str,
        debug: bool,
    ) -> Option<DebugPage> {
        match request.get().context(request.py()) {
            Ok(context) => self.face.failed(error, &context, request.as_any(), what, debug),
            Err(no_memory) => {
                no_memory.write_unraisable(request.py(), None);
                None
            }
        }
    }

    /// Keeps an object until its ticket comes back.
    pub(crate) fn keep(&self, ticket: Ticket, kept: Kept) {
        let old = self.lock().insert(ticket, kept);
        drop(old);
    }

    /// Takes back what is kept.
    pub(crate) fn take(&self, ticket: Ticket) -> Option<Kept> {
        self.lock().remove(&ticket)
    }

    /// Takes back everything that is kept.
    pub(crate) fn take_all(&self) -> Vec<Kept> {
        self.lock().drain().map(|(_, kept)| kept).collect()
    }

    /// The channel kept under a ticket.
    pub(crate) fn channel(&self, py: Python<'_>, ticket: Ticket) -> Option<Py<Channel>> {
        match self.lock().get(&ticket) {
            Some(Kept::Channel(channel)) => Some(channel.clone_ref(py)),
            _ => None,
        }
    }

    /// The WebSocket kept under a ticket.
    pub(crate) fn websocket(&self, py: Python<'_>, ticket: Ticket) -> Option<Py<PyAny>> {
        match self.lock().get(&ticket) {
            Some(Kept::WebSocket(websocket, _)) => Some(websocket.clone_ref(py)),
            _ => None,
        }
    }

    /// For the garbage collector.
    ///
    /// # Errors
    /// Its own.
    pub(crate) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.face.traverse(visit)?;
        self.handlers.traverse(visit)?;
        let Ok(kept) = self.kept.try_lock() else { return Ok(()) };
        for kept in kept.values() {
            match kept {
                Kept::Request(request) => visit.call(request)?,
                Kept::Unopened(unopened) => unopened.traverse(&visit)?,
                Kept::Iterator(stream) => stream.traverse(&visit)?,
                Kept::Awaitable(object, pending) | Kept::AsyncIterator(object, _, pending) => {
                    visit.call(object)?;
                    visit.call(&pending.request)?;
                }
                Kept::Task(task) => visit.call(task)?,
                Kept::Channel(channel) => visit.call(channel)?,
                Kept::Opening(route, pending) => {
                    visit.call(route)?;
                    visit.call(&pending.request)?;
                }
                Kept::WebSocket(websocket, task) => {
                    visit.call(websocket)?;
                    visit.call(task)?;
                }
            }
        }
        Ok(())
    }

    fn request_object<'py>(
        &self,
        py: Python<'py>,
        call: &Call,
    ) -> PyResult<Bound<'py, HttpRequest>> {
        let params = match &call.callee {
            Callee::Route(_, params) | Callee::WebSocket(_, params, _) => Some(params.clone()),
            Callee::Module(_) | Callee::Script { .. } | Callee::Upgrade => None,
        };
        if let Some(request) = self.kept_request(py, &call.request) {
            if let Some(params) = params {
                // Whoever was asked before was none of a pattern, or of another one.
                request.get().take_params(params);
            }
            return Ok(request.into_bound(py));
        }
        let params = params.unwrap_or_default();
        Bound::new(py, HttpRequest::new(self.face.clone(), call.request.clone(), params))
    }

    /// The object that somebody was given who has left the request to others.
    fn kept_request(&self, py: Python<'_>, source: &Request) -> Option<Py<HttpRequest>> {
        let companion = Companion::of(source)?;
        match self.lock().get(&companion.ticket) {
            Some(Kept::Request(request)) => Some(request.clone_ref(py)),
            _ => None,
        }
    }

    fn keep_request(&self, call: &Call, request: &Bound<'_, HttpRequest>) {
        let source = &call.request;
        if source.companion.get().is_some() {
            return;
        }
        request.get().detach_from_source();
        let ticket = self.desk.ticket();
        self.keep(ticket, Kept::Request(request.clone().unbind()));
        let passed = match &call.callee {
            Callee::Route(id, _) => self.handlers.passed(*id),
            _ => None,
        };
        let companion = Companion { desk: self.desk.clone(), ticket, passed };
        // A request is asked about by one call at a time, so nobody was quicker;
        // had somebody been, the companion dropped here gives its ticket back.
        let _ = source.companion.set(Box::new(companion));
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
                    (handler.label, self.face.contexts.run(py, asked))
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
            Callee::Module(module) => {
                let what = module.label.clone();
                let result = text_of(py, &module.path).and_then(|path| {
                    let reload = reload_name(py, module.reload);
                    self.face.run_module(&context, request.as_any(), &path, reload)
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
                    self.face.run_script(&context, request.as_any(), &path, script, reload)
                });
                (what, result)
            }
        }
    }

    pub(crate) fn hand_to_loop(
        &self,
        py: Python<'_>,
        pending: Pending,
        kept: impl FnOnce(Pending) -> Kept,
    ) -> PyResult<()> {
        if let Err(error) = self.face.ensure_loop(py) {
            return self.fail(py, pending, error);
        }
        let ticket = pending.call.ticket;
        self.keep(ticket, kept(pending));
        if self.desk.hand_to_loop(Note::Adopt(ticket)).is_err() {
            // Closed: dropping the slot answers that the server has stopped.
            drop(self.take(ticket));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Ticket, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn text_of<'py>(py: Python<'py>, path: &std::path::Path) -> PyResult<Bound<'py, PyString>> {
    Ok(path.as_os_str().into_pyobject(py)?)
}

fn reload_name(py: Python<'_>, reload: Reload) -> &Bound<'_, PyString> {
    match reload {
        Reload::Always => intern!(py, "always"),
        Reload::Changed => intern!(py, "changed"),
        Reload::Never => intern!(py, "never"),
    }
}
