//! What happened on the connections, as tuples for `poll()`. Which number of
//! `Events` each is, the Python side knows.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use slimhttp_server::event::{Answerer, Event};

/// `('accepted', address, port)`, `('closed', address, port)`,
/// `('malformed', address, port)`,
/// `('answered', address, port, method, url, vhost, by, status)`.
///
/// # Errors
/// When Python has no memory.
pub(crate) fn tuple<'py>(py: Python<'py>, event: &Event) -> PyResult<Bound<'py, PyTuple>> {
    let (Event::Accepted { peer }
    | Event::Closed { peer }
    | Event::Malformed { peer }
    | Event::Answered { peer, .. }) = event;
    let address = peer.ip().to_canonical().to_string();
    let port = peer.port();
    match event {
        Event::Accepted { .. } => (intern!(py, "accepted"), address, port).into_pyobject(py),
        Event::Closed { .. } => (intern!(py, "closed"), address, port).into_pyobject(py),
        Event::Malformed { .. } => (intern!(py, "malformed"), address, port).into_pyobject(py),
        Event::Answered { method, target, vhost, by, status, .. } => {
            let kind = intern!(py, "answered");
            let by = match by {
                Answerer::Server => intern!(py, "server"),
                Answerer::Route => intern!(py, "route"),
                Answerer::Module => intern!(py, "module"),
                Answerer::Proxy => intern!(py, "proxy"),
            };
            (kind, address, port, method.as_str(), target, vhost.as_deref(), by, status)
                .into_pyobject(py)
        }
    }
}
