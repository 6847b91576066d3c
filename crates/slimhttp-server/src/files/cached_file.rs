//! A file that has been read whole: its content, and what is said of it, ready
//! to be sent any number of times, by any I/O thread. What changes in it are the times
//! at which it was looked at: atomics, each of which may be lost to another thread's
//! without harm.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use slimhttp_site::coding::Coding;
use slimhttp_site::conditions::{ETag, LastModified};
use slimhttp_site::content_type::{content_type, stored, stored_type};
use slimhttp_site::file_reply::etag_of_content;
use slimhttp_site::file_rules::FileRules;
use slimhttp_site::media_type::essence;
use slimhttp_site::path::SafePath;

use crate::files::cache_time::CacheTime;
use crate::files::etag::hash_of;
use crate::fs::file_id::FileId;

/// For how long a file is taken to have no sibling in a coding after one was
/// looked for. Until a new one is noticed the answers are as true as before.
const SIBLING_RECHECK: Duration = Duration::from_secs(1);

/// The bits of [`CachedFile::siblings`] that name codings.
const CODINGS: u64 = 0b111;

/// A file in memory.
pub(super) struct CachedFile {
    pub(super) identity: FileId,
    /// See [`crate::fs::root::Opened::real_name`].
    pub(super) real_name: Option<SafePath>,
    pub(super) bytes: Bytes,
    hash: u128,
    pub(super) etag: ETag,
    pub(super) last_modified: Option<LastModified>,
    /// The value of `Content-Length`.
    pub(super) content_length: HeaderValue,
    pub(super) media: MediaInfo,
    /// When the file at its path was looked at last, see [`CacheTime::nanoseconds`].
    pub(super) checked_at: AtomicU64,
    /// When it was opened below the root last.
    pub(super) opened_at: AtomicU64,
    /// Which codings it has no sibling in, as bits, and since when, above them.
    siblings: AtomicU64,
}

impl CachedFile {
    /// A file as it was read at `now`.
    pub(super) fn new(
        identity: FileId,
        real_name: Option<SafePath>,
        bytes: Bytes,
        last_modified: Option<LastModified>,
        media: MediaInfo,
        now: CacheTime,
    ) -> Self {
        let hash = hash_of(&bytes);
        let now = now.nanoseconds();
        Self {
            identity,
            real_name,
            hash,
            etag: etag_of_content(hash),
            content_length: bytes.len().into(),
            bytes,
            last_modified,
            media,
            checked_at: AtomicU64::new(now),
            opened_at: AtomicU64::new(now),
            siblings: AtomicU64::new(0),
        }
    }

    /// The same content under other rules.
    pub(super) fn with_media(&self, media: MediaInfo) -> Self {
        Self {
            identity: self.identity,
            real_name: self.real_name.clone(),
            bytes: self.bytes.clone(),
            hash: self.hash,
            etag: self.etag.clone(),
            last_modified: self.last_modified.clone(),
            content_length: self.content_length.clone(),
            media,
            checked_at: AtomicU64::new(self.checked_at.load(Ordering::Relaxed)),
            opened_at: AtomicU64::new(self.opened_at.load(Ordering::Relaxed)),
            siblings: AtomicU64::new(0),
        }
    }

    /// What its encoded forms are cached by.
    pub(super) fn content_id(&self) -> ContentId {
        let FileId { device, inode, .. } = self.identity;
        ContentId { device, inode, length: self.bytes.len() as u64, hash: self.hash }
    }

    /// Whether it was found a short while ago to have no sibling in `coding`.
    pub(super) fn has_no_sibling(&self, coding: Coding, now: CacheTime) -> bool {
        let siblings = self.siblings.load(Ordering::Relaxed);
        siblings & bit(coding) != 0 && now.is_within(SIBLING_RECHECK, siblings & !CODINGS)
    }

    /// Records that it has no sibling in `coding`. What two threads record at the
    /// same moment may be recorded of one only: then the other is looked for once more.
    pub(super) fn record_no_sibling(&self, coding: Coding, now: CacheTime) {
        let before = self.siblings.load(Ordering::Relaxed);
        let after = if now.is_within(SIBLING_RECHECK, before & !CODINGS) {
            before | bit(coding)
        } else {
            now.nanoseconds() & !CODINGS | bit(coding)
        };
        self.siblings.store(after, Ordering::Relaxed);
    }
}

fn bit(coding: Coding) -> u64 {
    match coding {
        Coding::Brotli => 0b001,
        Coding::Zstd => 0b010,
        Coding::Gzip => 0b100,
    }
}

/// What the encoded forms of a content are cached by: which file it is of, and a hash that tells its
/// contents apart. The hash is no defence against somebody who makes two of
/// equal hash on purpose, so a content is never taken for that of another file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ContentId {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) length: u64,
    pub(super) hash: u128,
}

/// What the rules of a scope make of a file's name.
#[derive(Clone)]
pub(super) struct MediaInfo {
    /// The rules: they are known again as long as this is held.
    rules: Weak<FileRules>,
    pub(super) content_type: HeaderValue,
    /// Whether files of this type are sent in a coding.
    pub(super) compressible: bool,
    /// The coding in which it is stored, and the type of what it holds.
    pub(super) stored: Option<(Coding, HeaderValue)>,
}

impl MediaInfo {
    /// Applies `rules` to the name of `path`.
    pub(super) fn new(rules: &Arc<FileRules>, path: &SafePath) -> Self {
        let name = path.as_path().to_string_lossy();
        let stored = stored(&name, rules);
        let content_type = match &stored {
            Some((coding, _)) => stored_type(*coding, rules),
            None => content_type(&name, rules),
        };
        let compress = rules.compress.as_ref().filter(|_| stored.is_none());
        let compressible = compress.is_some_and(|compress| {
            compress.types.matches(&essence(&content_type).to_ascii_lowercase())
        });
        Self { rules: Arc::downgrade(rules), content_type, compressible, stored }
    }

    /// Whether it was made by these very rules, and not by equal ones.
    pub(super) fn is_made_by(&self, rules: &Arc<FileRules>) -> bool {
        std::ptr::eq(self.rules.as_ptr(), Arc::as_ptr(rules))
    }

    /// Whether the rules are no longer in force anywhere.
    pub(super) fn is_outdated(&self) -> bool {
        self.rules.strong_count() == 0
    }
}

#[cfg(test)]
mod tests;
