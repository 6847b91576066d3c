//! JSON as the files of the storage have it: what is not there, or not understood, is as good as
//! nothing, so that a file of another version, or one that a person has edited, stops nobody.

use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use super::file;
use crate::clock;
use crate::failure::Failure;

/// The object in a file; an empty one where there is none.
///
/// # Errors
/// The file cannot be read.
pub(super) fn read(path: &Path) -> Result<Value, Failure> {
    let Some(content) = file::read(path)? else { return Ok(Value::Null) };
    let value = serde_json::from_slice(&content);
    Ok(value.unwrap_or_else(|error| {
        tracing::warn!("`{}` is not understood, and is written anew: {error}", path.display());
        Value::Null
    }))
}

/// Writes an object, for a person to read.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write(path: &Path, value: &Value) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value).expect("a value has a text");
    text.push('\n');
    file::write(path, text.as_bytes(), 0o600)
}

pub(super) fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

pub(super) fn time(value: &Value, key: &str) -> Option<SystemTime> {
    clock::parse(value.get(key)?.as_str()?)
}

pub(super) fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// A time as a value.
pub(super) fn of_time(time: Option<SystemTime>) -> Value {
    time.map_or(Value::Null, |time| Value::String(clock::text(time)))
}
