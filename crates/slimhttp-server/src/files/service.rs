//! What `exchange` asks of files: the answer for a path, for a file that a handler names, and to
//! `OPTIONS`.

use std::time::Instant;

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY};
use http::{HeaderMap, HeaderValue, Method, Response};
use slimhttp_site::content_type::stored;
use slimhttp_site::file_reply;
use slimhttp_site::methods::Methods;
use slimhttp_site::path::{SafePath, Target};
use slimhttp_site::refusal::Refusal;
use slimhttp_site::site::Scope;
use slimhttp_site::vary::merge_vary;

use crate::files::answer::answer;
use crate::files::lookup::{FileLookup, Resolved};
use crate::files::lookup_budget::LookupBudget;
use crate::files::page::is_page_name;
use crate::files::releases::Releases;
use crate::files::request::{FileOutcome, FileRequest, FileScope};
use crate::files::search::{ReleaseRole, Search};
use crate::message::body::Body;
use crate::message::refused::ErrorResponse;

/// Answers with the first of the candidates for `path` that is there: a file, the
/// index of a folder, or a redirect to the name under which it is served; from
/// the release that the request is to see.
///
/// # Errors
/// [`Refusal::NotFound`] where none of them is a readable file below the root.
pub(crate) async fn send(
    lookup: FileLookup<'_>,
    releases: &Releases,
    scope: &Scope,
    (target, path): (&Target<'_>, SafePath),
    wanted: FileScope,
    request: FileRequest<'_>,
) -> Result<FileOutcome, ErrorResponse> {
    let budget = &mut LookupBudget::default();
    if scope.options.files.pin_releases.is_zero() {
        let search = Search {
            lookup,
            options: &scope.options,
            wanted,
            target,
            request,
            release: ReleaseRole::Unpinned,
        };
        return search.first(path, budget).await;
    }
    // A script answers as a page does: as it is now, and from nowhere else.
    let is_page =
        target.is_folder() || path.extension_is("py") || is_page_name(lookup.rules, &path);
    let roots = releases.roots_for(scope, is_page, request.headers, Instant::now());
    let cookie = releases.cookie(scope);
    let mut missing = None;
    for root in &roots.roots {
        let release =
            if root.earlier { ReleaseRole::Earlier } else { ReleaseRole::Current(cookie) };
        let lookup = lookup.in_root(root.root);
        let options = &scope.options;
        let search = Search { lookup, options, wanted, target, request, release };
        match search.first(path.clone(), budget).await {
            Err(refused) if refused.refusal == Refusal::NotFound => {
                missing.get_or_insert(refused);
            }
            Ok(FileOutcome::Response(mut response)) => {
                if roots.varies {
                    merge_vary(response.headers_mut(), &HeaderValue::from_static("Cookie"));
                }
                return Ok(FileOutcome::Response(response));
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
    lookup: &FileLookup<'_>,
    path: &SafePath,
    request: FileRequest<'_>,
    mut fields: HeaderMap,
) -> Result<Response<Body>, ErrorResponse> {
    let Resolved::File(file) = lookup.find_for_handler(path).await? else {
        return Err(Refusal::NotFound.into());
    };
    // A handler that names the coding, or a tag for these bytes, means the file as
    // it is.
    let mut own;
    let mut request = request;
    if [CONTENT_ENCODING, ETAG].iter().any(|name| fields.contains_key(name)) {
        own = request.headers.clone();
        own.remove(ACCEPT_ENCODING);
        request.headers = &own;
    }
    // The type of what it holds, where a handler names the coding of a file that is
    // stored in one.
    if fields.contains_key(CONTENT_ENCODING)
        && let Some((_, inside)) = stored(&path.as_path().to_string_lossy(), lookup.rules)
    {
        fields.entry(CONTENT_TYPE).or_insert(inside);
    }
    // What a handler answers, it answers to every method.
    let method = if request.method == Method::HEAD { &Method::HEAD } else { &Method::GET };
    let request = FileRequest { method, ..request };
    let mut response = answer(lookup, path, file, request, None).await;
    // Which fields the variant depends on is said beside what the handler says.
    if let Some(vary) = response.headers_mut().remove(VARY) {
        merge_vary(&mut fields, &vary);
    }
    response.headers_mut().extend(fields);
    Ok(response)
}

/// The answer to `OPTIONS` that tells these methods.
pub(crate) fn options(methods: &Methods) -> Response<Body> {
    let reply = file_reply::options(methods);
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

#[cfg(test)]
mod tests;
