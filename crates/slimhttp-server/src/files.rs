//! Files: finds one below the root, and sends it or hands it on as a script.
//!
//! target → candidates → what each names ([`open`], from memory where [`cache`]
//! keeps it) → the form in which it is sent ([`representation`]) → status,
//! fields and bytes ([`reply`]).

use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response};
use slimhttp_site::coding::Coding;
use slimhttp_site::content_type::{content_type, stored};
use slimhttp_site::file_reply;
use slimhttp_site::file_rules::FileRules;
use slimhttp_site::path::{SafePath, Target};
use slimhttp_site::refusal::Refusal;
use slimhttp_site::response_fields::{file_fields, merge_vary};
use slimhttp_site::site::Scope;

use crate::live::snapshot::Snapshot;
use crate::message::body::Body;
use crate::message::error_page::Refused;
use crate::releases::is_page;

mod body;
mod cache;
mod compress;
mod error_page;
mod kept;
mod listing;
mod listings;
mod lookups;
mod open;
mod reply;
mod representation;
mod search;
mod validator;

pub use body::FileBody;
pub(crate) use body::read_ready;
pub(crate) use error_page::error_page;
pub(crate) use open::{Below, Seen};

use cache::Cache;
use compress::Compressor;
use listings::Listings;
use lookups::Lookups;
use open::Located;
use representation::{Original, represent};
use search::{Pin, Search};

/// What compressed contents may take where no files are kept, in bytes; and what
/// listings may take at the least.
const CODED_ONLY: u64 = 16 << 20;

/// What one server keeps of files: those in memory, the listings, and the
/// encoders.
pub(crate) struct FileStore {
    cache: Cache,
    compressor: Compressor,
    listings: Listings,
}

impl FileStore {
    /// An empty one; `rules` are those of the global level.
    pub(crate) fn new(rules: &FileRules) -> Self {
        Self {
            cache: Cache::new(size(rules)),
            compressor: Compressor::new(),
            listings: Listings::new(size(rules).max(CODED_ONLY)),
        }
    }

    /// Takes other rules of the global level.
    pub(crate) fn resize(&self, rules: &FileRules) {
        self.cache.resize(size(rules));
        self.listings.resize(size(rules).max(CODED_ONLY));
    }
}

impl std::fmt::Debug for FileStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileStore").finish_non_exhaustive()
    }
}

fn size(rules: &FileRules) -> u64 {
    rules.cache.map_or(CODED_ONLY, |cache| cache.size)
}

/// What a path below a `web_root` turned out to be.
pub(crate) enum Found {
    /// This is the response.
    Reply(Response<Body>),
    /// A script to run: opened, and to be read from there.
    Script(Arc<File>, SafePath),
}

/// What is asked of a file.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    /// Whether `rewrite` chose the path: then the client is not sent to a better
    /// name of what it never named, which a rule may lead back here.
    pub(crate) rewritten: bool,
}

/// Answers with the first of the candidates for `path` that is there: a file, the
/// index of a folder, or a redirect to the name under which it is served; from
/// the release that the request is to see.
///
/// # Errors
/// [`Refusal::NotFound`] where none of them is a readable file below the root.
pub(crate) async fn send(
    below: Below<'_>,
    snapshot: &Snapshot,
    scope: &Scope,
    target: &Target<'_>,
    path: SafePath,
    asked: Asked<'_>,
) -> Result<Found, Refused> {
    let lookups = &mut Lookups::default();
    if scope.options.files.pin_releases.is_zero() {
        let search = Search { below, options: &scope.options, target, asked, pin: Pin::No };
        return search.first(path, lookups).await;
    }
    // A script answers as a page does: as it is now, and from nowhere else.
    let is_page = target.is_folder() || path.extension_is("py") || names_page(below.rules, &path);
    let choices = snapshot.releases.roots_for(scope, is_page, asked.headers, Instant::now());
    let cookie = snapshot.releases.cookie(scope);
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

/// Whether a file of this name is a page.
fn names_page(rules: &FileRules, path: &SafePath) -> bool {
    is_page(&content_type(&path.as_path().to_string_lossy(), rules))
}

/// Sends the file that a handler named, with the fields that it gave.
///
/// # Errors
/// As [`send`].
pub(crate) async fn send_named(
    below: &Below<'_>,
    path: &SafePath,
    asked: Asked<'_>,
    mut fields: HeaderMap,
) -> Result<Response<Body>, Refused> {
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
    let mut response = answer(below, path, located, Asked { method, ..asked }, None).await?;
    // What the form of the file depends on stays said.
    if let Some(vary) = response.headers_mut().remove(VARY) {
        merge_vary(&mut fields, &vary);
    }
    response.headers_mut().extend(fields);
    Ok(response)
}

/// What is said of a file that a handler lets one client have and another one not,
/// unless the handler says otherwise: no cache between them may keep it, and the
/// client asks again, for its right may have ended (RFC 9111 section 5.2.2). What
/// the scope says of its files by glob is about those below `web_root`.
const NOT_SHARED: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Answers a `GET` or `HEAD` with a file; a page carries the cookie.
async fn answer(
    below: &Below<'_>,
    path: &SafePath,
    located: Located,
    asked: Asked<'_>,
    cookie: Option<&HeaderValue>,
) -> Result<Response<Body>, Refused> {
    let original = Original::of(located).ok_or(Refusal::NotFound)?;
    let representation = represent(below, path, &original, &asked).await;
    let cookie = cookie.filter(|_| is_page(&representation.content_type));
    let mut response = reply::reply(representation, asked.method, asked.headers);
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

/// What is told of the methods of files.
pub(crate) fn options() -> Response<Body> {
    let reply = file_reply::options();
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

/// Whether this is code in a form that is never sent, whoever runs scripts: as
/// Python keeps it compiled, for wherever a script imports what stands beside it
/// Python leaves such files; or the source of a script in a coding, as tools that
/// compress all files of a folder leave it beside the script. Any case of ASCII,
/// as for [`SafePath::extension_is`].
fn is_unsent(path: &SafePath) -> bool {
    let is_cache = |name: &[u8]| name.eq_ignore_ascii_case(b"__pycache__");
    let (bytes, bare) = (path.as_bytes(), without_codings(path.as_bytes()));
    let is_code = |extensions: &[&[u8]]| {
        extensions.iter().any(|extension| ends_with_ignoring_case(bare, extension))
    };
    is_code(&[b".pyc", b".pyo"])
        || bare.len() < bytes.len() && is_code(&[b".py"])
        || bytes.split(|&byte| byte == b'/').any(is_cache)
}

/// A path without the extensions of codings: `app.py` of `app.py.gz`.
fn without_codings(mut path: &[u8]) -> &[u8] {
    let of_coding = |path: &[u8]| {
        Coding::ALL.iter().find_map(|coding| {
            let bare = path.len().checked_sub(coding.extension().len() + 1)?;
            let is_dotted = path[bare] == b'.';
            let same = path[bare + 1..].eq_ignore_ascii_case(coding.extension().as_bytes());
            (is_dotted && same).then_some(bare)
        })
    };
    while let Some(bare) = of_coding(path) {
        path = &path[..bare];
    }
    path
}

fn ends_with_ignoring_case(path: &[u8], end: &[u8]) -> bool {
    path.len().checked_sub(end.len()).is_some_and(|at| path[at..].eq_ignore_ascii_case(end))
}

#[cfg(test)]
mod tests;
