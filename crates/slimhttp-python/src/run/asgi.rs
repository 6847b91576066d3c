//! ASGI 3: a call of an application becomes a task of the event loop. Everything here runs on the
//! loop's thread.

use std::sync::Arc;

use pyo3::prelude::*;
use slimhttp_bridge::job::Call;
use slimhttp_site::application::MountedApplication;
use slimhttp_site::websocket::Handshake;

use crate::run::applications::Hosted;
use crate::run::dispatcher::Dispatcher;

/// Starts what answers a call by an ASGI application. `create_task` makes a task of a coroutine;
/// a call with a `handshake` opens a WebSocket.
///
/// # Errors
/// `KeyboardInterrupt`, and nothing else that an application raises.
pub(crate) fn start(
    _dispatcher: &Arc<Dispatcher>,
    _create_task: &Bound<'_, PyAny>,
    _call: Call,
    _hosted: &Arc<Hosted>,
    _place: &Arc<MountedApplication>,
    _handshake: Option<Handshake>,
) -> PyResult<()> {
    todo!()
}
