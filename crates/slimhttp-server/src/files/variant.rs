//! The variants of a file: as it is, from a file beside it that holds it in a coding, or
//! compressed here. `representation` decides which of them is sent.
//!
//! Compressing is work for the blocking pool, see [`crate::files::compress`]. A short file is
//! waited for; a long one is compressed by a task of its own, which goes on whoever leaves.

use std::borrow::Cow;
use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use slimhttp_site::coding::{Coding, identity_refused};
use slimhttp_site::conditions::ETag;
use slimhttp_site::path::SafePath;

use crate::files::cached_file::ContentId;
use crate::files::compress::{Effort, Encoded};
use crate::files::etag::tag_of_identity;
use crate::files::lookup::FileLookup;
use crate::files::response::Source;
use crate::files::static_file::StaticFile;
use crate::files::store::FileStore;
use crate::fs::file_id::Facts;
use crate::fs::read::read_whole;

/// A file up to this length is compressed while its first client waits, some
/// milliseconds. Of a longer one the first client gets the file as it is, and
/// those after it get what was made meanwhile.
const WAITED_FOR: u64 = 64 << 10;

/// How much older than the file one beside it may be, in nanoseconds: a second. A
/// compressed file that was made before the last edit is another content, and not
/// sent; tools that copy times may round them.
const MAX_AGE_DIFFERENCE: i128 = 1_000_000_000;

/// One variant of a file.
pub(super) struct Variant<'f> {
    pub(super) source: Source,
    /// Bytes.
    pub(super) length: u64,
    /// The value of `Content-Length`, where it is made already.
    pub(super) content_length: Option<&'f HeaderValue>,
    pub(super) etag: Cow<'f, ETag>,
}

impl<'f> Variant<'f> {
    /// The file as it is.
    pub(super) fn of(file: &'f StaticFile) -> Self {
        let (source, content_length) = match file {
            StaticFile::InMemory(file) => {
                (Source::Memory(file.bytes.clone()), Some(&file.content_length))
            }
            StaticFile::Streamed(streamed) => (Source::File(streamed.file.clone()), None),
        };
        Self { source, length: file.length(), content_length, etag: file.etag() }
    }

    /// The same bytes under the tag that they have as a content in `coding`.
    pub(super) fn named_in(self, coding: Coding) -> Self {
        Self { etag: Cow::Owned(self.etag.into_owned().in_coding(coding)), ..self }
    }
}

/// The file beside `path` that holds it in `coding`, where there is one that is
/// no older.
pub(super) async fn sibling(
    lookup: &FileLookup<'_>,
    path: &SafePath,
    file: &StaticFile,
    coding: Coding,
) -> Option<Variant<'static>> {
    let StaticFile::InMemory(cached) = file else {
        return fresh_sibling(lookup, path, file, coding).await;
    };
    if cached.has_no_sibling(coding, lookup.now) {
        return None;
    }
    let variant = fresh_sibling(lookup, path, file, coding).await;
    if variant.is_none() {
        cached.record_no_sibling(coding, lookup.now);
    }
    variant
}

async fn fresh_sibling(
    lookup: &FileLookup<'_>,
    path: &SafePath,
    file: &StaticFile,
    coding: Coding,
) -> Option<Variant<'static>> {
    let sibling = lookup.find_sibling(path, coding).await?;
    if sibling.modified() + MAX_AGE_DIFFERENCE < file.modified() {
        return None;
    }
    let Variant { source, length, etag, .. } = Variant::of(&sibling);
    Some(Variant { source, length, content_length: None, etag: Cow::Owned(etag.in_coding(coding)) })
}

/// The file in `coding` as it was compressed here, or is now; `None` where that is
/// not done yet, or makes it no shorter.
pub(super) async fn compressed(
    store: &Arc<FileStore>,
    file: &StaticFile,
    coding: Coding,
    headers: &HeaderMap,
) -> Option<Variant<'static>> {
    let content = file.content_id()?;
    let encoded = match store.cache.encoded(&content, coding) {
        Some(encoded) => encoded,
        None => {
            // What cannot be cached is compressed for one request, and again for
            // the next: that is worth little work, and for long contents none.
            let is_cached = content.length <= store.cache.max_content_length();
            let effort = if is_cached { Effort::Cached } else { Effort::Transient };
            let job = CompressionJob::new(file, content, coding, effort);
            if content.length <= WAITED_FOR || is_cached && identity_refused(headers) {
                job.run(store).await?
            } else {
                if is_cached && store.cache.is_vacant(&content, coding) {
                    let store = store.clone();
                    tokio::spawn(async move { job.run(&store).await });
                }
                return None;
            }
        }
    };
    let bytes = encoded.bytes.clone()?;
    let (length, etag) = (bytes.len() as u64, Cow::Owned(encoded.etag.clone()));
    Some(Variant { source: Source::Memory(bytes), length, content_length: None, etag })
}

/// A content that is to be compressed.
struct CompressionJob {
    source: Source,
    content: ContentId,
    coding: Coding,
    effort: Effort,
    /// Of what is compressed.
    etag: ETag,
}

impl CompressionJob {
    fn new(file: &StaticFile, content: ContentId, coding: Coding, effort: Effort) -> Self {
        let Variant { source, etag, .. } = Variant::of(file);
        Self { source, content, coding, effort, etag: etag.into_owned() }
    }

    /// Compresses it, unless too many wait for that already.
    async fn run(self, store: &FileStore) -> Option<Arc<Encoded>> {
        let reserved = store.compressor.reserve()?;
        let Self { source, content, coding, effort, etag } = self;
        let tag = etag.in_coding(coding);
        let bytes = async {
            match source {
                Source::Memory(bytes) => Some(bytes),
                Source::File(file) => read_unchanged(&file, content.length, &etag).await,
            }
        };
        let make = store.compressor.compress(reserved, (coding, effort), bytes, tag);
        store.cache.get_or_encode(&content, coding, make).await
    }
}

/// Reads a long file whole, unless it is no longer the one with this tag or is
/// changed meanwhile: that would be no content at all.
async fn read_unchanged(file: &Arc<File>, length: u64, etag: &ETag) -> Option<Bytes> {
    let length = usize::try_from(length).ok()?;
    let bytes = read_whole(file, length).await.ok()?;
    let identity = Facts::of(file).ok()?.identity();
    (bytes.len() == length && tag_of_identity(&identity, true) == *etag).then_some(bytes)
}
