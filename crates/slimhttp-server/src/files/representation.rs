//! In which form a file is sent: as it is, or in a coding that the client takes,
//! from a file beside it or made here (RFC 9110 sections 8.4 and 12.5.3).
//!
//! A request for a range gets the file as it is: so parts of it always fit
//! together, whatever is kept at the moment.

use std::borrow::Cow;
use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, RANGE};
use http::{HeaderMap, HeaderValue, Method};
use slimhttp_site::coding::{Coding, acceptable, identity_refused};
use slimhttp_site::conditions::ETag;
use slimhttp_site::path::SafePath;

use crate::files::cache::Content;
use crate::files::cached_file::{CachedFile, Typed};
use crate::files::compress::{Coded, Effort};
use crate::files::etag::{hash_of, tag_of_identity};
use crate::files::lookup::{FileLookup, Located, Streamed};
use crate::files::request::FileRequest;
use crate::files::response::{Representation, Source};
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
const OLDER: i128 = 1_000_000_000;

/// A file that may be sent.
pub(super) enum Original {
    CachedFile(Arc<CachedFile>),
    Streamed(Streamed),
}

/// Decides in which form the file at `path` is sent.
pub(super) async fn represent<'o>(
    below: &FileLookup<'_>,
    path: &SafePath,
    original: &'o Original,
    asked: &FileRequest<'_>,
) -> Representation<'o> {
    let (kept, last_modified) = match original {
        Original::CachedFile(kept) => (Some(&kept.typed), kept.last_modified.as_ref()),
        Original::Streamed(long) => (None, long.last_modified.as_ref()),
    };
    let typed = match kept.filter(|typed| typed.is_by(below.rules)) {
        Some(typed) => Cow::Borrowed(typed),
        None => Cow::Owned(Typed::new(below.rules, path)),
    };
    let (compressible, stored) = (typed.compressible, typed.stored.clone());
    let content_type = match typed {
        Cow::Borrowed(typed) => Cow::Borrowed(&typed.content_type),
        Cow::Owned(typed) => Cow::Owned(typed.content_type),
    };
    let send = |form: Form<'o>, coding, varies| {
        let Form { source, length, content_length, etag } = form;
        Representation {
            source,
            length,
            content_length,
            // That of the file for its every form: it is what was edited.
            last_modified,
            etag,
            content_type,
            coding,
            varies,
        }
    };
    if let Some((coding, inside)) = stored {
        // The same bytes, a range of them too, under another name for another
        // client; without the coding they are a file of that coding.
        if acceptable(asked.headers, &[coding]).is_empty() {
            return send(original.form(), None, true);
        }
        let Form { etag, .. } = original.form();
        let form =
            Form { etag: Cow::Owned(etag.into_owned().in_coding(coding)), ..original.form() };
        let content_type = Cow::Owned(inside);
        return Representation { content_type, ..send(form, Some(coding), true) };
    }
    let Some(compress) = below.rules.compress.as_deref().filter(|_| compressible) else {
        return send(original.form(), None, false);
    };
    let made_here =
        compress.on_the_fly && (compress.min_size..=compress.max_size).contains(&original.length());
    let varies = made_here || compress.precompressed;
    let as_it_is = match *asked.method {
        Method::GET => asked.headers.contains_key(RANGE),
        Method::HEAD => false,
        _ => true,
    };
    if !varies || as_it_is || !asked.headers.contains_key(ACCEPT_ENCODING) {
        return send(original.form(), None, varies);
    }
    let accepted = acceptable(asked.headers, &compress.codings);
    if compress.precompressed {
        for &coding in &accepted {
            if let Some(form) = sibling(below, path, original, coding).await {
                return send(form, Some(coding), true);
            }
        }
    }
    if made_here
        && let Some(&coding) = accepted.first()
        && let Some(form) = made(below.store, original, coding, asked.headers).await
    {
        return send(form, Some(coding), true);
    }
    send(original.form(), None, true)
}

/// One form of a file.
struct Form<'o> {
    source: Source,
    /// Bytes.
    length: u64,
    /// The value of `Content-Length`, where it is kept.
    content_length: Option<&'o HeaderValue>,
    etag: Cow<'o, ETag>,
}

impl Original {
    /// The file among what a path can name.
    pub(super) fn of(located: Located) -> Option<Self> {
        match located {
            Located::CachedFile(kept) => Some(Self::CachedFile(kept)),
            Located::Streamed(long) => Some(Self::Streamed(long)),
            Located::Script(_) | Located::Folder(_) => None,
        }
    }

    fn length(&self) -> u64 {
        match self {
            Self::CachedFile(kept) => kept.bytes.len() as u64,
            Self::Streamed(long) => long.identity.length,
        }
    }

