//! The shapes that values of options may have, as a closed set, and how an error names
//! them. [`crate::compile`] has a reader for each.

use std::fmt;

use crate::config::logging::Unknown;

/// What an option takes. `Display` says so in an error's words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// `True` or `False`.
    Bool,
    /// A whole number, both bounds included.
    WholeNumber {
        /// The least.
        least: u64,
        /// The greatest.
        most: u64,
    },
    /// A number of seconds, fractions allowed, both bounds included.
    Seconds {
        /// The least.
        least: f64,
        /// The greatest.
        most: f64,
    },
    /// A number of bytes, or a text such as `10MB` (powers of 1000) or `64KiB`
    /// (powers of 1024); both bounds included.
    Bytes {
        /// The least.
        least: u64,
        /// The greatest.
        most: u64,
    },
    /// A path, absolute or relative.
    Path,
    /// A plain file name or a list of them.
    Names,
    /// `host:port`, a URL, or a list of either.
    Upstreams,
    /// An address or a network, or a list of either.
    Networks,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// `True`, `False` or one of these words.
    Switch(&'static [&'static str]),
    /// `True`, `False`, a format, or a table of `format` and `file`.
    AccessLog,
    /// A bool beside `proxy`, or a table of `cert` and `key`.
    Ssl,
    /// What TLS presents and asks for: `auto`, a table, or a list of certificates.
    Tls,
    /// How much is logged, and as what: see [`crate::config::logging`].
    Logging,
    /// A host name, an address, or an empty text.
    Address,
    /// Where an instance listens: a list of texts and tables.
    Listen,
    /// The name of a user or a group of the system.
    Account,
    /// A number of seconds or `False`, which is none; the upper bound included.
    SecondsOrOff {
        /// The greatest.
        most: f64,
    },
    /// A glob or a list of globs.
    Globs,
    /// A path below `web_root`.
    PathBelow,
    /// A path below `web_root` with `{path}` in it, or a list of these.
    TryFiles,
    /// A path below `web_root` for statuses.
    ErrorPages,
    /// A value of `Cache-Control`, or values by glob.
    CacheControl,
    /// Header fields.
    Fields,
    /// Header fields by glob.
    FieldsByGlob,
    /// Media types by extension.
    MediaTypes,
    /// The name of a charset.
    Charset,
    /// A bool, or a table that says how files are compressed.
    Compress,
    /// A bool, or a table of the bounds of the cache.
    FileCache,
    /// Targets by pattern, each with or without a status.
    Redirects,
    /// Targets by pattern.
    Rewrites,
    /// A bool, origins, or a table that says what pages of other origins may do.
    Cors,
    /// A bool, or a port.
    HttpsRedirect,
    /// A bool, a number of seconds, or a table that says for how long and for whom.
    Hsts,
    /// `package.module:name`, or an object of the program.
    Application,
    /// A table of texts.
    Environment,
    /// A path as an application names its root.
    RootPath,
    /// A path that others begin with.
    PathPrefix,
    /// The same, or whether it is that of the mount.
    StripPrefix,
    /// A table that says how certificates are obtained.
    Acme,
    /// A table of mounts.
    Mounts,
    /// A table of virtual hosts.
    Hosts,
}

impl fmt::Display for Shape {
    #[expect(clippy::too_many_lines, reason = "a table: one arm for each shape")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool | Self::Ssl => f.write_str("`true` or `false`"),
            Self::WholeNumber { least, most } => write!(f, "a whole number from {least} to {most}"),
            Self::Seconds { least, most } => {
                write!(f, "a number of seconds from {least} to {most}")
            }
            Self::Bytes { least, most } => {
                write!(f, "a number of bytes from {least} to {most}, or a text such as `64KiB`")
            }
            Self::Path => f.write_str("a path"),
            Self::Names => f.write_str("a file name or a list of file names"),
            Self::Upstreams => f.write_str("`host:port`"),
            Self::Networks => f.write_str("an address, a network, or a list of these"),
            Self::OneOf(words) => alternatives(f, "", words),
            Self::Switch([]) => f.write_str("`true` or `false`"),
            Self::Switch(words) => alternatives(f, "`true`, `false`", words),
            Self::AccessLog => {
                alternatives(f, "`true`, `false`", ACCESS_FORMATS)?;
                f.write_str(", or a table of `format` and `file`")
            }
            Self::Tls => f.write_str("`auto`, a table, or a list of tables of `cert` and `key`"),
            Self::Logging => f.write_str(Unknown::EXPECTED),
            Self::Address => f.write_str("a host name or an address"),
            Self::Listen => f.write_str(
                "a list of where to listen, such as `http://:80`, `https://[::1]:443`, \
                 `unix:/run/site.sock` or `fd:web`",
            ),
            Self::Account => f.write_str("a name of the system's accounts"),
            Self::Application => f.write_str("`package.module:name`, or an application"),
            Self::Environment => f.write_str("a table of texts by name"),
            Self::RootPath => f.write_str("a path such as `/shop`"),
            Self::PathPrefix => f.write_str("a path such as `/v1`"),
            Self::StripPrefix => f.write_str("`true`, `false`, or a path such as `/api`"),
            Self::Acme => {
                f.write_str("a table of ")?;
                keys(f, ACME_KEYS)
            }
            Self::Mounts => f.write_str("a table of mounts"),
            Self::Hosts => f.write_str("a table of virtual hosts"),
            Self::SecondsOrOff { most } => {
                write!(f, "`false`, or a number of seconds from 0 to {most}")
            }
            Self::Globs => f.write_str("a glob, a list of globs, or `false`"),
            Self::PathBelow => f.write_str("a path such as `/index.html`, or `false`"),
            Self::TryFiles => {
                f.write_str("a path such as `{path}.html`, a list of these, or `false`")
            }
            Self::ErrorPages => f.write_str("a table of paths by status, or `false`"),
            Self::CacheControl => {
                f.write_str("a text such as `max-age=3600`, a table of these by glob, or `false`")
            }
            Self::Fields => f.write_str("a table of header fields, or `false`"),
            Self::FieldsByGlob => {
                f.write_str("a table of globs, each with a table of header fields, or `false`")
            }
            Self::MediaTypes => f.write_str("a table of media types by extension, or `false`"),
            Self::Charset => f.write_str("a charset such as `utf-8`, or `false`"),
            Self::Compress => table(f, COMPRESS_KEYS),
            Self::FileCache => table(f, FILE_CACHE_KEYS),
            Self::HttpsRedirect => f.write_str("`true`, `false`, or a port from 1 to 65535"),
            Self::Hsts => {
                write!(
                    f,
                    "`true`, `false`, a number of seconds from 0 to {MAX_AGE}, or a table of "
                )?;
                keys(f, HSTS_KEYS)
            }
            Self::Redirects => f.write_str("a table of targets by path, or `false`"),
            Self::Rewrites => f.write_str("a table of paths by path, or `false`"),
            Self::Cors => {
                f.write_str(
                    "`true`, `false`, an origin such as `https://example.com`, a list of ",
                )?;
                f.write_str("these, or a table of ")?;
                keys(f, CORS_KEYS)
            }
        }
    }
}

