//! The flags of `app`, which serves one application (ASGI, WSGI), and the configuration that they
//! stand for. They are those of uvicorn and of gunicorn, in both spellings where the two differ.
//! Files are read here (that of `--env-file`, the folders of a path), once, before a server starts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, ValueEnum};
use slimhttp_site::config::Config;
use slimhttp_site::value::{Table, Value};

use super::AccessFormat;
use super::reload::ReloadFlags;

mod bind;
mod env_file;
mod static_folder;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use self::target::Target;

/// How many requests of a WSGI application are answered at once unless `--threads` says it.
const THREADS: u16 = 4;
/// Whose `X-Forwarded-*` is believed unless `--forwarded-allow-ips` says it: this machine's.
const TRUSTED: [&str; 2] = ["127.0.0.1", "::1"];

#[derive(Debug, Args)]
#[command(next_line_help = true)]
pub(crate) struct App {
    /// The application: `pkg.module:name`, `pkg.module:create_app()` for what a factory gives,
    /// `pkg.module`, in which it is looked for by the usual names, or a file, `./main.py` or
    /// `./main.py:name`.
    #[arg(value_name = "TARGET")]
    target: String,

    /// `name` is a factory: it is called, and gives the application.
    #[arg(long)]
    factory: bool,

    /// What the application speaks.
    #[arg(long, value_name = "KIND", default_value = "auto")]
    interface: Interface,

    /// The folder from which it is imported, else the current one.
    #[arg(long, visible_alias = "pythonpath", value_name = "DIR")]
    app_dir: Option<String>,

    /// Change into this folder first.
    #[arg(long, value_name = "DIR")]
    pub(crate) chdir: Option<PathBuf>,

    /// The address to listen on: a name, an IPv4 or an IPv6 address.
    #[arg(long, alias = "addr", value_name = "A")]
    host: Option<String>,

    /// The port; 0 takes a free one; 8000 unless given.
    #[arg(long, short, value_name = "P")]
    pub(crate) port: Option<u16>,

    /// Both, in place of --host and --port: `127.0.0.1:8000`, `[::1]:8000`, `:8000` for every
    /// interface. One without a port leaves that to --port.
    #[arg(long, short, value_name = "A:P", value_parser = bind::read)]
    bind: Option<bind::Bind>,

    /// A file of `NAME=value` lines, set before the application is imported. What the environment
    /// has already is kept.
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,

