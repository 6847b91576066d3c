//! Paths that an upstream knows by another prefix than its clients: what is sent to it
//! (`strip_prefix`, `add_prefix`), and what of its response names a path and is mended on the
//! way back: `Location` and `Content-Location` (RFC 9110 sections 10.2.2 and 8.7), `Refresh`,
//! and the `Path` of `Set-Cookie` (RFC 6265 section 5.2.4). The content is left alone: what is
//! a link in it is known by the program that makes it.
//!
//! The proxy asks once for each request, and with what it is given once for the response.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_encode;

use super::path::NOT_IN_SEGMENT;
use crate::protocol::authority::Authority;

#[cfg(test)]
mod tests;

const REFRESH: HeaderName = HeaderName::from_static("refresh");

/// Which prefix is taken from the paths that are sent to an upstream, and which is put before
/// them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PrefixRule {
    strip: Prefix,
    add: Prefix,
}

/// A path without a slash at its end, `/seg/seg`, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Prefix {
    decoded: Arc<str>,
    /// As it is written in a URL.
    encoded: Arc<str>,
}

impl Prefix {
    fn new(path: &str) -> Self {
        let (mut decoded, mut encoded) = (String::new(), String::new());
        for name in path.split('/').filter(|name| !name.is_empty()) {
            decoded.push('/');
            decoded.push_str(name);
            encoded.push('/');
            encoded.extend(percent_encode(name.as_bytes(), NOT_IN_SEGMENT));
        }
        Self { decoded: decoded.into(), encoded: encoded.into() }
    }

    /// What of an encoded path stands behind this prefix, in whatever spelling the path has it;
    /// `None` where it is not below it.
    fn behind<'p>(&self, path: &'p str) -> Option<Behind<'p>> {
        let mut at = 0;
        for name in self.decoded.split('/').skip(1) {
            at = behind_slash(path, at)?;
            for &expected in name.as_bytes() {
                let (byte, next) = byte_at(path, at)?;
                if byte != expected {
                    return None;
                }
                at = next;
            }
        }
        if at == path.len() {
            return Some(Behind::Nothing);
        }
        // Where a name of text ends, a character does.
        behind_slash(path, at).and_then(|at| path.get(at..)).map(Behind::Slash)
    }
}

/// What of a path stands behind a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind<'p> {
    /// The path is the prefix itself.
    Nothing,
    /// A slash, and this.
    Slash(&'p str),
}

/// The place behind the slash at a place of a path. An encoded one counts, as it does where a
/// path is looked up; further plain ones are one with it.
fn behind_slash(path: &str, at: usize) -> Option<usize> {
    let (byte, next) = byte_at(path, at)?;
    let more = path.as_bytes()[next..].iter().take_while(|&&byte| byte == b'/').count();
    (byte == b'/').then_some(next + more)
}

/// The decoded byte at a place of a path, and the place behind it.
fn byte_at(path: &str, at: usize) -> Option<(u8, usize)> {
    let digit = |place: usize| char::from(*path.as_bytes().get(place)?).to_digit(16);
    match path.as_bytes().get(at)? {
        b'%' => {
            let byte = digit(at + 1)? << 4 | digit(at + 2)?;
            Some((u8::try_from(byte).ok()?, at + 3))
        }
        byte => Some((*byte, at + 1)),
    }
}

impl PrefixRule {
    /// Paths below `strip` lose it, and all get `add`. Both are written as they read, not
    /// percent-encoded: `/seg/seg`, or nothing. A slash at their end says nothing.
    pub fn new(strip: &str, add: &str) -> Self {
        Self { strip: Prefix::new(strip), add: Prefix::new(add) }
    }

    /// A decoded path as the upstream reads it: what [`Self::apply`] sends of one that is spelt
    /// in the usual way.
    pub(crate) fn apply_decoded<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let below = |rest: &&str| rest.is_empty() || rest.starts_with('/');
        let rest = path.strip_prefix(&*self.strip.decoded).filter(below).unwrap_or(path);
        let rest = if rest.is_empty() { "/" } else { rest };
        match &*self.add.decoded {
            "" => rest.into(),
            add => [add, rest].concat().into(),
        }
    }

    /// The target of a request as the upstream gets it, and how its paths are read on their way
    /// back. Whatever is no path and query passes as it is, and so does of a path what is not to
    /// be taken away.
    pub fn apply<'r>(&self, target: &'r str) -> (Cow<'r, str>, PathMap<'_>) {
        let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
        let stripped = self.strip.behind(path);
        let outer = if stripped.is_some() { &*self.strip.encoded } else { "" };
        let map = PathMap { outer, inner: &self.add };
        if !path.starts_with('/') {
            return (target.into(), map);
        }
        let rest = match stripped {
            Some(Behind::Slash(rest)) => rest,
            Some(Behind::Nothing) => "",
            None => path.trim_start_matches('/'),
        };
        ([&*self.add.encoded, "/", rest, query].concat().into(), map)
    }
}

