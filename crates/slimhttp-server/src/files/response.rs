//! A representation of a file → the response: status and fields as `slimhttp-site` decides
//! ([`file_reply`]), and the bytes. It waits for nothing: what is not in memory becomes a body
//! that is read as it is sent.

use std::borrow::Cow;
use std::fs::File;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Response};
use slimhttp_site::coding::Coding;
use slimhttp_site::conditions::{ETag, LastModified};
use slimhttp_site::file_reply::{FileContent, FileFacts, RangePart, file_reply};

use crate::files::multipart_body::MultipartBody;
use crate::fs::read::read_at_once;
use crate::message::body::Body;
use crate::message::file_body::FileBody;

/// A file in the form in which it is to be sent.
pub(super) struct Representation<'o> {
    pub(super) source: Source,
    /// Bytes.
    pub(super) length: u64,
    pub(super) etag: Cow<'o, ETag>,
    /// The value of `Content-Length`, where it is made already.
    pub(super) content_length: Option<&'o HeaderValue>,
    pub(super) last_modified: Option<&'o LastModified>,
    pub(super) content_type: Cow<'o, HeaderValue>,
    pub(super) coding: Option<Coding>,
    /// Whether another request may get it in another coding.
    pub(super) varies: bool,
}

/// Where the bytes are.
pub(super) enum Source {
    Memory(Bytes),
    File(Arc<File>),
}

/// Answers a `GET` or `HEAD` with a representation.
pub(super) fn respond(
    representation: Representation<'_>,
    method: &Method,
    headers: &HeaderMap,
) -> Response<Body> {
    let Representation { source, length, .. } = representation;
    let facts = FileFacts {
        length,
        content_length: representation.content_length,
        last_modified: representation.last_modified,
        etag: &representation.etag,
        content_type: &representation.content_type,
        coding: representation.coding,
        varies: representation.varies,
    };
    let reply = file_reply(method, headers, &facts);
    let body = match (reply.content, source) {
        (FileContent::Nothing, _) => Body::Empty,
        (FileContent::Whole, Source::Memory(bytes)) => Body::from(bytes),
        (FileContent::Whole, Source::File(file)) => Body::File(FileBody::new(file, 0, length)),
        (FileContent::Range(range), Source::Memory(bytes)) => Body::from(part_of(&bytes, &range)),
        (FileContent::Range(range), Source::File(file)) => {
            let (start, length) = (*range.start(), range.end() - range.start() + 1);
            match read_at_once(&file, start, length) {
                Some(bytes) => Body::from(bytes),
                None => Body::File(FileBody::new(file, start, length)),
            }
        }
        (FileContent::Multipart { parts, end }, Source::Memory(bytes)) => {
            Body::from(joined(&bytes, &parts, &end))
        }
        (FileContent::Multipart { parts, end }, Source::File(file)) => {
            Body::stream(MultipartBody::new(file, parts, end))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

/// A range lies within the content that it was read from.
fn part_of(bytes: &Bytes, range: &RangeInclusive<u64>) -> Bytes {
    let at = |position: u64| usize::try_from(position).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(at(*range.start())..at(range.end().saturating_add(1)))
}

/// Several ranges, each behind its head.
fn joined(bytes: &Bytes, parts: &[RangePart], end: &str) -> Bytes {
    let mut joined = BytesMut::new();
    for part in parts {
        joined.extend_from_slice(part.head.as_bytes());
        joined.extend_from_slice(&part_of(bytes, &part.range));
    }
    joined.extend_from_slice(end.as_bytes());
    joined.freeze()
}

#[cfg(test)]
mod tests;
