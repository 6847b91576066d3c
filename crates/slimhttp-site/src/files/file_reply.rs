//! What to send for a file: from its facts and the request's header to a status,
//! the header fields and the bytes to take from the file. RFC 9110 sections 8,
//! 13, 14 and 15.
//!
//! 1. preconditions: 304 or 412; 2. ranges: 206 or 416; 3. everything: 200.
//!
//! Deliberately absent: `Date`, `Cache-Control` and whatever else the answer
//! carries because of the site and not because of the file; and
//! `Content-Location`, which would tell of a file in another coding under a name
//! that nobody asked for.

use std::ops::RangeInclusive;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};

use crate::protocol::coding::Coding;
use crate::protocol::conditions::{self, ETag, LastModified, Outcome, Validators};
use crate::protocol::methods::Methods;
use crate::protocol::range::Ranges;

/// What is known of an open file, as it is sent: all that goes into a field is
/// kept as its value, so that answering again formats nothing.
#[derive(Clone, Debug)]
pub struct FileFacts<'f> {
    /// Bytes, in the coding in which it is sent.
    pub length: u64,
    /// The value of `Content-Length` for all of it, where it is kept.
    pub content_length: Option<&'f HeaderValue>,
    /// When it was last modified; `None` where no date can say it.
    pub last_modified: Option<&'f LastModified>,
    /// Its entity tag; see [`etag_of_content`] and [`etag_of`].
    pub etag: &'f ETag,
    /// Its media type, see [`content_type`](crate::files::content_type::content_type).
    pub content_type: &'f HeaderValue,
    /// The coding in which it is sent; `None` as it is.
    pub coding: Option<Coding>,
    /// Whether the choice of the coding depends on `Accept-Encoding`, so that
    /// caches must ask again for a client that says otherwise.
    pub varies: bool,
}

/// What follows the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileContent {
    /// All of the file.
    Whole,
    /// These bytes of the file.
    Range(RangeInclusive<u64>),
    /// For each part its head and then its bytes of the file, and at last the
    /// closing delimiter: `multipart/byteranges`, RFC 9110 section 14.6.
    Multipart {
        /// In the order of sending.
        parts: Vec<RangePart>,
        /// The closing delimiter.
        end: String,
    },
    /// Nothing of the file. With 412 and 416 the caller sends an error page and
    /// its fields.
    Nothing,
}

/// One part of a multipart answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangePart {
    /// Delimiter and head, ready to be sent.
    pub head: String,
    /// The bytes of the file that follow it.
    pub range: RangeInclusive<u64>,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct FileReply {
    /// 200, 204 (`OPTIONS`), 206, 304, 412 or 416.
    pub status: StatusCode,
    /// The fields that stem from the file.
    pub headers: HeaderMap,
    /// What to send behind the head.
    pub content: FileContent,
}

/// Decides how a GET or HEAD for a file is answered. HEAD gets the head of the
/// GET without a range (RFC 9110 section 14.2 defines `Range` for GET only).
/// OPTIONS is answered with the methods; any other is answered like a HEAD, and a caller
/// that means otherwise has refused it.
pub fn file_reply(method: &Method, request: &HeaderMap, facts: &FileFacts<'_>) -> FileReply {
    if *method == Method::OPTIONS {
        return options(&Methods::of_files());
    }
    let last_modified = facts.last_modified.map(LastModified::seconds);
    let current = Validators { etag: Some(facts.etag), last_modified };

    match conditions::evaluate(method, request, Some(current)) {
        Outcome::Proceed => {}
        Outcome::NotModified => return bare(StatusCode::NOT_MODIFIED, validators(facts)),
        Outcome::PreconditionFailed => {
            return bare(StatusCode::PRECONDITION_FAILED, HeaderMap::new());
        }
    }
    if *method != Method::GET {
        let mut reply = whole(facts);
        reply.content = FileContent::Nothing;
        return reply;
    }
    let ranges = if request.contains_key(header::RANGE) && conditions::if_range(request, current) {
        Ranges::of(request, facts.length)
    } else {
        Ranges::Whole
    };
    match ranges {
        Ranges::Whole => whole(facts),
        Ranges::NotSatisfiable => not_satisfiable(facts.length),
        Ranges::Some(ranges) => match &*ranges {
            [range] => one_range(facts, range.clone()),
            ranges => many_ranges(facts, ranges),
        },
    }
}

/// How a file answers OPTIONS, and a scope `OPTIONS *`: 204 with the methods that there
/// are (RFC 9110 section 9.3.7).
pub fn options(methods: &Methods) -> FileReply {
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(header::ALLOW, methods.allow());
    bare(StatusCode::NO_CONTENT, headers)
}

/// A strong entity tag from a hash of the content; see [`ETag::in_coding`] for
/// that of the same content in a coding.
pub fn etag_of_content(hash: u128) -> ETag {
    ETag::strong(&format!("{hash:032x}")).expect("hexadecimal digits are allowed in a tag")
}

/// A strong entity tag from what the file system says of a file: device, inode,
/// length in bytes, and the times of the last change of content and of inode in
/// nanoseconds since 1970. Every write and every replacement changes one of
/// them, as long as two writes of equal length are further apart than the file
/// system's clock ticks (some milliseconds); within a tick a reader may see two
/// contents under one tag. So a file whose times are hardly past has
/// [`weak_etag_of`] them.
///
/// The numbers are hashed, so a tag tells no client the inode.
pub fn etag_of(device: u64, inode: u64, length: u64, mtime_ns: i128, ctime_ns: i128) -> ETag {
    let text = identity_hash(device, inode, length, mtime_ns, ctime_ns);
    ETag::strong(&text).expect("hexadecimal digits are allowed in a tag")
}

