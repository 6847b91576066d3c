//! A server as a program holds it: its listeners, its I/O threads and its live site.
//!
//! Everything here runs on the program's threads. Starting, stopping and changes may wait for the
//! disk or for other threads; nothing here is called by an I/O thread but [`Server::stop`], of a
//! program whose handler ends it.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

use slimhttp_acme::{DnsProvider, Judge};
use slimhttp_site::compile::listed;
use slimhttp_site::listener::FirstListener;

use crate::context::failed_start::{FailedStart, ShownFailure};
use crate::context::server::ServerContext;
use crate::fs::watcher::FileWatcher;
use crate::live::registry;
use crate::live::{Draft, Live};
use crate::net::inherited::InheritedSocket;
use crate::net::listeners::{Listeners, OpenListener};
use crate::net::shutdown::Shutdown;
use crate::observe::event::{Event, Events};
use crate::serve::accept;
use crate::serve::drain;
use crate::serve::heartbeat::Pulse;
use crate::serve::io_thread::IoThread;
use crate::serve::threads::IoThreads;
use crate::sys::privileges;
use crate::tls::status::CertificateStatus;

mod inspect;
mod start;
mod status;

pub use inspect::{CertificatesError, certificates, check, roll_over_account_key};
pub use start::{ServerConfig, StartError};
use status::status;

/// How long the end of a server waits for the last lines of its access logs.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a stop waits for the port to be free: some microseconds, unless the
/// machine is in trouble.
const PORT_TIMEOUT: Duration = Duration::from_secs(1);

/// A site in force with its listeners and its I/O threads. Dropping it closes it. It may be used
/// by several threads of the program at once.
pub struct Server {
    shared: Arc<ServerContext>,
    /// The listener that it was started with.
    first: Arc<OpenListener>,
    /// The I/O threads, from before the first of them runs.
    io_threads: OnceLock<Arc<[Arc<IoThread>]>>,
    /// Whether [`Server::start`] has been called, or will have no effect any more.
    is_started: AtomicBool,
    has_become_user: Mutex<bool>,
    /// The process that serves.
    process: u32,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("url", &self.first.url()).finish_non_exhaustive()
    }
}

impl Server {
    /// Opens every listener. Clients that connect now wait until [`Server::start`].
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn bind(mut server_config: ServerConfig) -> Result<Self, StartError> {
        raise_descriptor_limit();
        let inherited = std::mem::take(&mut server_config.inherited);
        let (listeners, first) = open_first(&server_config, inherited)?;
        let is_listed = server_config.is_listed();
        let ServerConfig { config, base, handler, .. } = server_config;
        let bound = first.bound();
        let rules = first.rules();
        let first_listener = FirstListener {
            endpoint: rules.endpoint.clone(),
            tls: rules.tls,
            is_listed,
            bound: bound.iter().map(SocketAddr::ip).collect(),
            port: bound.first().map_or(0, SocketAddr::port),
        };
        let draft = Draft::new(config, base);
        let live = Live::new(first_listener, listeners.clone(), handler.is_some(), draft);
        let live = Arc::new(live.map_err(StartError::Config)?);
        registry::register(&live);
        let shared = Arc::new(ServerContext {
            live,
            last_local: Mutex::default(),
            listeners,
            handler,
            events: Events::default(),
            admission: Arc::default(),
            shutdown: Shutdown::default(),
            watcher: FileWatcher::default(),
            encoders: Arc::default(),
            failed_start: ShownFailure::default(),
            id: RandomState::new().hash_one(first.url()),
        });
        Ok(Self {
            shared,
            first,
            io_threads: OnceLock::new(),
            is_started: AtomicBool::new(false),
            has_become_user: Mutex::new(false),
            process: std::process::id(),
        })
    }

    /// The first address that is listened on; `None` where that is a socket in the file system.
    pub fn address(&self) -> Option<SocketAddr> {
        self.first.bound().first().copied()
    }

    /// Where it listens, as URLs with the ports that are bound, the first listener first:
    /// `http://127.0.0.1:8080`, `unix:/run/site.sock`.
    pub fn urls(&self) -> Vec<String> {
        self.shared.listeners.all().iter().map(|listener| listener.url()).collect()
    }

    /// The sockets that it listens on, for the process that takes over: it gives them to
    /// [`ServerConfig::inherited`]. Until [`Server::keep_listeners`] says otherwise they are not
    /// closed for others when this server closes them.
    ///
    /// # Errors
    /// The system's, where it gives no more descriptors.
    pub fn hand_over(&self) -> std::io::Result<Vec<InheritedSocket>> {
        self.shared.listeners.hand_over()
    }

    /// No process has taken over after all.
    pub fn keep_listeners(&self) {
        self.shared.listeners.keep();
    }

