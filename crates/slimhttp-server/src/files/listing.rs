//! The listing of a folder: what is in it is read through the opened folder,
//! and what came of it is sent.
//!
//! A request has a [`ListingFormat`], which costs nothing; [`RenderedListing::of`] waits for a
//! disk and is called on the blocking pool, see [`crate::files::listing_cache`];
//! [`EncodedListing::respond`] does not wait.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use rustix::fs::{AtFlags, Dir};
use slimhttp_site::coding::{Coding, acceptable};
use slimhttp_site::conditions::{self, ETag, Outcome, Validators};
use slimhttp_site::file_reply::etag_of_content;
use slimhttp_site::file_rules::FileRules;
use slimhttp_site::listing::{self, Entry, Kind, Listing, Sort};
use slimhttp_site::path::SafePath;

use crate::files::etag::hash_of;
use crate::fs::file_id::Facts;
use crate::message::body::Body;

/// The most entries that a listing has. What is beyond is left out, and the
/// listing says so.
pub(super) const LONGEST: usize = 10_000;

/// How a request wants a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ListingFormat {
    json: bool,
    sort: Sort,
}

impl ListingFormat {
    /// By the request's `Accept` and query.
    pub(super) fn of_request(request: &HeaderMap, query: Option<&str>) -> Self {
        Self { json: listing::wants_json(request), sort: Sort::from_query(query) }
    }
}

/// Which coding a listing is sent in, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CodingChoice {
    /// The coding that this client is to have.
    pub(super) coding: Option<Coding>,
    /// Whether others may have another one.
    varies: bool,
    /// The least and the greatest length of what is compressed.
    sizes: (u64, u64),
}

impl CodingChoice {
    /// By the rules for what is compressed here, and the request's
    /// `Accept-Encoding`.
    pub(super) fn new(format: ListingFormat, request: &HeaderMap, rules: &FileRules) -> Self {
        let compress = rules.compress.as_ref().filter(|compress| {
            compress.on_the_fly && compress.types.matches(format.media_type().as_bytes())
        });
        let accepted = compress.map(|compress| acceptable(request, &compress.codings));
        let coding = accepted.and_then(|accepted| accepted.first().copied());
        let sizes = compress.map_or((0, 0), |compress| (compress.min_size, compress.max_size));
        Self { coding, varies: compress.is_some(), sizes }
    }

    /// The coding of what has this length.
    pub(super) fn of_length(self, length: usize) -> Option<Coding> {
        let (least, most) = self.sizes;
        self.coding.filter(|_| (least..=most).contains(&(length as u64)))
    }
}

impl ListingFormat {
    fn media_type(self) -> &'static str {
        if self.json { "application/json" } else { "text/html" }
    }
}

/// A listing as text.
#[derive(Debug)]
pub(super) struct RenderedListing {
    pub(super) bytes: Vec<u8>,
    pub(super) etag: ETag,
}

impl RenderedListing {
    /// Lists an opened folder. It waits for a disk.
    ///
    /// `path` is where the folder is below the root, `url` the decoded path of the
    /// request, which ends with a slash. `withheld` says what is not to be
    /// seen, `resolve` what a symbolic link leads to: `None` where it leads
    /// nowhere, out of the root, or to what is neither a file nor a folder.
    ///
    /// # Errors
    /// As reading the folder.
    pub(super) fn of(
        folder: &File,
        path: &SafePath,
        url: &[u8],
        format: ListingFormat,
        withheld: impl Fn(&SafePath) -> bool,
        resolve: impl Fn(&SafePath) -> Option<Facts>,
    ) -> io::Result<Self> {
        let (entries, truncated) = read(folder, path, LONGEST, withheld, resolve)?;
        let listing = Listing::new(url, entries, truncated, format.sort);
        let text = if format.json { listing.json() } else { listing.html() };
        // Made of every byte that is sent, so it is strong (RFC 9110 section 8.8.1).
        let etag = etag_of_content(hash_of(text.as_bytes()));
        Ok(Self { bytes: text.into_bytes(), etag })
    }
}

/// A listing, ready to be sent to any number of clients.
#[derive(Clone, Debug)]
pub(super) struct EncodedListing {
    format: ListingFormat,
    etag: ETag,
    coding: Option<Coding>,
    bytes: Bytes,
}

impl EncodedListing {
    /// The listing whose `bytes` are in this coding.
    pub(super) fn new(
        format: ListingFormat,
        etag: ETag,
        coding: Option<Coding>,
        bytes: Bytes,
    ) -> Self {
        Self { format, etag, coding, bytes }
    }

    pub(super) fn etag(&self) -> &ETag {
        &self.etag
    }

    /// Bytes.
    pub(super) fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The response to a GET or HEAD: 200, 304 or 412. There is no
    /// `Last-Modified`: a folder's time does not change with its files' sizes.
    pub(super) fn respond(
        self,
        method: &Method,
        request: &HeaderMap,
        choice: CodingChoice,
    ) -> Response<Body> {
        let current = Validators { etag: Some(&self.etag), last_modified: None };
        let outcome = conditions::evaluate(method, request, Some(current));
        let mut response = Response::new(Body::Empty);
        if outcome == Outcome::PreconditionFailed {
            *response.status_mut() = StatusCode::PRECONDITION_FAILED;
            return response;
        }
        // What a 200 would have of these a 304 has too (RFC 9110 section 15.4.5).
        let headers = response.headers_mut();
        headers.insert(ETAG, self.etag.header_value().clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let varies = if choice.varies { "accept, accept-encoding" } else { "accept" };
        headers.insert(VARY, HeaderValue::from_static(varies));
        if outcome == Outcome::NotModified {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(CONTENT_LENGTH, self.bytes.len().into());
        if let Some(coding) = self.coding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
        }
        if self.format.json {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        } else {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            let policy = HeaderValue::from_static(listing::CONTENT_SECURITY_POLICY);
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        if *method != Method::HEAD {
            *response.body_mut() = Body::from(self.bytes);
        }
        response
    }
}

/// The files and folders in `folder`, at most `limit` in the order of the disk,
/// and whether there are more.
fn read(
    folder: &File,
    path: &SafePath,
    limit: usize,
    withheld: impl Fn(&SafePath) -> bool,
    resolve: impl Fn(&SafePath) -> Option<Facts>,
) -> io::Result<(Vec<Entry>, bool)> {
    let mut entries = Vec::new();
    // With a position of its own: others may be reading the same folder.
    for found in Dir::read_from(folder)? {
        let found = found?;
        let name = found.file_name().to_bytes();
        // `.` and `..` are no plain names.
        let Some(inside) = path.join_name(OsStr::from_bytes(name)) else { continue };
        if withheld(&inside) {
            continue;
        }
        // What cannot be looked at is gone by now, or could not be opened either.
        let Ok(stat) = rustix::fs::statat(folder, found.file_name(), AtFlags::SYMLINK_NOFOLLOW)
        else {
            continue;
        };
        let own = Facts::from(stat);
        let facts = if own.is_link() { resolve(&inside) } else { Some(own) };
        let (kind, facts) = match facts {
            Some(facts) if facts.is_file() => (Kind::File, facts),
            Some(facts) if facts.is_folder() => (Kind::Folder, facts),
            _ => continue,
        };
        if entries.len() == limit {
            return Ok((entries, true));
        }
        let (length, modified) = (facts.length(), facts.identity().modified.seconds);
        entries.push(Entry { name: name.to_vec(), kind, length, modified });
    }
    Ok((entries, false))
}

#[cfg(test)]
mod tests;
