//! Reads one value by the [`Shape`] of its option. What depends on other options, or on the
//! machine, is checked later, in `scope` and `service`.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::listen::{self, Entry};
use super::plain::{self, Plain, did_you_mean, given, known_keys, list, tried, wrong, wrong_type};
use super::report::{At, Report};
use super::rules::{self, Rule};
use super::tls::{self, WrittenTls};
use super::upstream::{self, Endpoint};
use super::{acme, application};
use crate::config::logging::{Logging, Unknown};
use crate::config::options::{ACCESS_FORMATS, Shape};
use crate::config::spelling::nearest;
use crate::config::value::{Table, Value};
use crate::routing::mount::parse_prefix;
use crate::site::access;
use crate::site::acme::AcmeOptions;
use crate::site::application::AppReference;
use crate::site::tls::CertificateFiles;
use crate::site::{AccessFormat, AccessLog, LogFile};

/// A value that has the shape of its option.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Checked {
    Flag(bool),
    Number(u64),
    Seconds(Duration),
    /// One of an option's words, or an address.
    Word(String),
    /// An absolute path.
    Path(PathBuf),
    Names(Vec<String>),
    Upstreams(Vec<Endpoint>),
    Listen(Vec<Entry>),
    Networks(Vec<IpNet>),
    AccessLog(Option<AccessLog>),
    Logging(Logging),
    /// Certificate and key.
    Certificate(CertificateFiles),
    Tls(Arc<WrittenTls>),
    Application(AppReference),
    Environment(Arc<[(Arc<str>, Arc<str>)]>),
    Acme(Arc<AcmeOptions>),
    /// What an option about files or answers says.
    Rule(Rule),
}

impl From<Plain> for Checked {
    fn from(plain: Plain) -> Self {
        match plain {
            Plain::Flag(flag) => Self::Flag(flag),
            Plain::Number(number) => Self::Number(number),
            Plain::Seconds(seconds) => Self::Seconds(seconds),
        }
    }
}

