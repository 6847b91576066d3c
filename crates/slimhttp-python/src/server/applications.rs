//! The applications of a server as the Python half of the package starts and ends them
//! (`slimHTTP._applications`). Called on the thread that makes a change, and on the event loop's.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use slimhttp_bridge::applications::ApplicationState;
use slimhttp_bridge::side::Side;
use slimhttp_server::DebugPage;
use slimhttp_site::application::{
    AppReference, Application, ApplicationId, ApplicationSpec, Interface, Lifespan,
    MountedApplication, START_TIMEOUT,
};
use slimhttp_site::route::RouteKind;

use crate::convert::objects;
use crate::run::applications::Hosted;
use crate::run::wsgi::environ::Environs;
use crate::server::state::Server;

/// The applications of a server.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct Applications(pub(super) Py<Server>);

#[pymethods]
impl Applications {
    /// Those of the site in force, each once: `(number, reference, object, interface, lifespan,
    /// folder, environment, seconds, debug)`. `object` is None where `reference` names what is to
    /// be imported; `debug` says whether one of its scopes has it.
    fn list<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let snapshot = self.0.get().snapshot();
        let mut applications: BTreeMap<_, (&Arc<Application>, bool)> = BTreeMap::new();
        for (scope, application) in snapshot.site.applications() {
            self.0.get().dispatcher.applications.record(application);
            let known = applications.entry(application.id).or_insert((application, false));
            known.1 |= scope.options.debug;
        }
        let tuples = applications.into_values().map(|(application, debug)| {
            let spec = &application.spec;
            let object = match &spec.reference {
                AppReference::Object(number, _) => objects::of_number(py, *number),
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
                debug,
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
        application: Py<PyAny>,
        protocol: &str,
        state: Option<Py<PyDict>>,
        label: String,
    ) -> PyResult<()> {
        let side = match protocol {
            "asgi" => Side::Loop,
            "wsgi" => Side::Thread,
            _ => return Err(PyValueError::new_err("a protocol is `asgi` or `wsgi`")),
        };
        let (dispatcher, id) = (&self.0.get().dispatcher, ApplicationId(number));
        let label: Arc<str> = label.into();
        let is_multithreaded = self.0.get().snapshot().site.service.python_threads > 1;
        let environs = Environs::new(py, label.clone(), is_multithreaded)?;
        let hosted = Hosted { callable: application, state, label, environs };
        dispatcher.applications.add(id, hosted);
        dispatcher.bridge.applications.set(id, ApplicationState::Ready(side));
        Ok(())
    }

    /// An application has failed to start: its requests are answered 503. `page` shows why, as
    /// the one of [`crate::objects::callbacks::PyCallbacks::failed`].
    fn failed(&self, number: u64, page: Option<(String, String, Vec<PathBuf>)>) {
        let bridge = &self.0.get().dispatcher.bridge;
        let page = page.map(|(html, policy, sources)| DebugPage { html, policy, sources });
        let state = ApplicationState::Failed(page.map(Arc::new));
        bridge.applications.set(ApplicationId(number), state);
    }

    /// An application is to start (again): its requests wait.
    fn starting(&self, number: u64) {
        let bridge = &self.0.get().dispatcher.bridge;
        bridge.applications.set(ApplicationId(number), ApplicationState::Starting);
    }

    /// Whether the site in force names an application, or a request is in flight that an earlier
    /// one has planned for it.
    fn is_in_use(&self, number: u64) -> bool {
        self.0.get().dispatcher.applications.is_in_use(ApplicationId(number))
    }

    /// Forgets an application that no site names any more.
    fn remove(&self, py: Python<'_>, number: u64) {
        let (dispatcher, id) = (&self.0.get().dispatcher, ApplicationId(number));
        dispatcher.bridge.applications.set(id, ApplicationState::Gone);
        dispatcher.applications.remove(id);
        objects::release_unnamed(py);
    }
}

impl Server {
    /// The kind of a route that an application answers; its handler is the wrapper in which a
    /// program has said what it speaks, by `slimHTTP.asgi` or `slimHTTP.wsgi`.
    ///
    /// # Errors
    /// Whatever the wrapper raises when it is asked for its name.
    pub(super) fn application_route(
        &self,
        pattern: &str,
        wrapper: &Bound<'_, PyAny>,
        interface: Interface,
    ) -> PyResult<RouteKind> {
        let (number, name) = objects::keep(wrapper)?;
        let application = Application::new(ApplicationSpec {
            reference: AppReference::Object(number, name),
            interface,
            lifespan: Lifespan::Auto,
            dir: PathBuf::new(),
            env: Arc::default(),
            start_timeout: START_TIMEOUT,
        });
        let mounted = MountedApplication::of_route(Arc::new(application), pattern);
        Ok(RouteKind::Application(Arc::new(mounted)))
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
