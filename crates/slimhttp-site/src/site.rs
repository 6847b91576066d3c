//! The compiled site: what a whole configuration came to, every default filled in.
//!
//! [`crate::compile`] makes it, the server crate holds the one in force and shares it among
//! its threads. It never changes: a change of the configuration makes a new one, in which
//! whatever did not change is shared with the old one by reference.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use slimhttp_http1::Limits;

use crate::config::Config;
use crate::config::logging::Logging;
use crate::files::file_rules::{AnswerRules, FileRules};
use crate::protocol::https;
use crate::protocol::websocket::WebSocketLimits;
use crate::routing::host::HostTable;
use crate::routing::route::RouteTable;
use crate::routing::upstream_prefix::PrefixRule;
use crate::site::access::{Networks, PerClient};
use crate::site::acme::AcmeOptions;
use crate::site::application::{Application, MountedApplication};
use crate::site::instance::Instance;
use crate::site::listener::{FirstListener, Listener};
use crate::site::mounts::{Mount, Mounts};
use crate::site::tls::{OwnTls, SiteTls};

pub use crate::routing::application;

pub mod access;
pub mod acme;
pub mod instance;
pub mod listener;
pub mod mounts;
pub mod tls;

/// A whole configuration, checked and resolved.
#[derive(Clone, Debug)]
pub struct Site {
    /// What the user wrote.
    pub config: Config,
    /// The scope of every host that no key names.
    pub global: Arc<Scope>,
    /// The scope of each virtual host.
    pub hosts: HostTable<Arc<Scope>>,
    /// The options of the whole server.
    pub service: Arc<Service>,
    /// What the program says of the server as a whole.
    pub instance: Arc<Instance>,
    /// The port to which `redirect_https` sends where it names none: that of the listener that
    /// speaks TLS, else the one that https has by itself.
    pub https_port: u16,
    /// What virtual hosts say of TLS.
    pub tls: SiteTls,
    /// Whether a scope may rewrite paths. It stays set when the last rule goes
    /// by a change that carries other scopes over.
    pub rewrites: bool,
    /// Whether a scope may answer pages of other origins otherwise than its own
    /// (`cors`). It stays set as `rewrites` does.
    pub shares: bool,
    /// Whether a scope may answer otherwise who comes by https (`redirect_https`, `hsts`). It stays
    /// set as `rewrites` does.
    pub varies_by_scheme: bool,
    /// Whether a scope or a route may be answered by an application. It stays set as
    /// `rewrites` does.
    pub has_applications: bool,
    /// Whether a scope may have an access log. It stays set as `rewrites` does.
    pub has_access_logs: bool,
    /// Whether a scope may pin its releases. It stays set as `rewrites` does.
    pub pins_releases: bool,
    /// What is valid and yet suspicious, for the log: one line each.
    pub warnings: Vec<String>,
}

impl Site {
    /// The scope that answers for `host` (in normal form, see
    /// [`crate::protocol::authority::Authority::host`]) at `port`: the most specific virtual
    /// host, else the global level.
    pub fn scope_for(&self, host: &str, port: u16) -> &Arc<Scope> {
        self.hosts.find(host, port).unwrap_or(&self.global)
    }

    /// Every scope: the global level and the virtual hosts, each before its mounts.
    pub fn scopes(&self) -> impl Iterator<Item = &Arc<Scope>> {
        scopes(&self.global, &self.hosts)
    }

    /// Every application that a scope names, or one of its routes, with that scope, as often as
    /// one does.
    pub fn applications(&self) -> impl Iterator<Item = (&Arc<Scope>, &Arc<Application>)> {
        self.scopes().flat_map(|scope| {
            let mounted = scope.options.app.iter().chain(scope.routes.applications());
            mounted.map(move |mounted| (scope, &mounted.application))
        })
    }

