//! A file that may be sent, as it was found below a root: what `lookup` finds, and what
//! `representation` and `variant` make an answer of.

use std::borrow::Cow;
use std::fs::File;
use std::sync::Arc;

use slimhttp_site::conditions::{ETag, LastModified};
use slimhttp_site::path::SafePath;

use crate::files::cached_file::{CachedFile, ContentId};
use crate::files::etag::{hash_of, tag_of_identity};
use crate::fs::file_id::FileId;

/// A file that may be sent.
pub(super) enum StaticFile {
    /// One that was read whole.
    InMemory(Arc<CachedFile>),
    /// One that is read as it is sent.
    Streamed(StreamedFile),
}

/// An open file.
pub(super) struct StreamedFile {
    pub(super) file: Arc<File>,
    pub(super) identity: FileId,
    /// Whether the identity can be trusted from now on.
    pub(super) stable: bool,
    pub(super) last_modified: Option<LastModified>,
    /// See [`crate::fs::root::Opened::real_name`].
    pub(super) real_name: Option<SafePath>,
}

impl StaticFile {
    /// The name to which the requested one leads over a link.
    pub(super) fn real_name(&self) -> Option<&SafePath> {
        match self {
            Self::InMemory(file) => file.real_name.as_ref(),
            Self::Streamed(file) => file.real_name.as_ref(),
        }
    }

    /// Bytes.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::InMemory(file) => file.bytes.len() as u64,
            Self::Streamed(file) => file.identity.length,
        }
    }

    pub(super) fn etag(&self) -> Cow<'_, ETag> {
        match self {
            Self::InMemory(file) => Cow::Borrowed(&file.etag),
            Self::Streamed(file) => Cow::Owned(tag_of_identity(&file.identity, file.stable)),
        }
    }

    /// What `Last-Modified` says of its every variant: it is the file that was edited.
    pub(super) fn last_modified(&self) -> Option<&LastModified> {
        match self {
            Self::InMemory(file) => file.last_modified.as_ref(),
            Self::Streamed(file) => file.last_modified.as_ref(),
        }
    }

    /// When the content was last changed, in nanoseconds since 1970.
    pub(super) fn modified(&self) -> i128 {
        match self {
            Self::InMemory(file) => file.identity.modified.as_nanoseconds(),
            Self::Streamed(file) => file.identity.modified.as_nanoseconds(),
        }
    }

    /// What its encoded forms are cached by; `None` of a file whose identity cannot
    /// be trusted.
    pub(super) fn content_id(&self) -> Option<ContentId> {
        match self {
            Self::InMemory(file) => Some(file.content_id()),
            Self::Streamed(file) if file.stable => Some(ContentId {
                device: file.identity.device,
                inode: file.identity.inode,
                length: file.identity.length,
                hash: hash_of(self.etag().header_value().as_bytes()),
            }),
            Self::Streamed(_) => None,
        }
    }
}
