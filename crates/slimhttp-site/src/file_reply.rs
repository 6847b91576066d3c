//! What to send for a file: from its facts and the request's header to a status,
//! the header fields and the bytes to take from the file. RFC 9110 sections 8,
//! 13, 14 and 15.
//!
//! 1. preconditions: 304 or 412; 2. ranges: 206 or 416; 3. everything: 200.
//!
//! Deliberately absent: `Date`, `Cache-Control` and whatever else the answer
//! carries because of the site and not because of the file.

use std::ops::RangeInclusive;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};

use crate::conditions::{self, ETag, Outcome, Validators};
use crate::range::Ranges;

/// What is known of an open file.
#[derive(Clone, Debug)]
pub struct FileFacts<'f> {
    /// Bytes.
    pub length: u64,
    /// When it was last modified: seconds since 1970. The caller caps it at the
    /// current time (RFC 9110 section 8.8.2.1 forbids a date in the future).
    /// Outside the years 1970 to 9999 it is as if unknown.
    pub modified: Option<i64>,
    /// Its entity tag; see [`etag_of`].
    pub etag: ETag,
    /// Its media type, see [`content_type`](crate::content_type::content_type).
    pub content_type: &'f str,
}

/// What follows the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// All of the file.
    Whole,
    /// These bytes of the file.
    Range(RangeInclusive<u64>),
    /// For each part its head and then its bytes of the file, and at last the
    /// closing delimiter: `multipart/byteranges`, RFC 9110 section 14.6.
    Multipart {
        /// In the order of sending.
        parts: Vec<Part>,
        /// The closing delimiter.
        end: String,
    },
    /// Nothing of the file. With 412 and 416 the caller sends an error page and
    /// its fields.
    Nothing,
}

/// One part of a multipart answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Delimiter and head, ready to be sent.
    pub head: String,
    /// The bytes of the file that follow it.
    pub range: RangeInclusive<u64>,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct FileReply {
    /// 200, 206, 304, 412 or 416.
    pub status: StatusCode,
    /// The fields that stem from the file.
    pub headers: HeaderMap,
    /// What to send behind the head.
    pub content: Content,
}

/// Decides how a GET or HEAD for a file is answered. HEAD gets the head of the
/// GET without a range (RFC 9110 section 14.2 defines `Range` for GET only).
pub fn file_reply(method: &Method, request: &HeaderMap, facts: &FileFacts<'_>) -> FileReply {
    let date = facts.modified.and_then(conditions::date_value);
    let last_modified = facts.modified.filter(|_| date.is_some());
    let current = Validators { etag: Some(&facts.etag), last_modified };

    match conditions::evaluate(method, request, Some(current)) {
        Outcome::Proceed => {}
        Outcome::NotModified => return not_modified(facts, date),
        Outcome::PreconditionFailed => {
            return bare(StatusCode::PRECONDITION_FAILED, HeaderMap::new());
        }
    }
    if *method != Method::GET {
        let mut reply = whole(facts, date);
        reply.content = Content::Nothing;
        return reply;
    }
    let ranges = if request.contains_key(header::RANGE) && conditions::if_range(request, current) {
        Ranges::of(request, facts.length)
    } else {
        Ranges::Whole
    };
    match ranges {
        Ranges::Whole => whole(facts, date),
        Ranges::NotSatisfiable => not_satisfiable(facts.length),
        Ranges::Some(ranges) => match &*ranges {
            [range] => one_range(facts, date, range.clone()),
            ranges => many_ranges(facts, date, ranges),
        },
    }
}

/// A strong entity tag from what the file system says of a file: device, inode,
/// length in bytes, and the times of the last change of content and of inode in
/// nanoseconds since 1970. Every write and every replacement changes one of
/// them, as long as two writes of equal length are further apart than the file
/// system's clock ticks (some milliseconds); within a tick a reader may see two
/// contents under one tag.
///
/// The numbers are hashed, so a tag tells no client the inode.
pub fn etag_of(device: u64, inode: u64, length: u64, mtime_ns: i128, ctime_ns: i128) -> ETag {
    let mut hash = Fnv::new();
    for number in [device, inode, length] {
        hash.write(&number.to_le_bytes());
    }
    for time in [mtime_ns, ctime_ns] {
        hash.write(&time.to_le_bytes());
    }
    ETag::strong(&hash.text()).expect("hexadecimal digits are allowed in a tag")
}

fn whole(facts: &FileFacts<'_>, date: Option<HeaderValue>) -> FileReply {
    let mut headers = described(facts, date);
    headers.insert(header::CONTENT_TYPE, media_type(facts.content_type));
    headers.insert(header::CONTENT_LENGTH, facts.length.into());
    FileReply { status: StatusCode::OK, headers, content: Content::Whole }
}