/// From paths of an upstream to those of its client.
#[derive(Clone, Copy, Debug)]
pub struct PathMap<'r> {
    /// What paths begin with at the client, encoded.
    outer: &'r str,
    /// And at the upstream.
    inner: &'r Prefix,
}

/// Who a response comes from, as a URL in it may name it.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'o> {
    /// Whether the upstream is spoken to by TLS.
    pub tls: bool,
    /// The upstream's name or address, an IPv6 address without brackets.
    pub host: &'o str,
    /// The upstream's port.
    pub port: u16,
    /// The host that the client has asked for, which the upstream was told: `Host` or
    /// `:authority`; empty where there is none.
    pub asked: &'o str,
}

impl<'r> PathMap<'r> {
    /// What was taken from the path, encoded; empty where nothing was.
    pub fn stripped(&self) -> &'r str {
        self.outer
    }

    /// Mends the fields of a response. What names another server, or is relative to the page that
    /// it is in, stays as it is to the byte, and so does what names a path of the upstream
    /// that no client reaches.
    pub fn mend(&self, fields: &mut HeaderMap, origin: &Origin<'_>) {
        for name in [header::LOCATION, header::CONTENT_LOCATION] {
            mend_values(fields, &name, |value| self.reference(value, origin));
        }
        mend_values(fields, &REFRESH, |value| self.refresh(value, origin));
        mend_values(fields, &header::SET_COOKIE, |value| self.cookie(value));
    }

    /// The client's form of a path of the upstream; `None` where it has none. It begins with one
    /// slash: browsers take a backslash for one, and what begins with two for the name of a host,
    /// so each is encoded.
    fn path(&self, path: &str) -> Option<String> {
        let path = without_dots(path);
        let (slash, rest) = match self.inner.behind(&path)? {
            Behind::Slash(rest) => ("/", rest),
            Behind::Nothing if self.outer.is_empty() => ("/", ""),
            Behind::Nothing => ("", ""),
        };
        Some([self.outer, slash, &rest.replace('\\', "%5C")].concat())
    }

    /// A reference (RFC 3986 section 4.1), mended if it is to be. One with a control character is
    /// none, and is not made another one: browsers leave out some of these, so that what stands
    /// on both sides of one is read as one text.
    fn reference(&self, reference: &str, origin: &Origin<'_>) -> Option<String> {
        if reference.contains(|char: char| char.is_ascii_control()) {
            return None;
        }
        let (scheme, authority, rest) = split(reference)?;
        let end = rest.find(['?', '#']).unwrap_or(rest.len());
        let (path, behind) = rest.split_at(end);
        let path = self.path(if path.is_empty() { "/" } else { path })?;
        let before = match authority {
            None => "",
            // The name by which the upstream is reached is none of the client's.
            Some(authority) if origin.is_upstream(scheme, authority) => "",
            Some(authority) if origin.is_asked(scheme, authority) => {
                &reference[..reference.len() - rest.len()]
            }
            Some(_) => return None,
        };
        Some([before, &path, behind].concat())
    }

    /// `5; url=/path`, with or without quotes (HTML, "shared declarative refresh steps").
    fn refresh(&self, value: &str, origin: &Origin<'_>) -> Option<String> {
        let behind_time = &value[value.find([';', ','])? + 1..];
        let named = behind_time.trim_start();
        let url = match named.get(..3) {
            Some(name) if name.eq_ignore_ascii_case("url") => {
                named[3..].trim_start().strip_prefix('=')?.trim_start()
            }
            _ => named,
        };
        let quote = url.chars().next().filter(|first| matches!(first, '"' | '\''));
        let url = quote.map_or(url, |_| &url[1..]);
        let end = quote.and_then(|quote| url.find(quote)).unwrap_or(url.len());
        let (reference, behind) = url.split_at(end);
        let mended = self.reference(reference, origin)?;
        let before = &value[..value.len() - url.len()];
        Some([before, &mended, behind].concat())
    }

    /// A cookie, each `Path` of which is mended; all else stays as it is to the byte.
    fn cookie(&self, cookie: &str) -> Option<String> {
        // Such a cookie is for `/` alone, or for nobody (draft-ietf-httpbis-rfc6265bis,
        // section 4.1.3.2).
        let prefix = cookie.trim_start().get(..7).unwrap_or_default();
        if prefix.eq_ignore_ascii_case("__Host-") {
            return None;
        }
        let mut mended = String::with_capacity(cookie.len() + self.outer.len());
        for (place, part) in cookie.split(';').enumerate() {
            if place > 0 {
                mended.push(';');
            }
            // The first part is the name and the value.
            let Some(path) = path_in(part).filter(|_| place > 0) else {
                mended.push_str(part);
                continue;
            };
            mended.push_str(&part[..path.start]);
            mended.push_str(&self.cookie_path(&part[path.clone()]));
            mended.push_str(&part[path.end..]);
        }
        (mended != cookie).then_some(mended)
    }

    /// The client's form of the path of a cookie, which is for all that is below it (RFC 6265
    /// section 5.1.4).
    fn cookie_path<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let rest = match self.inner.behind(path) {
            Some(Behind::Slash(rest)) => rest,
            Some(Behind::Nothing) => "",
            None => {
                let above = self.inner.encoded.strip_prefix(path.trim_end_matches('/'));
                if !above.is_some_and(|rest| rest.starts_with('/')) {
                    return path.into();
                }
                // It is for more than a client reaches: for all that it does.
                ""
            }
        };
        // One for `/api/` is none for `/api`.
        match (self.outer, rest) {
            ("", rest) => ["/", rest].concat().into(),
            (outer, "") => outer.to_owned().into(),
            (outer, rest) => [outer, "/", rest].concat().into(),
        }
    }
}

