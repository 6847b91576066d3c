//! The command line: flags and files → configuration → server. The program
//! `slimhttp` is [`run`]; `python -m slimHTTP` takes [`prepare`] and starts what
//! comes of it with Python behind it.
//!
//! All of it runs on the main thread, which only waits for signals once the server has started:
//! that has threads of its own. What is wrong with arguments or a file is written to standard
//! error here and becomes the status to exit with.

#![forbid(unsafe_code)]
// A test may be a table of any length.
#![cfg_attr(test, allow(clippy::too_many_lines))]

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use slimhttp_server::{
    AnswerFuture, Callee, CertificatesError, Handler, HandlerFault, Request, ServerConfig,
    StartError,
};
use slimhttp_site::config::Config;
use slimhttp_site::fault::{Fault, Faults, Place};
use slimhttp_site::listener::Endpoint;
use slimhttp_site::logging::Logging;
use slimhttp_site::value::{Table, Value};

use crate::document::Document;
use crate::ended::{FAILURE, fail, usage_error, write_stderr, write_stdout};
use crate::handover::{Inheritance, Invocation};
use crate::options::{
    App, Certificates, Check, Command, Listen, Options, Run, Serve, application_folders,
};
use crate::serve::serve;

mod certificates;
mod document;
mod ended;
pub mod handover;
pub mod log;
mod manual;
mod options;
mod serve;
mod service_manager;
mod signals;
#[cfg(test)]
mod tests;
mod text;

pub use crate::ended::Ended;
pub use crate::options::Reload;
pub use crate::service_manager::{ServiceManager, VARIABLES as SERVICE_VARIABLES, WatchdogThread};

/// What the arguments ask for, ready to be started.
pub struct Prepared {
    /// What to bind.
    pub server_config: ServerConfig,
    /// Where the configuration stands, to explain what is wrong with it.
    pub origin: Origin,
    /// Whether one application is all that is to be served.
    pub needs_application: bool,
    /// The folder into which the process is to change first.
    pub folder: Option<PathBuf>,
    /// What is to be watched, where the server is to be started anew after an edit.
    pub reload: Option<Reload>,
}

/// Where a configuration stands: in flags or in a file.
#[derive(Debug)]
pub struct Origin(Option<Document>);

impl Prepared {
    /// What is wrong with the configuration, for a person, as far as that shows before anything is
    /// opened that one process alone may have; empty where nothing is.
    pub fn explain_faults(&self) -> String {
        match slimhttp_server::check(&self.server_config) {
            Ok(_) => String::new(),
            Err(faults) => self.origin.show(&faults),
        }
    }
}

impl Origin {
    /// Why a server did not start, for a person: each fault of the configuration
    /// with file, line and column. Ends with a line end.
    pub fn explain(&self, error: &StartError) -> String {
        match error {
            StartError::Config(faults) => self.show(faults),
            StartError::Listen { listener, cause } => explain_listen(&listener.endpoint, cause),
        }
    }

    fn show(&self, faults: &Faults) -> String {
        match &self.0 {
            Some(document) => document.show(faults),
            None => faults.0.iter().map(|fault| format!("slimhttp: {fault}\n")).collect(),
        }
    }
}

fn explain_listen(endpoint: &Endpoint, cause: &io::Error) -> String {
    let place = match endpoint {
        Endpoint::Tcp { address, port } if address.is_empty() => {
            format!("port {port} of every interface")
        }
        other => other.to_string(),
    };
    let is_port = matches!(endpoint, Endpoint::Tcp { .. });
    let hint = match cause.kind() {
        io::ErrorKind::AddrInUse if is_port => {
            "\n  hint: another program has it; `--port 0` takes a free port"
        }
        io::ErrorKind::PermissionDenied if (1..1024).contains(&endpoint.port()) => {
            "\n  hint: ports below 1024 need a privilege; `--port 8080` does not"
        }
        _ => "",
    };
    format!("slimhttp: cannot listen on {place}: {cause}{hint}\n")
}

