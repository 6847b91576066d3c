//! Reads `compress` and `file_cache` as tables: their keys, bounds and defaults.

use std::time::Duration;

use super::super::plain::{Plain, did_you_mean, given, known_keys, list, read_key, shown, text};
use super::super::report::{At, Report};
use super::globs::glob;
use crate::config::options::{COMPRESS_KEYS, FILE_CACHE_KEYS, Shape};
use crate::config::value::{Table, Value};
use crate::files::file_rules::Compress;
use crate::files::glob::{Glob, Globs};
use crate::protocol::coding::Coding;

/// What a table of `file_cache` gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct CacheBounds {
    /// Bytes that it may hold in all.
    pub(in super::super) size: Option<u64>,
    /// The longest file that is kept, in bytes.
    pub(in super::super) entry: Option<u64>,
    /// For how long a file is taken as unchanged.
    pub(in super::super) revalidate: Option<Duration>,
}

/// Bytes of memory, or of a file that is held in memory whole.
const MEMORY: Shape = Shape::Bytes { least: 0, most: 1 << 40 };
const IN_MEMORY: Shape = Shape::Bytes { least: 0, most: 1 << 30 };
/// Each takes about a megabyte.
const ENCODERS: Shape = Shape::WholeNumber { least: 0, most: 1 << 20 };
/// A day.
const REVALIDATE: Shape = Shape::Seconds { least: 0.0, most: 86_400.0 };

pub(super) fn compress(table: &Table, at: &At<'_>, report: &mut Report) -> Option<Compress> {
    let known = known_keys(table, COMPRESS_KEYS, at, report);
    let default = Compress::default();
    let before = report.faults.len();
    let codings = match given(table, "encodings") {
        None => Some(default.codings),
        Some(value) => codings(value, &at.key("encodings"), report).map(Into::into),
    };
    let types = match given(table, "types") {
        None => Some(default.types),
        Some(value) => types(value, &at.key("types"), report),
    };
    let precompressed = flag(table, "precompressed", at, report);
    let on_the_fly = flag(table, "on_the_fly", at, report).unwrap_or(default.on_the_fly);
    // Who has nothing compressed anew means answers too.
    let dynamic = flag(table, "dynamic", at, report).unwrap_or(on_the_fly);
    let max_encoders = number(table, "max_encoders", ENCODERS, at, report);
    let min_size = number(table, "min_size", IN_MEMORY, at, report).unwrap_or(default.min_size);
    let max_size = number(table, "max_size", IN_MEMORY, at, report).unwrap_or(default.max_size);
    ordered((min_size, "min_size"), (max_size, "max_size"), table, at, report);
    if !known || report.faults.len() > before {
        return None;
    }
    Some(Compress {
        codings: codings?,
        precompressed: precompressed.unwrap_or(default.precompressed),
        on_the_fly,
        dynamic,
        // The bound fits a `usize` of 32 bits.
        max_encoders: max_encoders
            .and_then(|most| usize::try_from(most).ok())
            .unwrap_or(default.max_encoders),
        min_size,
        max_size,
        types: types?,
    })
}

pub(super) fn file_cache(table: &Table, at: &At<'_>, report: &mut Report) -> Option<CacheBounds> {
    let known = known_keys(table, FILE_CACHE_KEYS, at, report);
    let before = report.faults.len();
    let read = CacheBounds {
        size: number(table, "size", MEMORY, at, report),
        entry: number(table, "entry", IN_MEMORY, at, report),
        revalidate: match read_key(table, "revalidate", REVALIDATE, at, report) {
            Some(Plain::Seconds(seconds)) => Some(seconds),
            _ => None,
        },
    };
    if let (Some(entry), Some(size)) = (read.entry, read.size) {
        ordered((entry, "entry"), (size, "size"), table, at, report);
    }
    (known && report.faults.len() == before).then_some(read)
}

/// Reports a lesser bound that is beyond the greater one.
fn ordered(
    (least, key): (u64, &str),
    (most, other): (u64, &str),
    table: &Table,
    at: &At<'_>,
    report: &mut Report,
) {
    if least > most {
        // Whichever of the two was written is the one to change.
        let (key, word, other) = match given(table, key) {
            Some(_) => (key, "most", other),
            None => (other, "least", key),
        };
        let found = given(table, key).map(Value::to_string);
        report.fault(&at.key(key), format!("at {word} `{other}`"), found, None);
    }
}

fn flag(table: &Table, key: &str, at: &At<'_>, report: &mut Report) -> Option<bool> {
    match read_key(table, key, Shape::Bool, at, report)? {
        Plain::Flag(flag) => Some(flag),
        _ => None,
    }
}

fn number(table: &Table, key: &str, shape: Shape, at: &At<'_>, report: &mut Report) -> Option<u64> {
    match read_key(table, key, shape, at, report)? {
        Plain::Number(number) => Some(number),
        _ => None,
    }
}

/// One coding or several, each once, the preferred first.
fn codings(value: &Value, at: &At<'_>, report: &mut Report) -> Option<Vec<Coding>> {
    let codings = match value {
        Value::List(items) => list(items, at, report, coding)?,
        value => vec![coding(value, at, report)?],
    };
    for (position, coding) in codings.iter().enumerate() {
        if codings[..position].contains(coding) {
            let found = match value {
                Value::List(items) => items.get(position).map(Value::to_string),
                _ => None,
            };
            report.fault(&at.index(position), "every encoding once", found, None);
            return None;
        }
    }
    Some(codings)
}

fn coding(value: &Value, at: &At<'_>, report: &mut Report) -> Option<Coding> {
    const EXPECTED: &str = "`br`, `zstd` or `gzip`";
    let text = text(value, EXPECTED, at, report)?;
    let meant = match &*text.to_ascii_lowercase() {
        "br" if text == "br" => return Some(Coding::Brotli),
        "zstd" if text == "zstd" => return Some(Coding::Zstd),
        "gzip" if text == "gzip" => return Some(Coding::Gzip),
        "br" | "brotli" => Some("br"),
        "zstd" | "zst" | "zstandard" => Some("zstd"),
        "gzip" | "gz" | "x-gzip" => Some("gzip"),
        _ => None,
    };
    report.fault(at, EXPECTED, shown(text), meant.map(did_you_mean));
    None
}

/// Globs over media types, which know no upper case.
fn types(value: &Value, at: &At<'_>, report: &mut Report) -> Option<Globs> {
    let globs = match value {
        Value::List(items) => list(items, at, report, media_glob)?,
        value => vec![media_glob(value, at, report)?],
    };
    Some(globs.into_iter().collect())
}

/// One of them; as with every glob, one without a slash is held against the last
/// part, `*+json`. One that looks so but would match nothing is a fault.
fn media_glob(value: &Value, at: &At<'_>, report: &mut Report) -> Option<Glob> {
    const EXPECTED: &str = "a media type such as `text/*`";
    let text = text(value, EXPECTED, at, report)?;
    let lower = text.to_ascii_lowercase();
    let hint = match &*lower {
        "text" | "application" | "image" | "font" | "audio" | "video" | "model" => {
            did_you_mean(&format!("{lower}/*"))
        }
        _ if lower.starts_with(['.', '/']) || lower.starts_with("*.") => {
            "it is by media type; `mime_types` says which extension has which".to_owned()
        }
        _ => return glob(&lower, at, report),
    };
    report.fault(at, EXPECTED, shown(text), hint);
    None
}
