//! Files: finds one below the root, and sends it or hands it on as a script.
//!
//! target → candidates → what each names ([`open`], from memory where [`cache`]
//! keeps it) → the form in which it is sent ([`representation`]) → status,
//! fields and bytes ([`reply`]).

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use slimhttp_site::candidates::{Candidate, candidates, clean_redirect, is_withheld};
use slimhttp_site::file_reply;
use slimhttp_site::file_rules::FileRules;
use slimhttp_site::listing::Kind;
use slimhttp_site::path::{SafePath, Target};
use slimhttp_site::refusal::Refusal;
use slimhttp_site::response_fields::file_fields;
use slimhttp_site::route::Methods;
use slimhttp_site::site::{ScopeOptions, Scripts};

use crate::body::Body;
use crate::jail::Opened;
use crate::respond::Refused;

mod body;
mod cache;
mod compress;
mod error_page;
mod kept;
mod listing;
mod open;
mod reply;
mod representation;
mod validator;

pub use body::FileBody;
pub(crate) use error_page::error_page;
pub(crate) use open::Below;

use cache::Cache;
use compress::Compressor;
use listing::{Form, Page};
use open::Located;
use representation::{Original, represent};

/// What compressed contents may take where no files are kept, in bytes.
const CODED_ONLY: u64 = 16 << 20;

/// What one server keeps of files: those in memory, and the encoders.
pub(crate) struct FileStore {
    cache: Cache,
    compressor: Compressor,
}

impl FileStore {
    /// An empty one; `rules` are those of the global level.
    pub(crate) fn new(rules: &FileRules) -> Self {
        Self { cache: Cache::new(size(rules)), compressor: Compressor::new() }
    }