    /// Whether the client at `address` may connect: the configuration (`allow`)
    /// and the program each may say who, and both must agree.
    pub fn admits(&self, address: IpAddr) -> bool {
        let within = |networks: &Option<Networks>| {
            networks.as_ref().is_none_or(|networks| networks.contain(address))
        };
        within(&self.service.allow) && within(&self.instance.allowed)
    }

    /// How many connections the client at `address` may have at once; `None`: any
    /// number. Which virtual host it will ask for is not known yet, so that the
    /// proxies are those that the global level trusts.
    pub fn most_connections_of(&self, address: IpAddr) -> Option<usize> {
        self.service.per_client.of(address, &self.global.options.trusted_proxies)
    }
}

/// See [`Site::scopes`].
pub(crate) fn scopes<'s>(
    global: &'s Arc<Scope>,
    hosts: &'s HostTable<Arc<Scope>>,
) -> impl Iterator<Item = &'s Arc<Scope>> {
    let hosts = hosts.iter().map(|(_, scope)| scope);
    let hosts = std::iter::once(global).chain(hosts);
    hosts.flat_map(|host| std::iter::once(host).chain(host.mounts.iter()))
}

/// The options of one scope, its own and the inherited ones, its routes and its mounts.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The key of the virtual host as written; `None` for the global level. A mount has
    /// that of the scope in which it stands.
    pub name: Option<Arc<str>>,
    /// Where it is mounted, if it is.
    pub mount: Option<Arc<Mount>>,
    /// The options.
    pub options: Arc<ScopeOptions>,
    /// The handlers registered for this scope. A mount has none of its own.
    pub routes: RouteTable,
    /// What answers for parts of its paths. A mount has none.
    pub mounts: Mounts,
    /// What it says of TLS, if anything: the global level always does, a mount never.
    pub tls: Option<Arc<OwnTls>>,
}

impl Scope {
    /// Who answers for `path`, which is decoded: a mount of this scope, else the scope itself.
    pub fn at<'s>(self: &'s Arc<Self>, path: &[u8]) -> &'s Arc<Self> {
        self.mounts.find(path).unwrap_or(self)
    }

    /// The prefix where it is mounted; empty where it is not, and at the root.
    pub fn prefix(&self) -> &str {
        self.mount.as_ref().map_or("", |mount| &mount.prefix)
    }
}

impl fmt::Display for Scope {
    /// What messages call it: `a.example`, `/api` of `a.example`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(mount) = &self.mount {
            write!(f, "{} of ", mount.key)?;
        }
        f.write_str(self.name.as_deref().unwrap_or("the global level"))
    }
}

/// What a scope's configuration says, every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct ScopeOptions {
    /// The folder of files, absolute. `None` where nothing names one and
    /// something else answers (a module or a proxy).
    pub web_root: Option<PathBuf>,
    /// The mount that names `web_root`, if one does: the paths of its files are below the
    /// prefix.
    pub web_root_mount: Option<Arc<Mount>>,
    /// A folder of files that handlers may answer with and no URL reaches,
    /// absolute; never below `web_root`.
    pub private_root: Option<PathBuf>,
    /// The index names, in the order in which they are tried.
    pub index: Vec<String>,
    /// The Python file that answers.
    pub module: Option<Module>,
    /// The servers to which requests are forwarded.
    pub proxy: Option<Arc<Proxy>>,
    /// The application that answers.
    pub app: Option<Arc<MountedApplication>>,
    /// The folder from which applications are imported, absolute. `None` where nothing names
    /// one: it is the base folder then, as it was when `app` was written.
    pub app_dir: Option<PathBuf>,
    /// Whether regular files below `web_root` answer before `app` does: whoever names one
    /// names the other too.
    pub files_before_app: bool,
    /// When a script under `web_root` is run anew, as [`Module::reload`].
    pub module_reload: ModuleReload,
    /// Which `.py` files under `web_root` are run.
    pub scripts: Scripts,
    /// Whether error pages tell everything.
    pub debug: bool,
    /// Whether pages are loaded anew in the browser when what they are made of
    /// changes; never without `debug`.
    pub live_reload: bool,
    /// The longest request body, in bytes.
    pub max_body: u64,
    /// What the fields of a form, and its uploads, may each take of memory, in bytes.
    pub form_memory: u64,
    /// The most fields and uploads of a form.
    pub form_parts: u64,
    /// Where each request is logged.
    pub access_log: Option<AccessLog>,
    /// Clients whose `X-Forwarded-*` fields are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// What holds for the files below `web_root`.
    pub files: Arc<FileRules>,
    /// The bounds of WebSockets.
    pub websocket: Arc<WebSocketLimits>,
    /// What holds for every answer, whoever gives it.
    pub answers: Arc<AnswerRules>,
    /// The folder in which the page of `fallback` is looked for, if there is one: the
    /// `web_root` of a mount that names it, else that of the scope around it.
    pub fallback_root: Option<Arc<Path>>,
    /// The same of `error_pages`.
    pub error_pages_root: Option<Arc<Path>>,
}

