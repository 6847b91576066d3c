//! The Python objects that requests and streams need between their jobs, by number. Whoever does
//! the job takes its object from here: a thread in `turn()`, or the event loop's thread; I/O
//! threads know the number alone. No Python runs under the lock: not a call, not the end of an
//! object.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyIterator;
use slimhttp_bridge::job::Call;
use slimhttp_bridge::job_id::JobId;

use crate::objects::request::HttpRequest;
use crate::objects::websocket_route::WebSocketRoute;
use crate::run::acme::Asked;
use crate::run::asgi::Exchange;
use crate::run::response::Head;

/// A call that has begun.
pub(crate) struct PendingCall {
    /// The call.
    pub(crate) call: Call,
    /// Its request as Python knows it.
    pub(crate) request: Py<HttpRequest>,
    /// Who answers, for messages.
    pub(crate) what: Arc<str>,
}

/// What is kept between jobs.
pub(crate) enum Retained {
    /// The object of a request whose exchange goes on: a route has passed.
    Request(Py<HttpRequest>),
    /// An iterator on its way to a thread, for a call of this id.
    UnopenedStream(UnopenedStream),
    /// The iterator of a response under way.
    Iterator(IteratorStream),
    /// What a WSGI application has returned whose file is on its way.
    OpenedFile(OpenedFile),
    /// An awaitable on its way to the event loop.
    Awaitable(Py<PyAny>, PendingCall),
    /// An async iterator on its way to the event loop.
    AsyncIterator(Py<PyAny>, Option<Head>, PendingCall),
    /// What a program has returned that was asked about a certificate, on its way to the event loop.
    Asked(Py<PyAny>, Asked),
    /// A task that answers a call, or a question about a certificate.
    Task(Py<PyAny>),
    /// The channel of an async iterator, of a response under way.
    Channel(Py<PyAny>),
    /// A WebSocket on its way to the event loop.
    UnopenedWebSocket(Py<WebSocketRoute>, PendingCall),
    /// A WebSocket, and the task that serves it.
    WebSocket(Py<PyAny>, Py<PyAny>),
    /// A request of an ASGI application, and the task that serves it.
    Application(Py<Exchange>, Py<PyAny>),
}

/// An iterator with what its messages need.
pub(crate) struct IteratorStream {
    pub(crate) iterator: Py<PyIterator>,
    pub(crate) request: Py<HttpRequest>,
    pub(crate) what: Arc<str>,
    /// The request in words.
    pub(crate) subject: Arc<str>,
    pub(crate) debug: bool,
    /// What a WSGI application has returned, of which this is the iterator.
    pub(crate) iterable: Option<Py<PyAny>>,
    occupancy: Occupancy,
}

/// A file that a WSGI application has returned, until it is closed.
pub(crate) struct OpenedFile {
    pub(crate) iterable: Py<PyAny>,
    pub(crate) request: Py<HttpRequest>,
    pub(crate) what: Arc<str>,
}

/// An iterator that an `async def` handler has returned, until a thread opens it.
pub(crate) struct UnopenedStream {
    pub(crate) iterator: Py<PyIterator>,
    pub(crate) head: Option<Head>,
    pub(crate) request: Py<HttpRequest>,
    pub(crate) what: Arc<str>,
}

impl UnopenedStream {
    /// For the garbage collector.
    ///
    /// # Errors
    /// Its own.
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.iterator)?;
        visit.call(&self.request)
    }
}

/// Whether a thread is in an iterator.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Occupancy {
    Free,
    Occupied,
    /// And its client has left meanwhile.
    OccupiedAndLeft,
}

impl IteratorStream {
    /// One that no thread is in; `subject` is the request in words.
    pub(crate) fn new(
        iterator: Py<PyIterator>,
        request: Py<HttpRequest>,
        what: Arc<str>,
        subject: Arc<str>,
        debug: bool,
    ) -> Self {
        let (iterable, occupancy) = (None, Occupancy::Free);
        Self { iterator, request, what, subject, debug, iterable, occupancy }
    }

    /// The same, of what a WSGI application has returned.
    pub(crate) fn of_wsgi(self, iterable: Py<PyAny>) -> Self {
        Self { iterable: Some(iterable), ..self }
    }

    /// For the garbage collector.
    ///
    /// # Errors
    /// Its own.
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.iterator)?;
        visit.call(&self.iterable)?;
        visit.call(&self.request)
    }
}

/// An iterator in which a thread is.
pub(crate) struct Occupied {
    pub(crate) iterator: Py<PyIterator>,
    pub(crate) request: Py<HttpRequest>,
    pub(crate) what: Arc<str>,
    /// Whether it is of a WSGI application.
    pub(crate) is_wsgi: bool,
}

