//! Reads media types, extensions and charsets (RFC 9110 section 8.3).

use std::sync::Arc;

use http::HeaderValue;

use super::super::plain::{entries, shown, text};
use super::super::report::{At, Report};
use crate::config::value::{Table, Value};

/// Media types by extension.
pub(super) type MediaTypes = Arc<[(Box<str>, HeaderValue)]>;

/// Media types by extension: in lower case, without the dot, in their order.
pub(super) fn types(table: &Table, at: &At<'_>, report: &mut Report) -> Option<MediaTypes> {
    let mut names: Vec<Box<str>> = Vec::new();
    let mut types = entries(table, at, report, |key, value, at, report| {
        let extension = extension(key, at, report);
        let value = media_type(value, at, report);
        let extension = extension?;
        if names.contains(&extension) {
            report.fault(at, "every extension once", shown(key), None);
            return None;
        }
        names.push(extension.clone());
        Some((extension, value?))
    })?;
    types.sort_by(|(one, _), (other, _)| one.cmp(other));
    Some(types.into())
}

/// What stands behind the last dot of a name.
fn extension(key: &str, at: &At<'_>, report: &mut Report) -> Option<Box<str>> {
    let bare = key.strip_prefix("*.").or_else(|| key.strip_prefix('.')).unwrap_or(key);
    if !bare.is_empty() && !bare.contains(['.', '/', '*', '\0']) {
        return Some(bare.to_ascii_lowercase().into());
    }
    let hint = if bare.contains('/') {
        Some("the extension comes first: `{'webmanifest': 'application/manifest+json'}`".to_owned())
    } else if bare.contains('.') {
        Some("what stands behind the last dot decides".to_owned())
    } else {
        None
    };
    report.fault(at, "an extension such as `webmanifest`", shown(key), hint);
    None
}

/// A media type, with or without parameters.
pub(super) fn media_type(value: &Value, at: &At<'_>, report: &mut Report) -> Option<HeaderValue> {
    const EXPECTED: &str = "a media type such as `text/plain`";
    let text = text(value, EXPECTED, at, report)?.trim();
    let read = is_media_type(text).then(|| HeaderValue::from_str(text).ok()).flatten();
    if read.is_none() {
        report.fault(at, EXPECTED, shown(text), None);
    }
    read
}

/// The name of a charset, a token.
pub(super) fn charset(value: &Value, at: &At<'_>, report: &mut Report) -> Option<Arc<str>> {
    let text = text(value, "a charset such as `utf-8`", at, report)?.trim();
    if is_token(text) {
        return Some(text.into());
    }
    report.fault(at, "a charset such as `utf-8`, or `false`", shown(text), None);
    None
}

/// RFC 9110 section 8.3.1: `type/subtype`, then parameters.
fn is_media_type(text: &str) -> bool {
    let (essence, mut parameters) = match text.split_once(';') {
        Some((essence, parameters)) => (essence.trim_end(), Some(parameters)),
        None => (text, None),
    };
    let whole =
        essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
    while let Some(rest) = parameters {
        let Some((name, behind)) = rest.split_once('=') else { return false };
        let Some(behind) = parameter_value(behind) else { return false };
        let behind = behind.trim_start();
        parameters = behind.strip_prefix(';');
        if !is_token(name.trim_start()) || !(behind.is_empty() || parameters.is_some()) {
            return false;
        }
    }
    whole
}

/// What stands behind the value of a parameter: a token or a quoted string (RFC
/// 9110 section 5.6.6).
fn parameter_value(text: &str) -> Option<&str> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
        return is_token(&text[..end]).then(|| &text[end..]);
    };
    let mut escaped = false;
    for (position, byte) in quoted.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return quoted.get(position + 1..),
            _ => {}
        }
    }
    None
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(part)
}