/// RFC 9110 section 15.3.7.1. With `If-Range` too, `Content-Type` and
/// `Last-Modified` are sent, although section 15.3.7 would rather not: browsers
/// judge a 206 by its type before they look at what they have stored.
fn one_range(
    facts: &FileFacts<'_>,
    date: Option<HeaderValue>,
    range: RangeInclusive<u64>,
) -> FileReply {
    let mut headers = described(facts, date);
    headers.insert(header::CONTENT_TYPE, media_type(facts.content_type));
    headers.insert(header::CONTENT_LENGTH, size(&range).into());
    let text = content_range(&range, facts.length);
    headers.insert(header::CONTENT_RANGE, ascii(text));
    FileReply { status: StatusCode::PARTIAL_CONTENT, headers, content: Content::Range(range) }
}

/// RFC 9110 section 15.3.7.2: the head itself has no `Content-Range`.
fn many_ranges(
    facts: &FileFacts<'_>,
    date: Option<HeaderValue>,
    ranges: &[RangeInclusive<u64>],
) -> FileReply {
    // A boundary from the tag is the same for the same file, so that answers
    // are reproducible, and changes with the file, which so cannot hold it.
    let mut hash = Fnv::new();
    hash.write(b"boundary");
    hash.write(facts.etag.header_value().as_bytes());
    let boundary = hash.text();

    let media_type = media_type(facts.content_type);
    let media_type = media_type.to_str().expect("the value was made from ASCII");
    let mut break_before = "";
    let mut parts = Vec::with_capacity(ranges.len());
    for range in ranges {
        let span = content_range(range, facts.length);
        let head = format!(
            "{break_before}--{boundary}\r\n\
             Content-Type: {media_type}\r\nContent-Range: {span}\r\n\r\n"
        );
        parts.push(Part { head, range: range.clone() });
        break_before = "\r\n";
    }
    let end = format!("\r\n--{boundary}--\r\n");

    // Ranges do not overlap, so the sum of their sizes is at most the length.
    let framing = parts.iter().map(|part| part.head.len()).sum::<usize>() + end.len();
    let bytes = ranges.iter().map(size).sum::<u64>().saturating_add(framing as u64);

    let mut headers = described(facts, date);
    let media_type = ascii(format!("multipart/byteranges; boundary={boundary}"));
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CONTENT_LENGTH, bytes.into());
    let content = Content::Multipart { parts, end };
    FileReply { status: StatusCode::PARTIAL_CONTENT, headers, content }
}

/// RFC 9110 section 15.4.5: the validators, nothing that describes content.
fn not_modified(facts: &FileFacts<'_>, date: Option<HeaderValue>) -> FileReply {
    bare(StatusCode::NOT_MODIFIED, validators(facts, date))
}

/// RFC 9110 section 15.5.17.
fn not_satisfiable(length: u64) -> FileReply {
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_RANGE, ascii(format!("bytes */{length}")));
    bare(StatusCode::RANGE_NOT_SATISFIABLE, headers)
}

fn bare(status: StatusCode, headers: HeaderMap) -> FileReply {
    FileReply { status, headers, content: Content::Nothing }
}

fn validators(facts: &FileFacts<'_>, date: Option<HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(header::ETAG, facts.etag.header_value().clone());
    if let Some(date) = date {
        headers.insert(header::LAST_MODIFIED, date);
    }
    headers
}

/// The fields that 200 and 206 have alike.
fn described(facts: &FileFacts<'_>, date: Option<HeaderValue>) -> HeaderMap {
    let mut headers = validators(facts, date);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers
}

/// A type that no field can carry says nothing, like an unknown one.
fn media_type(text: &str) -> HeaderValue {
    HeaderValue::from_str(text)
        .unwrap_or(const { HeaderValue::from_static("application/octet-stream") })
}

/// How many bytes a range has.
fn size(range: &RangeInclusive<u64>) -> u64 {
    range.end() - range.start() + 1
}

/// The value of a `Content-Range` field (RFC 9110 section 14.4).
fn content_range(range: &RangeInclusive<u64>, length: u64) -> String {
    format!("bytes {}-{}/{length}", range.start(), range.end())
}

fn ascii(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("this module formats visible ASCII only")
}

/// FNV-1a with 128 bits: the same on every platform and in every release, which
/// the standard library's hashers do not promise. It guards against accidents,
/// not against adversaries.
struct Fnv(u128);

impl Fnv {
    fn new() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b);
        }
    }

    /// 32 hexadecimal digits.
    fn text(&self) -> String {
        format!("{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests;
