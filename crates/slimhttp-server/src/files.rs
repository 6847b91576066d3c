//! Files: finds one below the root, and sends it or hands it on as a script.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::{CONTENT_LENGTH, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use slimhttp_site::content_type::content_type;
use slimhttp_site::file_reply::{Content, FileFacts, etag_of, file_reply};
use slimhttp_site::path::SafePath;
use slimhttp_site::refusal::Refusal;
use slimhttp_site::route::Methods;
use slimhttp_site::site::{ScopeOptions, Scripts};

use crate::body::Body;
use crate::respond::Refused;

mod body;
#[allow(dead_code, reason = "for whoever answers for a folder without an index")]
mod listing;
mod open;

use body::{AtOnce, FileBody, MultipartBody, read_at_once};
use open::open;

/// What a path below a `web_root` turned out to be.
pub(crate) enum Found {
    /// This is the response.
    Reply(Response<Body>),
    /// A script to run: opened, and to be read from there.
    Script(Arc<File>, SafePath),
}

/// What is asked of a file.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    /// The path as decoded, for redirects to the folder's own.
    pub(crate) path: &'a [u8],
    /// The query, kept by a redirect.
    pub(crate) query: Option<&'a str>,
}

/// Answers with the file at `path`, the index of that folder, or a redirect to
/// the folder's own path.
///
/// # Errors
/// [`Refusal::NotFound`] for whatever is not a readable file below the root.
pub(crate) fn send(
    options: &ScopeOptions,
    path: &SafePath,
    asked: &Asked<'_>,
) -> Result<Found, Refused> {
    let Some(root) = options.web_root.as_deref() else {
        return Err(Refusal::NotFound.into());
    };
    if is_compiled(path) {
        return Err(Refused::because(
            Refusal::NotFound,
            format!("{} is compiled code, never sent", root.join(path.as_path()).display()),
        ));
    }
    if asked.path.ends_with(b"/") {
        for name in &options.index {
            let Some(index) = path.join(name).filter(|index| !is_compiled(index)) else { continue };
            match open(root, &index) {
                Ok((file, facts)) if facts.is_file() => {
                    return answer(options, root, &index, file, &facts, asked);
                }
                Ok(_) => {}
                Err(refused) if refused.refusal == Refusal::NotFound => {}
                Err(refused) => return Err(refused),
            }
        }
        return Err(Refused::because(
            Refusal::NotFound,
            format!("{} has none of {:?}", root.join(path.as_path()).display(), options.index),
        ));
    }
    let (file, facts) = open(root, path)?;
    if facts.is_dir() {
        return redirect_to_folder(path, asked).map(Found::Reply);
    }
    answer(options, root, path, file, &facts, asked)
}

/// Whether this is a script's source as Python keeps it compiled: wherever a
/// script imports what stands beside it, Python leaves such files. Any case of
/// ASCII, as for [`SafePath::extension_is`].
fn is_compiled(path: &SafePath) -> bool {
    let is_cache = |name: &OsStr| name.eq_ignore_ascii_case("__pycache__");
    path.extension_is("pyc") || path.extension_is("pyo") || path.as_path().iter().any(is_cache)
}

/// Sends the file that a handler named, with the fields that it gave.
pub(crate) fn send_named(
    root: &Path,
    path: &SafePath,
    asked: &Asked<'_>,
    fields: HeaderMap,
) -> Result<Response<Body>, Refused> {
    let (file, facts) = open(root, path)?;
    if !facts.is_file() {
        return Err(Refusal::NotFound.into());
    }
    // What a handler answers, it answers to every method it is asked with.
    let method = if asked.method == Method::HEAD { Method::HEAD } else { Method::GET };
    let mut response = reply(path.as_path(), file, &facts, &method, asked.headers)?;
    response.headers_mut().extend(fields);
    Ok(response)
}

