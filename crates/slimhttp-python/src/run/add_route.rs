//! Registering the handler of a route while the server may be running: the table of
//! handlers and the site change in an order in which no request finds one without the
//! other. Called on whichever thread of Python registers; waits for other changes of the
//! site with Python let go.

use std::sync::Arc;

use pyo3::prelude::*;
use slimhttp_bridge::side::Side;
use slimhttp_site::route::{HandlerId, Route};

use crate::run::dispatcher::Dispatcher;
use crate::run::handlers::{Handler, Registration};

/// Registers `handler`. Where only the callable differs from what is registered, it is
/// swapped and the site stays as it is; otherwise `register` changes the site, and gives the
/// numbers that the route replaces there.
///
/// # Errors
/// What is wrong with the change that it makes of the site.
pub(crate) fn add(
    dispatcher: &Dispatcher,
    py: Python<'_>,
    is_started: bool,
    registration: Registration,
    handler: Handler,
    register: impl FnOnce(Option<Arc<str>>, Route) -> PyResult<Vec<HandlerId>>,
) -> PyResult<()> {
    let handlers = &dispatcher.handlers;
    let Err(handler) = handlers.swap(&registration, handler) else { return Ok(()) };
    if registration.side == Side::Loop && is_started {
        dispatcher.callbacks.ensure_loop(py)?;
    }
    // The handler is there before any request can ask for it.
    let id = handlers.add(registration.clone(), handler);
    let Registration { path: pattern, vhost, methods, prefix, kind, .. } = registration;
    let route = Route { pattern, methods, prefix, kind, handler: id };
    match register(vhost, route) {
        Ok(replaced) => {
            handlers.replace(&replaced, id);
            Ok(())
        }
        Err(error) => {
            handlers.remove(id);
            Err(error)
        }
    }
}
