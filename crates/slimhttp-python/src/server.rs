//! `Server`: a server as the Python half of the package holds it. What it does is in the server
//! crate and in `run`; here its methods are translated. Any thread of Python calls them, several
//! at once.
//!
//! Nothing of ours is waited for while Python is held: every call that may take long or take a
//! lock of the server releases Python first.

pub(crate) mod applications;
pub(crate) mod change;
pub(crate) mod command_line;
pub(crate) mod hooks;
pub(crate) mod signals;
pub(crate) mod state;
pub(crate) mod upgrade;

use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyList, PyTuple};
use slimhttp_bridge::side::Side;
use slimhttp_server::{DebugPage, FailedStart, ServerConfig, ShownTo};
use slimhttp_site::application::Interface;
use slimhttp_site::fault::Place;

use crate::convert::certificates;
use crate::convert::config;
use crate::convert::config_path::{config_path, key_error};
use crate::convert::errors;
use crate::convert::events;
use crate::objects::routes::{read_kind, read_methods};
use crate::objects::websocket_route::WebSocketRoute;
use crate::run::add_route;
use crate::run::event_loop;
use crate::run::handlers::{Handler, Registration};
use crate::run::turn;
use crate::server::applications::Applications;
use crate::server::change::{ChangeError, Retry, successor};
use crate::server::hooks::Hooks;
use crate::server::signals::Signals;
use crate::server::state::Server;

/// How often a turn looks whether a stop is complete.
const STOP_INTERVAL: Duration = Duration::from_millis(20);

#[pymethods]
impl Server {
    /// Its sockets are bound, or are those that `give` sends, see `descriptors::given`.
    #[new]
    #[pyo3(signature = (*, tls, address, port, config, base, callbacks, give=None))]
    #[allow(clippy::too_many_arguments, reason = "keywords of Python")]
    fn new(
        py: Python<'_>,
        tls: bool,
        address: Option<String>,
        port: Option<u16>,
        config: &Bound<'_, PyAny>,
        base: PathBuf,
        callbacks: &Bound<'_, PyAny>,
        give: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let config = config::read_config(config)?;
        let server_config =
            ServerConfig { tls, address, port, config, base, handler: None, inherited: Vec::new() };
        Self::open(py, server_config, callbacks, give)?
            .map_err(|error| errors::start_error(py, &error))
    }

    /// Whether its first listener speaks TLS.
    #[getter]
    fn tls(&self) -> bool {
        self.core.live().first_listener().tls
    }

    /// Its first listener as configured, such as `:80` or `unix:/run/site.sock`.
    #[getter]
    fn endpoint(&self) -> String {
        self.core.live().first_listener().endpoint.to_string()
    }

    /// The address that is listened on, the first of several; of a socket in the file system
    /// `unix:` and its path.
    #[getter]
    fn address(&self) -> String {
        self.core.address().map_or_else(|| self.endpoint(), |address| address.ip().to_string())
    }

    /// The port that is listened on; 0 where there is none.
    #[getter]
    fn port(&self) -> u16 {
        self.core.address().map_or(0, |address| address.port())
    }

    /// Where it listens, the first listener first, with the ports that are bound.
    #[getter]
    fn urls(&self) -> Vec<String> {
        self.core.urls()
    }

    /// The line that greets at start.
    #[getter]
    fn greeting(&self) -> String {
        self.core.greeting()
    }

    /// Whether that line is left out.
    #[getter]
    fn quiet(&self) -> bool {
        self.snapshot().site.service.quiet
    }

    /// How many Python threads run handlers.
    #[getter]
    fn python_threads(&self) -> usize {
        self.snapshot().site.service.python_threads
    }

    /// The file in which `slimHTTP.memory` is to be kept, or None.
    #[getter]
    fn persist(&self) -> Option<PathBuf> {
        self.snapshot().site.service.persist.clone()
    }

    /// Seconds that requests in flight may take to finish after `stop()`.
    #[getter]
    fn grace_period(&self) -> f64 {
        self.snapshot().site.service.grace_period.as_secs_f64()
    }