    /// A variable of the environment, set before the application is imported; may be given again.
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = env_file::pair)]
    env: Vec<(String, String)>,

    /// Requests of a WSGI application that are answered at once, each on a thread of Python;
    /// 4 unless given. An ASGI application has one event loop.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// Only 1: it is one process, in which threads answer (`--threads`).
    #[arg(long, short, value_name = "N")]
    workers: Option<u32>,

    /// The path that a proxy in front has taken away from every target.
    #[arg(long, value_name = "PATH")]
    root_path: Option<String>,

    /// The event loop of an ASGI application.
    #[arg(long, value_name = "LOOP", default_value = "auto")]
    r#loop: EventLoop,

    /// Whether an ASGI application hears of its start and its end.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    lifespan: Lifespan,

    /// What slimHTTP logs: error, warning, info, debug, trace, or all that SLIMHTTP_LOG takes.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,

    /// Note each request on standard error, which is done unless `--no-access-log` is given.
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, default_missing_value = "common")]
    access_log: Option<AccessFormat>,

    /// Note no requests.
    #[arg(long, overrides_with = "access_log")]
    no_access_log: bool,

    /// Note them in this file; `-` is standard error.
    #[arg(long, value_name = "FILE", conflicts_with = "no_access_log")]
    access_logfile: Option<String>,

    /// The certificate chain: it speaks HTTPS then.
    #[arg(long, visible_alias = "certfile", value_name = "FILE")]
    ssl_certfile: Option<String>,

    /// The private key of that certificate.
    #[arg(long, visible_alias = "keyfile", value_name = "FILE", requires = "ssl_certfile")]
    ssl_keyfile: Option<String>,

    /// Believe `X-Forwarded-*` of the proxies of `--forwarded-allow-ips`, which is done unless
    /// `--no-proxy-headers` is given.
    #[arg(long)]
    proxy_headers: bool,

    /// Believe nobody's `X-Forwarded-*`.
    #[arg(long, overrides_with = "proxy_headers")]
    no_proxy_headers: bool,

    /// The addresses and networks of these proxies, with commas; `*` is everybody. This machine
    /// unless given.
    #[arg(long, value_name = "IPS", env = "FORWARDED_ALLOW_IPS", hide_env_values = true)]
    forwarded_allow_ips: Option<String>,

    /// Seconds that a connection may stay without a request.
    #[arg(long, visible_alias = "keep-alive", value_name = "S")]
    timeout_keep_alive: Option<f64>,

    /// Seconds that requests in flight may take to finish at the end.
    #[arg(long, visible_alias = "graceful-timeout", value_name = "S")]
    timeout_graceful_shutdown: Option<f64>,

    /// Requests that may wait for the application; more are answered 503.
    #[arg(long, value_name = "N")]
    limit_concurrency: Option<u32>,

    /// The longest body of a request, `50MiB`; a longer one is answered 413. 16 MiB unless given.
    #[arg(long, value_name = "SIZE")]
    max_body: Option<String>,

    /// A header field of every answer; may be given again.
    #[arg(long, value_name = "NAME:VALUE", value_parser = header)]
    header: Vec<(String, String)>,

    /// A folder of files that answers below a path, `/static=./static`; may be given again.
    #[arg(long = "static", value_name = "PATH=DIR", value_parser = static_folder::read)]
    folders: Vec<(String, String)>,

    /// Show tracebacks on error pages, and load pages anew after an edit. Not for the public.
    #[arg(long)]
    debug: bool,

    #[command(flatten)]
    pub(crate) reload: ReloadFlags,

    /// Write the configuration file that these flags stand for, and start nothing.
    #[arg(long)]
    pub(crate) print_config: bool,
}

/// What an application speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Interface {
    /// What it is found to be.
    Auto,
    /// ASGI 3.
    #[value(alias = "asgi3")]
    Asgi,
    /// WSGI.
    Wsgi,
    /// Refused in words, for uvicorn knows it.
    #[value(hide = true)]
    Asgi2,
}

/// The event loop of an ASGI application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EventLoop {
    /// uvloop where it is installed.
    Auto,
    /// That of Python.
    Asyncio,
    /// uvloop.
    Uvloop,
}

/// Whether an ASGI application hears of its start and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Lifespan {
    /// If it takes it.
    Auto,
    /// It has to.
    On,
    /// It does not.
    Off,
}

/// The flags of an application, read: a configuration, and where it stands.
#[derive(Debug)]
pub(crate) struct AppConfig {
    pub(crate) config: Config,
    pub(crate) address: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    /// The folder against which relative paths are resolved.
    pub(crate) base: PathBuf,
    /// The folder from which the application is imported.
    pub(crate) app_dir: PathBuf,
}

impl App {
    /// What these flags stand for; `here` is the working directory.
    ///
    /// # Errors
    /// Why they stand for nothing, as a sentence.
    pub(crate) fn read(&self, here: &Path) -> Result<AppConfig, String> {
        self.refuse_what_is_not_here()?;
        let base = match &self.chdir {
            None => here.to_owned(),
            Some(folder) => existing_folder("--chdir", &here.join(folder))?,
        };
        let target = Target::locate(&self.target, self.factory, &base)?;
        let app_dir = match (&target.folder, &self.app_dir) {
            (Some(_), Some(_)) => {
                return Err(format!(
                    "expected no --app-dir beside the file {}, whose folder it is",
                    self.target
                ));
            }
            (Some(folder), None) | (None, Some(folder)) => Some(folder.clone()),
            (None, None) => None,
        };
        let absolute = match &app_dir {
            None => base.clone(),
            Some(folder) => existing_folder("--app-dir", &base.join(folder))?,
        };
        static_folder::refuse_code(&self.folders, &base, &absolute)?;
        let (address, port) = self.listen();
        let mut root = self.application(target.reference, app_dir, &base)?;
        self.service(&mut root, &address, port);
        self.answers(&mut root);
        let config = Config::new(root);
        let tls = self.ssl_certfile.is_some();
        Ok(AppConfig { config, address, port, tls, base, app_dir: absolute })
    }

