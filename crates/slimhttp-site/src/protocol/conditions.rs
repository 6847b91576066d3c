//! Preconditions: whether a request is still meant, now that the representation
//! is known. RFC 9110 sections 8.8 (validators) and 13 (conditional requests).
//!
//! Deliberately absent: preconditions on anything but the current
//! representation (the caller asks only where the answer would be 2xx, RFC 9110
//! section 13.2.1).

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Method;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::protocol::coding::Coding;

/// An entity tag (RFC 9110 section 8.8.3), kept as the text of its field so that
/// sending it costs no formatting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(HeaderValue);

impl ETag {
    /// The strong tag `"opaque"`; `None` if `opaque` has a byte that no tag may
    /// have (a quote, a space, a control).
    pub fn strong(opaque: &str) -> Option<Self> {
        Self::parse(format!("\"{opaque}\"").as_bytes())
    }

    /// The weak tag `W/"opaque"`; `None` as for [`ETag::strong`].
    pub fn weak(opaque: &str) -> Option<Self> {
        Self::parse(format!("W/\"{opaque}\"").as_bytes())
    }

    /// Reads one tag as it stands in a field, surrounding blanks allowed.
    pub fn parse(field: &[u8]) -> Option<Self> {
        let field = field.trim_ascii();
        match Tag::take(field)? {
            (_, []) => HeaderValue::from_bytes(field).ok().map(Self),
            _ => None,
        }
    }

    /// Whether it promises equivalence only, not equal bytes.
    pub fn is_weak(&self) -> bool {
        self.0.as_bytes().starts_with(b"W/")
    }

    /// The tag of the same content in `coding`: another representation, which
    /// has its own (RFC 9110 section 8.8.3.3). A weak one stays weak.
    pub fn in_coding(&self, coding: Coding) -> Self {
        let suffix = coding.etag_suffix();
        let text = self.0.as_bytes();
        let mut tag = Vec::with_capacity(text.len() + suffix.len());
        tag.extend_from_slice(&text[..text.len() - 1]);
        tag.extend_from_slice(suffix.as_bytes());
        tag.push(b'"');
        Self(HeaderValue::try_from(tag).expect("a tag with more letters is a tag"))
    }

    /// The value of an `ETag` field.
    pub fn header_value(&self) -> &HeaderValue {
        &self.0
    }

    fn tag(&self) -> Tag<'_> {
        let text = self.0.as_bytes();
        let quoted = text.strip_prefix(b"W/").unwrap_or(text);
        Tag { weak: self.is_weak(), opaque: &quoted[1..quoted.len() - 1] }
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&String::from_utf8_lossy(self.0.as_bytes()))
    }
}

/// A tag that still lies in the field it was read from.
#[derive(Clone, Copy)]
struct Tag<'f> {
    weak: bool,
    opaque: &'f [u8],
}

impl<'f> Tag<'f> {
    /// Reads a tag at the start of `text`; returns it and what follows.
    /// `W/` is case-sensitive (RFC 9110 section 8.8.3).
    fn take(text: &'f [u8]) -> Option<(Self, &'f [u8])> {
        let (weak, rest) = match text.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let rest = rest.strip_prefix(b"\"")?;
        let end = memchr::memchr(b'"', rest)?;
        let opaque = &rest[..end];
        // etagc = %x21 / %x23-7E / obs-text
        let valid = opaque.iter().all(|&byte| byte > b' ' && byte != 0x7f);
        valid.then_some((Self { weak, opaque }, &rest[end + 1..]))
    }

    fn matches(self, other: Tag<'_>, how: Comparison) -> bool {
        self.opaque == other.opaque && (how == Comparison::Weak || !self.weak && !other.weak)
    }
}

/// How two tags are compared (RFC 9110 section 8.8.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// Equal and both strong.
    Strong,
    /// Equal, weak or not.
    Weak,
}

/// What is known of the current representation.
#[derive(Clone, Copy, Debug)]
pub struct Validators<'v> {
    /// Its entity tag.
    pub etag: Option<&'v ETag>,
    /// When it was last modified: seconds since 1970.
    pub last_modified: Option<i64>,
}

/// What the preconditions of a request say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Do what the request asks.
    Proceed,
    /// Answer 304: the client has the current representation.
    NotModified,
    /// Answer 412: the client means another representation.
    PreconditionFailed,
}