/// Reads the arguments that follow the program's `name`, by which it was called, and
/// prepares what they are to start. With `python` it is the program of the wheel: a `module` in the
/// configuration is no fault, and the caller puts its own handler in
/// [`ServerConfig::handler`], where a stand-in waits.
///
/// # Errors
/// The status to exit with, and why. That is also how `check`, `certificates`, `completion`, `man`, `--help` and
/// `--version` end, whose output is written here.
pub fn prepare(
    args: impl IntoIterator<Item = OsString>,
    name: &'static str,
    python: bool,
) -> Result<Prepared, Ended> {
    let options = Options::read(args, name).map_err(|error| {
        // That the terminal is closed is no reason to fail.
        let _ = error.print();
        Ended::with(error.exit_code())
    })?;
    if options.command.starts_server()
        && let Err(fault) = log::from_environment()
    {
        return Err(usage_error(&format!("slimhttp: {fault}\n")));
    }
    match options.command {
        Command::Serve(serve) => prepare_serve(&serve, python),
        Command::Run(run) => prepare_run(&run, python),
        Command::App(app) => prepare_app(&app, python),
        Command::Check(check) => Err(run_check(&check, python)),
        Command::Certificates(asked) => Err(run_certificates(&asked, python)),
        Command::Completion(wanted) => {
            let script = manual::completion(Options::full_command(name), wanted.shell);
            Err(Ended::with(write_stdout(&script)))
        }
        Command::Man => Err(match manual::page(Options::full_command(name)) {
            Ok(page) => Ended::with(write_stdout(&page)),
            Err(cause) => fail(&format!("slimhttp: {cause}\n")),
        }),
    }
}

/// The same for the program of the wheel, which is called by its name or as a module.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_wheel(
    args: impl IntoIterator<Item = OsString>,
    as_module: bool,
) -> Result<Prepared, Ended> {
    prepare(args, if as_module { "python -m slimHTTP" } else { "slimhttp" }, true)
}

/// The whole program: serves until Ctrl-C or SIGTERM, lets requests in flight
/// finish, and returns the status to exit with. A second signal, after a moment, cuts
/// them off.
pub fn run(args: impl IntoIterator<Item = OsString>) -> i32 {
    let invocation = Invocation::of_this_process();
    let mut inheritance = match Inheritance::take() {
        Ok(inheritance) => inheritance,
        Err(why) => return fail(&format!("slimhttp: {why}\n")).tell(),
    };
    match prepare(args, "slimhttp", false) {
        Ok(prepared) => {
            let _written_at_the_end = log::init(&logging(&prepared.server_config.config));
            serve(prepared, inheritance, invocation)
        }
        Err(ended) => {
            inheritance.fail(&ended.message);
            ended.tell()
        }
    }
}

/// What is logged: as the environment says, else as the configuration does. What is wrong with
/// the one is reported by [`prepare`], with the other where the configuration is compiled.
fn logging(config: &Config) -> Logging {
    let configured = || Logging::parse(config.root().get("log")?.as_str()?).ok();
    log::from_environment().ok().flatten().or_else(configured).unwrap_or_default()
}

fn prepare_serve(serve: &Serve, python: bool) -> Result<Prepared, Ended> {
    let folder = serve.folder.display();
    match std::fs::metadata(&serve.folder) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => {
            return Err(usage_error(&format!(
                "slimhttp: expected a folder, found the file {folder}\n  \
                 hint: `run {folder}` takes a configuration file\n"
            )));
        }
        Err(cause) => {
            return Err(usage_error(&format!("slimhttp: {folder} cannot be served: {cause}\n")));
        }
    }
    let config = serve.config().map_err(|why| usage_error(&format!("slimhttp: {why}\n")))?;
    let base = working_directory()?;
    let server_config = ServerConfig {
        tls: false,
        address: Some(serve.listen.addr.clone().unwrap_or_default()),
        port: Some(serve.listen.port.unwrap_or(8080)),
        config,
        base,
        handler: handler(python),
        inherited: Vec::new(),
    };
    Ok(Prepared {
        server_config,
        origin: Origin(None),
        needs_application: false,
        folder: None,
        reload: None,
    })
}

fn working_directory() -> Result<PathBuf, Ended> {
    std::env::current_dir()
        .map_err(|cause| fail(&format!("slimhttp: there is no working directory: {cause}\n")))
}

/// Only the program of the wheel has the Python that an application and `--reload` need.
fn refuse_without_python(python: bool, arguments: &str) -> Result<(), Ended> {
    match python {
        true => Ok(()),
        false => Err(usage_error(&format!(
            "slimhttp: this program has no Python\n  hint: `python -m slimHTTP {arguments}` has, \
             of the package `slimHTTP`\n"
        ))),
    }
}