/// Sends a regular file, or tells that it is a script.
fn answer(
    options: &ScopeOptions,
    root: &Path,
    path: &SafePath,
    file: File,
    facts: &std::fs::Metadata,
    asked: &Asked<'_>,
) -> Result<Found, Refused> {
    // A FIFO, a socket or a device could hold a worker for ever.
    if !facts.is_file() {
        return Err(Refusal::NotFound.into());
    }
    if path.extension_is("py") {
        let runs = match options.scripts {
            Scripts::On => true,
            Scripts::Executable => facts.mode() & 0o111 != 0,
            Scripts::Off => false,
        };
        // A script's source is never sent.
        return if runs {
            Ok(Found::Script(Arc::new(file), path.clone()))
        } else {
            Err(Refused::because(
                Refusal::NotFound,
                format!("{} is not run: see `scripts`", root.join(path.as_path()).display()),
            ))
        };
    }
    if !Methods::get_and_head().allows(asked.method) {
        return Err(Refusal::MethodNotAllowed(Methods::get_and_head()).into());
    }
    reply(path.as_path(), file, facts, asked.method, asked.headers).map(Found::Reply)
}

/// The response for an open file. A file that is rewritten in place may be
/// shorter when it is read than when it was looked at: then it is looked at
/// again, since nothing has been promised yet.
fn reply(
    path: &Path,
    file: File,
    facts: &std::fs::Metadata,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refused> {
    let content_type = content_type(&path.to_string_lossy());
    let mut facts = Cow::Borrowed(facts);
    let mut looks_left = 3;
    loop {
        let reply = file_reply(method, headers, &file_facts(&facts, &content_type));
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        let (start, length) = match reply.content {
            Content::Nothing => return Ok(response),
            Content::Multipart { parts, end } => {
                *response.body_mut() = Body::stream(MultipartBody::new(file, parts, end));
                return Ok(response);
            }
            Content::Whole => (0, facts.len()),
            Content::Range(range) => (*range.start(), range.end() - range.start() + 1),
        };
        match read_at_once(&file, start, length).map_err(unreadable)? {
            AtOnce::Shorter if looks_left > 0 => {
                looks_left -= 1;
                facts = Cow::Owned(file.metadata().map_err(unreadable)?);
                continue;
            }
            AtOnce::All(bytes) => *response.body_mut() = Body::from(bytes),
            AtOnce::No | AtOnce::Shorter => {
                *response.body_mut() = Body::stream(FileBody::new(Arc::new(file), start, length));
            }
        }
        return Ok(response);
    }
}

fn file_facts<'f>(facts: &std::fs::Metadata, content_type: &'f str) -> FileFacts<'f> {
    FileFacts {
        length: facts.len(),
        modified: Some(facts.mtime().min(now())),
        etag: etag_of(
            facts.dev(),
            facts.ino(),
            facts.len(),
            nanoseconds(facts.mtime(), facts.mtime_nsec()),
            nanoseconds(facts.ctime(), facts.ctime_nsec()),
        ),
        content_type,
    }
}

fn unreadable(error: io::Error) -> Refused {
    Refused::because(Refusal::Internal, error.to_string())
}

/// Seconds since 1970: a validator must not lie in the future (RFC 9110 section
/// 8.8.2.1).
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
}

/// The path with a trailing slash: 301 for `GET` and `HEAD`, 308 where the
/// method must stay (RFC 9110 section 15.4.9).
fn redirect_to_folder(path: &SafePath, asked: &Asked<'_>) -> Result<Response<Body>, Refused> {
    // Built from the names and not from what was sent, so that `//host` can
    // never become a redirect to another host.
    let mut location = path.url_path();
    location.push('/');
    if let Some(query) = asked.query {
        location.push('?');
        location.push_str(query);
    }
    let location = HeaderValue::try_from(location).map_err(|_| Refusal::NotFound)?;
    let kept = Methods::get_and_head().allows(asked.method);
    let mut response = Response::new(Body::Empty);
    *response.status_mut() =
        if kept { StatusCode::MOVED_PERMANENTLY } else { StatusCode::PERMANENT_REDIRECT };
    response.headers_mut().insert(LOCATION, location);
    // Said for HEAD too, as for GET: the library says it for GET alone.
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    Ok(response)
}
