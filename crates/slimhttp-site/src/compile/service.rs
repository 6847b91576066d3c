//! The options of the whole server, and what of them is fixed at start (C3.4).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::layer::{Layer, Layers};
use super::listen;
use super::read::Checked;
use super::report::{At, Report};
use super::{CompileEnv, PathKind, acme};
use crate::config::logging::Logging;
use crate::config::options::Shape;
use crate::site::access::PerClient;
use crate::site::acme::AcmeOptions;
use crate::site::listener::{Endpoint, FirstListener};
use crate::site::{EventLoop, Service};

/// The server's options as they are in force.
#[derive(Clone, Copy)]
pub(super) struct Earlier<'e> {
    pub(super) service: &'e Arc<Service>,
    /// Whether `acme` was not edited.
    pub(super) same_acme: bool,
}

/// Puts the options of the server together.
pub(super) fn service(
    global: &Layer,
    env: &CompileEnv<'_>,
    earlier: Option<Earlier<'_>>,
    at: &At<'_>,
    report: &mut Report,
) -> Service {
    listener(global, env.listener, at, report);
    let layers = Layers { own: global, mount: None, outer: None };
    let listeners = listen::listeners(layers, env.listener, at, report);
    // Every bound of the options fits a `usize` of 32 bits.
    let number = |key: &str| layers.number(key).and_then(|number| usize::try_from(number).ok());
    let seconds =
        |key: &str, default: u64| layers.seconds(key).unwrap_or(Duration::from_secs(default));
    let running = earlier.map(|earlier| &**earlier.service);
    let mut account = |key: &str, earlier: Option<Option<&str>>| {
        fixed_account(key, layers.word(key), earlier, at, report)
    };
    let user = account("user", running.map(|service| service.user.as_deref()));
    let group = account("group", running.map(|service| service.group.as_deref()));
    let event_loop = event_loop(layers, running, at, report);
    let persist = persist(layers, running, env, at, report);
    let log = log(layers, running, at, report);
    let acme = acme(layers, earlier, env, at, report);
    if group.is_some() && user.is_none() {
        let hint = "`group` says with which group `user` serves".to_owned();
        report.fault(&at.key("user"), Shape::Account.to_string(), None, hint);
    }
    let mut fixed = |key: &str, earlier: Option<usize>, default: usize| {
        fixed_number(key, number(key), earlier, at, report).unwrap_or(default)
    };
    let max_connections = number("max_connections").unwrap_or(10_000);
    let processors = env.processors.max(1);
    let io_threads = fixed("io_threads", running.map(|service| service.io_threads), processors);
    let python_threads = fixed("python_threads", running.map(|service| service.python_threads), 1);
    Service {
        listeners,
        io_threads,
        python_threads,
        event_loop,
        allow: match layers.get("allow") {
            Some(Checked::Networks(networks)) => Some(networks.iter().copied().collect()),
            _ => None,
        },
        max_connections,
        per_client: PerClient::new(number("max_connections_per_address"), max_connections),
        max_head: number("max_head").unwrap_or(32 << 10),
        max_headers: number("max_headers").unwrap_or(100),
        max_uri: number("max_uri").unwrap_or(8 << 10),
        max_streams: number("max_streams").unwrap_or(128),
        max_unsent: number("max_unsent").unwrap_or(512 << 10),
        max_queue: number("max_queue").unwrap_or(1024),
        max_body_memory: layers.number("max_body_memory").unwrap_or_else(|| body_memory(env)),
        max_websocket_threads: number("max_websocket_threads").unwrap_or(64),
        header_timeout: seconds("header_timeout", 20),
        body_timeout: seconds("body_timeout", 60),
        send_timeout: seconds("send_timeout", 60),
        idle_timeout: seconds("idle_timeout", 75),
        grace_period: seconds("grace_period", 10),
        acme,
        persist,
        user,
        group,
        log,
        quiet: layers.flag("quiet").unwrap_or(false),
    }
}

/// How certificates are obtained. Its paths stay what they were resolved to.
fn acme(
    layers: Layers<'_>,
    earlier: Option<Earlier<'_>>,
    env: &CompileEnv<'_>,
    at: &At<'_>,
    report: &mut Report,
) -> Arc<AcmeOptions> {
    if let Some(Earlier { service, same_acme: true, .. }) = earlier {
        return Arc::clone(&service.acme);
    }
    match layers.get("acme") {
        Some(Checked::Acme(options)) => {
            acme::check(options, env.python, &at.key("acme"), report);
            Arc::clone(options)
        }
        _ => Arc::new(AcmeOptions::new(&env.base)),
    }
}

/// A user or group, which is fixed at start: what `earlier` says, if the server runs.
fn fixed_account(
    key: &str,
    given: Option<&str>,
    earlier: Option<Option<&str>>,
    at: &At<'_>,
    report: &mut Report,
) -> Option<String> {
    let Some(running) = earlier else { return given.map(str::to_owned) };
    if let Some(given) = given.filter(|given| Some(*given) != running) {
        let running = running.map(|running| format!("`{running}`"));
        let expected = running.as_deref().unwrap_or("nobody in particular");
        report.fault(
            &at.key(key),
            format!("{expected}, as it was started"),
            format!("`{given}`"),
            format!("`{key}` is fixed at start: start the server anew to change it"),
        );
    }
    running.map(str::to_owned)
}

