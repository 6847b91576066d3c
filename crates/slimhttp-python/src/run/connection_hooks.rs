//! What a program is asked about connections: whether one is served, to take what an upgraded
//! one has sent, that one has ended, and whether it takes an upgrade. Which functions there
//! are, and which identity belongs to which connection, `slimHTTP._net._connections` knows. Runs on
//! a thread in `turn()`, within a context of its own or of the request.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::Response;
use pyo3::exceptions::{PyKeyboardInterrupt, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use slimhttp_bridge::connection::{Connection, ConnectionJob};
use slimhttp_bridge::job::Call;
use slimhttp_bridge::upgraded_pipe::UpgradedPipe;
use slimhttp_server::{Answer, Body};
use slimhttp_site::raw_reply;

use crate::convert::errors;
use crate::objects::callbacks::PyCallbacks;
use crate::objects::request::HttpRequest;
use crate::objects::socket::Socket;
use crate::objects::upgrade_answer::UpgradeAnswer;
use crate::run::dispatcher::Dispatcher;

/// Does what is asked about a connection.
///
/// # Errors
/// `KeyboardInterrupt`, and nothing else that a hook raises.
pub(crate) fn run(dispatcher: &Dispatcher, py: Python<'_>, job: ConnectionJob) -> PyResult<()> {
    let callbacks = &dispatcher.callbacks;
    let what = job.subject();
    let context = match callbacks.contexts.copy(py) {
        Ok(context) => context,
        Err(no_memory) => {
            no_memory.write_unraisable(py, None);
            return Ok(());
        }
    };
    match job {
        ConnectionJob::Authorize(connection, reply) => {
            let asked = socket(py, &connection).and_then(|socket| {
                let arguments = (connection.id.0, socket);
                callbacks.hook(&context, intern!(py, "accept"), arguments)?.is_truthy()
            });
            let served = result_of(callbacks, &context, &what, asked)?;
            // A connection that has ended meanwhile does not hear it.
            let _ = reply.send(served.unwrap_or(false));
        }
        ConnectionJob::Data(connection) => {
            let before = connection.pipe.arrivals();
            let arguments = (connection.id.0, before.finished);
            let looked = callbacks.hook(&context, intern!(py, "data_received"), arguments);
            if result_of(callbacks, &context, &what, looked)?.is_none() {
                // What its identity does not understand nobody else will.
                connection.pipe.close();
            }
            if connection.pipe.must_look_again(before) {
                dispatcher.bridge.announce_data(&connection);
            }
        }
        ConnectionJob::Closed(connection) => {
            dispatcher.bridge.close_backlog.remove();
            // First: whoever registers an identity looks after that whether it comes too late.
            connection.is_end_reported.store(true, Ordering::SeqCst);
            let outcome = socket(py, &connection).and_then(|socket| {
                callbacks.hook(&context, intern!(py, "connection_lost"), (connection.id.0, socket))
            });
            result_of(callbacks, &context, &what, outcome)?;
        }
    }
    Ok(())
}

/// What a hook gave; `None` where it raised, which is logged. An
/// `HTTPError` says no, and is no failure.
fn result_of<R>(
    callbacks: &PyCallbacks,
    context: &Bound<'_, PyAny>,
    what: &str,
    outcome: PyResult<R>,
) -> PyResult<Option<R>> {
    let py = context.py();
    match outcome {
        Ok(given) => Ok(Some(given)),
        Err(error) if error.is_instance_of::<PyKeyboardInterrupt>(py) => Err(error),
        Err(error) if errors::is_http_error(py, &error) => {
            tracing::debug!("{what} says {error}");
            Ok(None)
        }
        Err(error) => {
            callbacks.failed(&error, context, py.None().bind(py), what, false);
            Ok(None)
        }
    }
}

fn socket<'py>(py: Python<'py>, connection: &Arc<Connection>) -> PyResult<Bound<'py, Socket>> {
    Bound::new(py, Socket::new(connection.clone()))
}

/// Asks the program whether it takes an upgrade. Gives a [`UpgradeAnswer`] where it
/// does, None where it does not, else an answer as a handler's.
///
/// # Errors
/// Whatever the program raises, and `UpgradeIssue` where it takes the upgrade and
/// does not say so to the client.
pub(crate) fn upgrade<'py>(
    dispatcher: &Dispatcher,
    call: &Call,
    context: &Bound<'py, PyAny>,
    request: &Bound<'py, HttpRequest>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, callbacks) = (request.py(), &dispatcher.callbacks);
    let Some(connection) = Connection::of(call.request.connection_data.as_ref()) else {
        return Ok(py.None().into_bound(py));
    };
    connection.pipe.begin_answer();
    let socket = socket(py, &connection)?;
    let asked =
        callbacks.hook(context, intern!(py, "upgrade"), (connection.id.0, &socket, request));
    let written = connection.pipe.take_answer();
    let identity = asked?;
    if written.is_empty() {
        return Ok(identity);
    }
    let switch = raw_reply::parse_switch(&written).map_err(PyValueError::new_err)?;
    let Some(head) = switch else {
        // Another answer, written and not returned: no.
        let written = PyBytes::new(py, &written);
        return match raw_reply::looks_raw(written.as_bytes()) {
            true => callbacks.raw_type.bind(py).call1((written,)),
            false => Ok(written.into_any()),
        };
    };
    callbacks.hook(context, intern!(py, "upgraded"), (connection.id.0, socket, &identity))?;
    connection.pipe.open(Bytes::copy_from_slice(&written[head.body_start..]));
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    let answer = Answer::Switch(
        response,
        Box::new(UpgradedPipe { connection, bridge: dispatcher.bridge.clone() }),
    );
    Ok(Bound::new(py, UpgradeAnswer::new(answer))?.into_any())
}