/// Writes `first`, then `words` in backticks, the last one behind "or".
fn alternatives(f: &mut fmt::Formatter<'_>, first: &str, words: &[&str]) -> fmt::Result {
    f.write_str(first)?;
    for (position, word) in words.iter().enumerate() {
        let joint = match position {
            0 if first.is_empty() => "",
            _ if position + 1 == words.len() => " or ",
            _ => ", ",
        };
        write!(f, "{joint}`{word}`")?;
    }
    Ok(())
}

/// Writes the bools and a table of `keys`.
fn table(f: &mut fmt::Formatter<'_>, known: &[&str]) -> fmt::Result {
    f.write_str("`true`, `false`, or a table of ")?;
    keys(f, known)
}

/// Writes keys in backticks, the last one behind "and".
fn keys(f: &mut fmt::Formatter<'_>, known: &[&str]) -> fmt::Result {
    for (position, key) in known.iter().enumerate() {
        let joint = match position {
            0 => "",
            _ if position + 1 == known.len() => " and ",
            _ => ", ",
        };
        write!(f, "{joint}`{key}`")?;
    }
    Ok(())
}

/// The keys of an entry of `listen` as a table.
pub const LISTEN_KEYS: &[&str] =
    &["address", "tls", "proxy_protocol", "h2c", "reuse_port", "drain", "mode", "owner", "group"];
/// The keys of `tls` as a table.
pub const TLS_KEYS: &[&str] =
    &["cert", "key", "certificates", "names", "versions", "client_auth", "until_issued"];
/// The keys of its `client_auth` as a table, and the words of its `mode`.
pub const CLIENT_AUTH_KEYS: &[&str] = &["ca", "mode"];
/// See [`CLIENT_AUTH_KEYS`].
pub const CLIENT_AUTH_MODES: &[&str] = &["require", "optional"];
/// The words of its `until_issued`.
pub const UNTIL_ISSUED: &[&str] = &["self-signed", "refuse"];
/// The words of `access_log`.
pub const ACCESS_FORMATS: &[&str] = &["common", "combined", "json"];
/// The words of `module_reload`.
pub const MODULE_RELOADS: &[&str] = &["always", "changed", "never"];
/// The one word of `scripts` beside the bools.
pub const EXECUTABLE: &[&str] = &["executable"];
/// The words of `follow_symlinks` beside the bools.
pub const SYMLINKS: &[&str] = &["inside", "never"];
/// The keys of `compress` as a table.
pub const COMPRESS_KEYS: &[&str] = &[
    "encodings",
    "precompressed",
    "on_the_fly",
    "dynamic",
    "max_encoders",
    "min_size",
    "max_size",
    "types",
];
/// The keys of `file_cache` as a table.
pub const FILE_CACHE_KEYS: &[&str] = &["size", "entry", "revalidate"];
/// The keys of `hsts` as a table.
pub const HSTS_KEYS: &[&str] = &["max_age", "include_subdomains", "preload"];
/// The most seconds that `hsts` takes: a hundred years.
pub const MAX_AGE: u64 = 3_153_600_000;
/// The keys of `cors` as a table.
pub const CORS_KEYS: &[&str] =
    &["origins", "methods", "headers", "expose", "credentials", "max_age"];
/// The keys of `acme`.
pub const ACME_KEYS: &[&str] = &[
    "directory",
    "ca",
    "email",
    "storage",
    "challenge",
    "dns",
    "eab",
    "profile",
    "key_type",
    "on_demand",
];
