//! In which content coding an answer of a handler is sent, and what its head then says
//! (RFC 9110 section 8.4). Files have codings of their own (`file_reply`), and what an upstream
//! answers is sent on as it is. The server asks once for each answer of a handler, on the I/O
//! thread, and compresses as is decided here.

use http::StatusCode;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
};

use crate::files::file_rules::Compress;
use crate::protocol::coding::{Coding, acceptable};
use crate::protocol::list_field::names;
use crate::protocol::media_type::essence;
use crate::protocol::vary::merge_vary;

#[cfg(test)]
mod tests;

/// Fields that say what the bytes are: of other bytes they would not be true (RFC 9530
/// sections 2 and 3, RFC 1864, RFC 3230).
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
];

/// The coding in which an answer of a handler is to be sent, if in any. `length` is that of its
/// content, where it is known; of the answer to HEAD, what a GET would get.
///
/// An answer that would be compressed for another client says so in `Vary`, whatever this one
/// accepts; but where the client sends no `Accept-Encoding` nothing is looked at, and the answer
/// stays as it is: it is fit for everybody.
pub fn negotiate(
    compress: &Compress,
    request: &HeaderMap,
    status: StatusCode,
    answer: &mut HeaderMap,
    length: Option<u64>,
) -> Option<Coding> {
    // What is most often so comes first: short answers, and clients that decode nothing.
    let is_short = length.is_some_and(|length| length < compress.min_size.max(1));
    if is_short || !compress.dynamic || !request.contains_key(ACCEPT_ENCODING) {
        return None;
    }
    if !has_whole_content(status) || !may_be_transformed(answer) {
        return None;
    }
    let media_type = essence(answer.get(CONTENT_TYPE)?).to_ascii_lowercase();
    if !compress.types.matches(&media_type) {
        return None;
    }
    merge_vary(answer, &HeaderValue::from_static("Accept-Encoding"));
    acceptable(request, &compress.codings).first().copied()
}

/// Whether an answer of this status has a content that stands for itself: not none (RFC 9110
/// sections 15.2, 15.3.5, 15.3.6 and 15.4.5), and no part of another one.
fn has_whole_content(status: StatusCode) -> bool {
    !status.is_informational()
        && !matches!(
            status,
            StatusCode::NO_CONTENT
                | StatusCode::RESET_CONTENT
                | StatusCode::PARTIAL_CONTENT
                | StatusCode::NOT_MODIFIED
        )
}

/// Whether whoever has made the answer leaves its bytes to us: they are in no coding yet, of no
/// range, described by no digest, and not to be changed (RFC 9111 section 5.2.2.6).
fn may_be_transformed(answer: &HeaderMap) -> bool {
    !answer.contains_key(CONTENT_ENCODING)
        && !answer.contains_key(CONTENT_RANGE)
        && !DIGESTS.iter().any(|name| answer.contains_key(name))
        && !names(answer, &CACHE_CONTROL, "no-transform")
}

/// Puts on the head of an answer what a coding changes of it. Ranges are those of a content that
/// is not made anew each time, so none are announced; and a strong tag names other bytes
/// (RFC 9110 section 8.8.1).
pub fn put_coding(coding: Coding, answer: &mut HeaderMap) {
    answer.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
    answer.remove(CONTENT_LENGTH);
    answer.remove(ACCEPT_RANGES);
    let strong = answer.get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""));
    if let Some(tag) = strong
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        answer.insert(ETAG, weak);
    }
}

/// Whether the content is a stream of events, each of which is to be sent at once.
pub fn is_event_stream(answer: &HeaderMap) -> bool {
    answer
        .get(CONTENT_TYPE)
        .is_some_and(|kind| essence(kind).eq_ignore_ascii_case(b"text/event-stream"))
}