fn prepare_app(app: &App, python: bool) -> Result<Prepared, Ended> {
    let here = working_directory()?;
    let read = app.read(&here).map_err(|why| usage_error(&format!("slimhttp: {why}\n")))?;
    if app.print_config {
        return Err(Ended::with(write_stdout(document::to_toml(&read.config).as_bytes())));
    }
    refuse_without_python(python, "app …")?;
    let files = app.env_file.iter().map(|file| read.base.join(file)).collect();
    let reload = app.reload.read(&read.base, vec![read.app_dir], files);
    let reload = reload.map_err(|why| usage_error(&format!("slimhttp: {why}\n")))?;
    let server_config = ServerConfig {
        tls: read.tls,
        address: Some(read.address),
        port: Some(read.port),
        config: read.config,
        base: read.base.clone(),
        handler: handler(python),
        inherited: Vec::new(),
    };
    let folder = app.chdir.is_some().then_some(read.base);
    Ok(Prepared { server_config, origin: Origin(None), needs_application: true, folder, reload })
}

fn prepare_run(run: &Run, python: bool) -> Result<Prepared, Ended> {
    if run.reload.reload {
        refuse_without_python(python, "run FILE --reload")?;
    }
    let document = read(&run.file)?;
    let (mut server_config, faults) = server_config_of(&document, &run.listen, python)?;
    let reload = watched(run, &server_config)?;
    if reload.is_some() && !server_config.config.root().contains_key("debug") {
        server_config.config.set(&["debug".into()], true.into());
    }
    if !faults.is_empty() {
        let (all, _) = validate(&server_config, faults);
        return Err(fail(&document.show(&Faults(all))));
    }
    Ok(Prepared {
        server_config,
        origin: Origin(Some(document)),
        needs_application: false,
        folder: None,
        reload,
    })
}

/// What `run FILE --reload` watches: the file, and the folders from which the applications in it
/// are imported.
fn watched(run: &Run, server_config: &ServerConfig) -> Result<Option<Reload>, Ended> {
    let here = working_directory()?;
    let mut folders = Vec::new();
    application_folders(server_config.config.root(), &server_config.base, None, &mut folders);
    let watched = run.reload.read(&here, folders, vec![here.join(&run.file)]);
    watched.map_err(|why| usage_error(&format!("slimhttp: {why}\n")))
}

fn run_check(check: &Check, python: bool) -> Ended {
    let validated = read(&check.file).and_then(|document| {
        let (server_config, faults) = server_config_of(&document, &Listen::default(), python)?;
        let (faults, warnings) = validate(&server_config, faults);
        if !faults.is_empty() {
            return Err(fail(&document.show(&Faults(faults))));
        }
        Ok((document, warnings))
    });
    match validated {
        Ok((document, warnings)) => {
            let file = document.path.display();
            for warning in warnings {
                write_stderr(&format!("{file}: warning: {warning}\n"));
            }
            // The one answer that goes to standard output: it is the result of the command.
            let _ = writeln!(io::stdout().lock(), "{file}: fine");
            Ended::with(0)
        }
        Err(ended) => ended,
    }
}

fn run_certificates(asked: &Certificates, python: bool) -> Ended {
    let document = match read(&asked.file) {
        Ok(document) => document,
        Err(ended) => return ended,
    };
    let told = server_config_of(&document, &Listen::default(), python).and_then(
        |(server_config, faults)| {
            if !faults.is_empty() {
                let (all, _) = validate(&server_config, faults);
                return Err(fail(&document.show(&Faults(all))));
            }
            let told = match asked.roll_over_account_key {
                true => slimhttp_server::roll_over_account_key(&server_config).map(|()| None),
                false => slimhttp_server::certificates(&server_config).map(Some),
            };
            told.map_err(|error| fail(&explain_certificates(&document, &error)))
        },
    );
    let (file, now) = (document.path.display(), SystemTime::now());
    match told {
        Err(ended) => ended,
        Ok(None) => {
            let _ = writeln!(io::stdout().lock(), "{file}: the account has another key");
            Ended::with(0)
        }
        Ok(Some(all)) => {
            let text = match asked.json {
                true => certificates::as_json(&all, now),
                false if all.is_empty() => format!("{file}: no TLS, so no certificates\n"),
                false => certificates::as_text(&all, now),
            };
            write_stdout(text.as_bytes());
            Ended::with(if certificates::are_fine(&all, now) { 0 } else { FAILURE })
        }
    }
}

