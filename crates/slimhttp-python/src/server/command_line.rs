//! What the arguments of the program ask for, as its Python half (`slimHTTP.__main__`) goes about
//! it: it opens the server, or binds its sockets and hands them to processes that open it. On the
//! main thread, before anything is served.

use std::ffi::OsString;
use std::os::fd::{IntoRawFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use slimhttp_cli::{Ended, Prepared};
use slimhttp_server::listen;
use slimhttp_site::value::{Table, Value};

use crate::convert::config;
use crate::server::state::Server;

/// What a server that only says why another one has not started has of its configuration: how it
/// is reached, as whom it serves, and what it logs.
const REACHED_BY: [&str; 9] =
    ["addr", "port", "listen", "cert", "key", "ssl", "user", "group", "log"];

/// The folders, the globs of what is watched and of what is not, and the files.
type Watched = (Vec<PathBuf>, Vec<String>, Vec<String>, Vec<PathBuf>);

/// A command line that asks for a server.
#[pyclass(frozen, module = "slimHTTP._slimhttp")]
pub(crate) struct CommandLine {
    /// Taken by `open`.
    prepared: Mutex<Option<Prepared>>,
}

impl CommandLine {
    fn with<R>(&self, read: impl FnOnce(&Prepared) -> R) -> PyResult<R> {
        let prepared = self.prepared.lock();
        let missing = || PyRuntimeError::new_err("the server of this command line is open already");
        Ok(read(prepared.as_ref().ok_or_else(missing)?))
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
        match py.detach(|| slimhttp_cli::prepare_wheel(argv, as_module)) {
            Ok(prepared) => {
                let prepared = Mutex::new(Some(prepared));
                Ok(Bound::new(py, Self { prepared })?.into_any())
            }
            Err(Ended { status, message }) => Ok((status, message).into_pyobject(py)?.into_any()),
        }
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
        self.with(|prepared| {
            let first = prepared.server_config.first_listener();
            first.map_or_else(String::new, |listener| listener.endpoint.to_string())
        })
    }

    /// Binds and listens; gives the names and the descriptors, whose owner is the caller, or why it
    /// cannot.
    fn listen<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let bound = self.with(|prepared| {
            py.detach(|| listen(&prepared.server_config))
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
    /// sends, see `Server`; without it they are bound here.
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
        let Prepared { server_config, origin, folder, .. } = prepared;
        if let Some(Err(cause)) = folder.map(std::env::set_current_dir) {
            return Ok(format!("slimhttp: --chdir: {cause}\n").into_pyobject(py)?.into_any());
        }
        match Server::open(py, server_config, callbacks, give)? {
            Ok(server) => Ok(Bound::new(py, server)?.into_any()),
            Err(error) => Ok(origin.explain(&error).into_pyobject(py)?.into_any()),
        }
    }
}
