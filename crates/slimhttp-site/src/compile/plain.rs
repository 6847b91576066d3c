//! What the readers of all options share: values of the plain shapes (a flag, a
//! number, a time, a size), lists, tables, and how a fault shows what it found.

use std::time::Duration;

use super::report::{At, Report};
use crate::config::options::{self, Shape};
use crate::config::spelling::nearest;
use crate::config::value::{Table, Value};

/// A value of a plain shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Plain {
    Flag(bool),
    Number(u64),
    Seconds(Duration),
}

/// Reads `value`, which is not null, as `shape`, one of the plain ones. `None` where
/// it is wrong, which the report then says.
pub(super) fn read(shape: Shape, value: &Value, at: &At<'_>, report: &mut Report) -> Option<Plain> {
    let read = match (shape, value) {
        (Shape::Bool, Value::Bool(flag)) => return Some(Plain::Flag(*flag)),
        (Shape::SecondsOrOff { .. }, Value::Bool(false)) => {
            return Some(Plain::Seconds(Duration::ZERO));
        }
        (Shape::WholeNumber { least, most }, Value::Integer(number)) => {
            let number = u64::try_from(*number).ok();
            number.filter(|number| (least..=most).contains(number)).map(Plain::Number)
        }
        (Shape::Seconds { least, most }, Value::Integer(_) | Value::Float(_)) => {
            seconds(value, least, most)
        }
        (Shape::SecondsOrOff { most }, Value::Integer(_) | Value::Float(_)) => {
            seconds(value, 0.0, most)
        }
        (Shape::Bytes { least, most }, Value::Integer(_) | Value::String(_)) => {
            bytes(value).filter(|bytes| (least..=most).contains(bytes)).map(Plain::Number)
        }
        _ => return wrong_type(shape, value, at, report),
    };
    read.or_else(|| {
        report.fault(at, shape.to_string(), value.to_string(), unit_meant(shape, value));
        None
    })
}

/// The hint for a size with a unit as nginx and the like write it: `50m` is `50MiB`.
fn unit_meant(shape: Shape, value: &Value) -> Option<String> {
    let (Shape::Bytes { .. }, Value::String(text)) = (shape, value) else { return None };
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let unit = match unit.trim_start() {
        "k" | "K" => "KiB",
        "m" | "M" => "MiB",
        "g" | "G" => "GiB",
        _ => return None,
    };
    (!number.is_empty()).then(|| did_you_mean(&format!("{number}{unit}")))
}

/// What stands under `key` of a table, read as [`read`] does.
pub(super) fn read_key(
    table: &Table,
    key: &str,
    shape: Shape,
    at: &At<'_>,
    report: &mut Report,
) -> Option<Plain> {
    read(shape, given(table, key)?, &at.key(key), report)
}

/// Reports that `found` is not what `shape` says.
pub(super) fn wrong<T>(shape: Shape, found: String, at: &At<'_>, report: &mut Report) -> Option<T> {
    report.fault(at, shape.to_string(), found, None);
    None
}

/// Reports that `value` is of none of the types that `shape` takes.
pub(super) fn wrong_type<T>(
    shape: Shape,
    value: &Value,
    at: &At<'_>,
    report: &mut Report,
) -> Option<T> {
    report.fault(at, shape.to_string(), value.described(), unquote(shape, value));
    None
}

/// The hint for a bool or a number that stands in quotes.
fn unquote(shape: Shape, value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    if let Shape::Seconds { .. } | Shape::SecondsOrOff { .. } = shape
        && let Some(seconds) = in_seconds(text)
    {
        return Some(format!("write it in seconds, without a unit: `{seconds}`"));
    }
    let bare = match shape {
        Shape::Bool | Shape::Ssl => ["true", "false"].contains(&text.to_ascii_lowercase().as_str()),
        Shape::WholeNumber { .. } => text.parse::<u64>().is_ok(),
        Shape::Seconds { .. } | Shape::SecondsOrOff { .. } => text.parse::<f64>().is_ok(),
        _ => false,
    };
    bare.then(|| "write it without quotes".to_owned())
}