impl Origin<'_> {
    /// Whether an authority is that of the upstream itself.
    fn is_upstream(&self, scheme: Option<&str>, authority: &str) -> bool {
        let (own, default) = if self.tls { ("https", 443) } else { ("http", 80) };
        let Some(named) = Authority::parse(authority.as_bytes()) else { return false };
        scheme.is_none_or(|scheme| scheme == own)
            && named.host.eq_ignore_ascii_case(self.host)
            && named.port.unwrap_or(default) == self.port
    }

    /// Whether it is the one that the client has asked for. An upstream need not know whether
    /// that was by TLS, so of the scheme only the port counts that it stands for.
    fn is_asked(&self, scheme: Option<&str>, authority: &str) -> bool {
        let normal_port = |port: Option<u16>| match scheme {
            None => port,
            Some("https") => port.or(Some(443)),
            Some(_) => port.or(Some(80)),
        };
        let parsed =
            (Authority::parse(authority.as_bytes()), Authority::parse(self.asked.as_bytes()));
        let (Some(named), Some(asked)) = parsed else { return false };
        named.host == asked.host && normal_port(named.port) == normal_port(asked.port)
    }
}

/// The scheme, the authority and all that is behind them, of an absolute URL of HTTP, of one
/// that leaves out its scheme, and of an absolute path. `None` of every other reference, also of
/// one that browsers take for a URL (`/\\host`).
fn split(reference: &str) -> Option<(Option<&'static str>, Option<&str>, &str)> {
    let begins_with = |scheme: &&str| {
        let (named, behind) = reference.split_at_checked(scheme.len()).unwrap_or_default();
        named.eq_ignore_ascii_case(scheme) && behind.starts_with("://")
    };
    let scheme = ["http", "https"].into_iter().find(begins_with);
    let behind = scheme.map_or(reference, |scheme| &reference[scheme.len() + 1..]);
    if let Some(behind) = behind.strip_prefix("//") {
        let end = behind.find(['/', '?', '#', '\\']).unwrap_or(behind.len());
        return Some((scheme, Some(&behind[..end]), &behind[end..]));
    }
    let is_path = reference.starts_with('/') && !reference.starts_with("/\\");
    is_path.then_some((None, None, reference))
}

/// A path, its dot segments resolved (RFC 3986 section 5.2.4).
fn without_dots(path: &str) -> Cow<'_, str> {
    let is = |segment: &str, dots: &str| {
        segment.len() <= 6 && segment.replace("%2e", ".").replace("%2E", ".") == dots
    };
    let is_dots = |segment: &str| is(segment, ".") || is(segment, "..");
    if !path.split('/').any(is_dots) {
        return path.into();
    }
    let mut segments = Vec::new();
    let mut is_folder = false;
    for segment in path.split('/').skip(1) {
        is_folder = is_dots(segment);
        if is(segment, "..") {
            segments.pop();
        } else if !is_folder {
            segments.push(segment);
        }
    }
    if is_folder {
        segments.push("");
    }
    ["/", &segments.join("/")].concat().into()
}

/// Where in an attribute of a cookie its value stands, if that is a path.
fn path_in(attribute: &str) -> Option<Range<usize>> {
    let (name, value) = attribute.split_once('=')?;
    let blanks = [' ', '\t'];
    let path = value.trim_start_matches(blanks);
    let start = attribute.len() - path.len();
    let path = path.trim_end_matches(blanks);
    let is_path = name.trim_matches(blanks).eq_ignore_ascii_case("path") && path.starts_with('/');
    is_path.then_some(start..start + path.len())
}

/// Puts what `mend` gives in the place of values of a field. Bytes that are no text in UTF-8 are
/// taken for Latin-1: what is kept of them is the same afterwards.
fn mend_values(fields: &mut HeaderMap, name: &HeaderName, mend: impl Fn(&str) -> Option<String>) {
    let Entry::Occupied(mut values) = fields.entry(name) else { return };
    for value in values.iter_mut() {
        let mended = match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => mend(text).map(String::into_bytes),
            Err(_) => {
                let text: String = value.as_bytes().iter().map(|&byte| char::from(byte)).collect();
                let bytes = |text: String| text.chars().map(|char| char as u8).collect();
                mend(&text).map(bytes)
            }
        };
        if let Some(Ok(mended)) = mended.map(HeaderValue::try_from) {
            *value = mended;
        }
    }
}