/// Reads `value`, which is not null, as `shape`. `None` where it is wrong, which
/// the report then says.
#[expect(clippy::too_many_lines, reason = "a table: one arm for each shape")]
pub(super) fn read(
    shape: Shape,
    value: &Value,
    base: &Path,
    at: &At<'_>,
    report: &mut Report,
) -> Option<Checked> {
    let read = match (shape, value) {
        (
            Shape::Bool
            | Shape::WholeNumber { .. }
            | Shape::Seconds { .. }
            | Shape::SecondsOrOff { .. }
            | Shape::Bytes { .. },
            value,
        ) => return plain::read(shape, value, at, report).map(Checked::from),
        (Shape::Ssl | Shape::Switch(_) | Shape::StripPrefix, Value::Bool(flag)) => {
            Checked::Flag(*flag)
        }
        (Shape::PathPrefix | Shape::StripPrefix, Value::String(text)) => {
            Checked::Word(prefix(text, at, report)?)
        }
        (Shape::Ssl, Value::Table(table)) => {
            let known = known_keys(table, &["cert", "key"], at, report);
            Checked::Certificate(tls::pair(table, base, at, report).filter(|_| known)?)
        }
        (Shape::Tls, _) => Checked::Tls(Arc::new(tls::read(value, base, at, report)?)),
        (Shape::OneOf(words) | Shape::Switch(words), Value::String(text)) => {
            return word(shape, words, text, at, report).map(|word| Checked::Word(word.to_owned()));
        }
        (Shape::Path, Value::String(text)) => Checked::Path(path(text, base, at, report)?),
        (Shape::Address, Value::String(text)) => Checked::Word(text.trim().to_owned()),
        (Shape::Account, Value::String(text)) if !text.trim().is_empty() => {
            Checked::Word(text.trim().to_owned())
        }
        (Shape::Application, _) => {
            return application::reference(value, at, report).map(Checked::Application);
        }
        (Shape::Environment, Value::Table(table)) => {
            Checked::Environment(application::environment(table, at, report)?)
        }
        (Shape::Acme, Value::Table(table)) => {
            Checked::Acme(Arc::new(acme::options(table, base, at, report)?))
        }
        (Shape::RootPath, Value::String(text)) => {
            Checked::Word(application::root_path(text, at, report)?)
        }
        (Shape::Logging, Value::String(text)) => match Logging::parse(text) {
            Ok(logging) => Checked::Logging(logging),
            Err(Unknown { found, meant }) => {
                let hint = meant.map(did_you_mean);
                report.fault(at, shape.to_string(), format!("`{found}`"), hint);
                return None;
            }
        },
        (Shape::Names, Value::String(_)) => Checked::Names(vec![name(value, at, report)?]),
        (Shape::Names, Value::List(items)) => Checked::Names(tried(items, at, report, name)?),
        (Shape::Upstreams, Value::String(_)) => {
            Checked::Upstreams(vec![endpoint(value, at, report)?])
        }
        (Shape::Upstreams, Value::List(items)) => {
            Checked::Upstreams(list(items, at, report, endpoint)?)
        }
        (Shape::Listen, Value::String(_)) => {
            Checked::Listen(vec![listen::entry(value, base, at, report)?])
        }
        (Shape::Listen, Value::List(items)) => {
            Checked::Listen(listen::entries(items, base, at, report)?)
        }
        (Shape::Networks, Value::String(_)) => Checked::Networks(vec![network(value, at, report)?]),
        // Nobody at all may be trusted, so this one list may be empty.
        (Shape::Networks, Value::List(items)) if items.is_empty() => Checked::Networks(Vec::new()),
        (Shape::Networks, Value::List(items)) => {
            Checked::Networks(list(items, at, report, network)?)
        }
        (Shape::AccessLog, Value::Bool(on)) => Checked::AccessLog(
            on.then_some(AccessLog { format: AccessFormat::Combined, file: LogFile::Stderr }),
        ),
        (Shape::AccessLog, Value::String(text)) => {
            let word = word(shape, ACCESS_FORMATS, text, at, report)?;
            Checked::AccessLog(Some(AccessLog {
                format: access_format(word),
                file: LogFile::Stderr,
            }))
        }
        (Shape::AccessLog, Value::Table(table)) => {
            Checked::AccessLog(Some(access_log(table, base, at, report)?))
        }
        (
            Shape::Globs
            | Shape::PathBelow
            | Shape::TryFiles
            | Shape::ErrorPages
            | Shape::CacheControl
            | Shape::Fields
            | Shape::FieldsByGlob
            | Shape::MediaTypes
            | Shape::Charset
            | Shape::Compress
            | Shape::FileCache
            | Shape::Redirects
            | Shape::Rewrites
            | Shape::Cors
            | Shape::HttpsRedirect
            | Shape::Hsts,
            value,
        ) => return rules::read(shape, value, at, report).map(Checked::Rule),
        _ => return wrong_type(shape, value, at, report),
    };
    Some(read)
}

/// One of the words of a shape.
fn word(
    shape: Shape,
    words: &'static [&'static str],
    text: &str,
    at: &At<'_>,
    report: &mut Report,
) -> Option<&'static str> {
    let found = words.iter().find(|word| **word == text).copied();
    if found.is_none() {
        let meant = nearest(text, words.iter().copied());
        let hint = match (shape, text.to_ascii_lowercase().as_str()) {
            (Shape::Switch(_) | Shape::AccessLog, "true" | "false") => {
                Some("write it without quotes".to_owned())
            }
            _ => meant.map(did_you_mean),
        };
        report.fault(at, shape.to_string(), Value::from(text).to_string(), hint);
    }
    found
}

