//! The answer to a `GET` or `HEAD` of a file that was found.

use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::{HeaderValue, Response};
use slimhttp_site::path::SafePath;
use slimhttp_site::refusal::Refusal;
use slimhttp_site::response_fields::file_fields;

use crate::files::lookup::{FileLookup, Located};
use crate::files::releases::is_page;
use crate::files::representation::{Original, represent};
use crate::files::request::FileRequest;
use crate::files::response;
use crate::message::body::Body;
use crate::message::refused::ErrorResponse;

/// What is said of a file that a handler lets one client have and another one not,
/// unless the handler says otherwise: no cache between them may keep it, and the
/// client asks again, for its right may have ended (RFC 9111 section 5.2.2). What
/// the scope says of its files by glob is about those below `web_root`.
const NOT_SHARED: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Answers a `GET` or `HEAD` with a file; a page carries the cookie.
pub(super) async fn answer(
    below: &FileLookup<'_>,
    path: &SafePath,
    located: Located,
    asked: FileRequest<'_>,
    cookie: Option<&HeaderValue>,
) -> Result<Response<Body>, ErrorResponse> {
    let original = Original::of(located).ok_or(Refusal::NotFound)?;
    let representation = represent(below, path, &original, &asked).await;
    let cookie = cookie.filter(|_| is_page(&representation.content_type));
    let mut response = response::reply(representation, asked.method, asked.headers);
    let status = response.status();
    if below.is_private {
        response.headers_mut().insert(CACHE_CONTROL, NOT_SHARED);
    } else {
        file_fields(below.rules, path, response.headers_mut(), status);
    }
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie.clone());
    }
    Ok(response)
}
