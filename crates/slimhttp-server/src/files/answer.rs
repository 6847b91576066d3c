//! The answer to a `GET` or `HEAD` of a file that was found: its representation, and the fields
//! that the scope says for files. For what `search` finds, what a handler names and error pages.

use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::{HeaderValue, Response};
use slimhttp_site::path::SafePath;
use slimhttp_site::response_fields::file_fields;

use crate::files::lookup::FileLookup;
use crate::files::page::is_page;
use crate::files::request::FileRequest;
use crate::files::static_file::StaticFile;
use crate::files::{representation, response};
use crate::message::body::Body;

/// What is said of a file that a handler lets one client have and another one not,
/// unless the handler says otherwise: no cache between them may keep it, and the
/// client asks again, for its right may have ended (RFC 9111 section 5.2.2). What
/// the scope says of its files by glob is about those below `web_root`.
const NOT_SHARED: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Answers a `GET` or `HEAD` with a file; a page carries the cookie.
pub(super) async fn answer(
    lookup: &FileLookup<'_>,
    path: &SafePath,
    file: StaticFile,
    request: FileRequest<'_>,
    cookie: Option<&HeaderValue>,
) -> Response<Body> {
    let representation = representation::select(lookup, path, &file, &request).await;
    let cookie = cookie.filter(|_| is_page(&representation.content_type));
    let mut response = response::respond(representation, request.method, request.headers);
    let status = response.status();
    if lookup.is_private {
        response.headers_mut().insert(CACHE_CONTROL, NOT_SHARED);
    } else {
        file_fields(lookup.rules, path, response.headers_mut(), status);
    }
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie.clone());
    }
    response
}
