//! The handlers of routes and methods: a number → a callable. The site knows the number,
//! this table the callable; registering the same route again swaps the callable
//! and leaves the site alone.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use parking_lot::{Mutex, MutexGuard};
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyTuple;
use slimhttp_bridge::retained_request::PassedHandler;
use slimhttp_bridge::side::{Side, handler_id};
use slimhttp_site::methods::Methods;
use slimhttp_site::route::{HandlerId, RouteKind};

/// A route as Python registers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    /// The pattern.
    pub(crate) path: Arc<str>,
    /// The virtual host, or the global level.
    pub(crate) vhost: Option<Arc<str>>,
    /// The methods it answers.
    pub(crate) methods: Methods,
    /// Whether it answers everything below its path.
    pub(crate) prefix: bool,
    /// How it takes its requests.
    pub(crate) kind: RouteKind,
    /// Where its handler runs.
    pub(crate) side: Side,
}

impl Registration {
    /// `(vhost, path, methods, prefix, handler)`.
    ///
    /// # Errors
    /// When Python has no memory.
    pub(crate) fn tuple<'py>(
        &self,
        py: Python<'py>,
        handler: Py<PyAny>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let methods: Option<Vec<&str>> = match &self.methods {
            Methods::Any => None,
            Methods::Only(methods) => Some(methods.iter().map(Method::as_str).collect()),
        };
        (self.vhost.as_deref(), &*self.path, methods, self.prefix, handler).into_pyobject(py)
    }
}

/// A handler, ready to be called.
pub(crate) struct Handler {
    /// What is called.
    pub(crate) callable: Py<PyAny>,
    /// What it is called in messages: ``route `/path` (`function`)``.
    pub(crate) label: Arc<str>,
    /// How it is named where it passes on and nobody else answers; a route's only,
    /// for whoever answers a method leaves files to the server as a rule.
    pub(crate) passed: Option<Arc<PassedHandler>>,
}

impl Handler {
    /// That of a route for `path`: `name` is what its function is called, `place`
    /// where that stands.
    pub(crate) fn of_route(callable: Py<PyAny>, path: &str, name: &str, place: String) -> Self {
        let label: Arc<str> = format!("route `{path}` (`{name}`)").into();
        let passed = Some(Arc::new(PassedHandler::new(label.clone(), place)));
        Self { callable, label, passed }
    }
}

/// The table.
#[derive(Default)]
pub(crate) struct Handlers {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<HandlerId, Entry>,
    count: u64,
}

enum Entry {
    Route(Registration, Handler),
    /// Whoever answers a method, or with `None` every other one. It stays when the
    /// site lets go of it, for requests that began under an older one.
    Method(Option<Method>, Side, Handler),
    /// Replaced by another registration. A request that began under an older
    /// site still knows the old number.
    Moved(HandlerId),
}

impl Handlers {
    /// Swaps the handler of a route that is registered already.
    ///
    /// # Errors
    /// The handler itself where there is no such route.
    pub(crate) fn swap(
        &self,
        registration: &Registration,
        handler: Handler,
    ) -> Result<(), Handler> {
        let mut state = self.lock();
        let same = state.entries.values_mut().find_map(|entry| match entry {
            Entry::Route(known, handler) if known == registration => Some(handler),
            _ => None,
        });
        let Some(place) = same else { return Err(handler) };
        let old = std::mem::replace(place, handler);
        drop(state);
        drop(old);
        Ok(())
    }

    /// Takes in a new route and gives its number.
    pub(crate) fn add(&self, registration: Registration, handler: Handler) -> HandlerId {
        let mut state = self.lock();
        let id = handler_id(state.count, registration.side);
        state.count += 1;
        state.entries.insert(id, Entry::Route(registration, handler));
        id
    }

    /// Takes in who answers a method and gives its number, the one that the method
    /// has had on this side before if it has.
    pub(crate) fn method(&self, method: Option<Method>, side: Side, handler: Handler) -> HandlerId {
        let mut state = self.lock();
        let known = state.entries.iter().find_map(|(id, entry)| match entry {
            Entry::Method(known, known_side, _) if *known == method && *known_side == side => {
                Some(*id)
            }
            _ => None,
        });
        let id = known.unwrap_or_else(|| {
            state.count += 1;
            handler_id(state.count - 1, side)
        });
        let old = state.entries.insert(id, Entry::Method(method, side, handler));
        drop(state);
        drop(old);
        id
    }

    /// Forgets a route that the site refused.
    pub(crate) fn remove(&self, id: HandlerId) {
        let removed = self.lock().entries.remove(&id);
        drop(removed);
    }

    /// Lets `by` answer for `replaced` from now on.
    pub(crate) fn replace(&self, replaced: &[HandlerId], by: HandlerId) {
        let mut state = self.lock();
        let old: Vec<_> = replaced
            .iter()
            .filter(|id| **id != by)
            .map(|id| state.entries.insert(*id, Entry::Moved(by)))
            .collect();
        drop(state);
        drop(old);
    }

    /// The handler of a number.
    pub(crate) fn get(&self, py: Python<'_>, id: HandlerId) -> Option<Handler> {
        let state = self.lock();
        let mut id = id;
        loop {
            match state.entries.get(&id)? {
                Entry::Moved(by) => id = *by,
                Entry::Route(_, handler) | Entry::Method(_, _, handler) => {
                    let callable = handler.callable.clone_ref(py);
                    let (label, passed) = (handler.label.clone(), handler.passed.clone());
                    return Some(Handler { callable, label, passed });
                }
            }
        }
    }

    /// How the route of a number is named that has passed on.
    pub(crate) fn passed(&self, id: HandlerId) -> Option<Arc<PassedHandler>> {
        match self.lock().entries.get(&id)? {
            Entry::Route(_, handler) => handler.passed.clone(),
            Entry::Method(..) | Entry::Moved(_) => None,
        }
    }

    /// Every route in the order of registration.
    pub(crate) fn list(&self, py: Python<'_>) -> Vec<(Registration, Py<PyAny>)> {
        let state = self.lock();
        let mut routes: Vec<_> = state
            .entries
            .iter()
            .filter_map(|(id, entry)| match entry {
                Entry::Route(route, handler) => {
                    Some((id, route.clone(), handler.callable.clone_ref(py)))
                }
                Entry::Method(..) | Entry::Moved(_) => None,
            })
            .collect();
        routes.sort_by_key(|(id, _, _)| **id);
        routes.into_iter().map(|(_, route, callable)| (route, callable)).collect()
    }

    /// Whether any handler runs on the event loop.
    pub(crate) fn any_on_loop(&self) -> bool {
        self.lock().entries.values().any(|entry| match entry {
            Entry::Route(registration, _) => registration.side == Side::Loop,
            Entry::Method(_, side, _) => *side == Side::Loop,
            Entry::Moved(_) => false,
        })
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        let entries = std::mem::take(&mut self.lock().entries);
        drop(entries);
    }

    /// For the garbage collector.
    ///
    /// # Errors
    /// Its own.
    pub(crate) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(state) = self.state.try_lock() {
            for entry in state.entries.values() {
                if let Entry::Route(_, handler) | Entry::Method(_, _, handler) = entry {
                    visit.call(&handler.callable)?;
                }
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}