    /// The process from which the sockets came has let go of them: they are this one's alone, and
    /// so are their files. Until then whoever closes them here closes them for nobody else.
    pub fn own_listeners(&self) {
        self.shared.listeners.own();
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
        if self.is_started.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.shared.live.start_serving();
        self.shared.listeners.discard_inherited();
        let count = self.shared.live.current().site.service.io_threads.max(1);
        let io_threads = IoThreads::new(count)?;
        // Whom the first of them serves may ask for them at once.
        let _ = self.io_threads.set(io_threads.known().clone());
        io_threads.spawn(&self.shared)
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

    /// Serves a connection that the program has accepted, as if it had come
    /// by the first listener. Returns whether it is served: not before [`Server::start`],
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

    /// Accepts nobody more, and answers one further request of everybody who is connected:
    /// another process listens on the same sockets. [`Server::stop`] is to follow after a
    /// moment: it closes connections that wait for a request.
    pub fn stop_accepting(&self) {
        self.shared.listeners.open_no_more();
        self.shared.shutdown.relieve();
    }

    /// Ends in such a way that no client notices: another process listens on the same sockets, and
    /// has taken over. Nobody more is accepted; what has begun goes on; every connection may
    /// make one more request, whose answer says that it is the last one, and is closed without one
    /// only at the end of `grace_period`. Returns at once; see [`Server::wait`] for the rest.
    pub fn retire(&self) {
        registry::unregister(&self.shared.live);
        self.shared.live.obtaining().stop();
        self.stop_accepting();
        match self.io_threads.get().and_then(|io_threads| Some((io_threads.first()?, io_threads))) {
            Some((first, all)) => {
                first.handle().spawn(drain::retire(self.shared.clone(), all.clone()));
            }
            None => self.stop(),
        }
    }

    /// By which a watchdog feels that the I/O threads go on; none before [`Server::start`].
    pub fn pulse(&self) -> Option<Pulse> {
        self.io_threads.get().map(Pulse::of)
    }

    /// Stops accepting and frees the port, lets requests in flight finish, and
    /// cuts what is left after `grace_period`. Returns as soon as the port is
    /// free; see [`Server::wait`] for the rest. Nothing ends by a forked child.
    pub fn stop(&self) {
        if self.is_of_parent() {
            return;
        }
        registry::unregister(&self.shared.live);
        self.shared.live.obtaining().stop();
        self.shared.shutdown.request();
        self.shared.listeners.close();
        if !self.is_started.swap(true, Ordering::AcqRel) {
            // It never started, so there is nobody to say that all has ended.
            self.shared.shutdown.finished();
        } else if tokio::runtime::Handle::try_current().is_err() {
            // An I/O thread cannot wait for what it is to do itself.
            self.shared.shutdown.wait_for_port(PORT_TIMEOUT);
        }
    }

    /// Cuts everything now. Nothing ends by a forked child.
    pub fn close(&self) {
        if self.is_of_parent() {
            return;
        }
        self.stop();
        self.shared.shutdown.cut();
    }

    /// Whether this process was forked by the one that serves: it has none of the threads, and locks
    /// may be held that those would release.
    pub fn is_of_parent(&self) -> bool {
        self.process != std::process::id()
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

    /// Has records of dns-01 set by the program, where the option `acme` does not say by whom.
    pub fn set_dns_provider(&self, provider: Option<Arc<dyn DnsProvider>>) {
        self.shared.live.obtaining().set_dns_provider(provider);
    }

    /// Has the program decide which names that nobody has configured may have a certificate, beside
    /// those that `acme.on_demand` allows.
    pub fn set_judge(&self, judge: Option<Arc<dyn Judge>>) {
        self.shared.live.obtaining().set_judge(judge);
    }

    /// What is known of each certificate of the site in force: where it comes from, for whom it
    /// is, how long, and what went wrong last. Empty where TLS is not spoken.
    pub fn certificates(&self) -> Vec<CertificateStatus> {
        self.shared.live.certificates()
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

    /// The line that greets at start: what is served, where, how to stop.
    pub fn greeting(&self) -> String {
        format!("slimHTTP {} (Ctrl-C stops)", self.status())
    }

    /// What is served, and where, as a sentence about the server.
    pub fn status(&self) -> String {
        status(&self.shared.live.current().site, &self.shared.listeners.all())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

/// Opens the listener that a server is started with.
fn open_first(
    server_config: &ServerConfig,
    inherited: Vec<InheritedSocket>,
) -> Result<(Arc<Listeners>, Arc<OpenListener>), StartError> {
    let Some(listener) = server_config.first_listener() else {
        let faults = check(server_config).err();
        return Err(StartError::Config(faults.expect("an entry of `listen` is wrong")));
    };
    let listener = Arc::new(listener);
    let cannot_listen = |cause| StartError::Listen { listener: listener.clone(), cause };
    let listeners = Listeners::new(inherited).map_err(cannot_listen)?;
    let first = listeners.open_first(&listener).map_err(cannot_listen)?;
    Ok((Arc::new(listeners), first))
}

/// Opens the listeners that `server_config` names, of those that are `inherited` where they fit:
/// clients that connect wait until a server has inherited the sockets
/// ([`ServerConfig::inherited`]), in this process or in another one.
///
/// # Errors
/// See [`StartError`].
pub fn listen(
    server_config: &ServerConfig,
    inherited: Vec<InheritedSocket>,
) -> Result<Vec<InheritedSocket>, StartError> {
    let (listeners, first) = open_first(server_config, inherited)?;
    let others = listed(&server_config.config, &server_config.base).into_iter().flatten();
    let wanted = [first.rules()].into_iter().chain(others.map(Arc::new));
    let mut seen = HashSet::new();
    let wanted: Vec<_> = wanted.filter(|listener| seen.insert(listener.endpoint.clone())).collect();
    let prepared = match listeners.prepare(&wanted) {
        Ok(prepared) => prepared,
        Err(mut all) => return Err(all.remove(0).into()),
    };
    // Nothing that was open is closed.
    let _none = listeners.replace(prepared);
    listeners.hand_over().map_err(|cause| StartError::Listen { listener: first.rules(), cause })
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
