//! What the arguments of the program ask for, as its Python half (`slimHTTP.__main__`) goes about
//! it: it opens the server, or binds its sockets and hands them to processes that open it. And what
//! the process has of whoever started it: sockets, a process whose place it is to take, a service
//! manager. On the main thread, before anything is served.

use std::ffi::OsString;
use std::os::fd::{IntoRawFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use slimhttp_cli::handover::{Inheritance, Invocation};
use slimhttp_cli::{Ended, Prepared, SERVICE_VARIABLES, ServiceManager, WatchdogThread};
use slimhttp_server::{InheritedSocket, listen};
use slimhttp_site::listener::{Endpoint, Listener};
use slimhttp_site::value::{Table, Value};

use crate::convert::config;
use crate::server::state::Server;
use crate::server::upgrade::Upgrade;

/// What a server that only says why another one has not started has of its configuration: how it
/// is reached, as whom it serves, and what it logs.
const REACHED_BY: [&str; 10] =
    ["addr", "port", "listen", "cert", "key", "ssl", "tls", "user", "group", "log"];

/// The folders, the globs of what is watched and of what is not, and the files.
type Watched = (Vec<PathBuf>, Vec<String>, Vec<String>, Vec<PathBuf>);

/// A command line that asks for a server.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct CommandLine {
    /// Taken by `open`.
    prepared: Mutex<Option<Prepared>>,
    invocation: Invocation,
    /// Its sockets are taken by `open` or `listen`, its predecessor by `serves` or `fail`.
    inheritance: Mutex<Inheritance>,
    manager: Arc<ServiceManager>,
    /// From `serves` on.
    watchdog: Mutex<Option<WatchdogThread>>,
}

impl CommandLine {
    fn with<R>(&self, read: impl FnOnce(&Prepared) -> R) -> PyResult<R> {
        let prepared = self.prepared.lock();
        let missing = || PyRuntimeError::new_err("the server of this command line is open already");
        Ok(read(prepared.as_ref().ok_or_else(missing)?))
    }

    /// The sockets that were handed to the process; the log is told what is wrong with them.
    fn take_sockets(&self) -> Vec<InheritedSocket> {
        let mut inheritance = self.inheritance.lock();
        for warning in inheritance.warnings.drain(..) {
            tracing::warn!("{warning}");
        }
        std::mem::take(&mut inheritance.sockets)
    }
}

