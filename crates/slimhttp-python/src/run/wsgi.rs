//! WSGI (PEP 3333): a call of an application is answered on a thread in `turn()`, mostly within one
//! job. Each request has a context (`contextvars`) of its own, as a route's handler has: what an
//! application sets there no other request on this thread ever sees. The object of the request
//! that handlers are given is made only where the log or a stream needs it.
//!
//! `environ` makes what the application is called with, `result` reads what it returns; what it
//! holds meanwhile is in `objects::wsgi`.

pub(crate) mod environ;
mod open_file;
pub(crate) mod result;
mod tls_variables;

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use slimhttp_bridge::job::Call;
use slimhttp_server::HandlerFault;
use slimhttp_site::application::MountedApplication;

use crate::objects::wsgi::start_response::StartResponse;
use crate::run::applications::Hosted;
use crate::run::dispatcher::Dispatcher;
use result::Exchange;

/// Answers a call by a WSGI application.
///
/// # Errors
/// `KeyboardInterrupt`, and nothing else that an application raises.
pub(crate) fn answer(
    dispatcher: &Dispatcher,
    py: Python<'_>,
    call: Call,
    hosted: &Arc<Hosted>,
    place: &Arc<MountedApplication>,
) -> PyResult<()> {
    let (context, environ) = match prepare(dispatcher, py, &call, hosted, place) {
        Ok(prepared) => prepared,
        Err(error) => {
            error.write_unraisable(py, None);
            call.reply.send(Err(HandlerFault::Raised { page: None }));
            return Ok(());
        }
    };
    let start = Bound::new(py, StartResponse::new(call, hosted.label.clone()))?;
    let asked = (&context, &hosted.callable, environ, &start);
    let result = dispatcher.callbacks.contexts.run(py, asked);
    let outcome = Exchange { dispatcher, context, start }.settle(result);
    hosted.environs.errors().end_line();
    outcome
}

fn prepare<'py>(
    dispatcher: &Dispatcher,
    py: Python<'py>,
    call: &Call,
    hosted: &Hosted,
    place: &Arc<MountedApplication>,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyDict>)> {
    let context = dispatcher.callbacks.contexts.copy(py)?;
    Ok((context, hosted.environs.of(py, &call.request, place)?))
}
