//! The options of one scope: its own layer, then the inherited one, then the defaults; and
//! the rules that concern several options.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::application::{self, Known};
use super::layer::{Layer, Layers, Level};
use super::read::Checked;
use super::report::{At, Report};
use super::{CompileEnv, PathKind, answers, files, upstream};
use crate::config::value::Table;
use crate::protocol::websocket::WebSocketLimits;
use crate::site::application::MountedApplication;
use crate::site::{
    AccessLog, LogFile, Module, ModuleReload, Proxy, ScopeOptions, Scripts, Upstream,
};

/// What is served where nothing says what.
const WEB_ROOT: &str = "/srv/http";
const INDEX: &str = "index.html";
const MAX_BODY: u64 = 16 << 20;
const FORM_MEMORY: u64 = 512 << 10;
const FORM_PARTS: u64 = 1000;
const PROXY_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const PROXY_READ_TIMEOUT: Duration = Duration::from_secs(60);
const PROXY_MAX_REQUESTS: usize = 1024;
const PROXY_MAX_QUEUE: usize = 1024;
const PROXY_QUEUE_TIMEOUT: Duration = Duration::from_secs(10);
const PROXY_MAX_RESPONSE_HEAD: usize = 64 << 10;
const PROXY_MAX_RESPONSE_HEADERS: usize = 256;
const PROXY_MAX_IDLE: usize = 64;
const PROXY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The ways of answering. A virtual host or a mount that names one inherits none of
/// `module`, `proxy` and `app`.
const WAYS: [&str; 4] = ["web_root", "module", "proxy", "app"];

/// A scope as it was before the change.
#[derive(Clone, Copy)]
pub(super) struct Earlier<'e> {
    /// What stood there.
    pub(super) table: &'e Table,
    /// What came of it.
    pub(super) options: &'e ScopeOptions,
    /// Whether the scope itself was so. Else it is another one that inherits the same table,
    /// which was looked at there.
    pub(super) is_own: bool,
}

/// Reads a scope's table. A relative path that stands as it stood is resolved
/// as it was, even if the working directory is another one by now.
pub(super) fn read(
    table: &Table,
    level: Level,
    env: &CompileEnv<'_>,
    earlier: Option<Earlier<'_>>,
    at: &At<'_>,
    report: &mut Report,
) -> Layer {
    let mut layer = Layer::read(table, level, &env.base, at, report);
    if let Some(Earlier { table: written, options, .. }) = earlier
        && !env.resolve_anew
    {
        let module = options.module.as_ref().map(|module| module.path.clone());
        let resolved = [
            ("web_root", options.web_root.clone().map(Checked::Path)),
            ("private_root", options.private_root.clone().map(Checked::Path)),
            ("module", module.map(Checked::Path)),
            ("app_dir", options.app_dir.clone().map(Checked::Path)),
            ("access_log", Some(Checked::AccessLog(options.access_log.clone()))),
        ];
        for (key, checked) in resolved {
            if let Some(checked) = checked.filter(|_| table.get(key) == written.get(key)) {
                layer.keep(key, checked);
            }
        }
    }
    layer
}

/// Puts a scope's options together and checks what binds them. Where something
/// is wrong the report says so, and the result is of no use. `outer` is what the
/// outer layer came to.
pub(super) fn options(
    layers: Layers<'_>,
    outer: Option<&ScopeOptions>,
    env: &CompileEnv<'_>,
    earlier: Option<Earlier<'_>>,
    at: &At<'_>,
    report: &mut Report,
) -> ScopeOptions {
    let own = layers.own_only();
    let before = earlier.map(|earlier| earlier.options);
    // What belongs to one scope is shared with no other, but with what a mount inherits it from.
    let itself = earlier.filter(|earlier| earlier.is_own).map(|earlier| earlier.options);
    let around = outer.filter(|_| layers.mount.is_some());
    own_alone(layers, env, earlier, at, report);

    let ways = Ways::of(layers, Known { outer, before }, env);
    let debug = layers.flag("debug").unwrap_or(false);
    let files = files::rules(own, outer, before, at, report);
    let answers = answers::rules(own, outer, before);
    let pages = PageRoots { web_root: ways.web_root.as_deref(), own, around };
    let has_error_pages = !answers.error_pages.is_empty();
    let options = ScopeOptions {
        fallback_root: pages
            .of("fallback", files.fallback.is_some(), |around| around.fallback_root.as_ref()),
        error_pages_root: pages
            .of("error_pages", has_error_pages, |around| around.error_pages_root.as_ref()),
        web_root_mount: layers.that_has(&["web_root"]).and_then(|own| own.mount.cloned()),
        web_root: ways.web_root,
        private_root: layers.path("private_root").cloned(),
        index: index(layers),
        module: ways.module,
        proxy: ways.proxy.map(|proxy| {
            let known = [around, itself].into_iter().flatten();
            files::same(proxy, known.filter_map(|options| options.proxy.as_ref()))
        }),
        app: ways.app.map(|app| {
            let known = [around, before].into_iter().flatten();
            files::same(app, known.filter_map(|options| options.app.as_ref()))
        }),
        app_dir: layers.path("app_dir").cloned(),
        files_before_app: ways.files_before_app,
        module_reload: module_reload(layers),
        scripts: ways.scripts,
        debug,
        live_reload: debug && layers.flag("live_reload").unwrap_or(true),
        max_body: layers.number("max_body").unwrap_or(MAX_BODY),
        form_memory: layers.number("form_memory").unwrap_or(FORM_MEMORY),
        form_parts: layers.number("form_parts").unwrap_or(FORM_PARTS),
        access_log: access_log(layers).cloned(),
        trusted_proxies: trusted_proxies(layers),
        files,
        websocket: {
            let known = [outer, before].into_iter().flatten();
            files::same(websocket(layers), known.map(|options| &options.websocket))
        },
        answers,
    };
    answers::cors_alone(own, &options, at, report);
    private_apart(own, &options, at, report);
    application::code_apart(own, &options, at, report);
    options
}

