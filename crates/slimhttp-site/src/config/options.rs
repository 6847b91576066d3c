//! Every option there is, once: its key, where it may stand, its shape, default and
//! meaning. The compiler finds unknown keys, wrong types and ranges by this table, and
//! `docs/configuration.md` is tested against it. A new option begins here.

mod application;
mod files;
mod https;
mod server;
mod shape;
#[cfg(test)]
mod tests;
mod websocket;

pub use application::{INTERFACES, LIFESPANS};
pub use shape::{
    ACCESS_FORMATS, ACME_KEYS, CLIENT_AUTH_KEYS, CLIENT_AUTH_MODES, COMPRESS_KEYS, CORS_KEYS,
    EXECUTABLE, FILE_CACHE_KEYS, HSTS_KEYS, LISTEN_KEYS, MAX_AGE, MODULE_RELOADS, SYMLINKS, Shape,
    TLS_KEYS, UNTIL_ISSUED,
};

use crate::config::spelling::{nearest, normalized};

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// The key, as written in a configuration.
    pub key: &'static str,
    /// Where it may stand.
    pub stands: Stands,
    /// What it takes.
    pub takes: Shape,
    /// What holds where it is left out, as a person writes it; where that is a
    /// literal, it is in backticks.
    pub default: &'static str,
    /// What it means: one line, in Markdown.
    pub doc: &'static str,
    /// What other programs call it, for the hint at an unknown key.
    pub aliases: &'static [&'static str],
}

/// Where an option may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// At the global level, in any virtual host and in any mount, which inherit what
    /// they leave out.
    Everywhere,
    /// At the global level and in any virtual host, but in no mount: it is about what is so before
    /// a path is known.
    Hosts,
    /// At the global level only.
    GlobalOnly,
}

/// A year: no time-out is longer.
const YEAR: f64 = 31_536_000.0;
/// A time that something may take: never nothing, or nothing would succeed.
const TIMEOUT: Shape = Shape::Seconds { least: 0.001, most: YEAR };
/// What `usize` holds on every platform and no program needs.
const MANY: u64 = 10_000_000;

/// The words of `event_loop`.
pub const EVENT_LOOPS: &[&str] = &["asyncio", "uvloop", "auto"];

const fn everywhere(key: &'static str, takes: Shape) -> OptionSpec {
    OptionSpec { key, stands: Stands::Everywhere, takes, default: "", doc: "", aliases: &[] }
}

const fn hosts(key: &'static str, takes: Shape) -> OptionSpec {
    OptionSpec { stands: Stands::Hosts, ..everywhere(key, takes) }
}

const fn global(key: &'static str, takes: Shape) -> OptionSpec {
    OptionSpec { stands: Stands::GlobalOnly, ..everywhere(key, takes) }
}

/// Every option, those of a scope first, in the order of the docs.
pub fn all() -> impl Iterator<Item = &'static OptionSpec> {
    SCOPE
        .iter()
        .chain(application::APPLICATIONS)
        .chain(files::FILES)
        .chain(https::HTTPS)
        .chain(websocket::WEBSOCKETS)
        .chain(server::SERVER)
}