fn explain_certificates(document: &Document, error: &CertificatesError) -> String {
    let file = document.path.display();
    match error {
        CertificatesError::Config(faults) => document.show(faults),
        CertificatesError::Storage { storage, cause } => {
            let hint = match cause.kind() {
                io::ErrorKind::PermissionDenied => "\n  hint: ask as the user that serves",
                _ => "",
            };
            let storage = storage.display();
            format!("{file}: the storage of `acme`, `{storage}`, cannot be read: {cause}{hint}\n")
        }
        CertificatesError::NoneObtained => {
            format!("{file}: no certificate is obtained by the server, so there is no account\n")
        }
        error => format!("{file}: the account keeps its key: {error}\n"),
    }
}

fn read(path: &Path) -> Result<Document, Ended> {
    Document::read(path).map_err(|unreadable| fail(&unreadable.to_string()))
}

/// A file with the flags beside it, which win, and what is wrong with the
/// two options that are needed before any configuration is compiled.
fn server_config_of(
    document: &Document,
    listen: &Listen,
    python: bool,
) -> Result<(ServerConfig, Vec<Fault>), Ended> {
    let base = document.folder().map_err(|cause| {
        fail(&format!("{}: its folder is unknown: {cause}\n", document.path.display()))
    })?;
    let mut config = document.config.clone();
    if let Some(addr) = &listen.addr {
        config.set(&["addr".into()], addr.as_str().into());
    }
    if let Some(port) = listen.port {
        config.set(&["port".into()], i64::from(port).into());
    }

    let mut faults = Vec::new();
    let mut wrong = |key: &str, expected: &str, found: &Value| {
        faults.push(Fault {
            place: Place::default().key(key),
            expected: expected.to_owned(),
            found: Some(found.to_string()),
            hint: None,
        });
    };
    let tls = names_certificate(&config);
    let address = match config.root().get("addr") {
        None | Some(Value::Null) => None,
        Some(Value::String(address)) => Some(address.to_string()),
        Some(other) => {
            wrong("addr", "a host name or an address", other);
            None
        }
    };
    let port = match config.root().get("port") {
        None | Some(Value::Null) => None,
        Some(Value::Integer(port)) if u16::try_from(*port).is_ok() => u16::try_from(*port).ok(),
        Some(other) => {
            wrong("port", "a whole number from 0 to 65535", other);
            None
        }
    };
    let (handler, inherited) = (handler(python), Vec::new());
    Ok((ServerConfig { tls, address, port, config, base, handler, inherited }, faults))
}

/// Whether a configuration asks for HTTPS: it names a certificate, at the global level or in a
/// virtual host.
fn names_certificate(config: &Config) -> bool {
    let root = config.root();
    let names_one = |scope: &Table| {
        scope.get("tls").is_some_and(|tls| !tls.is_null())
            || matches!(scope.get("ssl"), Some(Value::Table(_)))
    };
    let hosts = root.get("vhosts").and_then(Value::as_table);
    root.contains_key("cert")
        || root.contains_key("key")
        || names_one(root)
        || hosts.is_some_and(|hosts| hosts.values().filter_map(Value::as_table).any(names_one))
}

/// Every fault of a configuration, those in `known` and those that compiling finds, and
/// the warnings where there is none.
fn validate(server_config: &ServerConfig, known: Vec<Fault>) -> (Vec<Fault>, Vec<String>) {
    match slimhttp_server::check(server_config) {
        Ok(warnings) => (known, warnings),
        Err(Faults(mut found)) => {
            let unseen = |fault: &Fault| !found.iter().any(|other| other.place == fault.place);
            let known: Vec<_> = known.into_iter().filter(unseen).collect();
            found.extend(known);
            (found, Vec::new())
        }
    }
}

/// The stand-in for Python's handler, in the program of the wheel.
fn handler(python: bool) -> Option<Arc<dyn Handler>> {
    python.then(|| Arc::new(StandIn) as Arc<dyn Handler>)
}

/// Keeps the place of Python's handler in a configuration that is only prepared: while there is a
/// handler, a `module` is no fault. It is replaced before a server starts, and never called.
struct StandIn;

impl Handler for StandIn {
    fn call(&self, _: Callee, _: Arc<Request>) -> AnswerFuture {
        Box::pin(std::future::ready(Err(HandlerFault::Stopped)))
    }
}
