//! ASGI 3: a call of an application becomes a task of the event loop. Everything here runs on the
//! loop's thread, but for a `send` that a program calls on a thread of its own.
//!
//! [`start`] makes the `scope` (`scope`) and the [`Exchange`], whose methods `receive` and `send`
//! the application is given, and a task of the [`ApplicationCoroutine`] (`coroutine`) that calls
//! the application and answers where it fails. What may be sent and received when is in `http` and
//! `websocket`; the response of either in `response`. Where nothing waits, `receive` and `send` give
//! what is done already (`awaiting`), and no future is made.
//!
//! A client that leaves ends nothing by itself: `receive` gives `http.disconnect`, `send` raises.

mod awaiting;
mod coroutine;
mod exchange;
mod http;
mod message;
mod response;
mod scope;
mod waiters;
mod websocket;

use std::sync::Arc;

use pyo3::prelude::*;
use slimhttp_bridge::job::Call;
use slimhttp_bridge::job_id::JobId;
use slimhttp_server::HandlerFault;
use slimhttp_site::application::MountedApplication;
use slimhttp_site::websocket::Handshake;

use crate::run::applications::Hosted;
use crate::run::asgi::coroutine::ApplicationCoroutine;
pub(crate) use crate::run::asgi::exchange::Exchange;
use crate::run::dispatcher::Dispatcher;
use crate::run::retained::Retained;

/// Starts what answers a call by an ASGI application. `start_task` makes a task of a coroutine;
/// a call with a `handshake` opens a WebSocket.
///
/// # Errors
/// `KeyboardInterrupt`, and nothing else that an application raises.
pub(crate) fn start(
    dispatcher: &Arc<Dispatcher>,
    start_task: &Bound<'_, PyAny>,
    call: Call,
    hosted: &Arc<Hosted>,
    place: &Arc<MountedApplication>,
    handshake: Option<Box<Handshake>>,
) -> PyResult<()> {
    let py = start_task.py();
    let id = call.id;
    let scope = match &handshake {
        None => scope::http(py, &call.request, place, hosted),
        Some(_) => scope::websocket(py, &call.request, place, hosted),
    };
    let scope = match scope {
        Ok(scope) => scope,
        Err(no_memory) => {
            no_memory.write_unraisable(py, None);
            call.reply.send(Err(HandlerFault::Raised { page: None }));
            return Ok(());
        }
    };
    let exchange = Exchange::new(dispatcher.clone(), hosted.clone(), call, handshake);
    let exchange = Bound::new(py, exchange)?;
    let coroutine = Bound::new(py, ApplicationCoroutine::new(&exchange, scope))?;
    let task = match start_task.call1((&coroutine,)) {
        Ok(task) => task,
        // Raised in a first step that was taken at once, which has answered.
        Err(error) if exchange.get().is_concluded() => return Err(error),
        Err(error) => return exchange.get().conclude(py, Err(error)),
    };
    // A loop may run a task's first step at once, and that may have been all.
    if !exchange.get().is_concluded() {
        dispatcher.retained.keep(id, Retained::Application(exchange.unbind(), task.unbind()));
    }
    Ok(())
}

/// Something has changed for the exchange that is kept under `id`: those who wait look again.
///
/// # Errors
/// What keeps the event loop from going on.
pub(crate) fn wake(dispatcher: &Dispatcher, py: Python<'_>, id: JobId) -> PyResult<()> {
    match dispatcher.retained.exchange(py, id) {
        Some(exchange) => exchange.get().waiters.wake(py),
        // Its application has returned.
        None => Ok(()),
    }
}
