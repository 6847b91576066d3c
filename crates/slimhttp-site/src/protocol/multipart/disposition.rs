//! What `Content-Disposition` says of a part: the name of its field and, where it
//! is an upload, the name of the file.
//!
//! Clients do not agree on how a quotation mark is written. Browsers, curl since
//! 7.81, urllib3 and httpx write `%22`, and a backslash as itself (WHATWG HTML,
//! multipart form data). Older curl, Go and Java write `\"` and `\\` (RFC 2045).
//! Some write the mark as itself. So a value is first read with escapes; where
//! that leaves the field ill-formed, the client is none that escapes, and a value
//! ends with the first quotation mark that a semicolon or the end of the field
//! follows. So neither a name that ends with a backslash nor one that holds a
//! quotation mark reaches into the next parameter.

use percent_encoding::percent_decode;

/// The most pieces of a name that is continued.
const MOST_PIECES: usize = 64;

/// A name as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The charset that it says they are in (RFC 5987); else they are in that of
    /// the form.
    pub charset: Option<String>,
}

impl Name {
    fn of_the_form(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), charset: None }
    }
}

/// The parameters of the field that mean something in a form. What the field
/// begins with, `form-data`, is not looked at, as in other servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disposition {
    /// `name`, or `name*`.
    pub name: Option<Name>,
    /// `filename`, `filename*`, or `filename*0` and those that continue it.
    pub filename: Option<Name>,
}

/// Names in lower case, and values.
type Parameters = Vec<(String, Vec<u8>)>;

/// How a value in quotation marks is read: the value, and what follows it.
type Quoted = for<'v> fn(&'v [u8]) -> Option<(Vec<u8>, &'v [u8])>;

impl Disposition {
    /// Reads the value of the field. There is none of which nothing can be read, but for
    /// one that leaves out a semicolon before a name: nothing is read of it.
    pub fn parse(value: &[u8]) -> Self {
        let Some(first) = memchr::memchr(b';', value) else { return Self::default() };
        let parameters = parameters(&value[first + 1..], escaped, true)
            .or_else(|| parameters(&value[first + 1..], unescaped, false))
            .unwrap_or_default();
        Self { name: find(&parameters, "name"), filename: find(&parameters, "filename") }
    }
}

/// The parameters that stand behind the first semicolon; `None` where they are
/// ill-formed and `strict` says that this matters.
fn parameters(mut rest: &[u8], quoted: Quoted, strict: bool) -> Option<Parameters> {
    let mut parameters = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        let end = rest.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(rest.len());
        let name = rest[..end].trim_ascii_end();
        let value = match rest.get(end) {
            Some(b'=') => rest[end + 1..].trim_ascii_start(),
            // One without a value is none; an empty one stands at the end of some.
            _ if strict && !name.is_empty() => return None,
            Some(_) => {
                rest = &rest[end + 1..];
                continue;
            }
            None => return Some(parameters),
        };
        if strict && (name.is_empty() || name.contains(&b'"')) {
            return None;
        }
        let (value, behind) = match value.strip_prefix(b"\"") {
            Some(inside) => {
                let (value, behind) = quoted(inside)?;
                (written(&value), behind)
            }
            None => {
                let end = memchr::memchr(b';', value).unwrap_or(value.len());
                if strict && value[..end].contains(&b'"') {
                    return None;
                }
                let mut blanks = memchr::memchr2_iter(b' ', b'\t', &value[..end]);
                if blanks.any(|at| begins_a_parameter(&value[at..end])) {
                    return None;
                }
                (value[..end].trim_ascii_end().to_vec(), &value[end..])
            }
        };
        parameters.push((String::from_utf8_lossy(name).to_ascii_lowercase(), value));
        match behind.split_first() {
            Some((_, more)) => rest = more,
            None => return Some(parameters),
        }
    }
}

/// Up to the first quotation mark without a backslash before it. Before anything
/// else a backslash is itself, as in the paths of Windows.
fn escaped(inside: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::with_capacity(inside.len());
    let mut rest = inside;
    loop {
        match rest {
            [b'"', behind @ ..] => return ends(behind).map(|behind| (value, behind)),
            [b'\\', mark @ (b'"' | b'\\'), behind @ ..] => {
                value.push(*mark);
                rest = behind;
            }
            [byte, behind @ ..] => {
                value.push(*byte);
                rest = behind;
            }
            [] => return None,
        }
    }
}