/// A path that others begin with, as [`parse_prefix`] has it.
fn prefix(text: &str, at: &At<'_>, report: &mut Report) -> Option<String> {
    match parse_prefix(text) {
        Ok(prefix) => Some(prefix.to_owned()),
        Err((expected, hint)) => {
            let found = match text {
                "" => "an empty text".to_owned(),
                text => Value::from(text).to_string(),
            };
            report.fault(at, expected, found, hint.map(str::to_owned));
            None
        }
    }
}

/// A path as written → absolute and clean, symbolic links untouched.
pub(super) fn path(text: &str, base: &Path, at: &At<'_>, report: &mut Report) -> Option<PathBuf> {
    if text.trim().is_empty() {
        return wrong(Shape::Path, "an empty text".to_owned(), at, report);
    }
    if text.contains('\0') {
        return wrong(Shape::Path, Value::from(text).to_string(), at, report);
    }
    Some(clean(&base.join(text)))
}

/// Resolves `.` and `..` by the text alone: `..` above the root stays there.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

/// A name of a file in the folder at hand.
fn name(value: &Value, at: &At<'_>, report: &mut Report) -> Option<String> {
    let Some(text) = value.as_str() else {
        report.fault(at, "a file name", value.described(), None);
        return None;
    };
    let plain =
        !text.is_empty() && text != "." && text != ".." && !text.contains(['/', '\\', '\0']);
    if plain && text.len() <= 255 {
        return Some(text.to_owned());
    }
    let found = if text.is_empty() { "an empty text".to_owned() } else { value.to_string() };
    report.fault(at, "a plain file name, without a folder", found, None);
    None
}

fn endpoint(value: &Value, at: &At<'_>, report: &mut Report) -> Option<Endpoint> {
    let Some(text) = value.as_str() else {
        report.fault(at, Shape::Upstreams.to_string(), value.described(), None);
        return None;
    };
    match upstream::parse(text) {
        Ok(endpoint) => Some(endpoint),
        Err(wrong) => {
            let found =
                if text.is_empty() { "an empty text".to_owned() } else { value.to_string() };
            report.fault(at, wrong.expected, found, wrong.hint);
            None
        }
    }
}

pub(super) fn network(value: &Value, at: &At<'_>, report: &mut Report) -> Option<IpNet> {
    let text = value.as_str().map(str::trim);
    match text.and_then(access::network) {
        Some(network) => Some(network),
        None => {
            let found = if text.is_some() { value.to_string() } else { value.described() };
            let hint =
                (text == Some("*")).then(|| "everybody is `[\"0.0.0.0/0\", \"::/0\"]`".to_owned());
            report.fault(at, "an address or a network such as `10.0.0.0/8`", found, hint);
            None
        }
    }
}

fn access_format(word: &str) -> AccessFormat {
    match word {
        "common" => AccessFormat::Common,
        "json" => AccessFormat::Json,
        _ => AccessFormat::Combined,
    }
}

fn access_log(table: &Table, base: &Path, at: &At<'_>, report: &mut Report) -> Option<AccessLog> {
    let known = known_keys(table, &["format", "file"], at, report);
    let format = match given(table, "format") {
        None => Some(AccessFormat::Combined),
        Some(value) => {
            match read(Shape::OneOf(ACCESS_FORMATS), value, base, &at.key("format"), report) {
                Some(Checked::Word(word)) => Some(access_format(&word)),
                _ => None,
            }
        }
    };
    let file = match given(table, "file") {
        None => Some(LogFile::Stderr),
        Some(value) if value.as_str() == Some("-") => Some(LogFile::Stdout),
        Some(value) => path_of(value, base, &at.key("file"), report).map(LogFile::Path),
    };
    if known { Some(AccessLog { format: format?, file: file? }) } else { None }
}

/// A path within a table.
pub(super) fn path_of(
    value: &Value,
    base: &Path,
    at: &At<'_>,
    report: &mut Report,
) -> Option<PathBuf> {
    match read(Shape::Path, value, base, at, report)? {
        Checked::Path(path) => Some(path),
        _ => None,
    }
}