/// A number that is fixed at start: the one of `earlier`, if the server runs.
fn fixed_number(
    key: &str,
    given: Option<usize>,
    earlier: Option<usize>,
    at: &At<'_>,
    report: &mut Report,
) -> Option<usize> {
    let (Some(given), Some(running)) = (given, earlier) else { return earlier.or(given) };
    if given != running {
        report.fault(
            &at.key(key),
            format!("`{running}`, the number it was started with"),
            format!("`{given}`"),
            format!("`{key}` is fixed at start: start the server anew to change it"),
        );
    }
    Some(running)
}

/// Which event loop is taken: fixed at start, for it serves the whole process.
fn event_loop(
    layers: Layers<'_>,
    running: Option<&Service>,
    at: &At<'_>,
    report: &mut Report,
) -> EventLoop {
    let given = match layers.word("event_loop") {
        Some("asyncio") => Some(EventLoop::Asyncio),
        Some("uvloop") => Some(EventLoop::Uvloop),
        Some("auto") => Some(EventLoop::Auto),
        _ => None,
    };
    let Some(running) = running.map(|service| service.event_loop) else {
        return given.unwrap_or_default();
    };
    if let Some(given) = given.filter(|given| *given != running) {
        report.fault(
            &at.key("event_loop"),
            format!("`{running}`, as it was started"),
            format!("`{given}`"),
            "`event_loop` is fixed at start: start the server anew to change it".to_owned(),
        );
    }
    running
}

/// What is logged: fixed at start, for it holds for the whole process.
fn log(
    layers: Layers<'_>,
    running: Option<&Service>,
    at: &At<'_>,
    report: &mut Report,
) -> Option<Logging> {
    let given = match layers.get("log") {
        Some(Checked::Logging(given)) => Some(given),
        _ => None,
    };
    let Some(running) = running.map(|service| &service.log) else { return given.cloned() };
    if given.is_some() && given != running.as_ref() {
        let hint = "`log` is fixed at start: start the server anew to change it".to_owned();
        let words = |logging: &Logging| format!("`{logging}`");
        let expected = running.as_ref().map_or("none".to_owned(), words);
        report.fault(
            &at.key("log"),
            format!("{expected}, as it was started"),
            given.map(words),
            hint,
        );
    }
    running.clone()
}

/// What bodies may take where nothing is said: a quarter of the memory, and where
/// that is not known, a quarter of a small machine's.
fn body_memory(env: &CompileEnv<'_>) -> u64 {
    const LEAST: u64 = 16 << 20;
    env.memory.map_or(1 << 28, |memory| memory / 4).max(LEAST)
}

/// The file of the memory: fixed at start, and of use to Python only.
fn persist(
    layers: Layers<'_>,
    running: Option<&Service>,
    env: &CompileEnv<'_>,
    at: &At<'_>,
    report: &mut Report,
) -> Option<PathBuf> {
    let at = at.key("persist");
    let given = layers.path("persist");
    if let Some(path) = given
        && !env.python
    {
        let hint = "run it with `python -m slimHTTP run FILE`".to_owned();
        let found = format!("`{}`", path.display());
        report.fault(&at, "Python, whose memory it keeps", found, hint);
    }
    let Some(running) = running.map(|service| service.persist.as_ref()) else {
        // The file may be new, its folder may not.
        if let Some(path) = given {
            let found = format!("`{}`", path.display());
            if (env.look)(path) == PathKind::Folder {
                report.fault(&at, "a file", format!("{found}, a folder"), None);
            } else if path.parent().is_some_and(|it| (env.look)(it) != PathKind::Folder) {
                report.fault(&at, "a file in a folder that exists", found, None);
            }
        }
        return given.cloned();
    };
    if let Some(given) = given.filter(|given| Some(*given) != running) {
        let expected = running.map_or("none".to_owned(), |path| format!("`{}`", path.display()));
        report.fault(
            &at,
            format!("{expected}, as it was started"),
            format!("`{}`", given.display()),
            "`persist` is fixed at start; `slimHTTP.memory.persist(…)` may be called at any time"
                .to_owned(),
        );
    }
    running.cloned()
}

/// `addr` and `port` may only say again what is so.
fn listener(global: &Layer, listener: &FirstListener, at: &At<'_>, report: &mut Report) {
    let layers = Layers { own: global, mount: None, outer: None };
    let (started, configured) = match &listener.endpoint {
        Endpoint::Tcp { address, port } => (&**address, *port),
        // It has neither; what is said of them is wrong.
        Endpoint::Unix(_) | Endpoint::Inherited(_) => (UNKNOWN, 0),
    };
    if let Some(address) = layers.word("addr")
        && Endpoint::tcp(address, 0) != Endpoint::tcp(started, 0)
    {
        let shown = |address: &str| match address {
            "" => "an empty text (every interface)".to_owned(),
            UNKNOWN => format!("none beside `{listener}`"),
            address => format!("`{address}`"),
        };
        let hint = format!(
            "address and port are fixed at start: start another instance with \
             `slimHTTP.server(…, addr='{address}')` and close this one, or name it in `listen`"
        );
        let expected = format!("{}, the address it was started with", shown(started));
        report.fault(&at.key("addr"), expected, shown(address), hint);
    }
    if let Some(port) = layers.number("port")
        && ![configured, listener.port].contains(&u16::try_from(port).unwrap_or(0))
    {
        let hint = format!(
            "address and port are fixed at start: start another instance with \
             `slimHTTP.server(…, port={port})` and close this one, or name it in `listen`"
        );
        report.fault(
            &at.key("port"),
            format!("`{}`, the port it was started with", listener.port),
            format!("`{port}`"),
            hint,
        );
    }
}

/// What no address is: in the place of one where there is none.
const UNKNOWN: &str = "\0";
