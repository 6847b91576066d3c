//! A server as a program holds it: one listener, its I/O threads and its live site.
//!
//! Everything here runs on the program's threads. Starting, stopping and changes may wait for the
//! disk or for other threads; nothing here is called by an I/O thread but [`Server::stop`], of a
//! program whose handler ends it.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use slimhttp_site::config::Config;
use slimhttp_site::fault::Faults;
use slimhttp_site::site::{Listener, Site};

use crate::api::handler::Handler;
use crate::context::failed_start::{FailedStart, ShownFailure};
use crate::context::server::ServerContext;
use crate::fs::watcher::FileWatcher;
use crate::live::registry;
use crate::live::snapshot;
use crate::live::{Draft, Live};
use crate::net::listener;
use crate::net::shutdown::Shutdown;
use crate::observe::event::{Event, Events};
use crate::serve::accept;
use crate::serve::io_thread::IoThread;
use crate::serve::threads::IoThreads;
use crate::sys::privileges;

/// How long the end of a server waits for the last lines of its access logs.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a stop waits for the port to be free: some microseconds, unless the
/// machine is in trouble.
const PORT_TIMEOUT: Duration = Duration::from_secs(1);

/// What a server is started with.
pub struct ServerConfig {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// `''` for every interface, a name, an IPv4 or IPv6 address, with or
    /// without brackets.
    pub address: String,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// The first configuration.
    pub config: Config,
    /// The folder against which relative paths are resolved.
    pub base: PathBuf,
    /// Who answers calls; without one, a `module` in the configuration is a fault.
    pub handler: Option<Arc<dyn Handler>>,
}

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// The configuration is wrong.
    Config(Faults),
    /// The address cannot be listened on.
    Listen {
        /// As configured; empty for every interface.
        address: String,
        /// As configured.
        port: u16,
        /// The system's reason.
        cause: std::io::Error,
    },
}