/// Those of one server.
#[derive(Default)]
pub(crate) struct RetainedObjects {
    objects: Mutex<HashMap<JobId, Retained>>,
}

impl RetainedObjects {
    /// Keeps an object until its id comes back.
    pub(crate) fn keep(&self, id: JobId, object: Retained) {
        let old = self.lock().insert(id, object);
        drop(old);
    }

    /// Takes back what is kept.
    pub(crate) fn take(&self, id: JobId) -> Option<Retained> {
        self.lock().remove(&id)
    }

    /// Takes back everything that is kept.
    pub(crate) fn take_all(&self) -> Vec<Retained> {
        self.lock().drain().map(|(_, object)| object).collect()
    }

    /// The channel kept under an id.
    pub(crate) fn channel(&self, py: Python<'_>, id: JobId) -> Option<Py<PyAny>> {
        match self.lock().get(&id) {
            Some(Retained::Channel(channel)) => Some(channel.clone_ref(py)),
            _ => None,
        }
    }

    /// The WebSocket kept under an id.
    pub(crate) fn websocket(&self, py: Python<'_>, id: JobId) -> Option<Py<PyAny>> {
        match self.lock().get(&id) {
            Some(Retained::WebSocket(websocket, _)) => Some(websocket.clone_ref(py)),
            _ => None,
        }
    }

    /// The request of an application that is kept under an id.
    pub(crate) fn exchange(&self, py: Python<'_>, id: JobId) -> Option<Py<Exchange>> {
        match self.lock().get(&id) {
            Some(Retained::Application(exchange, _)) => Some(exchange.clone_ref(py)),
            _ => None,
        }
    }

    /// The request object that somebody was given who has left the request to others.
    pub(crate) fn request(&self, py: Python<'_>, id: JobId) -> Option<Py<HttpRequest>> {
        match self.lock().get(&id) {
            Some(Retained::Request(request)) => Some(request.clone_ref(py)),
            _ => None,
        }
    }

    /// Enters an iterator: nobody closes it until [`RetainedObjects::leave`].
    pub(crate) fn enter(&self, py: Python<'_>, id: JobId) -> Option<Occupied> {
        let mut objects = self.lock();
        let Some(Retained::Iterator(stream)) = objects.get_mut(&id) else { return None };
        stream.occupancy = Occupancy::Occupied;
        Some(Occupied {
            iterator: stream.iterator.clone_ref(py),
            request: stream.request.clone_ref(py),
            what: stream.what.clone(),
            is_wsgi: stream.iterable.is_some(),
        })
    }

    /// Leaves an iterator; whether its client has left meanwhile.
    pub(crate) fn leave(&self, id: JobId) -> bool {
        match self.lock().get_mut(&id) {
            Some(Retained::Iterator(stream)) => {
                let before = std::mem::replace(&mut stream.occupancy, Occupancy::Free);
                before == Occupancy::OccupiedAndLeft
            }
            _ => false,
        }
    }

    /// Takes what is kept for an owner that is gone, but for an iterator in which a thread is:
    /// [`RetainedObjects::leave`] says so for that one.
    pub(crate) fn take_unoccupied(&self, id: JobId) -> Option<Retained> {
        let mut objects = self.lock();
        match objects.get_mut(&id) {
            Some(Retained::Iterator(stream)) if stream.occupancy != Occupancy::Free => {
                stream.occupancy = Occupancy::OccupiedAndLeft;
                None
            }
            _ => objects.remove(&id),
        }
    }

    /// For the garbage collector.
    ///
    /// # Errors
    /// Its own.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(retained) = self.objects.try_lock() else { return Ok(()) };
        for object in retained.values() {
            match object {
                Retained::Request(request) => visit.call(request)?,
                Retained::UnopenedStream(unopened) => unopened.traverse(visit)?,
                Retained::Iterator(stream) => stream.traverse(visit)?,
                Retained::OpenedFile(file) => {
                    visit.call(&file.iterable)?;
                    visit.call(&file.request)?;
                }
                Retained::Awaitable(object, pending)
                | Retained::AsyncIterator(object, _, pending) => {
                    visit.call(object)?;
                    visit.call(&pending.request)?;
                }
                Retained::Asked(object, asked) => {
                    visit.call(object)?;
                    visit.call(&asked.context)?;
                }
                Retained::Task(task) => visit.call(task)?,
                Retained::Channel(channel) => visit.call(channel)?,
                Retained::UnopenedWebSocket(route, pending) => {
                    visit.call(route)?;
                    visit.call(&pending.request)?;
                }
                Retained::WebSocket(websocket, task) => {
                    visit.call(websocket)?;
                    visit.call(task)?;
                }
                Retained::Application(exchange, task) => {
                    visit.call(exchange)?;
                    visit.call(task)?;
                }
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Retained>> {
        self.objects.lock()
    }
}