impl ScopeOptions {
    /// The prefix below which the paths of files are; empty at the root.
    pub fn web_root_prefix(&self) -> &str {
        self.web_root_mount.as_ref().map_or("", |mount| &mount.prefix)
    }

    /// Whether somebody else answers, whatever the method is: an upstream, a module, an
    /// application.
    pub(crate) fn takes_every_method(&self) -> bool {
        self.proxy.is_some() || self.module.is_some() || self.app.is_some()
    }
}

/// A Python file that answers a scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Module {
    /// The file, absolute.
    pub path: PathBuf,
    /// When it is run anew.
    pub reload: ModuleReload,
    /// What messages call it, made once.
    pub label: Arc<str>,
}

impl Module {
    /// The module at `path`.
    pub fn new(path: PathBuf, reload: ModuleReload) -> Self {
        let label = format!("module `{}`", path.display()).into();
        Self { path, reload, label }
    }
}

/// When a module is run anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModuleReload {
    /// For every request.
    Always,
    /// After an edit.
    Changed,
    /// Once.
    Never,
}

/// Which `.py` files under a `web_root` are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scripts {
    /// All.
    On,
    /// Those with the executable bit.
    Executable,
    /// None; they answer 404.
    Off,
}

/// Where a scope forwards its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The mount that names it, if one does.
    pub mount: Option<Arc<Mount>>,
    /// The servers, tried in turn; never empty.
    pub upstreams: Vec<Upstream>,
    /// What they know paths by, where that is another prefix than clients do.
    pub prefix: Option<PrefixRule>,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long the upstream may stay silent, before its head and within its body.
    pub read_timeout: Duration,
    /// How many requests its servers carry at once, all together; upgraded
    /// connections count for as long as they last.
    pub max_requests: usize,
    /// How many more may wait.
    pub max_queue: usize,
    /// How long one of them waits.
    pub queue_timeout: Duration,
    /// The longest status line and header section of an answer together, in bytes.
    pub max_response_head: usize,
    /// How many header fields an answer may have.
    pub max_response_headers: usize,
    /// How many connections without a request each I/O thread keeps to each server.
    pub max_idle: usize,
    /// How long such a connection is kept.
    pub idle_timeout: Duration,
}

/// One server behind us.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// Whether TLS is spoken to it.
    pub tls: bool,
    /// Its name or address, an IPv6 address without brackets.
    pub host: Arc<str>,
    /// Its port.
    pub port: u16,
}

/// Where and how requests are logged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AccessLog {
    /// The shape of a line.
    pub format: AccessFormat,
    /// Where lines go.
    pub file: LogFile,
}

/// Where the lines of an access log go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogFile {
    /// Standard error.
    Stderr,
    /// Standard output.
    Stdout,
    /// A file, absolute.
    Path(PathBuf),
}