    /// Checks that flags do not say twice where to listen. Over what the environment says `--bind`
    /// wins, as every flag does.
    ///
    /// # Errors
    /// `--host` stands beside `--bind`, or `--port` beside one that has a port.
    pub(super) fn one_way_to_listen(&self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let Some(bind) = &self.bind else { return Ok(()) };
        let is_flag = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
        let other = match () {
            () if is_flag("host") => "--host",
            () if is_flag("port") && bind.port.is_some() => "--port",
            () => return Ok(()),
        };
        let text = format!("either --bind or {other}: both say where to listen");
        Err(clap::Error::raw(ErrorKind::ArgumentConflict, text))
    }

    /// What people give to other servers and would be surprised by here, and what says two things.
    fn refuse_what_is_not_here(&self) -> Result<(), String> {
        if self.interface == Interface::Asgi2 {
            return Err("--interface asgi2: expected an application of ASGI 3; \
                        `asgiref.compatibility.guarantee_single_callable` makes one of it"
                .into());
        }
        let mut prefixes = BTreeSet::new();
        for (prefix, _) in &self.folders {
            if !prefixes.insert(prefix.trim_end_matches('/')) {
                return Err(format!("--static: expected every path once, found `{prefix}` again"));
            }
        }
        match self.workers {
            None | Some(1) => Ok(()),
            Some(0) => Err("--workers 0: expected 1".into()),
            Some(workers) => Err(format!(
                "--workers {workers}: slimHTTP serves from one process; `--threads {workers}` \
                 answers {workers} requests of a WSGI application at once"
            )),
        }
    }

    /// Address and port.
    fn listen(&self) -> (String, u16) {
        match &self.bind {
            Some(bind) => (bind.address.clone(), bind.port.or(self.port).unwrap_or(8000)),
            None => {
                let address = self.host.clone().unwrap_or_else(|| "127.0.0.1".into());
                (address, self.port.unwrap_or(8000))
            }
        }
    }

    /// What concerns the application.
    fn application(
        &self,
        reference: String,
        app_dir: Option<String>,
        base: &Path,
    ) -> Result<Table, String> {
        let mut root = Table::new();
        let mut set = |key: &str, value: Value| _ = root.insert(Arc::from(key), value);
        set("app", reference.as_str().into());
        if let Some(folder) = app_dir {
            set("app_dir", folder.as_str().into());
        }
        match self.interface {
            Interface::Asgi => set("interface", "asgi".into()),
            Interface::Wsgi => set("interface", "wsgi".into()),
            Interface::Auto | Interface::Asgi2 => {}
        }
        match self.lifespan {
            Lifespan::Auto => {}
            Lifespan::On => set("lifespan", "on".into()),
            Lifespan::Off => set("lifespan", "off".into()),
        }
        if let Some(path) = &self.root_path {
            set("root_path", path.as_str().into());
        }
        let variables = self.variables(base)?;
        if !variables.is_empty() {
            let table = variables.iter().map(|(name, value)| (&**name, value.as_str().into()));
            set("app_env", table_of(table).into());
        }
        Ok(root)
    }

    /// The variables to be set: those of the file that the environment does not have, and those of
    /// `--env`.
    fn variables(&self, base: &Path) -> Result<BTreeMap<String, String>, String> {
        let mut variables = match &self.env_file {
            None => BTreeMap::new(),
            Some(file) => env_file::read(&base.join(file))?,
        };
        variables.retain(|name, _| std::env::var_os(name).is_none());
        variables.extend(self.env.iter().cloned());
        Ok(variables)
    }

