//! What the extension calls in the Python half of the package: one object per server, whose
//! functions are looked up once, and the types by which the results of handlers are told apart.
//! Called on threads that hold Python: those in `turn()`, the event loop's, those of WebSockets.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::call::PyCallArgs;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::PyTraverseError;
use pyo3::pyclass::PyVisit;
use pyo3::types::{PyBytes, PyString, PyTuple, PyType};
use slimhttp_bridge::bridge::Bridge;
use slimhttp_bridge::log_ring::Record;
use slimhttp_bridge::side::Side;
use slimhttp_server::DebugPage;

use crate::objects::contexts::Contexts;
use crate::objects::script::Script;
use crate::objects::waiting::WaitingObjects;
use crate::objects::websocket_end::WebSocketEnd;

/// The callbacks of one server.
pub(crate) struct PyCallbacks {
    object: Py<PyAny>,
    run_module: Py<PyAny>,
    run_script: Py<PyAny>,
    failed: Py<PyAny>,
    looks_raw: Py<PyAny>,
    log: Py<PyAny>,
    json_bytes: Py<PyAny>,
    start_thread: Py<PyAny>,
    websocket_type: Py<PyAny>,
    websocket_sync_type: Py<PyAny>,
    /// What is sent as the file that its `path` names.
    pub(crate) file_types: Py<PyTuple>,
    /// `HTTP_RESPONSE`.
    pub(crate) response_type: Py<PyType>,
    /// `Raw`, a whole response as bytes.
    pub(crate) raw_type: Py<PyType>,
    /// `types.CoroutineType`.
    pub(crate) coroutine_type: Py<PyType>,
    /// What contexts are made by.
    pub(crate) contexts: Contexts,
    /// The readers of contents that wait for more on an event loop.
    pub(crate) waiting: WaitingObjects,
}

impl PyCallbacks {
    /// Looks everything up.
    ///
    /// # Errors
    /// `AttributeError` where the object lacks something.
    pub(crate) fn new(object: &Bound<'_, PyAny>, bridge: Arc<Bridge>) -> PyResult<Self> {
        let py = object.py();
        let attribute = |name| object.getattr(name).map(Bound::unbind);
        Ok(Self {
            run_module: attribute(intern!(py, "run_module"))?,
            run_script: attribute(intern!(py, "run_script"))?,
            failed: attribute(intern!(py, "failed"))?,
            looks_raw: attribute(intern!(py, "looks_raw"))?,
            log: attribute(intern!(py, "log"))?,
            json_bytes: attribute(intern!(py, "json_bytes"))?,
            start_thread: attribute(intern!(py, "start_thread"))?,
            websocket_type: attribute(intern!(py, "websocket_type"))?,
            websocket_sync_type: attribute(intern!(py, "websocket_sync_type"))?,
            file_types: object.getattr(intern!(py, "file_types"))?.cast_into::<PyTuple>()?.unbind(),
            response_type: object
                .getattr(intern!(py, "response_type"))?
                .cast_into::<PyType>()?
                .unbind(),
            raw_type: object.getattr(intern!(py, "raw_type"))?.cast_into::<PyType>()?.unbind(),
            contexts: Contexts::new(py)?,
            waiting: WaitingObjects::new(bridge),
            coroutine_type: py
                .import(intern!(py, "types"))?
                .getattr(intern!(py, "CoroutineType"))?
                .cast_into::<PyType>()?
                .unbind(),
            object: object.clone().unbind(),
        })
    }