    /// Whether it is closed, or stopped and drained.
    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        self.is_over(py)
    }

    /// The socket to which `signal.set_wakeup_fd` may write.
    #[getter]
    fn wakeup_fd(&self) -> RawFd {
        self.wakeup.as_raw_fd()
    }

    /// What `run()` tells of signals.
    #[getter]
    fn signals(slf: Py<Self>) -> Signals {
        Signals(slf)
    }

    /// Becomes the `user` of the configuration, which `start` does at the latest.
    fn become_user(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.core.become_user())?)
    }

    /// Starts the I/O threads; a second call does nothing.
    fn start(&self, py: Python<'_>) -> PyResult<()> {
        if self.started.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let wake_rx = self.wake_rx.try_clone()?;
        slimhttp_bridge::watchdog::start(self.dispatcher.bridge.clone(), wake_rx)?;
        if self.dispatcher.handlers.any_on_loop() {
            self.dispatcher.callbacks.ensure_loop(py)?;
        }
        Ok(py.detach(|| self.core.start())?)
    }

    /// One turn of work on this thread: waits at most `timeout` seconds for
    /// something to do, then does what waits, `most` jobs if that is not 0.
    /// False once the server is closed, or stopped and drained.
    #[pyo3(signature = (timeout, most=0))]
    fn turn(&self, py: Python<'_>, timeout: f64, most: usize) -> PyResult<bool> {
        self.hand_over_logs(py);
        if self.is_over(py) {
            self.dispatcher.drop_released(py);
            return Ok(false);
        }
        let mut timeout = turn::seconds(timeout);
        if self.is_ending() {
            timeout = timeout.min(STOP_INTERVAL);
        }
        let mut outcome = turn::take(py, &self.dispatcher, timeout, most);
        if self.is_ending() && py.detach(|| self.core.wait(Duration::ZERO)) {
            outcome = outcome.and_then(|()| turn::take_last(py, &self.dispatcher));
        }
        let over = self.is_over(py);
        self.dispatcher.drop_released(py);
        self.hand_over_logs(py);
        outcome.map(|()| !over)
    }

    /// Lets waiting turns return now. From any thread.
    fn wake(&self) {
        self.bridge().queue.wake();
    }

    /// Takes no new connections, and answers one more request on each of those that it has: another
    /// process listens too.
    fn stop_accepting(&self) {
        self.core.stop_accepting();
    }

    /// Ends so that no client notices: another process has taken over.
    fn retire(&self, py: Python<'_>) {
        if !self.retiring.swap(true, Ordering::AcqRel) {
            py.detach(|| self.core.retire());
            self.wake();
        }
    }

    /// Takes no new connections and frees the port; what is in flight finishes
    /// within the grace period.
    fn stop(&self, py: Python<'_>) {
        if !self.stopping.swap(true, Ordering::AcqRel) && !self.core.is_of_parent() {
            py.detach(|| {
                if let Some(manager) = self.manager.get() {
                    manager.stopping();
                }
                self.core.stop();
            });
            self.wake();
        }
    }

    /// Cuts everything now. From any thread, and twice.
    fn close(&self, py: Python<'_>) {
        self.close_now(py);
    }

    /// Waits until a stop is complete, at most `timeout` seconds; whether it is.
    fn wait(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let complete = py.detach(|| self.core.wait(turn::seconds(timeout)));
        py.check_signals()?;
        self.hand_over_logs(py);
        Ok(complete)
    }

    /// Relative paths of the changes from now on are resolved against `base`.
    fn set_base(&self, base: PathBuf) {
        let mut held = self.base.lock();
        *held = base;
    }

    /// Puts a configuration in force, in place of the one before; what is fixed
    /// at start may be left out.
    fn configure(&self, py: Python<'_>, config: &Bound<'_, PyAny>) -> PyResult<()> {
        let config = config::read_config(config)?;
        self.update_and_retry(py, Retry::All, move |draft| {
            draft.config = successor(&draft.config, &config);
            draft.replaced = true;
            Ok(())
        })
    }

    /// Makes several edits one change. KeyError where the path to a value does
    /// not exist.
    fn edit(&self, py: Python<'_>, edits: Vec<Bound<'_, PyTuple>>) -> PyResult<()> {
        let edits = edits.iter().map(change::read_edit).collect::<PyResult<Vec<_>>>()?;
        let retry = change::retry(&edits);
        self.update_and_retry(py, retry, move |draft| change::apply(edits, draft))
    }

    /// Makes another folder the `web_root` of a virtual host (None: of the global
    /// level). ConfError where there is no such host or folder.
    fn swap_root(
        &self,
        py: Python<'_>,
        vhost: Option<String>,
        path: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let path = config::read_value(path, &Place::default().key("web_root"))?;
        self.update(py, move |draft| change::swap_root(vhost.as_deref(), &path, draft))
    }

    /// A plain copy of what stands at `path`; the empty path is the whole
    /// configuration. KeyError.
    fn get<'py>(&self, py: Python<'py>, path: Vec<String>) -> PyResult<Bound<'py, PyAny>> {
        let path = config_path(path);
        let snapshot = self.snapshot();
        let config = &snapshot.site.config;
        if path.is_empty() {
            return Ok(config::write_table(py, config.root())?.into_any());
        }
        config::write_value(py, config.get(&path).ok_or_else(|| key_error(&path))?)
    }

    /// The keys of the table at `path`. KeyError where there is none.
    fn keys(&self, path: Vec<String>) -> PyResult<Vec<String>> {
        let path = config_path(path);
        config::keys(&self.snapshot().site.config, &path).ok_or_else(|| key_error(&path))
    }

    /// Whether a table or another value stands at `path`, or nothing.
    fn kind(&self, path: Vec<String>) -> Option<&'static str> {
        config::kind(&self.snapshot().site.config, &config_path(path))
    }

    /// Raises ConfError as `configure` would, and changes nothing.
    fn check(&self, py: Python<'_>, config: &Bound<'_, PyAny>) -> PyResult<()> {
        let config = config::read_config(config)?;
        let live = self.core.live();
        py.detach(|| live.check(&successor(&live.draft().config, &config)))
            .map(drop)
            .map_err(|faults| errors::conf_error(py, &faults))
    }

    /// Registers a handler. Where only the callable differs from what is
    /// registered, it is swapped and the site stays as it is.
    #[allow(clippy::too_many_arguments, reason = "one for each property of a route")]
    #[pyo3(signature = (path, vhost, methods, prefix, kind, handler, is_async, name, place))]
    fn add_route(
        &self,
        py: Python<'_>,
        path: String,
        vhost: Option<String>,
        methods: Option<Vec<String>>,
        prefix: bool,
        kind: &str,
        handler: Py<PyAny>,
        is_async: bool,
        name: String,
        place: String,
    ) -> PyResult<()> {
        let side = if is_async { Side::Loop } else { Side::Thread };
        let registration = Registration {
            path: path.as_str().into(),
            vhost: vhost.map(Into::into),
            methods: read_methods(methods)?,
            prefix,
            kind: match handler.cast_bound::<WebSocketRoute>(py) {
                Ok(route) => route.get().kind(),
                Err(_) => match kind {
                    "asgi" => self.application_route(&path, handler.bind(py), Interface::Asgi)?,
                    "wsgi" => self.application_route(&path, handler.bind(py), Interface::Wsgi)?,
                    _ => read_kind(kind)?,
                },
            },
            side,
        };
        let handler = Handler::of_route(handler, &path, &name, place);
        let started = self.started.load(Ordering::Acquire);
        let register = |vhost: Option<Arc<str>>, route| {
            self.update(py, move |draft| {
                draft.routes.register(vhost.as_deref(), route).map_err(ChangeError::Route)
            })
        };
        add_route::add(&self.dispatcher, py, started, registration, handler, register)
    }

    /// Every route: `(vhost, path, methods, prefix, handler)`.
    fn routes<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let routes = self.dispatcher.handlers.list(py).into_iter();
        routes.map(|(route, callable)| route.tuple(py, callable)).collect()
    }

    /// Its applications, to be started and ended.
    #[getter]
    fn applications(slf: Py<Self>) -> Applications {
        Applications(slf)
    }

    /// Which event loop is wished for: `asyncio`, `uvloop` or `auto`.
    #[getter]
    fn event_loop(&self) -> String {
        self.snapshot().site.service.event_loop.to_string()
    }

    /// What a program says of connections and of the server as a whole.
    #[getter]
    fn hooks(slf: Py<Self>) -> Hooks {
        Hooks(slf)
    }

    /// Shows whoever opens a page why the program that was to take over has not started; with
    /// `everybody` to all who ask for anything. `page` is the page and its policy.
    fn show_failed_start(&self, page: (String, String), text: String, everybody: bool) {
        let (html, policy) = page;
        let shown_to = if everybody { ShownTo::Everybody } else { ShownTo::Navigations };
        let page = DebugPage { html, policy, sources: Vec::new() };
        self.core.show_failed_start(FailedStart { page, text, shown_to });
    }

    /// What is known of each certificate: a dict each.
    fn certificates<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        certificates::list(py, &py.detach(|| self.core.certificates()))
    }

    /// Begins to keep events.
    fn watch_events(&self) {
        self.core.watch_events();
    }

    /// The events since the last time, see `events`.
    fn take_events<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let happened = self.core.take_events();
        happened.iter().map(|event| events::tuple(py, event)).collect()
    }

    /// The descriptor that is readable while something waits for the event loop.
    fn async_fd(&self) -> PyResult<RawFd> {
        Ok(self.bridge().loop_queue.descriptor()?)
    }

    /// Does what waits for the event loop; called on its thread. `start_task` makes a task of a
    /// coroutine, and takes its first step at once.
    fn async_turn(&self, py: Python<'_>, start_task: &Bound<'_, PyAny>) -> PyResult<()> {
        let outcome = event_loop::turn(&self.dispatcher, start_task);
        self.hand_over_logs(py);
        outcome
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.dispatcher.traverse(visit)
    }

    fn __clear__(&self) {
        self.dispatcher.handlers.clear();
        self.dispatcher.applications.clear();
        drop(self.dispatcher.callbacks.waiting.take_all());
        drop(self.dispatcher.retained.take_all());
    }
}
