//! A media type as a field carries it: what it names, and its parameters (RFC 9110
//! section 8.3.1).

use std::borrow::Cow;

use http::HeaderValue;

#[cfg(test)]
mod tests;

/// A media type without its parameters: `text/html` of `text/html; charset=utf-8`
/// (RFC 9110 section 8.3.1). Its case is as it was written.
pub fn essence(media_type: &HeaderValue) -> &[u8] {
    let bytes = media_type.as_bytes();
    let end = memchr::memchr(b';', bytes).unwrap_or(bytes.len());
    bytes[..end].trim_ascii()
}

/// The value of a parameter of a content type: `utf-8` of `charset` in
/// `text/plain; Charset="utf-8"` (RFC 9110 section 5.6.6). The first of a name
/// counts; of what is malformed as much is read as can be.
pub fn parameter<'v>(content_type: &'v str, name: &str) -> Option<Cow<'v, str>> {
    let mut rest = &content_type[content_type.find(';')?..];
    loop {
        rest = rest.trim_start_matches([';', ' ', '\t']);
        let end = rest.find([';', '='])?;
        let (found, behind) = rest.split_at(end);
        // A parameter without a value is passed over.
        let Some(value) = behind.strip_prefix('=') else {
            rest = behind;
            continue;
        };
        let (text, behind) = parameter_value(value);
        if found.trim().eq_ignore_ascii_case(name) {
            return Some(text);
        }
        rest = behind;
    }
}

/// A token or quoted string that a text begins with, and what follows.
fn parameter_value(text: &str) -> (Cow<'_, str>, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (token, behind) = text.split_at(text.find(';').unwrap_or(text.len()));
        return (token.trim().into(), behind);
    };
    let mut unquoted = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (unquoted.into(), &quoted[at + 1..]),
            '\\' => unquoted.extend(characters.next().map(|(_, escaped)| escaped)),
            other => unquoted.push(other),
        }
    }
    // The quotation is never closed.
    (unquoted.into(), "")
}