/// Checks what stands in a table, whatever is inherited beside it.
fn own_alone(
    layers: Layers<'_>,
    env: &CompileEnv<'_>,
    earlier: Option<Earlier<'_>>,
    at: &At<'_>,
    report: &mut Report,
) {
    let own = layers.own_only();
    let before = earlier.map(|earlier| earlier.options);
    exclusive(layers, at, report);
    upstream::prefixes_fit(layers, at, report);
    for folder in FOLDERS {
        is_folder(folder, own, env, earlier, at, report);
    }
    module_exists(own, env, before, at, report);
    application::needs_python(own, env, at, report);
    log_opens(own, env, before, at, report);
}

/// Who answers in a scope.
struct Ways {
    module: Option<Module>,
    proxy: Option<Proxy>,
    app: Option<MountedApplication>,
    web_root: Option<PathBuf>,
    files_before_app: bool,
    scripts: Scripts,
}

impl Ways {
    /// The innermost layer that names one gives all but `web_root`, which is inherited on its own.
    fn of(layers: Layers<'_>, known: Known<'_>, env: &CompileEnv<'_>) -> Self {
        let named = layers.that_has(&WAYS).unwrap_or(layers.own_only());
        let reload = module_reload(layers);
        let module = named.path("module").map(|path| Module::new(path.clone(), reload));
        let proxy = proxy(named, layers);
        let app = application::mounted(named, layers, known, env);
        let web_root = match layers.path("web_root") {
            Some(path) => Some(path.clone()),
            None if module.is_some() || proxy.is_some() || app.is_some() => None,
            None => Some(PathBuf::from(WEB_ROOT)),
        };
        let files_before_app = app.is_some() && named.own.has("web_root");
        // What users upload lies in the folder of a mount more often than not.
        let is_folder_of_mount = layers.mount.is_some() && layers.own.has("web_root");
        // Beside an application, scripts are run where that is said there.
        let scripts = if app.is_some() { named } else { layers };
        let scripts = match scripts.get("scripts") {
            Some(Checked::Flag(false)) => Scripts::Off,
            // Without Python none runs, and listings show none.
            _ if !env.python => Scripts::Off,
            Some(Checked::Word(_)) => Scripts::Executable,
            None if app.is_some() || is_folder_of_mount => Scripts::Off,
            _ => Scripts::On,
        };
        Self { module, proxy, app, web_root, files_before_app, scripts }
    }
}

fn module_reload(layers: Layers<'_>) -> ModuleReload {
    match layers.word("module_reload") {
        Some("changed") => ModuleReload::Changed,
        Some("never") => ModuleReload::Never,
        _ => ModuleReload::Always,
    }
}

fn index(layers: Layers<'_>) -> Vec<String> {
    match layers.get("index") {
        Some(Checked::Names(names)) => names.clone(),
        _ => vec![INDEX.to_owned()],
    }
}

fn trusted_proxies(layers: Layers<'_>) -> Vec<IpNet> {
    match layers.get("trusted_proxies") {
        Some(Checked::Networks(networks)) => networks.clone(),
        _ => Vec::new(),
    }
}

/// Where the pages that a configuration names are looked for.
struct PageRoots<'p> {
    web_root: Option<&'p Path>,
    own: Layers<'p>,
    /// The scope around a mount.
    around: Option<&'p ScopeOptions>,
}

