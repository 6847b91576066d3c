//! Files: finds one below the root, and sends it or hands it on as a script.
//!
//! target → candidates → what each names ([`open`], from memory where [`cache`]
//! keeps it) → the form in which it is sent ([`representation`]) → status,
//! fields and bytes ([`reply`]).

use std::time::Instant;

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY};
use http::{HeaderMap, HeaderValue, Method, Response};
use slimhttp_site::content_type::stored;
use slimhttp_site::file_reply;
use slimhttp_site::path::{SafePath, Target};
use slimhttp_site::refusal::Refusal;
use slimhttp_site::site::Scope;
use slimhttp_site::vary::merge_vary;

use crate::files::answer::answer;
use crate::files::lookup::FileLookup;
use crate::files::lookup_budget::LookupBudget;
use crate::files::releases::Releases;
use crate::files::request::{FileRequest, Found, names_page};
use crate::files::search::{Pin, Search};
use crate::message::body::Body;
use crate::message::refused::ErrorResponse;

/// Answers with the first of the candidates for `path` that is there: a file, the
/// index of a folder, or a redirect to the name under which it is served; from
/// the release that the request is to see.
///
/// # Errors
/// [`Refusal::NotFound`] where none of them is a readable file below the root.
pub(crate) async fn send(
    below: FileLookup<'_>,
    releases: &Releases,
    scope: &Scope,
    target: &Target<'_>,
    path: SafePath,
    asked: FileRequest<'_>,
) -> Result<Found, ErrorResponse> {
    let lookups = &mut LookupBudget::default();
    if scope.options.files.pin_releases.is_zero() {
        let search = Search { below, options: &scope.options, target, asked, pin: Pin::No };
        return search.first(path, lookups).await;
    }
    // A script answers as a page does: as it is now, and from nowhere else.
    let is_page = target.is_folder() || path.extension_is("py") || names_page(below.rules, &path);
    let choices = releases.roots_for(scope, is_page, asked.headers, Instant::now());
    let cookie = releases.cookie(scope);
    let mut missing = None;
    for choice in &choices.roots {
        let pin = if choice.earlier { Pin::Earlier } else { Pin::Current(cookie) };
        let below = below.in_root(choice.root);
        let search = Search { below, options: &scope.options, target, asked, pin };
        match search.first(path.clone(), lookups).await {
            Err(refused) if refused.refusal == Refusal::NotFound => {
                missing.get_or_insert(refused);
            }
            Ok(Found::Reply(mut response)) => {
                if choices.varies {
                    merge_vary(response.headers_mut(), &HeaderValue::from_static("Cookie"));
                }
                return Ok(Found::Reply(response));
            }
            outcome => return outcome,
        }
    }
    Err(missing.unwrap_or_else(|| Refusal::NotFound.into()))
}

/// Sends the file that a handler named, with the fields that it gave.
///
/// # Errors
/// As [`send`].
pub(crate) async fn send_named(
    below: &FileLookup<'_>,
    path: &SafePath,
    asked: FileRequest<'_>,
    mut fields: HeaderMap,
) -> Result<Response<Body>, ErrorResponse> {
    let located = below.find_any(path).await?;
    // A handler that names the coding, or a tag for these bytes, means the file as
    // it is.
    let mut own;
    let mut asked = asked;
    if [CONTENT_ENCODING, ETAG].iter().any(|name| fields.contains_key(name)) {
        own = asked.headers.clone();
        own.remove(ACCEPT_ENCODING);
        asked.headers = &own;
    }
    // The type of what it holds, where a handler tells the coding of a file that is
    // stored in one.
    if fields.contains_key(CONTENT_ENCODING)
        && let Some((_, inside)) = stored(&path.as_path().to_string_lossy(), below.rules)
    {
        fields.entry(CONTENT_TYPE).or_insert(inside);
    }
    // What a handler answers, it answers to every method it is asked with.
    let method = if asked.method == Method::HEAD { &Method::HEAD } else { &Method::GET };
    let mut response = answer(below, path, located, FileRequest { method, ..asked }, None).await?;
    // What the form of the file depends on stays said.
    if let Some(vary) = response.headers_mut().remove(VARY) {
        merge_vary(&mut fields, &vary);
    }
    response.headers_mut().extend(fields);
    Ok(response)
}

/// What is told of the methods of files.
pub(crate) fn options() -> Response<Body> {
    let reply = file_reply::options();
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}