/// The weak entity tag from the same numbers, for a file that may be changing
/// under them. It is another one than [`etag_of`] makes: what was sent under it
/// may be gone by the time that the numbers can be trusted, and If-None-Match
/// does not tell weak from strong (RFC 9110 section 13.1.2).
pub fn weak_etag_of(device: u64, inode: u64, length: u64, mtime_ns: i128, ctime_ns: i128) -> ETag {
    let text = identity_hash(device, inode, length, mtime_ns, ctime_ns);
    ETag::weak(&format!("{text}-0")).expect("hexadecimal digits are allowed in a tag")
}

fn identity_hash(device: u64, inode: u64, length: u64, mtime_ns: i128, ctime_ns: i128) -> String {
    let mut hash = Fnv::new();
    for number in [device, inode, length] {
        hash.write(&number.to_le_bytes());
    }
    for time in [mtime_ns, ctime_ns] {
        hash.write(&time.to_le_bytes());
    }
    hash.text()
}

fn whole(facts: &FileFacts<'_>) -> FileReply {
    let mut headers = described(facts, facts.content_type.clone());
    let length = facts.content_length.cloned().unwrap_or_else(|| facts.length.into());
    headers.insert(header::CONTENT_LENGTH, length);
    FileReply { status: StatusCode::OK, headers, content: FileContent::Whole }
}

/// RFC 9110 section 15.3.7.1. With `If-Range` too, `Content-Type` and
/// `Last-Modified` are sent, although section 15.3.7 would rather not: browsers
/// judge a 206 by its type before they look at what they have stored.
fn one_range(facts: &FileFacts<'_>, range: RangeInclusive<u64>) -> FileReply {
    let mut headers = described(facts, facts.content_type.clone());
    headers.insert(header::CONTENT_LENGTH, size(&range).into());
    let text = content_range(&range, facts.length);
    headers.insert(header::CONTENT_RANGE, ascii(text));
    FileReply { status: StatusCode::PARTIAL_CONTENT, headers, content: FileContent::Range(range) }
}

/// RFC 9110 section 15.3.7.2: the head itself has no `Content-Range`.
fn many_ranges(facts: &FileFacts<'_>, ranges: &[RangeInclusive<u64>]) -> FileReply {
    // A boundary from the tag is the same for the same file, so that answers
    // are reproducible, and changes with the file, which so cannot hold it.
    let mut hash = Fnv::new();
    hash.write(b"boundary");
    hash.write(facts.etag.header_value().as_bytes());
    let boundary = hash.text();

    // A type beyond ASCII can be sent in a head, but is no text to format.
    let media_type = facts.content_type.to_str().unwrap_or("application/octet-stream");
    let mut break_before = "";
    let mut parts = Vec::with_capacity(ranges.len());
    for range in ranges {
        let span = content_range(range, facts.length);
        let head = format!(
            "{break_before}--{boundary}\r\n\
             Content-Type: {media_type}\r\nContent-Range: {span}\r\n\r\n"
        );
        parts.push(RangePart { head, range: range.clone() });
        break_before = "\r\n";
    }
    let end = format!("\r\n--{boundary}--\r\n");

    // Ranges do not overlap, so the sum of their sizes is at most the length.
    let framing = parts.iter().map(|part| part.head.len()).sum::<usize>() + end.len();
    let bytes = ranges.iter().map(size).sum::<u64>().saturating_add(framing as u64);

    let media_type = ascii(format!("multipart/byteranges; boundary={boundary}"));
    let mut headers = described(facts, media_type);
    headers.insert(header::CONTENT_LENGTH, bytes.into());
    let content = FileContent::Multipart { parts, end };
    FileReply { status: StatusCode::PARTIAL_CONTENT, headers, content }
}

/// RFC 9110 section 15.5.17.
fn not_satisfiable(length: u64) -> FileReply {
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_RANGE, ascii(format!("bytes */{length}")));
    bare(StatusCode::RANGE_NOT_SATISFIABLE, headers)
}

fn bare(status: StatusCode, headers: HeaderMap) -> FileReply {
    FileReply { status, headers, content: FileContent::Nothing }
}

/// What a 304 has of a 200 (RFC 9110 section 15.4.5): the validators and `Vary`,
/// and nothing that describes content.
fn validators(facts: &FileFacts<'_>) -> HeaderMap {
    // Room for what the site adds, so that the map is not built twice.
    let mut headers = HeaderMap::with_capacity(if facts.varies { 12 } else { 6 });
    headers.insert(header::ETAG, facts.etag.header_value().clone());
    if let Some(last_modified) = facts.last_modified {
        headers.insert(header::LAST_MODIFIED, last_modified.header_value().clone());
    }
    if facts.varies {
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    headers
}

/// The fields that 200 and 206 have alike.
fn described(facts: &FileFacts<'_>, content_type: HeaderValue) -> HeaderMap {
    let mut headers = validators(facts);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_TYPE, content_type);
    if let Some(coding) = facts.coding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
    }
    headers
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