    /// Takes other rules of the global level.
    pub(crate) fn resize(&self, rules: &FileRules) {
        self.cache.resize(size(rules));
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
}

/// Answers with the first of the candidates for `path` that is there: a file, the
/// index of a folder, or a redirect to the name under which it is served.
///
/// # Errors
/// [`Refusal::NotFound`] where none of them is a readable file below the root.
pub(crate) async fn send(
    below: &Below<'_>,
    options: &ScopeOptions,
    target: &Target<'_>,
    path: SafePath,
    asked: Asked<'_>,
) -> Result<Found, Refused> {
    let search = Search { below, options, target, asked };
    let mut missing = None;
    for candidate in candidates(below.rules, path, target, asked.headers) {
        match search.try_one(&candidate).await {
            Err(refused) if refused.refusal == Refusal::NotFound => {
                // What is told of is what was asked for.
                missing.get_or_insert(refused);
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
    below: &Below<'_>,
    path: &SafePath,
    asked: Asked<'_>,
    fields: HeaderMap,
) -> Result<Response<Body>, Refused> {
    let located = below.find_any(path).await?;
    // What a handler answers, it answers to every method it is asked with.
    let method = if asked.method == Method::HEAD { &Method::HEAD } else { &Method::GET };
    let mut response = answer(below, path, located, Asked { method, ..asked }).await?;
    response.headers_mut().extend(fields);
    Ok(response)
}

/// Answers a `GET` or `HEAD` with a file.
async fn answer(
    below: &Below<'_>,
    path: &SafePath,
    located: Located,
    asked: Asked<'_>,
) -> Result<Response<Body>, Refused> {
    let original = Original::of(located).ok_or(Refusal::NotFound)?;
    let representation = represent(below, path, &original, &asked).await;
    let mut response = reply::reply(representation, asked.method, asked.headers);
    let status = response.status();
    file_fields(below.rules, path, response.headers_mut(), status);
    Ok(response)
}

/// A search for what answers one request.
struct Search<'s> {
    below: &'s Below<'s>,
    options: &'s ScopeOptions,
    target: &'s Target<'s>,
    asked: Asked<'s>,
}

impl Search<'_> {
    async fn try_one(&self, candidate: &Candidate) -> Result<Found, Refused> {
        match candidate {
            Candidate::Asked(path) if self.target.is_folder() => self.index(path).await,
            Candidate::Asked(path) => match self.find(path).await? {
                Located::Folder(_) => self.redirect_to_folder(path),
                located => self.page(path, located).await,
            },
            Candidate::Folder(path) if !self.target.is_folder() => match self.find(path).await? {
                // The folder that was asked for has its own name.
                Located::Folder(_) if self.target.safe_path().as_ref() == Some(path) => {
                    self.redirect_to_folder(path)
                }
                Located::Folder(_) => self.index(path).await,
                _ => Err(Refusal::NotFound.into()),
            },
            Candidate::Folder(path) => self.index(path).await,
            Candidate::Clean(path) | Candidate::File(path) => {
                let located = self.find(path).await?;
                self.page(path, located).await
            }
            Candidate::Fallback(path) if self.is_read() => {
                let located = self.below.find(path).await?;
                self.found(path, located).await
            }
            Candidate::Fallback(_) | Candidate::NotFound => Err(Refusal::NotFound.into()),
        }
    }

    /// Whether the request only asks to see something.
    fn is_read(&self) -> bool {
        matches!(*self.asked.method, Method::GET | Method::HEAD)
    }

    async fn find(&self, path: &SafePath) -> Result<Located, Refused> {
        if is_withheld(self.below.rules, path) {
            return Err(self.below.refuse(Refusal::NotFound, path, "is hidden"));
        }
        self.below.find(path).await
    }

    /// The first index that a folder has.
    async fn index(&self, folder: &SafePath) -> Result<Found, Refused> {
        for name in &self.options.index {
            let Some(path) = folder.join(name) else { continue };
            match self.find(&path).await {
                Ok(Located::Folder(_)) => {}
                Ok(located) => return self.found(&path, located).await,
                Err(refused) if refused.refusal == Refusal::NotFound => {}
                Err(refused) => return Err(refused),
            }
        }
        if self.below.rules.listing && self.is_read() {
            return self.list(folder).await;
        }
        let why = format!("has none of {:?}", self.options.index);
        Err(self.below.refuse(Refusal::NotFound, folder, &why))
    }

    /// What is in a folder.
    async fn list(&self, folder: &SafePath) -> Result<Found, Refused> {
        let Located::Folder(opened) = self.find(folder).await? else {
            return Err(Refusal::NotFound.into());
        };
        let form = Form::asked(self.asked.headers, self.target.query);
        let (folder, url) = (folder.clone(), self.target.path.to_vec());
        let (root, rules) = (self.below.handle()?, self.below.rules.clone());
        let links = rules.follow_symlinks;
        let page = tokio::task::spawn_blocking(move || {
            let withheld = |path: &SafePath| is_withheld(&rules, path);
            let resolve = |path: &SafePath| {
                let facts = root.open(path, links).ok()?.facts;
                let kind = if facts.is_folder() { Kind::Folder } else { Kind::File };
                Some((kind, facts.length(), facts.identity().modified.seconds))
            };
            Page::of(&opened.file, &folder, &url, form, withheld, resolve)
        });
        let page = page.await.map_err(io::Error::from).and_then(|page| page);
        let page = page.map_err(|error| {
            tracing::error!("a folder cannot be listed: {error}");
            Refused::because(Refusal::Internal, error.to_string())
        })?;
        Ok(Found::Reply(page.respond(self.asked.method, self.asked.headers)))
    }

    /// A file under the name that was asked for, unless it has a cleaner one.
    async fn page(&self, path: &SafePath, located: Located) -> Result<Found, Refused> {
        let is_file = matches!(located, Located::Kept(_) | Located::Long(_));
        if is_file
            && let Some(location) =
                clean_redirect(self.below.rules, self.target, &self.options.index)
        {
            return self.redirect(location);
        }
        self.found(path, located).await
    }

    /// Sends a file, or tells that it is a script.
    async fn found(&self, path: &SafePath, located: Located) -> Result<Found, Refused> {
        match located {
            Located::Script(Opened { file, facts, .. }) => {
                let runs = match self.options.scripts {
                    Scripts::On => true,
                    Scripts::Executable => facts.is_executable(),
                    Scripts::Off => false,
                };
                // A script's source is never sent.
                if runs {
                    Ok(Found::Script(Arc::new(file), path.clone()))
                } else {
                    Err(self.below.refuse(Refusal::NotFound, path, "is not run: see `scripts`"))
                }
            }
            Located::Folder(_) => Err(Refusal::NotFound.into()),
            _ if !Methods::of_files().allows(self.asked.method) => {
                Err(Refusal::MethodNotAllowed(Methods::of_files()).into())
            }
            located => answer(self.below, path, located, self.asked).await.map(Found::Reply),
        }
    }

    /// To the path with a trailing slash.
    fn redirect_to_folder(&self, path: &SafePath) -> Result<Found, Refused> {
        // Built from the names and not from what was sent, so that `//host` can
        // never become a redirect to another host.
        let mut location = path.url_path();
        location.push('/');
        if let Some(query) = self.target.query {
            location.push('?');
            location.push_str(query);
        }
        self.redirect(location)
    }

    /// 301 for `GET` and `HEAD`, 308 where the method must stay (RFC 9110 section
    /// 15.4.9).
    fn redirect(&self, location: String) -> Result<Found, Refused> {
        let location = HeaderValue::try_from(location).map_err(|_| Refusal::NotFound)?;
        let status = if self.is_read() {
            StatusCode::MOVED_PERMANENTLY
        } else {
            StatusCode::PERMANENT_REDIRECT
        };
        Ok(Found::Reply(redirect(location, status)))
    }
}

/// A redirect.
pub(crate) fn redirect(location: HeaderValue, status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response.headers_mut().insert(LOCATION, location);
    // Said for HEAD too, as for GET: the library says it for GET alone.
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}

/// What is told of the methods of files.
pub(crate) fn options() -> Response<Body> {
    let reply = file_reply::options();
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

/// Whether this is a script's source as Python keeps it compiled: wherever a
/// script imports what stands beside it, Python leaves such files. Any case of
/// ASCII, as for [`SafePath::extension_is`].
fn is_compiled(path: &SafePath) -> bool {
    let is_cache = |name: &OsStr| name.eq_ignore_ascii_case("__pycache__");
    path.extension_is("pyc") || path.extension_is("pyo") || path.as_path().iter().any(is_cache)
}