/// Up to the first quotation mark with which a value can end; to the end of the
/// field where there is none.
fn unescaped(inside: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let marks = memchr::memchr_iter(b'"', inside);
    let end = marks.filter_map(|at| ends(&inside[at + 1..]).map(|behind| (at, behind))).next();
    let (at, behind) = end.unwrap_or((inside.len(), b""));
    let value = &inside[..at];
    let mut marks = memchr::memchr_iter(b'"', value);
    (!marks.any(|at| begins_a_parameter(&value[at + 1..]))).then(|| (value.to_vec(), behind))
}

/// Whether `name=` or `filename=` stands here: no semicolon before it, and so what it
/// says would be part of the value before, an upload one of the fields.
fn begins_a_parameter(behind: &[u8]) -> bool {
    let of_word = |word: &[u8]| {
        let behind = behind.trim_ascii_start();
        let (head, behind) = behind.split_at_checked(word.len())?;
        let continued = |byte: &u8| matches!(byte, b'*' | b'0'..=b'9' | b' ' | b'\t');
        let next = behind.iter().find(|byte| !continued(byte))?;
        (head.eq_ignore_ascii_case(word) && *next == b'=').then_some(())
    };
    [&b"name"[..], b"filename"].into_iter().any(|word| of_word(word).is_some())
}

/// What follows a value, where that is a semicolon or nothing.
fn ends(behind: &[u8]) -> Option<&[u8]> {
    let behind = behind.trim_ascii_start();
    matches!(behind.first(), None | Some(b';')).then_some(behind)
}

/// The bytes for which WHATWG HTML writes `%0A`, `%0D` and `%22`. It leaves the
/// percent sign alone, and so does this.
fn written(value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&first, behind)) = rest.split_first() {
        let (byte, behind) = match rest {
            [b'%', b'0', b'A', behind @ ..] => (b'\n', behind),
            [b'%', b'0', b'D', behind @ ..] => (b'\r', behind),
            [b'%', b'2', b'2', behind @ ..] => (b'"', behind),
            _ => (first, behind),
        };
        bytes.push(byte);
        rest = behind;
    }
    bytes
}

/// A parameter: the extended form comes before the plain one (RFC 6266 section
/// 4.3), unless it cannot be read. The first of a name counts.
fn find(parameters: &Parameters, name: &str) -> Option<Name> {
    let value = |name: &str| {
        parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_slice())
    };
    let extended = value(&format!("{name}*"));
    extended
        .and_then(extended_name)
        .or_else(|| value(name).map(Name::of_the_form))
        .or_else(|| extended.map(as_far_as_it_goes))
        .or_else(|| continued(name, value))
}

/// `UTF-8'en'a%20b` (RFC 5987 section 3.2.1).
fn extended_name(value: &[u8]) -> Option<Name> {
    let name = as_far_as_it_goes(value);
    let proper = match name.charset.as_deref() {
        Some("utf-8") => str::from_utf8(&name.bytes).is_ok(),
        Some("iso-8859-1" | "us-ascii") => true,
        _ => false,
    };
    proper.then_some(name)
}

/// The same of a charset that nobody need know, or of none.
fn as_far_as_it_goes(value: &[u8]) -> Name {
    let mut pieces = value.splitn(3, |byte| *byte == b'\'');
    let (charset, _language, text) = (pieces.next(), pieces.next(), pieces.next());
    Name {
        bytes: percent_decode(text.unwrap_or(value)).collect(),
        charset: charset
            .filter(|_| text.is_some())
            .map(|charset| String::from_utf8_lossy(charset).to_ascii_lowercase()),
    }
}

/// `filename*0="a"; filename*1*=%20b` (RFC 2231 section 3), as mail programs write
/// a name that is long.
fn continued<'p>(name: &str, value: impl Fn(&str) -> Option<&'p [u8]>) -> Option<Name> {
    let mut whole: Option<Name> = None;
    for number in 0..MOST_PIECES {
        let extended = value(&format!("{name}*{number}*"));
        let Some(piece) = extended.or_else(|| value(&format!("{name}*{number}"))) else { break };
        let piece = match (&mut whole, extended.is_some()) {
            (None, true) => as_far_as_it_goes(piece),
            (Some(_), true) => Name::of_the_form(&percent_decode(piece).collect::<Vec<_>>()),
            (_, false) => Name::of_the_form(piece),
        };
        match &mut whole {
            Some(whole) => whole.bytes.extend_from_slice(&piece.bytes),
            None => whole = Some(piece),
        }
    }
    whole
}

#[cfg(test)]
mod tests;