    fn etag(&self) -> Cow<'_, ETag> {
        match self {
            Self::CachedFile(kept) => Cow::Borrowed(&kept.etag),
            Self::Streamed(long) => Cow::Owned(tag_of_identity(&long.identity, long.stable)),
        }
    }

    /// When the content was last changed, in nanoseconds since 1970.
    fn changed(&self) -> i128 {
        match self {
            Self::CachedFile(kept) => kept.identity.modified.as_nanoseconds(),
            Self::Streamed(long) => long.identity.modified.as_nanoseconds(),
        }
    }

    /// The file as it is.
    fn form(&self) -> Form<'_> {
        let (source, content_length) = match self {
            Self::CachedFile(kept) => {
                (Source::Memory(kept.bytes.clone()), Some(&kept.content_length))
            }
            Self::Streamed(long) => (Source::File(long.file.clone()), None),
        };
        Form { source, length: self.length(), content_length, etag: self.etag() }
    }

    /// What its forms in a coding are kept by; none of a file whose identity
    /// cannot be trusted.
    fn content(&self) -> Option<Content> {
        match self {
            Self::CachedFile(kept) => Some(kept.content()),
            Self::Streamed(long) if long.stable => Some(Content {
                device: long.identity.device,
                inode: long.identity.inode,
                length: long.identity.length,
                hash: hash_of(self.etag().header_value().as_bytes()),
            }),
            Self::Streamed(_) => None,
        }
    }
}

/// The file beside `path` that holds it in `coding`, where there is one that is
/// no older.
async fn sibling(
    below: &FileLookup<'_>,
    path: &SafePath,
    original: &Original,
    coding: Coding,
) -> Option<Form<'static>> {
    let Original::CachedFile(kept) = original else {
        return fresh_sibling(below, path, original, coding).await;
    };
    if kept.lacks(coding, below.now) {
        return None;
    }
    let form = fresh_sibling(below, path, original, coding).await;
    if form.is_none() {
        kept.note_lack(coding, below.now);
    }
    form
}

async fn fresh_sibling(
    below: &FileLookup<'_>,
    path: &SafePath,
    original: &Original,
    coding: Coding,
) -> Option<Form<'static>> {
    let sibling = Original::of(below.find_sibling(path, coding).await?)?;
    if sibling.changed() + OLDER < original.changed() {
        return None;
    }
    let Form { source, length, etag, .. } = sibling.form();
    Some(Form { source, length, content_length: None, etag: Cow::Owned(etag.in_coding(coding)) })
}

/// The file in `coding` as it was made here, or is made now; `None` where it is
/// not made yet, or not shorter.
async fn made(
    store: &Arc<FileStore>,
    original: &Original,
    coding: Coding,
    headers: &HeaderMap,
) -> Option<Form<'static>> {
    let content = original.content()?;
    let coded = match store.cache.coded(&content, coding) {
        Some(coded) => coded,
        None => {
            // A form that cannot be kept is made for one request, and made again
            // for the next: that is worth little work, and for long contents none.
            let is_kept = content.length <= store.cache.longest();
            let effort = if is_kept { Effort::CachedFile } else { Effort::Passing };
            let work = Work::of(original, content, coding, effort);
            if content.length <= WAITED_FOR || is_kept && identity_refused(headers) {
                work.perform(store).await?
            } else {
                if is_kept && store.cache.is_unmade(&content, coding) {
                    let store = store.clone();
                    tokio::spawn(async move { work.perform(&store).await });
                }
                return None;
            }
        }
    };
    let bytes = coded.bytes.clone()?;
    let (length, etag) = (bytes.len() as u64, Cow::Owned(coded.etag.clone()));
    Some(Form { source: Source::Memory(bytes), length, content_length: None, etag })
}

/// A content that is to be compressed.
struct Work {
    source: Source,
    content: Content,
    coding: Coding,
    effort: Effort,
    /// Of what is compressed.
    etag: ETag,
}

impl Work {
    fn of(original: &Original, content: Content, coding: Coding, effort: Effort) -> Self {
        let Form { source, etag, .. } = original.form();
        Self { source, content, coding, effort, etag: etag.into_owned() }
    }

    /// Compresses it, unless too many wait for that already.
    async fn perform(self, store: &FileStore) -> Option<Arc<Coded>> {
        let room = store.compressor.enter()?;
        let Self { source, content, coding, effort, etag } = self;
        let tag = etag.in_coding(coding);
        let bytes = async {
            match source {
                Source::Memory(bytes) => Some(bytes),
                Source::File(file) => read_unchanged(&file, content.length, &etag).await,
            }
        };
        let make = store.compressor.compress(room, (coding, effort), bytes, tag);
        store.cache.coded_or_made(&content, coding, make).await
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