/// Evaluates the preconditions of a request in the precedence of RFC 9110
/// section 13.2.2. `current` is `None` where no representation exists.
///
/// The lines of one field are one list. A member that is not an entity tag
/// matches nothing; `*` counts only where it stands alone.
pub fn evaluate(method: &Method, request: &HeaderMap, current: Option<Validators<'_>>) -> Outcome {
    // Section 13.2.1: methods that neither select nor change a representation.
    if matches!(*method, Method::CONNECT | Method::OPTIONS | Method::TRACE) {
        return Outcome::Proceed;
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let last_modified = current.and_then(|current| current.last_modified);

    // Steps 1 and 2: If-Match hides If-Unmodified-Since (section 13.1.4).
    if request.contains_key(header::IF_MATCH) {
        if !names_current(request, &header::IF_MATCH, current, Comparison::Strong) {
            return Outcome::PreconditionFailed;
        }
    } else if let (Some(since), Some(modified)) =
        (date(request, &header::IF_UNMODIFIED_SINCE), last_modified)
        && modified > since
    {
        return Outcome::PreconditionFailed;
    }

    // Steps 3 and 4: If-None-Match hides If-Modified-Since (section 13.1.3).
    if request.contains_key(header::IF_NONE_MATCH) {
        if names_current(request, &header::IF_NONE_MATCH, current, Comparison::Weak) {
            return if reads { Outcome::NotModified } else { Outcome::PreconditionFailed };
        }
    } else if reads
        && let (Some(since), Some(modified)) =
            (date(request, &header::IF_MODIFIED_SINCE), last_modified)
        && modified <= since
    {
        return Outcome::NotModified;
    }
    Outcome::Proceed
}

/// Whether `Range` may be obeyed: true without `If-Range`, or where it names
/// exactly the current representation by a strong tag. RFC 9110 section 13.1.5.
///
/// A date is never strong here (section 8.8.2.2): within its second the file may
/// have changed twice, and tools that copy times give another file the same one.
/// A part of it would then be joined to parts of the other. Every file has a tag,
/// and whoever was given one must not send a date.
pub fn if_range(request: &HeaderMap, current: Validators<'_>) -> bool {
    let mut lines = request.get_all(header::IF_RANGE).iter();
    let Some(line) = lines.next() else {
        return true;
    };
    if lines.next().is_some() {
        return false;
    }
    let (Some(named), Some(etag)) = (ETag::parse(line.as_bytes()), current.etag) else {
        return false;
    };
    etag.tag().matches(named.tag(), Comparison::Strong)
}

/// When something was last modified, and the field value that says so, made once
/// and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastModified {
    seconds: i64,
    value: HeaderValue,
}

impl LastModified {
    /// From seconds since 1970; `None` as for [`date_value`]. The caller caps
    /// them at the current time: RFC 9110 section 8.8.2.1 forbids a date in the
    /// future.
    pub fn new(seconds: i64) -> Option<Self> {
        date_value(seconds).map(|value| Self { seconds, value })
    }

    /// Seconds since 1970.
    pub fn seconds(&self) -> i64 {
        self.seconds
    }

    /// The value of a `Last-Modified` field.
    pub fn header_value(&self) -> &HeaderValue {
        &self.value
    }
}

/// Seconds since 1970 as an HTTP date (RFC 9110 section 5.6.7); `None` outside
/// the years 1970 to 9999, which the format cannot say.
pub fn date_value(seconds: i64) -> Option<HeaderValue> {
    const YEAR_10000: u64 = 253_402_300_800;
    let seconds = u64::try_from(seconds).ok().filter(|&seconds| seconds < YEAR_10000)?;
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
    HeaderValue::try_from(text).ok()
}

/// Whether a list of tags names the current representation.
fn names_current(
    request: &HeaderMap,
    field: &HeaderName,
    current: Option<Validators<'_>>,
    how: Comparison,
) -> bool {
    let Some(current) = current else { return false };
    let mut lines = request.get_all(field).iter();
    if let (Some(line), None) = (lines.next(), lines.next())
        && line.as_bytes().trim_ascii() == b"*"
    {
        return true;
    }
    let Some(etag) = current.etag else {
        return false;
    };
    let lines = request.get_all(field).iter();
    lines.flat_map(|line| Tags(line.as_bytes())).any(|tag| etag.tag().matches(tag, how))
}

/// The tags of one line of a list. A tag may contain a comma, so the list is
/// read tag by tag and not split.
struct Tags<'f>(&'f [u8]);

impl<'f> Iterator for Tags<'f> {
    type Item = Tag<'f>;

    fn next(&mut self) -> Option<Tag<'f>> {
        loop {
            // Empty members are legal (RFC 9110 section 5.6.1.2).
            let blank = |byte: &u8| !matches!(byte, b' ' | b'\t' | b',');
            self.0 = &self.0[self.0.iter().position(blank)?..];
            let taken = Tag::take(self.0);
            let behind = taken.map_or(self.0, |(_, rest)| rest);
            let comma = memchr::memchr(b',', behind).unwrap_or(behind.len());
            self.0 = &behind[comma..];
            match taken {
                Some((tag, _)) if behind[..comma].trim_ascii().is_empty() => return Some(tag),
                _ => continue,
            }
        }
    }
}

/// The date of a field that has one; a field with two lines has none (RFC 9110
/// sections 13.1.3 and 13.1.4).
fn date(request: &HeaderMap, field: &HeaderName) -> Option<i64> {
    let mut lines = request.get_all(field).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => parse_date(line),
        _ => None,
    }
}

/// All three forms of RFC 9110 section 5.6.7, as seconds since 1970.
fn parse_date(value: &HeaderValue) -> Option<i64> {
    let time: SystemTime = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

#[cfg(test)]
mod tests;
