//! Which representation of a file is sent: the file as it is, or in a coding that the client
//! takes (RFC 9110 sections 8.4 and 12.5.3). Called by `answer` for each file that is sent; what
//! the variants hold, and how they come to be, is said in [`variant`].
//!
//! A request for a range gets the file as it is: so parts of it always fit
//! together, whatever is cached at the moment.

use std::borrow::Cow;

use http::header::{ACCEPT_ENCODING, RANGE};
use http::{HeaderValue, Method};
use slimhttp_site::coding::{Coding, acceptable};
use slimhttp_site::path::SafePath;

use crate::files::cached_file::MediaInfo;
use crate::files::lookup::FileLookup;
use crate::files::request::FileRequest;
use crate::files::response::Representation;
use crate::files::static_file::StaticFile;
use crate::files::variant::{self, Variant};

/// A variant, and what led to it.
struct Selected<'f> {
    variant: Variant<'f>,
    /// The coding that it is in.
    coding: Option<Coding>,
    /// Whether another request may get another variant.
    varies: bool,
}

/// Decides in which form the file at `path` is sent.
pub(super) async fn select<'f>(
    lookup: &FileLookup<'_>,
    path: &SafePath,
    file: &'f StaticFile,
    request: &FileRequest<'_>,
) -> Representation<'f> {
    let cached = match file {
        StaticFile::InMemory(file) => Some(&file.media),
        StaticFile::Streamed(_) => None,
    };
    let media = match cached.filter(|media| media.is_made_by(lookup.rules)) {
        Some(media) => Cow::Borrowed(media),
        None => Cow::Owned(MediaInfo::new(lookup.rules, path)),
    };
    if let Some((coding, inner_type)) = &media.stored
        && !acceptable(request.headers, &[*coding]).is_empty()
    {
        // The same bytes, a range of them too, under another name for another
        // client; without the coding they are a file of that coding.
        let variant = Variant::of(file).named_in(*coding);
        let selected = Selected { variant, coding: Some(*coding), varies: true };
        return selected.of_type(file, Cow::Owned(inner_type.clone()));
    }
    let selected = match media.stored {
        Some(_) => Selected { variant: Variant::of(file), coding: None, varies: true },
        None => negotiate(lookup, path, file, media.compressible, request).await,
    };
    let content_type = match media {
        Cow::Borrowed(media) => Cow::Borrowed(&media.content_type),
        Cow::Owned(media) => Cow::Owned(media.content_type),
    };
    selected.of_type(file, content_type)
}

/// Selects the variant of a file that is stored as it is.
async fn negotiate<'f>(
    lookup: &FileLookup<'_>,
    path: &SafePath,
    file: &'f StaticFile,
    compressible: bool,
    request: &FileRequest<'_>,
) -> Selected<'f> {
    let as_it_is = |varies| Selected { variant: Variant::of(file), coding: None, varies };
    let Some(compress) = lookup.rules.compress.as_deref().filter(|_| compressible) else {
        return as_it_is(false);
    };
    let on_the_fly =
        compress.on_the_fly && (compress.min_size..=compress.max_size).contains(&file.length());
    let varies = on_the_fly || compress.precompressed;
    let takes_a_coding = match *request.method {
        Method::GET => !request.headers.contains_key(RANGE),
        Method::HEAD => true,
        _ => false,
    };
    if !varies || !takes_a_coding || !request.headers.contains_key(ACCEPT_ENCODING) {
        return as_it_is(varies);
    }
    let accepted = acceptable(request.headers, &compress.codings);
    if compress.precompressed {
        for &coding in &accepted {
            if let Some(variant) = variant::sibling(lookup, path, file, coding).await {
                return Selected { variant, coding: Some(coding), varies: true };
            }
        }
    }
    if on_the_fly
        && let Some(&coding) = accepted.first()
        && let Some(variant) =
            variant::compressed(lookup.store, file, coding, request.headers).await
    {
        return Selected { variant, coding: Some(coding), varies: true };
    }
    as_it_is(true)
}

impl<'f> Selected<'f> {
    /// The representation of `file` that this is, under a media type.
    fn of_type(
        self,
        file: &'f StaticFile,
        content_type: Cow<'f, HeaderValue>,
    ) -> Representation<'f> {
        let Self { variant: Variant { source, length, content_length, etag }, coding, varies } =
            self;
        Representation {
            source,
            length,
            content_length,
            last_modified: file.last_modified(),
            etag,
            content_type,
            coding,
            varies,
        }
    }
}

#[cfg(test)]
mod tests;