    /// What concerns the server as a whole.
    fn service(&self, root: &mut Table, address: &str, port: u16) {
        let mut set = |key: &str, value: Value| _ = root.insert(Arc::from(key), value);
        set("addr", address.into());
        set("port", i64::from(port).into());
        // Whether it is WSGI shows when it is imported, and idle threads cost next to nothing.
        let default = (self.interface != Interface::Asgi).then_some(THREADS);
        if let Some(threads) = self.threads.or(default) {
            set("python_threads", i64::from(threads).into());
        }
        let event_loop = match self.r#loop {
            EventLoop::Auto => "auto",
            EventLoop::Asyncio => "asyncio",
            EventLoop::Uvloop => "uvloop",
        };
        set("event_loop", event_loop.into());
        if let Some(level) = &self.log_level {
            set("log", level.as_str().into());
        }
        for (key, file) in [("cert", &self.ssl_certfile), ("key", &self.ssl_keyfile)] {
            if let Some(file) = file {
                set(key, file.as_str().into());
            }
        }
        for (key, seconds) in [
            ("idle_timeout", self.timeout_keep_alive),
            ("grace_period", self.timeout_graceful_shutdown),
        ] {
            if let Some(seconds) = seconds {
                set(key, seconds.into());
            }
        }
        if let Some(most) = self.limit_concurrency {
            set("max_queue", i64::from(most).into());
        }
    }

    /// What concerns answers.
    fn answers(&self, root: &mut Table) {
        let mut set = |key: &str, value: Value| _ = root.insert(Arc::from(key), value);
        if let Some(log) = self.access_log() {
            set("access_log", log);
        }
        let trusted = self.trusted();
        if !trusted.is_empty() {
            set("trusted_proxies", trusted.into());
        }
        if let Some(most) = &self.max_body {
            // A bare number is one of bytes.
            set("max_body", most.parse::<i64>().map_or_else(|_| most.as_str().into(), Value::from));
        }
        if self.debug || self.reload.reload {
            set("debug", true.into());
        }
        let mut fields = BTreeMap::<&str, Vec<Value>>::new();
        for (name, value) in &self.header {
            fields.entry(name).or_default().push(value.as_str().into());
        }
        if !fields.is_empty() {
            let fields = fields.into_iter().map(|(name, mut values)| match values.len() {
                1 => (name, values.remove(0)),
                _ => (name, values.into()),
            });
            set("response_headers", table_of(fields).into());
        }
        if !self.folders.is_empty() {
            let mounts = self.folders.iter().map(|(prefix, folder)| {
                // Whoever shows a folder does not mean to run what lies in it.
                let options = [("web_root", folder.as_str().into()), ("scripts", false.into())];
                (&**prefix, table_of(options).into())
            });
            set("mounts", table_of(mounts).into());
        }
    }

    /// The option `access_log`; by default a line a request, on standard error.
    fn access_log(&self) -> Option<Value> {
        if self.no_access_log {
            return None;
        }
        let format = self.access_log.map_or("common", AccessFormat::word);
        match self.access_logfile.as_deref() {
            None | Some("-") => Some(format.into()),
            Some(file) => Some(table_of([("format", format.into()), ("file", file.into())]).into()),
        }
    }

    /// The option `trusted_proxies`.
    fn trusted(&self) -> Vec<Value> {
        if self.no_proxy_headers {
            return Vec::new();
        }
        let Some(given) = &self.forwarded_allow_ips else {
            return TRUSTED.map(Value::from).into();
        };
        let words = given.split(',').map(str::trim).filter(|word| !word.is_empty());
        words
            .flat_map(|word| match word {
                "*" => vec!["0.0.0.0/0".into(), "::/0".into()],
                word => vec![word.into()],
            })
            .collect()
    }
}

fn table_of<'k>(entries: impl IntoIterator<Item = (&'k str, Value)>) -> Table {
    let mut table = Table::new();
    for (key, value) in entries {
        table.insert(Arc::from(key), value);
    }
    table
}

/// A folder that is there.
pub(super) fn existing_folder(flag: &str, folder: &Path) -> Result<PathBuf, String> {
    match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(folder.to_owned()),
        Ok(_) => Err(format!("{flag}: expected a folder, found the file {}", folder.display())),
        Err(cause) => Err(format!("{flag}: {}: {cause}", folder.display())),
    }
}

/// `NAME:VALUE`, as curl and uvicorn write a header field.
fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("expected `Name: value`".into()),
    }
}
