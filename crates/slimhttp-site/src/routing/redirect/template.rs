//! The target of a redirect or rewrite: a path or a URL with placeholders for what the
//! pattern captures.

use std::sync::Arc;

use http::uri::Authority;
use percent_encoding::{AsciiSet, CONTROLS, percent_encode, utf8_percent_encode};
use smallvec::SmallVec;

use crate::routing::path::{NOT_IN_SEGMENT, NOT_UNRESERVED, Target};

/// What a pattern took of a path, from left to right, decoded.
pub(super) type Captures<'p> = SmallVec<[&'p [u8]; 2]>;

/// Where a rule may lead.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// To another path here.
    Here,
    /// To another host too.
    Anywhere,
}

/// A target with places for captures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    /// Whether it is a path here and no URL.
    is_path: bool,
    /// What stands before the query: for a URL scheme and host too, always as
    /// literal text.
    path: Pieces,
    /// Its own query, if any; an empty one takes the request's away.
    query: Option<Pieces>,
    fragment: Option<Pieces>,
}

type Pieces = Box<[Piece]>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// Encoded.
    Literal(Box<str>),
    /// The capture of this number.
    Capture(usize),
}

/// What is encoded in literal text: what no URL may hold. Whatever has a meaning
/// in a URL has it here too.
const NOT_IN_URL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What is encoded of a capture in a path: what in a segment, but for the
/// slashes of a `<path:…>`.
const NOT_IN_PATH: &AsciiSet = &NOT_IN_SEGMENT.remove(b'/');

/// What is encoded of a capture in a query or a fragment: all that is reserved
/// there, so that a value stays one value.
const NOT_IN_VALUE: &AsciiSet = NOT_UNRESERVED;

impl Template {
    /// Reads the right side of a rule whose pattern has the variables `names`.
    ///
    /// # Errors
    /// What was expected instead.
    pub(super) fn read(to: &str, names: &[Arc<str>], reach: Reach) -> Result<Self, String> {
        if to.contains(char::is_control) {
            return Err("a text without control characters".into());
        }
        let (rest, fragment) = split(to, '#');
        let (path, query) = split(rest, '?');
        let is_path = path.starts_with('/');
        let host = if is_path { None } else { host(path) };
        let is_fit = match host {
            // `//host` and, as browsers read it, `/\host` lead elsewhere.
            None => is_path && !path.starts_with("//") && !path.starts_with("/\\"),
            Some(host) => reach == Reach::Anywhere && !host.contains('<'),
        };
        match (is_fit, reach) {
            (true, _) => {}
            (false, Reach::Here) => return Err("a path that begins with one `/`".into()),
            (false, Reach::Anywhere) => {
                return Err("a path that begins with one `/`, or a URL that begins with \
                            `https://` or `http://` and a host without `<…>`"
                    .into());
            }
        }
        if host.is_some_and(|host| host.parse::<Authority>().is_err()) {
            return Err("a URL with a host in ASCII, as in `https://xn--bcher-kva.example/`".into());
        }
        if fragment.is_some() && reach == Reach::Here {
            return Err("a path without a `#`, which only browsers know".into());
        }
        let template = Self {
            is_path,
            path: pieces(path, names)?,
            query: query.map(|query| pieces(query, names)).transpose()?,
            fragment: fragment.map(|fragment| pieces(fragment, names)).transpose()?,
        };
        let sample = template.fill(&names.iter().map(|_| &b"x"[..]).collect(), None);
        if is_path && Target::parse(path_of(&sample)).is_err() {
            return Err("a path within the root".into());
        }
        Ok(template)
    }

    /// The target with the captures in their places, encoded. The query of the
    /// request is kept unless the template has its own.
    pub(super) fn fill(&self, captures: &Captures<'_>, query: Option<&str>) -> String {
        let mut filled = String::new();
        for piece in &self.path {
            match piece {
                Piece::Literal(text) => filled.push_str(text),
                Piece::Capture(number) => {
                    let mut capture = captures[*number];
                    // No capture makes `//host` of a `/`.
                    while filled.ends_with('/') && capture.starts_with(b"/") {
                        capture = &capture[1..];
                    }
                    filled.extend(percent_encode(capture, NOT_IN_PATH));
                }
            }
        }
        match (&self.query, query) {
            (Some(own), _) if own.is_empty() => {}
            (Some(own), _) => put(own, '?', captures, &mut filled),
            (None, Some(query)) => {
                filled.push('?');
                filled.extend(utf8_percent_encode(query, CONTROLS));
            }
            (None, None) => {}
        }
        if let Some(fragment) = &self.fragment {
            put(fragment, '#', captures, &mut filled);
        }
        filled
    }

    /// Whether `location`, filled in from this template, names the decoded
    /// `path` of the server that sends it.
    pub(super) fn names_path(&self, location: &str, path: &[u8]) -> bool {
        self.is_path && Target::parse(path_of(location)).is_ok_and(|target| *target.path == *path)
    }
}

/// Appends a query or a fragment behind its mark.
fn put(pieces: &Pieces, mark: char, captures: &Captures<'_>, filled: &mut String) {
    filled.push(mark);
    for piece in pieces {
        match piece {
            Piece::Literal(text) => filled.push_str(text),
            Piece::Capture(number) => {
                filled.extend(percent_encode(captures[*number], NOT_IN_VALUE));
            }
        }
    }
}

/// Literal text, and `<name>` for the variable of that name.
fn pieces(text: &str, names: &[Arc<str>]) -> Result<Pieces, String> {
    let mut pieces = Vec::new();
    let literal = |text: &str, pieces: &mut Vec<Piece>| {
        if text.contains('>') {
            return Err(format!("a `<name>` with both its brackets, not `{text}`"));
        }
        if !encodings_are_whole(text) {
            return Err("`%25` for a `%` that begins no encoding".to_owned());
        }
        if !text.is_empty() {
            let encoded = utf8_percent_encode(text, NOT_IN_URL).to_string();
            pieces.push(Piece::Literal(encoded.into()));
        }
        Ok(())
    };
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('<') {
        let (name, behind) = behind
            .split_once('>')
            .ok_or_else(|| format!("a `<name>` with both its brackets, not `<{behind}`"))?;
        literal(before, &mut pieces)?;
        let number = names.iter().position(|known| **known == *name);
        pieces.push(Piece::Capture(number.ok_or_else(|| unknown(name, names))?));
        rest = behind;
    }
    literal(rest, &mut pieces)?;
    Ok(pieces.into())
}

fn unknown(name: &str, names: &[Arc<str>]) -> String {
    if names.is_empty() {
        return format!("a text without `<{name}>`: the pattern has no variable");
    }
    let known: Vec<_> = names.iter().map(|name| format!("`<{name}>`")).collect();
    format!("{}, as in the pattern, not `<{name}>`", known.join(" or "))
}

/// Whether each `%` begins an encoded byte.
fn encodings_are_whole(text: &str) -> bool {
    text.split('%').skip(1).all(|behind| {
        let digits = behind.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// What stands before `mark`, and what behind it if it is there.
fn split(text: &str, mark: char) -> (&str, Option<&str>) {
    text.split_once(mark).map_or((text, None), |(before, behind)| (before, Some(behind)))
}

/// The host, with its port, of an `http` or `https` URL.
fn host(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let known = ["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let host = rest.split('/').next().filter(|host| !host.is_empty())?;
    known.then_some(host)
}

/// What stands before the query and the fragment.
fn path_of(location: &str) -> &str {
    location.split(['?', '#']).next().unwrap_or_default()
}