/// Address, port and the system's reason, and what to do about it.
impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(faults) => faults.fmt(f),
            Self::Listen { address, port, cause } => {
                let place = match address.as_str() {
                    "" => "every interface".to_string(),
                    address => format!("`{address}`"),
                };
                write!(f, "cannot listen on {place}, port {port}: {cause}")?;
                match cause.kind() {
                    std::io::ErrorKind::AddrInUse => {
                        write!(
                            f,
                            "\n  hint: another program has this port; stop it or choose another `port`"
                        )
                    }
                    std::io::ErrorKind::PermissionDenied if *port < 1024 => {
                        write!(
                            f,
                            "\n  hint: ports below 1024 belong to the administrator; try `port` 8080"
                        )
                    }
                    _ => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for StartError {}

/// One listener with its I/O threads. Dropping it closes it. It may be used by several threads of
/// the program at once.
pub struct Server {
    shared: Arc<ServerContext>,
    /// The I/O threads, from before the first of them runs.
    io_threads: OnceLock<Arc<[Arc<IoThread>]>>,
    /// Taken by [`Server::start`].
    listeners: Mutex<Option<Vec<TcpListener>>>,
    has_become_user: Mutex<bool>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.shared.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Binds and listens. Clients that connect now wait until [`Server::start`].
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn bind(server_config: ServerConfig) -> Result<Self, StartError> {
        let listeners = listen(&server_config)?;
        Self::open(server_config, Ok(listeners))
    }

    /// The same with sockets that listen already: bound by [`listen`] in another process, which
    /// has handed them over, or by systemd. Address and port of the configuration are what was
    /// asked for there.
    ///
    /// # Errors
    /// See [`StartError`]; one of `listeners` does not listen, or there is none.
    pub fn adopt(
        server_config: ServerConfig,
        listeners: Vec<TcpListener>,
    ) -> Result<Self, StartError> {
        Self::open(server_config, listener::adopt(listeners))
    }

    fn open(
        server_config: ServerConfig,
        listeners: std::io::Result<Vec<TcpListener>>,
    ) -> Result<Self, StartError> {
        raise_descriptor_limit();
        let ServerConfig { tls, address, port, config, base, handler } = server_config;
        let cannot_listen = |cause| StartError::Listen { address: address.clone(), port, cause };
        let listeners = listeners.map_err(cannot_listen)?;
        let bound = listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<Result<Vec<_>, _>>()
            .map_err(cannot_listen)?;
        let first = bound[0];
        let listener = Listener {
            tls,
            address: address.clone(),
            bound: bound.iter().map(SocketAddr::ip).collect(),
            configured_port: port,
            port: first.port(),
        };
        let draft = Draft::new(config, base);
        let live =
            Arc::new(Live::new(listener, handler.is_some(), draft).map_err(StartError::Config)?);
        registry::register(&live);
        let shared = Arc::new(ServerContext {
            live,
            address: first,
            last_local: Mutex::default(),
            handler,
            events: Events::default(),
            admission: Arc::default(),
            shutdown: Shutdown::default(),
            watcher: FileWatcher::default(),
            encoders: Arc::default(),
            failed_start: ShownFailure::default(),
            id: RandomState::new().hash_one(first),
        });
        Ok(Self {
            shared,
            io_threads: OnceLock::new(),
            listeners: Mutex::new(Some(listeners)),
            has_become_user: Mutex::new(false),
        })
    }

    /// The first address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// The live site.
    pub fn live(&self) -> &Arc<Live> {
        &self.shared.live
    }

    /// Starts the I/O threads; a second call does nothing.
    ///
    /// # Errors
    /// The system's, where it gives no more threads or descriptors, or where root
    /// cannot become the `user` that the configuration names.
    pub fn start(&self) -> std::io::Result<()> {
        self.become_user()?;
        let Some(listeners) = self.take_listeners() else { return Ok(()) };
        self.shared.live.start_serving();
        let count = self.shared.live.current().site.service.io_threads.max(1);
        let io_threads = IoThreads::new(count)?;
        // Whom the first of them serves may ask for them at once.
        let _ = self.io_threads.set(io_threads.known().clone());
        io_threads.spawn(&self.shared, listeners)
    }

    /// Becomes the `user` that the configuration names, where the process is root: all that only
    /// root may open is open by now. [`Server::start`] does it at the latest; a second call does
    /// nothing.
    ///
    /// # Errors
    /// Root cannot become that user.
    pub fn become_user(&self) -> std::io::Result<()> {
        let mut has_become_user = self.has_become_user.lock();
        if !*has_become_user {
            privileges::apply(&self.shared.live.current().site.service)?;
            *has_become_user = true;
        }
        Ok(())
    }

    fn take_listeners(&self) -> Option<Vec<TcpListener>> {
        self.lock_listeners().take()
    }

    fn lock_listeners(&self) -> MutexGuard<'_, Option<Vec<TcpListener>>> {
        self.listeners.lock()
    }

    /// Serves a connection that the program has accepted, as if it had come
    /// by the listener. Returns whether it is served: not before [`Server::start`],
    /// not while stopping, not from an address that is not allowed.
    ///
    /// # Errors
    /// The system's, where the socket is not connected.
    pub fn serve_connection(&self, socket: std::net::TcpStream) -> std::io::Result<bool> {
        let peer = socket.peer_addr()?;
        socket.set_nonblocking(true)?;
        let Some(io_threads) = self.io_threads.get().filter(|_| !self.is_stopping()) else {
            return Ok(false);
        };
        Ok(accept::serve_connection(socket, peer, io_threads, &self.shared))
    }

    /// Accepts nobody more, and serves who is there: another process listens on the same sockets,
    /// and takes over. Who has just connected is to be given a moment for a request, and then
    /// [`Server::stop`] is called: it closes connections that wait for one.
    pub fn stop_accepting(&self) {
        self.shared.shutdown.relieve();
    }

    /// Stops accepting and frees the port, lets requests in flight finish, and
    /// cuts what is left after `grace_period`. Returns as soon as the port is
    /// free; see [`Server::wait`] for the rest.
    pub fn stop(&self) {
        registry::unregister(&self.shared.live);
        self.shared.shutdown.request();
        if self.take_listeners().is_some() {
            // It never started, so there is nobody to say that all has ended.
            self.shared.shutdown.finished();
        } else if tokio::runtime::Handle::try_current().is_err() {
            // An I/O thread cannot wait for what it is to do itself.
            self.shared.shutdown.wait_for_port(PORT_TIMEOUT);
        }
    }

    /// Cuts everything now.
    pub fn close(&self) {
        self.stop();
        self.shared.shutdown.cut();
    }

    /// Whether it was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.shared.shutdown.is_requested()
    }

    /// Waits until a stop is complete, at most `timeout`; whether it is.
    pub fn wait(&self, timeout: Duration) -> bool {
        let ended = self.shared.shutdown.wait(timeout);
        if ended {
            self.shared.live.flush_access_logs(FLUSH_TIMEOUT);
        }
        ended
    }

    /// Opens the files of the access logs anew, as after a rotation. Where one
    /// cannot be opened, the old file goes on and the log says why.
    pub fn reopen_access_logs(&self) {
        self.shared.live.reopen_access_logs();
    }

    /// Shows whoever opens a page why the program that was to take over from this one has not
    /// started, from now on.
    pub fn show_failed_start(&self, failed: FailedStart) {
        self.shared.failed_start.set(failed);
    }

    /// What the end of the server waits for, in a few words; `None` where there
    /// is nothing.
    pub fn describe_in_flight(&self) -> Option<String> {
        let io_threads = self.io_threads.get().map(|io_threads| &**io_threads).unwrap_or_default();
        let in_flight = io_threads.iter().map(|io_thread| io_thread.connections.in_flight());
        let (requests, upgraded) = in_flight.fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        let counted = |count: u64, what: &str| match count {
            0 => None,
            1 => Some(format!("1 {what}")),
            count => Some(format!("{count} {what}s")),
        };
        let parts = [counted(requests, "request"), counted(upgraded, "upgraded connection")];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" and "))
    }

    /// Begins to record events (the newest 4,096).
    pub fn watch_events(&self) {
        self.shared.events.watch();
    }

    /// Records an event of the caller's own, by a number that only the caller knows.
    pub fn record_event(&self, number: u64) {
        self.shared.events.push(|| Event::Custom(number));
    }

    /// Takes the events recorded so far.
    pub fn take_events(&self) -> Vec<Event> {
        self.shared.events.take()
    }

    /// The line that greets at start: URL, what is served, how to stop.
    pub fn greeting(&self) -> String {
        let snapshot = self.shared.live.current();
        let listener = self.shared.live.listener();
        let scheme = if listener.tls { "https" } else { "http" };
        let networks =
            if self.shared.address.ip().is_unspecified() { ", for every network" } else { "" };
        format!(
            "slimHTTP serves {} at {scheme}://{}/{networks} (Ctrl-C stops)",
            summary(&snapshot.site),
            authority(self.shared.address)
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

/// Binds where `server_config` says, and listens: clients that connect wait until a server adopts
/// the sockets ([`Server::adopt`]), in this process or in another one.
///
/// # Errors
/// [`StartError::Listen`].
pub fn listen(server_config: &ServerConfig) -> Result<Vec<TcpListener>, StartError> {
    let ServerConfig { address, port, .. } = server_config;
    listener::bind(address, *port).map_err(|cause| StartError::Listen {
        address: address.clone(),
        port: *port,
        cause,
    })
}

/// Checks a configuration as [`Server::bind`] would, without a server; the
/// warnings are returned.
///
/// # Errors
/// Every fault at once.
pub fn check(server_config: &ServerConfig) -> Result<Vec<String>, Faults> {
    let address = server_config.address.trim_start_matches('[').trim_end_matches(']');
    let listener = Listener {
        tls: server_config.tls,
        address: server_config.address.clone(),
        bound: match address {
            "" => vec![Ipv6Addr::UNSPECIFIED.into()],
            address => address.parse().ok().into_iter().collect(),
        },
        configured_port: server_config.port,
        port: server_config.port,
    };
    let draft = Draft::new(server_config.config.clone(), server_config.base.clone());
    let site = snapshot::compile_site(&draft, &listener, server_config.handler.is_some(), None)?;
    if listener.tls {
        snapshot::open_certificate(&draft, &site.service)?;
    }
    Ok(site.warnings)
}

/// What a site serves, in a few words.
fn summary(site: &Site) -> String {
    // What a mount at `/` has, nothing else answers.
    let options = &site.global.at(b"/").options;
    let mut parts = Vec::new();
    if let Some(app) = &options.app {
        parts.push(app.application.spec.reference.to_string());
    } else if let Some(proxy) = &options.proxy {
        let first = &proxy.upstreams[0];
        parts.push(format!("what {}:{} answers", first.host, first.port));
    } else if let Some(module) = &options.module {
        parts.push(module.path.display().to_string());
    } else if let Some(root) = &options.web_root {
        parts.push(root.display().to_string());
    }
    match site.hosts.len() {
        0 => {}
        1 => parts.push("1 virtual host".into()),
        count => parts.push(format!("{count} virtual hosts")),
    }
    parts.join(" and ")
}

/// Every connection takes a descriptor, and the usual soft limit of 1,024 is
/// for programs that call `select`; the hard limit is the machine's own.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let now = getrlimit(Resource::Nofile);
    if now.current != now.maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum });
    }
}

/// Host and port as a client on this machine would use them in a URL.
fn authority(address: SocketAddr) -> String {
    let port = address.port();
    match address.ip().to_canonical() {
        ip if ip.is_unspecified() || ip.is_loopback() => format!("localhost:{port}"),
        std::net::IpAddr::V6(ip) => format!("[{ip}]:{port}"),
        ip @ std::net::IpAddr::V4(_) => format!("{ip}:{port}"),
    }
}