impl PageRoots<'_> {
    /// The folder of the page that `key` names, if there is one: a mount that inherits the page
    /// has it from where that is.
    fn of(
        &self,
        key: &str,
        is_named: bool,
        inherited: impl Fn(&ScopeOptions) -> Option<&Arc<Path>>,
    ) -> Option<Arc<Path>> {
        match self.around.filter(|_| !self.own.own.has(key)) {
            _ if !is_named => None,
            Some(around) => inherited(around).cloned(),
            None => self.web_root.map(Arc::from),
        }
    }
}

/// Says which options exclude or need each other (C2.5).
fn exclusive(layers: Layers<'_>, at: &At<'_>, report: &mut Report) {
    let own = layers.own;
    for (one, other) in [("proxy", "module"), ("app", "module"), ("app", "proxy")] {
        if own.has(one) && own.has(other) {
            report.fault(at, format!("either `{one}` or `{other}`"), "both".to_owned(), None);
        }
    }
    match own.get("ssl") {
        Some(Checked::Certificate(_)) if layers.mount.is_some() => report.fault(
            &at.key("ssl"),
            "`true` or `false`",
            "a table".to_owned(),
            "a certificate stands at the global level or in a virtual host".to_owned(),
        ),
        Some(Checked::Flag(_)) if !own.has("proxy") => {
            let hint = match (layers.mount, layers.outer) {
                (Some(_), _) => "`ssl` says whether TLS is spoken to the `proxy` of the same mount",
                (None, Some(_)) => {
                    "`ssl` says whether TLS is spoken to the `proxy` of the same virtual host"
                }
                (None, None) => "the certificate of an HTTPS server is a table of `cert` and `key`",
            };
            report.fault(&at.key("ssl"), "a `proxy` beside it", None, hint.to_owned());
        }
        Some(Checked::Flag(true)) => {
            if let Some(Checked::Upstreams(endpoints)) = own.get("proxy")
                && endpoints.iter().any(|endpoint| endpoint.tls == Some(false))
            {
                let hint = "a URL says itself whether TLS is spoken; leave `ssl` out";
                let found = "`true` beside `http://`".to_owned();
                report.fault(&at.key("ssl"), "`https://` or no `ssl`", found, hint.to_owned());
            }
        }
        _ => {}
    }
}

/// The options that name a folder, and what comes of one that is missing.
const FOLDERS: [(&str, Named, &str); 3] = [
    ("web_root", |options| options.web_root.as_ref(), "requests answer 404"),
    ("private_root", |options| options.private_root.as_ref(), "handlers cannot answer from it"),
    (
        "app_dir",
        |options| options.app.as_ref().map(|app| &app.application.spec.dir),
        "no application is found there",
    ),
];
type Named = fn(&ScopeOptions) -> Option<&PathBuf>;

/// A folder that is missing is odd, since it may come; a file is wrong.
fn is_folder(
    (key, named, without): (&str, Named, &str),
    own: Layers<'_>,
    env: &CompileEnv<'_>,
    earlier: Option<Earlier<'_>>,
    at: &At<'_>,
    report: &mut Report,
) {
    let Some(path) = own.path(key) else { return };
    // What was only the default before has never been looked at.
    let written = |table: &Table| table.get(key).is_some_and(|value| !value.is_null());
    if earlier.is_some_and(|Earlier { table, options, .. }| {
        written(table) && named(options) == Some(path)
    }) {
        return;
    }
    let at = at.key(key);
    match (env.look)(path) {
        PathKind::Folder => {}
        PathKind::Missing => {
            report.warn(&at, format_args!("`{}` does not exist (yet); {without}", path.display()))
        }
        PathKind::File => report.fault(&at, "a folder", seen(path, "a file"), None),
        PathKind::Other => report.fault(&at, "a folder", seen(path, "something else"), None),
    }
}

/// What lies below `web_root` is reached by a URL, whatever it is called. A scope
/// that names neither folder has what it inherits, which was looked at there.
fn private_apart(own: Layers<'_>, options: &ScopeOptions, at: &At<'_>, report: &mut Report) {
    let Some(key) = ["private_root", "web_root"].into_iter().find(|key| own.own.has(key)) else {
        return;
    };
    let (Some(private), Some(public)) = (&options.private_root, &options.web_root) else { return };
    if private.starts_with(public) {
        let expected = "a `private_root` outside of `web_root`";
        let found = format!("`{}` below `{}`", private.display(), public.display());
        let hint = "whatever lies below `web_root` is reached by a URL".to_owned();
        report.fault(&at.key(key), expected, found, hint);
    }
}