#[pymethods]
impl CommandLine {
    /// Reads arguments. Where they ask for no server, or are wrong: the status to exit with, and
    /// what is yet to be written to standard error.
    #[staticmethod]
    fn read<'py>(
        py: Python<'py>,
        argv: Vec<OsString>,
        as_module: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let invocation = Invocation::of_this_process();
        let mut inheritance = match Inheritance::take() {
            Ok(inheritance) => inheritance,
            Err(why) => return Ok((1, format!("slimhttp: {why}\n")).into_pyobject(py)?.into_any()),
        };
        match py.detach(|| slimhttp_cli::prepare_wheel(argv, as_module)) {
            Ok(prepared) => {
                let manager = Arc::new(std::mem::take(&mut inheritance.manager));
                let command_line = Self {
                    prepared: Mutex::new(Some(prepared)),
                    invocation,
                    inheritance: Mutex::new(inheritance),
                    manager,
                    watchdog: Mutex::default(),
                };
                Ok(Bound::new(py, command_line)?.into_any())
            }
            Err(Ended { status, message }) => {
                inheritance.fail(&message);
                Ok((status, message).into_pyobject(py)?.into_any())
            }
        }
    }

    /// The variables of the environment that are about this process, and none that it starts.
    #[staticmethod]
    fn own_variables() -> [&'static str; SERVICE_VARIABLES.len()] {
        SERVICE_VARIABLES
    }

    /// Whether the process is to take over from another one, which goes on while this one fails.
    #[getter]
    fn is_successor(&self) -> bool {
        self.inheritance.lock().predecessor.is_some()
    }

    /// Waits until that one has ended, for both need what one process may have. Gives what is
    /// wrong with the configuration, if anything is; then the other one goes on.
    fn wait_until_alone(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let faults = self.with(|prepared| py.detach(|| prepared.explain_faults()))?;
        if !faults.is_empty() {
            self.fail(&faults);
            return Ok(Some(faults));
        }
        py.detach(|| match &self.inheritance.lock().predecessor {
            Some(predecessor) => predecessor.wait_until_alone(),
            None => Ok(()),
        })?;
        Ok(None)
    }

    /// Says that the process does not serve, and why, to the one that it was to take over from.
    fn fail(&self, why: &str) {
        self.inheritance.lock().fail(why);
    }

    /// Says that the process serves, to the one that it takes over from and to the service manager.
    fn serves(&self, py: Python<'_>, server: &Bound<'_, Server>) -> PyResult<()> {
        let server = server.get();
        let predecessor = self.inheritance.lock().predecessor.take();
        let watchdog = py.detach(|| {
            if let Some(predecessor) = predecessor {
                predecessor.replace();
                server.core.own_listeners();
            }
            self.manager.ready(&server.core.status());
            server.core.pulse().map(|pulse| self.manager.watch(pulse)).transpose()
        })?;
        *self.watchdog.lock() = watchdog.flatten();
        let _ = server.manager.set(self.manager.clone());
        Ok(())
    }

    /// Says to the service manager that the process serves, as `status` says.
    fn notify_ready(&self, py: Python<'_>, status: &str) {
        py.detach(|| self.manager.ready(status));
    }

    /// Says to the service manager that the process stops.
    fn notify_stopping(&self, py: Python<'_>) {
        py.detach(|| self.manager.stopping());
    }

    /// The upgrades of the process; `command` is how it is started once more.
    fn upgrade(&self, command: Vec<OsString>) -> Upgrade {
        let invocation = self.invocation.clone().with_command(command);
        Upgrade::new(slimhttp_cli::handover::Upgrade::new(invocation, self.manager.clone()))
    }

    /// What is watched where the server is to be started anew after an edit: folders, globs of
    /// files in them, globs of what is left out, single files. None where it is not.
    #[getter]
    fn reload(&self) -> PyResult<Option<Watched>> {
        self.with(|prepared| {
            let watched = prepared.reload.clone()?;
            Some((watched.folders, watched.includes, watched.excludes, watched.files))
        })
    }

    /// Whether it is nothing without its application: `app` has asked for it.
    #[getter]
    fn needs_application(&self) -> PyResult<bool> {
        self.with(|prepared| prepared.needs_application)
    }

    /// Whether it keeps `memory` in a file, which one process at a time may have open.
    #[getter]
    fn persists(&self) -> PyResult<bool> {
        self.with(|prepared| prepared.server_config.config.root().contains_key("persist"))
    }

    /// How the server is reached, as keywords of `Server`, with a configuration in which nothing
    /// else stands.
    #[getter]
    fn reached<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.with(|prepared| {
            let server_config = &prepared.server_config;
            let root = server_config.config.root();
            let mut kept: Table = REACHED_BY
                .into_iter()
                .filter_map(|key| Some((Arc::from(key), root.get(key)?.clone())))
                .collect();
            kept.insert(Arc::from("debug"), true.into());
            kept.insert(Arc::from("quiet"), true.into());
            if matches!(kept.get("ssl"), Some(Value::Bool(_))) {
                kept.remove("ssl");
            }
            let reached = PyDict::new(py);
            reached.set_item("tls", server_config.tls)?;
            reached.set_item("address", &server_config.address)?;
            reached.set_item("port", server_config.port)?;
            reached.set_item("config", config::write_table(py, &kept)?)?;
            reached.set_item("base", server_config.base.to_string_lossy())?;
            Ok(reached)
        })?
    }

    /// Where it listens first, as a handover names it; empty where `listen` is wrong.
    #[getter]
    fn endpoint(&self) -> PyResult<String> {
        let name = |listener: Listener| match listener.endpoint {
            // What systemd has opened keeps the name that it has there.
            Endpoint::Inherited(name) => name.to_string(),
            other => other.to_string(),
        };
        self.with(|prepared| prepared.server_config.first_listener().map_or_else(String::new, name))
    }

    /// Binds and listens; gives the names and the descriptors, whose owner is the caller, or why it
    /// cannot.
    fn listen<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let inherited = self.take_sockets();
        let bound = self.with(|prepared| {
            py.detach(|| listen(&prepared.server_config, inherited))
                .map_err(|error| prepared.origin.explain(&error))
        })?;
        match bound {
            Ok(sockets) => {
                let raw = sockets.into_iter().map(|it| (it.name, it.socket.into_raw_fd()));
                Ok(raw.collect::<Vec<(String, RawFd)>>().into_pyobject(py)?.into_any())
            }
            Err(why) => Ok(why.into_pyobject(py)?.into_any()),
        }
    }

    /// Opens the server, once, or gives why it cannot be opened. Its sockets are those that `give`
    /// sends, see `Server`; without it they are bound here, or were handed to the process.
    #[pyo3(signature = (callbacks, give=None))]
    fn open<'py>(
        &self,
        py: Python<'py>,
        callbacks: &Bound<'py, PyAny>,
        give: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(prepared) = self.prepared.lock().take() else {
            return self.with(|_| ()).map(|()| py.None().into_bound(py));
        };
        let Prepared { mut server_config, origin, folder, .. } = prepared;
        if let Some(Err(cause)) = folder.map(std::env::set_current_dir) {
            let why = format!("slimhttp: --chdir: {cause}\n");
            self.fail(&why);
            return Ok(why.into_pyobject(py)?.into_any());
        }
        server_config.inherited = self.take_sockets();
        match Server::open(py, server_config, callbacks, give)? {
            Ok(server) => Ok(Bound::new(py, server)?.into_any()),
            Err(error) => {
                let why = origin.explain(&error);
                self.fail(&why);
                Ok(why.into_pyobject(py)?.into_any())
            }
        }
    }
}