/// What a time with a unit, such as `30s` or `5m`, comes to.
fn in_seconds(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let factor = match unit.trim_start() {
        "s" | "sec" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn seconds(value: &Value, least: f64, most: f64) -> Option<Plain> {
    let seconds = match value {
        // No whole number of seconds that is in range is too great for an `f64`.
        #[allow(clippy::cast_precision_loss)]
        Value::Integer(whole) => *whole as f64,
        Value::Float(seconds) => *seconds,
        _ => return None,
    };
    let in_range = (least..=most).contains(&seconds);
    in_range.then(|| Plain::Seconds(Duration::from_secs_f64(seconds)))
}

/// A number of bytes, or a text of a number and a unit.
fn bytes(value: &Value) -> Option<u64> {
    let text = match value {
        Value::Integer(number) => return u64::try_from(*number).ok(),
        Value::String(text) => text.trim(),
        _ => return None,
    };
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.')?);
    let factor: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    // A fraction: exact up to 2^53, which is more than anything here holds.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    number.parse::<f64>().ok().map(|number| (number * factor as f64) as u64)
}

/// Reads a list that must not be empty; every item is looked at.
pub(super) fn list<T>(
    items: &[Value],
    at: &At<'_>,
    report: &mut Report,
    item: fn(&Value, &At<'_>, &mut Report) -> Option<T>,
) -> Option<Vec<T>> {
    if items.is_empty() {
        report.fault(at, "a list that is not empty", "an empty list".to_owned(), None);
        return None;
    }
    let read: Vec<Option<T>> = items
        .iter()
        .enumerate()
        .map(|(index, value)| item(value, &at.index(index), report))
        .collect();
    read.into_iter().collect()
}

/// How many names a request may be looked up under by one list: what a client can
/// cause is a product of these.
const MOST_TRIED: usize = 16;

/// Reads what is tried in turn for one request, as [`list`].
pub(super) fn tried<T>(
    items: &[Value],
    at: &At<'_>,
    report: &mut Report,
    item: fn(&Value, &At<'_>, &mut Report) -> Option<T>,
) -> Option<Vec<T>> {
    if items.len() > MOST_TRIED {
        let expected = format!("a list of at most {MOST_TRIED}");
        report.fault(at, expected, format!("a list of {}", items.len()), None);
        return None;
    }
    list(items, at, report, item)
}

/// Reads every entry of a table; one of null is as good as none.
pub(super) fn entries<'t, T>(
    table: &'t Table,
    at: &At<'_>,
    report: &mut Report,
    mut entry: impl FnMut(&'t str, &'t Value, &At<'_>, &mut Report) -> Option<T>,
) -> Option<Vec<T>> {
    let read: Vec<Option<T>> = table
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| entry(key, value, &at.key(key), report))
        .collect();
    read.into_iter().collect()
}

/// Looks at every key of a table that has these keys only. Whether all were known.
pub(super) fn known_keys(table: &Table, keys: &[&str], at: &At<'_>, report: &mut Report) -> bool {
    let mut all = true;
    for key in table.keys().filter(|key| !keys.contains(&&***key)) {
        let expected = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" or ");
        let hint = match nearest(key, keys.iter().copied()) {
            Some(meant) => Some(did_you_mean(meant)),
            None => options::find(key).map(|_| {
                format!(
                    "`{key}` is an option of its own: in TOML it stands before the first `[table]`"
                )
            }),
        };
        report.fault(&at.key(key), expected, Value::from(&**key).to_string(), hint);
        all = false;
    }
    all
}

/// What a table gives for `key`.
pub(super) fn given<'t>(table: &'t Table, key: &str) -> Option<&'t Value> {
    table.get(key).filter(|value| !value.is_null())
}

/// The text that `value` is to be.
pub(super) fn text<'v>(
    value: &'v Value,
    expected: &str,
    at: &At<'_>,
    report: &mut Report,
) -> Option<&'v str> {
    let text = value.as_str();
    if text.is_none() {
        report.fault(at, expected, value.described(), None);
    }
    text
}

/// A text as a fault shows it.
pub(super) fn shown(text: &str) -> String {
    if text.is_empty() { "an empty text".to_owned() } else { Value::from(text).to_string() }
}

/// The hint for a key or a word that looks misspelt.
pub(super) fn did_you_mean(meant: &str) -> String {
    format!("did you mean `{meant}`?")
}
