//! The header fields that a site adds to a response: `cache_control`, `immutable` and
//! `file_headers` for files; `response_headers`, `security_headers` and `hsts` for every response.
//!
//! A rule never touches the fields that say how the message is framed or how its content is
//! to be decoded as it is sent: its length, its coding, the boundary of a multipart. So no
//! configuration can make a response contradict its own bytes.

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::files::file_rules::{AnswerRules, FieldRule, FileRules};
use crate::protocol::https::Hsts;
use crate::protocol::vary::merge_vary;
use crate::routing::path::SafePath;

#[cfg(test)]
mod tests;

/// What is said of a file whose name changes with its content (RFC 8246).
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Puts on the answer with the file at `path` what the scope says of it.
///
/// A 304 gets what the 200 gets, so that a cache keeps what it was told, but for
/// what describes content (RFC 9110 section 15.4.5). An answer that fails gets
/// no `Cache-Control`: what holds for a page that is there does not for one that
/// stands for a missing one.
pub fn file_fields(
    rules: &FileRules,
    path: &SafePath,
    headers: &mut HeaderMap,
    status: StatusCode,
) {
    if rules.cache_control.is_empty() && rules.file_headers.is_empty() && !rules.immutable {
        return;
    }
    let path = path.as_bytes();
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        let value = match rules.cache_control.best(path) {
            Some(value) => Some(value.clone()),
            None => (rules.immutable && has_fingerprint(path)).then_some(IMMUTABLE),
        };
        if let Some(value) = value {
            headers.insert(header::CACHE_CONTROL, value);
        }
    }
    let describes = |rule: &FieldRule| {
        let described = [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LANGUAGE];
        described.contains(rule.name())
    };
    for rule in rules.file_headers.all(path).flat_map(|rules| rules.iter()) {
        if status != StatusCode::NOT_MODIFIED || !describes(rule) {
            apply(rule, headers);
        }
    }
}

/// Puts on an answer what its scope says of every answer. What `tls` demands
/// goes over TLS only (RFC 6797 section 7.2).
///
/// The fields that are set by default are set where nobody has, the answer
/// itself or a rule of the scope, and where no rule takes them away.
pub fn answer_fields(rules: &AnswerRules, headers: &mut HeaderMap, tls: bool) {
    for rule in &*rules.response_headers {
        apply(rule, headers);
    }
    for (name, value, tls_only) in &*rules.default_headers {
        let taken_away = |rule: &FieldRule| matches!(rule, FieldRule::Remove(gone) if gone == name);
        if (!tls_only || tls && rules.hsts == Hsts::Unsaid)
            && !rules.response_headers.iter().any(taken_away)
        {
            headers.entry(name).or_insert_with(|| value.clone());
        }
    }
}

/// Puts on an answer what `hsts` says. It is the one to say so, whoever else has answered; but for
/// the fields of the scope: where these name it, it is theirs. Never without https (RFC 6797
/// section 7.2).
pub fn hsts_field(rules: &AnswerRules, headers: &mut HeaderMap, scheme: &str) {
    const NAME: HeaderName = header::STRICT_TRANSPORT_SECURITY;
    let Hsts::On(value) = &rules.hsts else { return };
    if rules.response_headers.iter().any(|rule| *rule.name() == NAME) {
        return;
    }
    match scheme {
        "https" => _ = headers.insert(NAME, value.clone()),
        _ => _ = headers.remove(NAME),
    }
}

/// Whether a field belongs to the framing of a message or to its transport, so
/// that only the server itself can say it.
pub(crate) fn is_framing(name: &HeaderName) -> bool {
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
    matches!(
        *name,
        header::CONNECTION
            | header::CONTENT_LENGTH
            | header::CONTENT_RANGE
            | header::DATE
            | header::TE
            | header::TRAILER
            | header::TRANSFER_ENCODING
            | header::UPGRADE
    ) || *name == KEEP_ALIVE
        || *name == PROXY_CONNECTION
}

fn apply(rule: &FieldRule, headers: &mut HeaderMap) {
    let name = rule.name();
    if is_framing(name) || is_of_the_bytes(name, headers) {
        return;
    }
    match rule {
        // What an answer depends on is never less for a rule that names more.
        FieldRule::Set(name, value) if *name == header::VARY => merge_vary(headers, value),
        FieldRule::Add(name, values) if *name == header::VARY => {
            values.iter().for_each(|value| merge_vary(headers, value));
        }
        FieldRule::Set(name, value) => {
            headers.insert(name, value.clone());
        }
        FieldRule::Add(name, values) => {
            for value in &**values {
                headers.append(name, value.clone());
            }
        }
        FieldRule::Remove(name) => {
            headers.remove(name);
        }
    }
}

/// Whether the field says how the bytes of this very answer are to be read: the
/// coding that they have, the boundary of their parts.
fn is_of_the_bytes(name: &HeaderName, headers: &HeaderMap) -> bool {
    match *name {
        header::CONTENT_ENCODING => headers.contains_key(header::CONTENT_ENCODING),
        header::CONTENT_TYPE => headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"multipart/")),
        _ => false,
    }
}

/// Whether a name bears a fingerprint of the content, as the tools that build
/// pages make it: `app.3f9c2b1a.js`, `index-BfK3a9Xz.css`. It stands between a
/// separator (`.`, `-`, `_`) and the extension or the next separator, and has at
/// least eight letters and digits that change places twice: a word with a number
/// at one end, a date or a version is none.
///
/// A fingerprint of exactly eight may hold `-` and `_` itself, as in base64url;
/// it then stands right before the extension, with small and capital letters and
/// digits.
fn has_fingerprint(path: &[u8]) -> bool {
    let name = &path[memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1)..];
    let Some(dot) = memchr::memrchr(b'.', name) else { return false };
    let stem = &name[..dot];
    let is_separator = |byte: &u8| matches!(byte, b'.' | b'-' | b'_');
    let mut runs = stem.split(is_separator);
    // The first run begins the name and follows nothing.
    runs.next();
    if runs.any(|run| run.len() >= 8 && is_mixed(run)) {
        return true;
    }
    let Some((before, last)) = stem.len().checked_sub(8).map(|cut| stem.split_at(cut)) else {
        return false;
    };
    let has = |kind: fn(&u8) -> bool| last.iter().any(kind);
    before.last().is_some_and(is_separator)
        && last.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_digit)
}

/// Whether letters and digits change places at least twice.
fn is_mixed(run: &[u8]) -> bool {
    let changes =
        run.windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit());
    run.iter().all(u8::is_ascii_alphanumeric) && changes.count() >= 2
}