    /// The instance that programs know: `HTTP_SERVER`.
    ///
    /// # Errors
    /// Whatever the attribute raises.
    pub(crate) fn instance<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.object.bind(py).getattr(intern!(py, "instance"))
    }

    /// Lets the package start the applications that a change has brought, and end those that it
    /// has taken away. Of those that have failed to start, those are tried anew that `retry`
    /// names, or with `None` all.
    ///
    /// # Errors
    /// What ends the program: of an application that fails the log tells.
    pub(crate) fn sync_applications(
        &self,
        py: Python<'_>,
        retry: Option<Vec<String>>,
    ) -> PyResult<()> {
        self.object.bind(py).call_method1(intern!(py, "sync_applications"), (retry,)).map(drop)
    }

    /// Asks a scope's module, within `context`.
    ///
    /// # Errors
    /// Whatever the module raises.
    pub(crate) fn run_module<'py>(
        &self,
        context: &Bound<'py, PyAny>,
        request: &Bound<'py, PyAny>,
        path: &Bound<'py, PyString>,
        reload: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.contexts.run(request.py(), (context, &self.run_module, request, path, reload))
    }

    /// Runs a script, within `context`.
    ///
    /// # Errors
    /// Whatever the script raises.
    pub(crate) fn run_script<'py>(
        &self,
        context: &Bound<'py, PyAny>,
        request: &Bound<'py, PyAny>,
        path: &Bound<'py, PyString>,
        script: Script,
        reload: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.contexts.run(request.py(), (context, &self.run_script, request, path, script, reload))
    }

    /// Logs an exception with its traceback and the request, within `context` (a
    /// filter of the log may look there whose request it was); the debug page if
    /// `debug`. What goes wrong in doing so is Python's unraisable exception.
    pub(crate) fn failed(
        &self,
        error: &PyErr,
        context: &Bound<'_, PyAny>,
        request: &Bound<'_, PyAny>,
        what: &str,
        debug: bool,
    ) -> Option<DebugPage> {
        let py = request.py();
        // `into_value` and not `value`: it gives the exception its traceback.
        let raised = error.clone_ref(py).into_value(py);
        let page = self
            .contexts
            .run(py, (context, &self.failed, raised, request, what, debug))
            .and_then(|page| page.extract::<Option<(String, String, Vec<PathBuf>)>>());
        let page = page
            .map(|page| page.map(|(html, policy, sources)| DebugPage { html, policy, sources }));
        page.unwrap_or_else(|error| {
            error.write_unraisable(py, Some(self.failed.bind(py)));
            None
        })
    }

    /// Warns that what `what` returned looks like a raw response and is none.
    ///
    /// # Errors
    /// Whatever it raises.
    pub(crate) fn looks_raw(&self, py: Python<'_>, what: &str) -> PyResult<()> {
        self.looks_raw.bind(py).call1((what,)).map(drop)
    }

    /// Hands a record to Python's `logging`.
    pub(crate) fn log(&self, py: Python<'_>, record: &Record) {
        if let Err(error) =
            self.log.bind(py).call1((record.level, &record.message, &record.application))
        {
            error.write_unraisable(py, Some(self.log.bind(py)));
        }
    }

    /// Whether an object is the coroutine of an `async def`.
    ///
    /// # Errors
    /// When Python cannot tell.
    pub(crate) fn is_coroutine(&self, object: &Bound<'_, PyAny>) -> PyResult<bool> {
        object.is_instance(self.coroutine_type.bind(object.py()))
    }

    /// Starts the event loop's thread, if it does not run.
    ///
    /// # Errors
    /// Whatever it raises.
    pub(crate) fn ensure_loop(&self, py: Python<'_>) -> PyResult<()> {
        self.object.bind(py).call_method0(intern!(py, "ensure_loop")).map(drop)
    }

    /// The JSON text of an object, in UTF-8.
    ///
    /// # Errors
    /// Whatever the encoder raises.
    pub(crate) fn json<'py>(&self, object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(self.json_bytes.bind(object.py()).call1((object,))?.cast_into::<PyBytes>()?)
    }

    /// A WebSocket as handlers know it.
    ///
    /// # Errors
    /// When Python has no memory.
    pub(crate) fn websocket<'py>(
        &self,
        side: Side,
        end: Bound<'py, WebSocketEnd>,
        request: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let class = match side {
            Side::Loop => &self.websocket_type,
            Side::Thread => &self.websocket_sync_type,
        };
        class.bind(request.py()).call1((end, request))
    }

    /// Starts a thread of this name that calls `work` in a copy of `context`.
    ///
    /// # Errors
    /// `RuntimeError` when the system has no more threads.
    pub(crate) fn start_thread(
        &self,
        context: &Bound<'_, PyAny>,
        work: &Bound<'_, PyAny>,
        name: &str,
    ) -> PyResult<()> {
        self.contexts.run(work.py(), (context, &self.start_thread, work, name)).map(drop)
    }

    /// Calls what there is for connections and certificates, within `context`: `accept`,
    /// `upgrade`, `upgraded`, `data_received`, `connection_lost`; `set_record`, `allows_name`.
    ///
    /// # Errors
    /// Whatever it raises.
    pub(crate) fn hook<'py>(
        &self,
        context: &Bound<'py, PyAny>,
        name: &Bound<'py, PyString>,
        arguments: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error = PyErr>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = name.py();
        let hook = self.object.bind(py).getattr(name)?;
        let arguments = arguments.into_pyobject(py)?;
        let all = [context.clone(), hook].into_iter().chain(arguments.iter());
        self.contexts.run(py, PyTuple::new(py, all.collect::<Vec<_>>())?)
    }

    /// The one identity of a connection.
    ///
    /// # Errors
    /// Whatever it raises.
    pub(crate) fn identity<'py>(
        &self,
        py: Python<'py>,
        arguments: impl PyCallArgs<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.object.bind(py).call_method1(intern!(py, "identity"), arguments)
    }

    /// For the garbage collector.
    ///
    /// # Errors
    /// Its own.
    pub(crate) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.object)?;
        for function in [
            &self.run_module,
            &self.run_script,
            &self.failed,
            &self.looks_raw,
            &self.log,
            &self.json_bytes,
        ] {
            visit.call(function)?;
        }
        for lent in [&self.start_thread, &self.websocket_type, &self.websocket_sync_type] {
            visit.call(lent)?;
        }
        visit.call(&self.file_types)?;
        visit.call(&self.response_type)?;
        visit.call(&self.raw_type)?;
        self.contexts.traverse(&visit)?;
        self.waiting.traverse(&visit)?;
        visit.call(&self.coroutine_type)
    }
}
