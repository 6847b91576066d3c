//! The bytes of a request's head → its parts. They have passed the strict
//! framing, so all that is decided here is which requests hyper answers. Called by the
//! driver with a complete head; nothing here waits.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use slimhttp_site::list_field;
use slimhttp_site::refusal::Refusal;

/// The fields of nearly every request stand on the stack.
const USUAL: usize = 64;

const UNREADABLE: Refusal = Refusal::BadRequest("a head that cannot be read");

/// Reads a whole head, and lets `look` see it.
///
/// # Errors
/// [`Refusal::BadRequest`] for what the framing lets through and `httparse` does
/// not.
pub(super) fn read<R>(
    head: &[u8],
    max_headers: usize,
    look: impl FnOnce(&httparse::Request<'_, '_>) -> R,
) -> Result<R, Refusal> {
    let mut usual = [const { MaybeUninit::uninit() }; USUAL];
    let mut many;
    let mut request = httparse::Request::new(&mut []);
    let read = match request.parse_with_uninit_headers(head, &mut usual) {
        Err(httparse::Error::TooManyHeaders) => {
            many = vec![MaybeUninit::uninit(); max_headers + 1];
            request = httparse::Request::new(&mut []);
            request.parse_with_uninit_headers(head, &mut many)
        }
        read => read,
    };
    if !read.is_ok_and(|status| status.is_complete()) {
        return Err(UNREADABLE);
    }
    Ok(look(&request))
}

/// The parts of a request whose head was read from `head`.
///
/// # Errors
/// [`Refusal::BadRequest`] for what the `http` crate cannot hold.
pub(super) fn parts(request: &httparse::Request<'_, '_>, head: &[u8]) -> Result<Parts, Refusal> {
    // One copy, of which every value is a piece.
    let shared = Bytes::copy_from_slice(head);
    let piece = |bytes: &[u8]| shared.slice_ref(within(&shared, head, bytes));

    let (mut parts, ()) = Request::new(()).into_parts();
    let method = request.method.unwrap_or_default();
    parts.method = Method::from_bytes(method.as_bytes()).map_err(|_| UNREADABLE)?;
    let target = request.path.unwrap_or_default();
    parts.uri = Uri::from_maybe_shared(piece(target.as_bytes())).map_err(|_| UNREADABLE)?;
    parts.version = if request.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    parts.headers = HeaderMap::with_capacity(request.headers.len());
    for field in request.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| UNREADABLE)?;
        let value = HeaderValue::from_maybe_shared(piece(field.value)).map_err(|_| UNREADABLE)?;
        parts.headers.append(name, value);
    }
    Ok(parts)
}

/// The bytes of `copy` that stand where `piece` stands in `original`.
fn within<'c>(copy: &'c Bytes, original: &[u8], piece: &[u8]) -> &'c [u8] {
    let start = piece.as_ptr() as usize - original.as_ptr() as usize;
    &copy[start..start + piece.len()]
}

/// Whether hyper must answer: it knows older versions, upgrades and expectations.
pub(super) fn is_for_hyper(parts: &Parts) -> bool {
    parts.version != Version::HTTP_11
        || parts.method == Method::CONNECT
        || parts.headers.contains_key(UPGRADE)
        || parts.headers.contains_key(EXPECT)
}

/// Whether one of these `Connection` fields says that it ends with this message
/// (RFC 9112 section 9.6).
pub(super) fn says_close(headers: &HeaderMap) -> bool {
    list_field::names(headers, &CONNECTION, "close")
}