fn module_exists(
    own: Layers<'_>,
    env: &CompileEnv<'_>,
    before: Option<&ScopeOptions>,
    at: &At<'_>,
    report: &mut Report,
) {
    let Some(path) = own.path("module") else { return };
    let at = at.key("module");
    if !env.python {
        report.fault(
            &at,
            "no `module`: this program runs without Python",
            format!("`{}`", path.display()),
            "run it with `python -m slimHTTP run FILE`".to_owned(),
        );
        return;
    }
    let known = before.and_then(|before| before.module.as_ref());
    if known.is_some_and(|module| module.path == *path) {
        return;
    }
    let script = path.extension().is_some_and(|extension| extension == "py");
    match (env.look)(path) {
        PathKind::File if script => {}
        PathKind::File => report.fault(&at, "a `.py` file", format!("`{}`", path.display()), None),
        PathKind::Folder => report.fault(&at, "a `.py` file", seen(path, "a folder"), None),
        PathKind::Other => report.fault(&at, "a `.py` file", seen(path, "something else"), None),
        PathKind::Missing => {
            report.fault(&at, "a `.py` file that exists", format!("`{}`", path.display()), None);
        }
    }
}

/// A log file may be new, its folder may not.
fn log_opens(
    own: Layers<'_>,
    env: &CompileEnv<'_>,
    before: Option<&ScopeOptions>,
    at: &At<'_>,
    report: &mut Report,
) {
    let Some(AccessLog { file: LogFile::Path(path), .. }) = access_log(own) else { return };
    let known = before.and_then(|before| before.access_log.as_ref());
    if known.is_some_and(|log| log.file == LogFile::Path(path.clone())) {
        return;
    }
    let log = at.key("access_log");
    let at = log.key("file");
    if (env.look)(path) == PathKind::Folder {
        report.fault(&at, "a file", seen(path, "a folder"), None);
    } else if path.parent().is_some_and(|folder| (env.look)(folder) != PathKind::Folder) {
        let found = format!("`{}`", path.display());
        report.fault(&at, "a file in a folder that exists", found, None);
    }
}

fn access_log<'l>(layers: Layers<'l>) -> Option<&'l AccessLog> {
    match layers.get("access_log")? {
        Checked::AccessLog(log) => log.as_ref(),
        _ => None,
    }
}

fn websocket(layers: Layers<'_>) -> WebSocketLimits {
    let number = |key| layers.number(key).and_then(|number| usize::try_from(number).ok());
    let seconds =
        |key: &str, default: u64| layers.seconds(key).unwrap_or(Duration::from_secs(default));
    WebSocketLimits {
        max_message: number("websocket_max_message").unwrap_or(1 << 20),
        queue: number("websocket_queue").unwrap_or(32),
        ping_interval: seconds("websocket_ping_interval", 20),
        ping_timeout: seconds("websocket_ping_timeout", 20),
        idle_timeout: seconds("websocket_idle_timeout", 0),
        compress: layers.flag("websocket_compress").unwrap_or(true),
    }
}

/// A path and what it turned out to be.
fn seen(path: &Path, kind: &str) -> String {
    format!("`{}`, {kind}", path.display())
}

/// The upstreams of the layer that may name them; time-outs and bounds are
/// inherited on their own.
fn proxy(ways: Layers<'_>, layers: Layers<'_>) -> Option<Proxy> {
    let Some(Checked::Upstreams(endpoints)) = ways.get("proxy") else { return None };
    // `ssl` belongs to the `proxy` beside it.
    let ssl = matches!(ways.get("ssl"), Some(Checked::Flag(true)));
    // Every bound of the options fits a `usize` of 32 bits.
    let number = |key: &str| layers.number(key).and_then(|number| usize::try_from(number).ok());
    Some(Proxy {
        mount: ways.mount.cloned(),
        upstreams: endpoints
            .iter()
            .map(|endpoint| Upstream {
                tls: endpoint.tls.unwrap_or(ssl),
                host: Arc::clone(&endpoint.host),
                port: endpoint.port,
            })
            .collect(),
        prefix: upstream::prefix_rule(ways),
        connect_timeout: layers.seconds("proxy_connect_timeout").unwrap_or(PROXY_CONNECT_TIMEOUT),
        read_timeout: layers.seconds("proxy_read_timeout").unwrap_or(PROXY_READ_TIMEOUT),
        max_requests: number("proxy_max_requests").unwrap_or(PROXY_MAX_REQUESTS),
        max_queue: number("proxy_max_queue").unwrap_or(PROXY_MAX_QUEUE),
        queue_timeout: layers.seconds("proxy_queue_timeout").unwrap_or(PROXY_QUEUE_TIMEOUT),
        max_response_head: number("proxy_max_response_head").unwrap_or(PROXY_MAX_RESPONSE_HEAD),
        max_response_headers: number("proxy_max_response_headers")
            .unwrap_or(PROXY_MAX_RESPONSE_HEADERS),
        max_idle: number("proxy_max_idle").unwrap_or(PROXY_MAX_IDLE),
        idle_timeout: layers.seconds("proxy_idle_timeout").unwrap_or(PROXY_IDLE_TIMEOUT),
    })
}
