//! What a program says of connections and of a server as a whole: which hooks there are, who
//! may connect, who answers a method, which requests are logged in detail. Each is one change
//! of the site.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::Method;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use slimhttp_bridge::acme::BridgeAcme;
use slimhttp_bridge::side::Side;
use slimhttp_server::Interests;
use slimhttp_site::access::Networks;
use slimhttp_site::instance::Instance;

use crate::convert::descriptors;
use crate::convert::errors;
use crate::run::handlers::Handler;
use crate::server::state::Server;

/// What a program says of connections and of the server as a whole.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct Hooks(pub(crate) Py<Server>);

impl Hooks {
    /// One change of what the program says of the server.
    fn say(&self, py: Python<'_>, change: impl FnOnce(&mut Instance) + Send) -> PyResult<()> {
        self.0.get().update(py, move |draft| {
            change(Arc::make_mut(&mut draft.routes.instance));
            Ok(())
        })
    }
}

#[pymethods]
impl Hooks {
    /// Which hooks there are.
    fn want(&self, connections: bool, authorization: bool, upgrades: bool) {
        self.0.get().dispatcher.bridge.interests.set(Interests {
            connections,
            authorization,
            upgrades,
        });
    }

    /// Lets only these addresses and networks connect; None: everybody. ConfError
    /// that names what is neither.
    fn allow(&self, py: Python<'_>, networks: Option<Vec<String>>) -> PyResult<()> {
        let allowed = match &networks {
            None => None,
            Some(networks) => {
                let parsed = Networks::parse(networks.iter().map(String::as_str));
                Some(parsed.map_err(|wrong| {
                    let message = format!(
                        "allow[{wrong}]: expected an address or a network such as `10.0.0.0/8`, \
                         found `{}`",
                        networks[wrong]
                    );
                    errors::conf_error_saying(py, message)
                })?)
            }
        };
        self.say(py, move |instance| instance.allowed = allowed)
    }

    /// Lets `handler` answer `method` where no route, module or proxy does; None:
    /// every method that nobody answers.
    fn set_method(
        &self,
        py: Python<'_>,
        method: Option<&str>,
        handler: Py<PyAny>,
        is_async: bool,
        name: &str,
    ) -> PyResult<()> {
        let server = self.0.get();
        let side = if is_async { Side::Loop } else { Side::Thread };
        let label = format!("the answer to {} (`{name}`)", method.unwrap_or("any method")).into();
        let method = method.map(read_method).transpose()?;
        let handlers = &server.dispatcher.handlers;
        let id = handlers.method(
            method.clone(),
            side,
            Handler { callable: handler, label, passed: None },
        );
        if is_async && server.started.load(Ordering::Acquire) {
            server.dispatcher.callbacks.ensure_loop(py)?;
        }
        if server.snapshot().site.instance.methods.get(method.as_ref()) == Some(id) {
            return Ok(());
        }
        self.say(py, move |instance| _ = instance.methods.set(method, id))
    }

    /// Leaves a method to the server again.
    fn remove_method(&self, py: Python<'_>, method: Option<&str>) -> PyResult<()> {
        let method = method.map(read_method).transpose()?;
        self.say(py, move |instance| _ = instance.methods.remove(method.as_ref()))
    }

    /// Lets requests of this path be logged in detail, or no more.
    fn debug(&self, py: Python<'_>, path: &str, on: bool) -> PyResult<()> {
        self.say(py, move |instance| {
            if on {
                instance.debugged.insert(path.into());
            } else {
                instance.debugged.remove(path);
            }
        })
    }

    /// Has the program set the records of dns-01.
    fn set_acme_dns(&self) {
        let server = self.0.get();
        let program = BridgeAcme(server.dispatcher.bridge.clone());
        server.core.set_dns_provider(Some(Arc::new(program)));
    }

    /// Has the program decide which names may have a certificate that are no virtual host.
    fn set_acme_allow(&self) {
        let server = self.0.get();
        let program = BridgeAcme(server.dispatcher.bridge.clone());
        server.core.set_judge(Some(Arc::new(program)));
    }

    /// Whether requests of this path are logged in detail.
    fn is_debugged(&self, path: &str) -> bool {
        self.0.get().snapshot().site.instance.is_debugged(path.as_bytes())
    }

    /// A handler may hold its instance, and that one this.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.0)
    }

    /// Gives what Python knows by this number its place among the events.
    fn record_event(&self, number: u64) {
        self.0.get().core.record_event(number);
    }

    /// Serves a connection that the program has accepted; whether it is served.
    /// `give` is called with a descriptor of which it is the owner, a UNIX socket,
    /// and sends the connection's over it (`SCM_RIGHTS`): so it comes as ours, and
    /// not as a number that anybody may close.
    fn serve_connection(&self, py: Python<'_>, give: &Bound<'_, PyAny>) -> PyResult<bool> {
        let missing = || PyValueError::new_err("expected a connected socket");
        let sent = descriptors::given(give)?.pop().ok_or_else(missing)?;
        let socket = TcpStream::from(sent.socket);
        Ok(py.detach(|| self.0.get().core.serve_connection(socket))?)
    }
}

fn read_method(name: &str) -> PyResult<Method> {
    Method::from_bytes(name.as_bytes()).map_err(|_| {
        PyValueError::new_err(format!("expected a method such as `GET`, found {name:?}"))
    })
}