/// How a scope answers.
const SCOPE: &[OptionSpec] = &[
    OptionSpec {
        default: "`/srv/http`",
        doc: "The folder of files. A relative path is resolved when the change is applied. \
              Without one, a module or proxy alone answers.",
        aliases: &["root", "document_root", "doc_root", "docroot", "directory", "folder", "path"],
        ..everywhere("web_root", Shape::Path)
    },
    OptionSpec {
        default: "none",
        doc: "A folder from which handlers may answer with a file, and which no URL reaches.",
        aliases: &["internal", "protected_root", "sendfile_root", "x_accel_root", "media_root"],
        ..everywhere("private_root", Shape::Path)
    },
    OptionSpec {
        default: "`index.html`",
        doc: "The name, or the names in the order in which they are tried, that answers for a folder.",
        aliases: &["directory_index", "index_file", "index_files", "indexes"],
        ..everywhere("index", Shape::Names)
    },
    OptionSpec {
        default: "none",
        doc: "A Python file (`.py`) that answers before `web_root` does. Excludes `proxy` and `app`.",
        aliases: &["script", "python", "handler"],
        ..everywhere("module", Shape::Path)
    },
    OptionSpec {
        default: "none",
        doc: "Where requests are forwarded: `host:port`, a URL without a path, or a list of either. \
              Excludes `module` and `app`.",
        aliases: &["proxy_pass", "reverse_proxy", "upstream", "upstreams", "backend", "backends"],
        ..everywhere("proxy", Shape::Upstreams)
    },
    OptionSpec {
        default: "`false`",
        doc: "Beside `proxy`: whether TLS is spoken to it. As a table of `cert` and `key`, not in a \
              mount: the same as `tls`.",
        aliases: &["proxy_ssl", "https"],
        ..everywhere("ssl", Shape::Ssl)
    },
    OptionSpec {
        default: "none",
        doc: "What an HTTPS server presents to clients, and asks of them: `auto`, one certificate or \
              several, or a table that says more; see [https.md](https.md). Not in a mount.",
        aliases: &["certificates", "tls_certificates", "ssl_options", "tls_options"],
        ..hosts("tls", Shape::Tls)
    },
    OptionSpec {
        default: "`false`",
        doc: "Beside `proxy`: the path that is taken from the beginning of every path before it is \
              forwarded; `true` in a mount: its prefix.",
        aliases: &["strip_path", "stripprefix", "uri_strip_prefix"],
        ..everywhere("strip_prefix", Shape::StripPrefix)
    },
    OptionSpec {
        default: "none",
        doc: "Beside `proxy`: the path that is put before every path then.",
        aliases: &["add_path", "addprefix", "path_prefix", "upstream_path"],
        ..everywhere("add_prefix", Shape::PathPrefix)
    },
    OptionSpec {
        default: "none",
        doc: "The parts of the paths that are answered otherwise: a table of options for each prefix of \
              paths (whole segments, decoded). The longest prefix wins, and routes come first. They do \
              not nest.",
        aliases: &["locations", "location", "mount", "paths", "prefixes", "handle_path"],
        ..everywhere("mounts", Shape::Mounts)
    },
    OptionSpec {
        default: "`always`",
        doc: "When `module` is run anew: for every request (`always`), after an edit (`changed`), or \
              only once (`never`). It holds for scripts too.",
        aliases: &["reload", "autoreload", "hot_reload"],
        ..everywhere("module_reload", Shape::OneOf(MODULE_RELOADS))
    },
    OptionSpec {
        default: "`true`",
        doc: "Whether `.py` files under `web_root` are run when a URL names them; `executable`: only those \
              with the executable bit. The others answer 404; none is ever sent. Where a mount names a \
              `web_root`, or a scope an `app` beside it, none is run unless this says so.",
        aliases: &["cgi"],
        ..everywhere("scripts", Shape::Switch(EXECUTABLE))
    },
    OptionSpec {
        default: "`false`",
        doc: "Whether error pages show the traceback. Not for the public.",
        aliases: &["development", "dev"],
        ..everywhere("debug", Shape::Bool)
    },
    OptionSpec {
        default: "`true`",
        doc: "With `debug`: whether browsers load a page anew when the files, the module or the \
              configuration behind it change.",
        aliases: &["reload_browser", "browser_reload", "watch"],
        ..everywhere("live_reload", Shape::Bool)
    },
    OptionSpec {
        default: "`16MiB`",
        doc: "The longest request body; a longer one is answered 413.",
        aliases: &["client_max_body_size", "max_content_length", "body_limit", "max_request_size"],
        ..everywhere("max_body", Shape::Bytes { least: 0, most: i64::MAX as u64 })
    },
    OptionSpec {
        default: "`512KiB`",
        doc: "What a form may hold in memory: its texts together (names, the values of fields, the \
              header fields of uploads), more are answered 413, and its uploads together, what is \
              more lies in a temporary file.",
        aliases: &[
            "max_form_memory_size",
            "data_upload_max_memory_size",
            "client_body_buffer_size",
        ],
        ..everywhere("form_memory", Shape::Bytes { least: 1024, most: 1 << 40 })
    },
    OptionSpec {
        default: "`1000`",
        doc: "Fields and uploads of a form together; more are answered 413.",
        aliases: &["max_form_parts", "data_upload_max_number_fields", "max_fields"],
        ..everywhere("form_parts", Shape::WholeNumber { least: 1, most: MANY })
    },
    OptionSpec {
        default: "`false`",
        doc: "Where each request is noted: `true` for the combined format on standard error, a format \
              (`common`, `combined`, `json`), or a table of `format` and `file`, where `-` is standard \
              output.",
        aliases: &["accesslog", "access_log_file", "logfile"],
        ..everywhere("access_log", Shape::AccessLog)
    },
    OptionSpec {
        default: "none",
        doc: "Addresses and networks whose `X-Forwarded-*` fields are believed.",
        aliases: &["set_real_ip_from", "forwarded_allow_ips", "proxy_headers", "trusted_hosts"],
        ..everywhere("trusted_proxies", Shape::Networks)
    },
    OptionSpec {
        default: "`5`",
        doc: "Seconds that a connection to an upstream may take to come about.",
        aliases: &["connect_timeout", "dial_timeout"],
        ..everywhere("proxy_connect_timeout", TIMEOUT)
    },
    OptionSpec {
        default: "`60`",
        doc: "Seconds that an upstream may stay silent, before its head and within its body.",
        aliases: &["read_timeout", "proxy_timeout"],
        ..everywhere("proxy_read_timeout", TIMEOUT)
    },
    OptionSpec {
        default: "`1024`",
        doc: "Requests and upgraded connections that the upstreams of a scope carry at once; more wait.",
        aliases: &["max_conns", "max_requests", "max_pending_requests", "proxy_max_connections"],
        ..everywhere("proxy_max_requests", Shape::WholeNumber { least: 1, most: MANY })
    },
    OptionSpec {
        default: "`1024`",
        doc: "Requests of a scope that may wait for its upstreams; more are answered 503.",
        aliases: &["proxy_queue", "maxqueue"],
        ..everywhere("proxy_max_queue", Shape::WholeNumber { least: 0, most: MANY })
    },
    OptionSpec {
        default: "`10`",
        doc: "Seconds that one of them waits before it is answered 503.",
        aliases: &["queue_timeout", "timeout_queue"],
        ..everywhere("proxy_queue_timeout", TIMEOUT)
    },
    OptionSpec {
        default: "`64KiB`",
        doc: "The longest status line and header section of an upstream's answer together; a longer one \
              is answered 502.",
        aliases: &["proxy_buffer_size", "proxy_max_head", "max_response_header_bytes"],
        ..everywhere("proxy_max_response_head", Shape::Bytes { least: 1024, most: 16 << 20 })
    },
    OptionSpec {
        default: "`256`",
        doc: "Header fields of an upstream's answer; more are answered 502.",
        aliases: &["proxy_max_headers", "max_response_headers"],
        ..everywhere("proxy_max_response_headers", Shape::WholeNumber { least: 8, most: 10_000 })
    },
    OptionSpec {
        default: "`64`",
        doc: "Connections without a request that are kept for each scope to each of its upstreams, on each \
              I/O thread; further ones are closed.",
        aliases: &["max_idle_conns_per_host", "pool_max_idle_per_host", "pool_max_conn"],
        ..everywhere("proxy_max_idle", Shape::WholeNumber { least: 0, most: MANY })
    },
    OptionSpec {
        default: "`30`",
        doc: "Seconds that a connection to an upstream is kept without a request. Shorter than what the \
              upstream allows, so that it does not close one in the moment of its next request.",
        aliases: &["idle_conn_timeout", "pool_idle_timeout", "pool_purge_delay"],
        ..everywhere("proxy_idle_timeout", TIMEOUT)
    },
];

/// The option of this key.
pub fn find(key: &str) -> Option<&'static OptionSpec> {
    all().find(|option| option.key == key)
}

/// The option that a misspelt `key` most likely means; `in_host` prefers those
/// that may stand in a virtual host or a mount.
pub fn suggest(key: &str, in_host: bool) -> Option<&'static OptionSpec> {
    let fits = |option: &&OptionSpec| !in_host || option.stands != Stands::GlobalOnly;
    let others = |option: &&OptionSpec| !fits(option);
    let spelling = normalized(key);
    let same = |option: &&OptionSpec| normalized(option.key) == spelling;
    let known =
        |option: &&OptionSpec| option.aliases.iter().any(|name| normalized(name) == spelling);
    let find = |rule: &dyn Fn(&&OptionSpec) -> bool| all().find(rule);
    find(&same)
        .or_else(|| find(&known))
        .or_else(|| nearest(key, all().filter(fits).map(|option| option.key)).and_then(self::find))
        .or_else(|| {
            nearest(key, all().filter(others).map(|option| option.key)).and_then(self::find)
        })
}
