//! Reads the header fields that a configuration sets, adds or removes. Fields that would
//! contradict the message that they are sent with, such as its length, are faults.

use std::sync::Arc;

use http::header::{self, HeaderName, HeaderValue};

use super::super::plain::{entries, list, shown, text};
use super::super::report::{At, Report};
use super::media;
use crate::config::value::Value;
use crate::files::file_rules::FieldRule;
use crate::response::response_fields::is_framing;

/// Whose fields they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Files,
    Answers,
}

/// The fields of files, a table.
pub(super) fn of_files(
    value: &Value,
    at: &At<'_>,
    report: &mut Report,
) -> Option<Arc<[FieldRule]>> {
    fields(value, Of::Files, at, report)
}

/// The fields of every answer, a table.
pub(super) fn of_answers(
    value: &Value,
    at: &At<'_>,
    report: &mut Report,
) -> Option<Arc<[FieldRule]>> {
    fields(value, Of::Answers, at, report)
}

fn fields(value: &Value, of: Of, at: &At<'_>, report: &mut Report) -> Option<Arc<[FieldRule]>> {
    let Value::Table(table) = value else {
        let hint = "fields stand in a table: `{'*.js': {'X-Kind': 'script'}}`".to_owned();
        report.fault(at, "a table of header fields", value.described(), hint);
        return None;
    };
    let mut names: Vec<HeaderName> = Vec::new();
    let rules = entries(table, at, report, |key, value, at, report| {
        let name = name(key, at, report);
        let fresh = name.as_ref().is_none_or(|name| once(name, &mut names, key, at, report));
        let rule = rule(name?, value, of, at, report)?;
        fresh.then_some(rule)
    })?;
    Some(rules.into())
}

/// RFC 9110 section 5.1: a field name is a token.
fn name(key: &str, at: &At<'_>, report: &mut Report) -> Option<HeaderName> {
    let name = HeaderName::from_bytes(key.as_bytes()).ok();
    if name.is_none() {
        report.fault(at, "a field name such as `X-Frame-Options`", shown(key), None);
    }
    name
}

/// Reports a name in a second spelling.
fn once(
    name: &HeaderName,
    names: &mut Vec<HeaderName>,
    key: &str,
    at: &At<'_>,
    report: &mut Report,
) -> bool {
    let fresh = !names.contains(name);
    if fresh {
        names.push(name.clone());
    } else {
        let hint = "upper and lower case do not differ in field names".to_owned();
        report.fault(at, "every field once", shown(key), hint);
    }
    fresh
}

fn rule(
    name: HeaderName,
    value: &Value,
    of: Of,
    at: &At<'_>,
    report: &mut Report,
) -> Option<FieldRule> {
    if let Some((expected, hint)) = untrue(&name, value, of) {
        report.fault(at, expected, value.described(), hint.to_owned());
        return None;
    }
    match value {
        Value::Bool(false) => Some(FieldRule::Remove(name)),
        Value::String(_) if name == header::CONTENT_TYPE => {
            Some(FieldRule::Set(name, media::media_type(value, at, report)?))
        }
        Value::String(_) => Some(FieldRule::Set(name, field_value(value, at, report)?)),
        Value::List(items) => {
            Some(FieldRule::Add(name, list(items, at, report, field_value)?.into()))
        }
        _ => {
            let number = matches!(value, Value::Integer(_) | Value::Float(_));
            let hint = number.then(|| "write it in quotes".to_owned());
            report.fault(at, "a text, a list of texts, or `false`", value.described(), hint);
            None
        }
    }
}

/// What is expected instead where `value` would make answers untrue, and why.
fn untrue(name: &HeaderName, value: &Value, of: Of) -> Option<(&'static str, &'static str)> {
    /// Beside the framing: what the content is, and what may be asked for.
    const OURS: &[HeaderName] = &[header::CONTENT_ENCODING, header::ALLOW];
    /// What is true of a file, or is not said.
    const FACTS: &[HeaderName] = &[header::ETAG, header::LAST_MODIFIED, header::ACCEPT_RANGES];

    let removed = *value == Value::Bool(false);
    if is_framing(name) || OURS.contains(name) {
        let hint = "the server says this field itself, so that it is true";
        Some(("a field that may be changed", hint))
    } else if *name == header::LOCATION {
        Some(("a field that may be changed", "`redirects` says where a path is sent"))
    } else if FACTS.contains(name) && !removed {
        Some(("`false`", "the server makes this field; it can only be taken away"))
    } else if *name == header::VARY && !matches!(value, Value::List(_)) {
        Some(("a list of field names", "`Vary` is only added to, or caches would mix answers up"))
    } else if *name == header::CONTENT_TYPE && of == Of::Answers {
        Some(("a field that may be changed", "`mime_types` says the types of files"))
    } else if *name == header::CONTENT_TYPE && !matches!(value, Value::String(_)) {
        Some(("a media type", "a file has one type"))
    } else {
        None
    }
}

/// RFC 9110 section 5.5. White space around a value is no part of it.
fn field_value(value: &Value, at: &At<'_>, report: &mut Report) -> Option<HeaderValue> {
    const EXPECTED: &str = "a text for a header field";
    let text = text(value, EXPECTED, at, report)?.trim_matches([' ', '\t']);
    if text.is_empty() {
        let hint = "`false` takes a field away".to_owned();
        report.fault(at, EXPECTED, "an empty text".to_owned(), hint);
        return None;
    }
    let read = HeaderValue::from_bytes(text.as_bytes()).ok();
    if read.is_none() {
        report.fault(at, "a text on one line", shown(text), None);
    }
    read
}

/// A value of `Cache-Control`.
pub(super) fn cache_control(
    value: &Value,
    at: &At<'_>,
    report: &mut Report,
) -> Option<HeaderValue> {
    if let Value::Integer(seconds) = value {
        let hint = format!("seconds are written as `max-age={seconds}`");
        report.fault(at, "a text such as `max-age=3600`", value.described(), hint);
        return None;
    }
    text(value, "a text such as `max-age=3600`", at, report)?;
    field_value(value, at, report)
}
