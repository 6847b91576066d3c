//! The applications of a server as the Python half of the package starts and ends them
//! (`slimHTTP._applications`). Called on the thread that makes a change, and on the event loop's.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use slimhttp_bridge::applications::ApplicationState;
use slimhttp_bridge::side::Side;
use slimhttp_site::application::{AppReference, ApplicationId, Interface, Lifespan};

use crate::convert::config::object_of;
use crate::run::applications::{Hosted, Protocol};
use crate::run::wsgi::environ::Environs;
use crate::server::state::Server;

/// The applications of a server.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct Applications(pub(super) Py<Server>);

#[pymethods]
impl Applications {
    /// Those of the site in force, each once: `(number, reference, object, interface, lifespan,
    /// folder, environment, seconds)`. `object` is None where `reference` names what is to be
    /// imported.
    fn list<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let snapshot = self.0.get().snapshot();
        let mut applications = snapshot.site.applications();
        applications.sort_by_key(|application| application.id);
        applications.dedup_by_key(|application| application.id);
        let tuples = applications.into_iter().map(|application| {
            let spec = &application.spec;
            let object = match &spec.reference {
                AppReference::Object(number, _) => object_of(py, *number),
                AppReference::Import(_) => None,
            };
            let env: Vec<(&str, &str)> =
                spec.env.iter().map(|(name, value)| (&**name, &**value)).collect();
            (
                application.id.0,
                spec.reference.to_string(),
                object,
                interface_name(spec.interface),
                lifespan_name(spec.lifespan),
                spec.dir.as_path(),
                env,
                spec.start_timeout.as_secs_f64(),
            )
                .into_pyobject(py)
        });
        tuples.collect()
    }

    /// An application has started: `protocol` is `asgi` or `wsgi`, `state` what its lifespan has
    /// kept. Requests that wait for it are called now.
    fn ready(
        &self,
        py: Python<'_>,
        number: u64,
        callable: Py<PyAny>,
        protocol: &str,
        state: Option<Py<PyDict>>,
        label: String,
    ) -> PyResult<()> {
        let (protocol, side) = match protocol {
            "asgi" => (Protocol::Asgi, Side::Loop),
            "wsgi" => (Protocol::Wsgi, Side::Thread),
            _ => return Err(PyValueError::new_err("a protocol is `asgi` or `wsgi`")),
        };
        let (dispatcher, id) = (&self.0.get().dispatcher, ApplicationId(number));
        let label: Arc<str> = label.into();
        let is_multithreaded = self.0.get().snapshot().site.service.python_threads > 1;
        let environs = Environs::new(py, label.clone(), is_multithreaded)?;
        let hosted = Hosted { callable, protocol, state, label, environs };
        dispatcher.applications.add(id, hosted);
        dispatcher.bridge.applications.set(id, ApplicationState::Ready(side));
        Ok(())
    }

    /// An application has failed to start: its requests are answered 503.
    fn failed(&self, number: u64) {
        let bridge = &self.0.get().dispatcher.bridge;
        bridge.applications.set(ApplicationId(number), ApplicationState::Failed);
    }

    /// An application is to start (again): its requests wait.
    fn starting(&self, number: u64) {
        let bridge = &self.0.get().dispatcher.bridge;
        bridge.applications.set(ApplicationId(number), ApplicationState::Starting);
    }

    /// Forgets an application that no site names any more.
    fn remove(&self, number: u64) {
        let (dispatcher, id) = (&self.0.get().dispatcher, ApplicationId(number));
        dispatcher.bridge.applications.remove(id);
        dispatcher.applications.remove(id);
    }
}

fn interface_name(interface: Interface) -> &'static str {
    match interface {
        Interface::Auto => "auto",
        Interface::Asgi => "asgi",
        Interface::Wsgi => "wsgi",
    }
}

fn lifespan_name(lifespan: Lifespan) -> &'static str {
    match lifespan {
        Lifespan::Auto => "auto",
        Lifespan::On => "on",
        Lifespan::Off => "off",
    }
}
