//! The server object: its listeners, its I/O threads, its site and the dispatcher, and what its
//! methods have in common. Shared by every thread of Python; what changes in it are atomics and two
//! cells, which nobody holds while Python runs.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use pyo3::prelude::*;
use slimhttp_bridge::bridge::Bridge;
use slimhttp_bridge::handler::BridgeHandler;
use slimhttp_cli::ServiceManager;
use slimhttp_server::{Draft, Server as Core, ServerConfig, Snapshot, StartError};

use crate::convert::descriptors;
use crate::convert::objects;
use crate::objects::callbacks::PyCallbacks;
use crate::run::dispatcher::Dispatcher;
use crate::server::change::{ChangeError, Retry};

/// A server: its listeners, its I/O threads and its site.
#[pyclass(frozen, weakref, module = "slimHTTP._slimhttp")]
pub(crate) struct Server {
    pub(crate) core: Core,
    pub(crate) dispatcher: Arc<Dispatcher>,
    /// The folder against which relative paths of the next change are resolved.
    pub(super) base: Mutex<PathBuf>,
    /// A byte written here is a `wake()`.
    pub(super) wakeup: UnixStream,
    /// The other end, from which the watchdog reads. It is open for as long as this object is
    /// there: a signal may come, and write, until Python has taken its descriptor away.
    pub(super) wake_rx: UnixStream,
    pub(crate) started: AtomicBool,
    pub(super) stopping: AtomicBool,
    /// Whether another process has taken over.
    pub(super) retiring: AtomicBool,
    /// Who is told that it stops, if the process has somebody.
    pub(super) manager: OnceLock<Arc<ServiceManager>>,
    closed: AtomicBool,
    /// Whether a site has named applications that may have to be ended.
    has_applications: AtomicBool,
}

impl Server {
    /// Opens the listeners, of the sockets that `give` sends where these fit
    /// (`descriptors::given`). The outer failure is Python's, the inner one the listener's.
    ///
    /// # Errors
    /// Where Python lacks something, or the system has no more descriptors.
    pub(super) fn open(
        py: Python<'_>,
        mut server_config: ServerConfig,
        callbacks: &Bound<'_, PyAny>,
        give: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Result<Self, StartError>> {
        if let Some(give) = give {
            server_config.inherited = descriptors::given(give)?;
        }
        let base = Mutex::new(server_config.base.clone());
        let (wake_tx, wake_rx) = UnixStream::pair()?;
        wake_tx.set_nonblocking(true)?;
        let wakeup = wake_tx.try_clone()?;
        let bridge = Arc::new(Bridge::new(wake_tx));
        let callbacks = PyCallbacks::new(callbacks, bridge.clone())?;
        server_config.handler = Some(Arc::new(BridgeHandler(bridge.clone())));
        let core = match py.detach(|| Core::bind(server_config)) {
            Ok(core) => core,
            Err(error) => return Ok(Err(error)),
        };
        slimhttp_bridge::log_ring::attach(&bridge);
        let has_applications = core.live().current().site.has_applications;
        let server = Self {
            core,
            dispatcher: Arc::new(Dispatcher::new(bridge, callbacks)),
            base,
            wakeup,
            wake_rx,
            started: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            retiring: AtomicBool::new(false),
            manager: OnceLock::new(),
            closed: AtomicBool::new(false),
            has_applications: AtomicBool::new(has_applications),
        };
        server.apply_limits();
        Ok(Ok(server))
    }

    /// Where jobs wait.
    pub(super) fn bridge(&self) -> &Bridge {
        &self.dispatcher.bridge
    }

    /// The site in force.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.core.live().current()
    }

    /// Applies the limits of the configuration in force to the queues.
    fn apply_limits(&self) {
        let service = &self.snapshot().site.service;
        self.bridge().set_limit(service.max_queue);
        self.dispatcher.websocket_threads.set_limit(service.max_websocket_threads);
    }

    /// One change of the site, whole or not at all, with Python released.
    ///
    /// # Errors
    /// Why it is not made.
    pub(crate) fn update<R: Send>(
        &self,
        py: Python<'_>,
        change: impl FnOnce(&mut Draft) -> Result<R, ChangeError> + Send,
    ) -> PyResult<R> {
        self.update_and_retry(py, Retry::Named(Vec::new()), change)
    }

    /// As [`Self::update`]; `retry` says what becomes of applications that have failed to start.
    ///
    /// # Errors
    /// Why it is not made.
    pub(crate) fn update_and_retry<R: Send>(
        &self,
        py: Python<'_>,
        retry: Retry,
        change: impl FnOnce(&mut Draft) -> Result<R, ChangeError> + Send,
    ) -> PyResult<R> {
        let base = self.base.lock().clone();
        let outcome = py.detach(|| {
            self.core.live().try_update(|draft| {
                draft.base = base;
                change(draft)
            })
        });
        let outcome = outcome.map_err(|error| error.raised(py))?;
        self.apply_limits();
        let now = self.snapshot().site.has_applications;
        if self.has_applications.fetch_or(now, Ordering::AcqRel) || now {
            let named = match retry {
                Retry::All => None,
                Retry::Named(named) => Some(named.iter().map(|name| name.to_string()).collect()),
            };
            self.dispatcher.callbacks.sync_applications(py, named)?;
            objects::release_unnamed(py);
        }
        Ok(outcome)
    }

    /// Whether it ends by itself, once what is under way has ended.
    pub(super) fn is_ending(&self) -> bool {
        self.stopping.load(Ordering::Acquire) || self.retiring.load(Ordering::Acquire)
    }

    /// Whether there is nothing left to do, ever.
    pub(super) fn is_over(&self, py: Python<'_>) -> bool {
        if self.closed.load(Ordering::Acquire) {
            return true;
        }
        if !self.is_ending() {
            return false;
        }
        // A handler may still run on another thread: nobody waits for its answer.
        let over = py.detach(|| self.core.wait(Duration::ZERO));
        if over {
            self.close_now(py);
        }
        over
    }

    /// Hands the log records that wait to Python's `logging`.
    pub(super) fn hand_over_logs(&self, py: Python<'_>) {
        for record in slimhttp_bridge::log_ring::take() {
            self.dispatcher.callbacks.log(py, &record);
        }
    }

    /// Cuts everything now, once.
    pub(super) fn close_now(&self, py: Python<'_>) {
        if !self.closed.swap(true, Ordering::AcqRel) && !self.core.is_of_parent() {
            py.detach(|| {
                self.bridge().close();
                self.core.close();
            });
            // What its connections have let go no turn comes for.
            self.dispatcher.drop_released(py);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.closed.swap(true, Ordering::AcqRel) && !self.core.is_of_parent() {
            self.dispatcher.bridge.close();
            self.core.close();
        }
    }
}