impl fmt::Display for LogFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stderr => f.write_str("standard error"),
            Self::Stdout => f.write_str("standard output"),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

/// The shape of an access log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccessFormat {
    /// The common log format of NCSA httpd.
    Common,
    /// Common, then referrer and user agent.
    Combined,
    /// One JSON object a line.
    Json,
}

/// Which implementation of the event loop is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventLoop {
    /// That of the standard library.
    #[default]
    Asyncio,
    /// The package uvloop, which has to be installed.
    Uvloop,
    /// uvloop where it is installed.
    Auto,
}

impl fmt::Display for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asyncio => "asyncio",
            Self::Uvloop => "uvloop",
            Self::Auto => "auto",
        })
    }
}

/// The options of the whole server; they stand at the global level only.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Where it listens; the first of them is the one that it was started with.
    pub listeners: Arc<[Arc<Listener>]>,
    /// I/O threads. Fixed at start.
    pub io_threads: usize,
    /// Python threads that run handlers. Fixed at start.
    pub python_threads: usize,
    /// Which event loop serves `async def` handlers and applications. Fixed at start.
    pub event_loop: EventLoop,
    /// Who may connect; `None`: everybody.
    pub allow: Option<Networks>,
    /// Connections at once; more wait to be accepted.
    pub max_connections: usize,
    /// Connections of one client at once; further ones are closed.
    pub per_client: PerClient,
    /// Bytes of a request's line and header section together.
    pub max_head: usize,
    /// Header fields of a request.
    pub max_headers: usize,
    /// Bytes of a request target.
    pub max_uri: usize,
    /// Requests at once on one HTTP/2 connection.
    pub max_streams: usize,
    /// Bytes that may wait to be sent on one HTTP/2 connection.
    pub max_unsent: usize,
    /// Calls that may wait for Python; more are answered 503.
    pub max_queue: usize,
    /// Bytes that the bodies which are held whole take together, in all of the
    /// process.
    pub max_body_memory: u64,
    /// WebSockets with a Python thread of their own, at once.
    pub max_websocket_threads: usize,
    /// How long a request's head may take, from its first byte.
    pub header_timeout: Duration,
    /// How long a request's body may pause.
    pub body_timeout: Duration,
    /// How long a client may refuse to take bytes of a response.
    pub send_timeout: Duration,
    /// How long a connection may stay without a request.
    pub idle_timeout: Duration,
    /// How long requests in flight may take to finish when the server stops.
    pub grace_period: Duration,
    /// The file in which what handlers share is kept, absolute.
    pub persist: Option<PathBuf>,
    /// As whom it serves, if not as whoever starts it: a user of the system.
    pub user: Option<String>,
    /// With which group, if not that of `user`.
    pub group: Option<String>,
    /// How certificates are obtained, where one is to be.
    pub acme: Arc<AcmeOptions>,
    /// What the server itself logs, unless the environment says it.
    pub log: Option<Logging>,
    /// Whether the line at start is left out.
    pub quiet: bool,
}

impl Service {
    /// Whether TLS is spoken anywhere.
    pub fn speaks_tls(&self) -> bool {
        self.listeners.iter().any(|listener| listener.tls)
    }

    /// The port of the first listener that speaks TLS at a port that is known, the usual one where
    /// there is none.
    pub fn https_port(&self, first: &FirstListener) -> u16 {
        let port = |(index, listener): (usize, &Arc<Listener>)| match index {
            0 => first.port,
            _ => listener.endpoint.port(),
        };
        let speaking = self.listeners.iter().enumerate().filter(|(_, listener)| listener.tls);
        speaking.map(port).find(|port| *port != 0).unwrap_or(https::DEFAULT_PORT)
    }

    /// How much of a request's head is read before it is refused.
    pub fn head_limits(&self) -> Limits {
        let Self { max_head, max_headers, max_uri, .. } = *self;
        Limits { max_head, max_fields: max_headers, max_target: max_uri }
    }
}
