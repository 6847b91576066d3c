//! What happened on the connections, as tuples for `poll()`. Which number of
//! `Events` each is, the Python side knows.

use std::net::SocketAddr;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use slimhttp_server::{Event, Responder};

/// `('accepted', address, port)`, `('closed', address, port)`,
/// `('malformed', address, port)`, `('custom', number)`,
/// `('answered', address, port, method, url, vhost, by, status)`.
///
/// # Errors
/// When Python has no memory.
pub(crate) fn tuple<'py>(py: Python<'py>, event: &Event) -> PyResult<Bound<'py, PyTuple>> {
    let named = |kind: &Bound<'py, PyString>, peer: &SocketAddr| {
        (kind, address(peer), peer.port()).into_pyobject(py)
    };
    match event {
        Event::Accepted { peer } => named(intern!(py, "accepted"), peer),
        Event::Closed { peer } => named(intern!(py, "closed"), peer),
        Event::Malformed { peer } => named(intern!(py, "malformed"), peer),
        Event::Custom(number) => (intern!(py, "custom"), number).into_pyobject(py),
        Event::Answered { peer, method, target, vhost, by, status } => {
            let kind = intern!(py, "answered");
            let by = match by {
                Responder::Server => intern!(py, "server"),
                Responder::Route => intern!(py, "route"),
                Responder::Module => intern!(py, "module"),
                Responder::Application => intern!(py, "application"),
                Responder::Proxy => intern!(py, "proxy"),
            };
            let (method, vhost) = (method.as_str(), vhost.as_deref());
            (kind, address(peer), peer.port(), method, target, vhost, by, status).into_pyobject(py)
        }
    }
}

fn address(peer: &SocketAddr) -> String {
    peer.ip().to_canonical().to_string()
}
