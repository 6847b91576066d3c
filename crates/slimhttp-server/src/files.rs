//! Files: finds one below the root, and sends it or hands it on as a script.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use rustix::io::{Errno, ReadWriteFlags};
use slimhttp_site::conditions::{ETag, LastModified};
use slimhttp_site::content_type::content_type;
use slimhttp_site::file_reply::{Content, FileFacts, Part, etag_of, file_reply};
use slimhttp_site::file_rules::FileRules;
use slimhttp_site::path::SafePath;
use slimhttp_site::refusal::Refusal;
use slimhttp_site::route::Methods;
use slimhttp_site::site::{ScopeOptions, Scripts};
use tokio::task::JoinHandle;

use crate::body::{Body, BodyError};
use crate::jail;
use crate::respond::{self, Refused};

/// Files up to this size are read whole and at once.
const SMALL: u64 = 64 * 1024;

/// Bytes read at a time from larger ones.
const CHUNK: usize = 128 * 1024;

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
    rules: &FileRules,
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
    let mut response = reply(rules, path.as_path(), file, &facts, &method, asked.headers)?;
    response.headers_mut().extend(fields);
    Ok(response)
}

fn open(root: &Path, path: &SafePath) -> Result<(File, std::fs::Metadata), Refused> {
    let opened = jail::open(root, path).and_then(|file| file.metadata().map(|facts| (file, facts)));
    opened.map_err(|error| {
        let refusal = match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::ACCESS | Errno::PERM) => Refusal::Forbidden,
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => {
                tracing::error!(
                    "{} cannot be opened: {error}",
                    root.join(path.as_path()).display()
                );
                Refusal::Unavailable
            }
            Some(Errno::IO) => {
                tracing::error!("{} cannot be read: {error}", root.join(path.as_path()).display());
                Refusal::Internal
            }
            _ => Refusal::NotFound,
        };
        Refused::because(refusal, format!("{}: {error}", root.join(path.as_path()).display()))
    })
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
    if !matches!(*asked.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Err(Refusal::MethodNotAllowed(Methods::of_files()).into());
    }
    let rules = &options.files;
    reply(rules, path.as_path(), file, facts, asked.method, asked.headers).map(Found::Reply)
}

/// The response for an open file. A file that is rewritten in place may be
/// shorter when it is read than when it was looked at: then it is looked at
/// again, since nothing has been promised yet.
fn reply(
    rules: &FileRules,
    path: &Path,
    file: File,
    facts: &std::fs::Metadata,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refused> {
    let content_type = content_type(&path.to_string_lossy(), rules);
    let mut facts = Cow::Borrowed(facts);
    let mut looks_left = 3;
    loop {
        let (etag, last_modified) = validators(&facts);
        let known = FileFacts {
            length: facts.len(),
            content_length: None,
            last_modified: last_modified.as_ref(),
            etag: &etag,
            content_type: &content_type,
            coding: None,
            varies: false,
        };
        let reply = file_reply(method, headers, &known);
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
        match read_at_once(&file, start, length)? {
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

fn validators(facts: &std::fs::Metadata) -> (ETag, Option<LastModified>) {
    let etag = etag_of(
        facts.dev(),
        facts.ino(),
        facts.len(),
        nanoseconds(facts.mtime(), facts.mtime_nsec()),
        nanoseconds(facts.ctime(), facts.ctime_nsec()),
    );
    (etag, LastModified::new(facts.mtime().min(now())))
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
    let kept = matches!(*asked.method, Method::GET | Method::HEAD);
    let status = if kept { StatusCode::MOVED_PERMANENTLY } else { StatusCode::PERMANENT_REDIRECT };
    Ok(respond::redirect(location, status))
}

/// What came of reading a file at once.
enum AtOnce {
    /// All that was asked for.
    All(Bytes),
    /// The file has fewer bytes than it had.
    Shorter,
    /// It is large, or not in memory: it is read as it is sent.
    No,
}

/// Reads `length` bytes from `start` where they are few and the system has them
/// in memory.
fn read_at_once(file: &File, start: u64, length: u64) -> Result<AtOnce, Refused> {
    if length == 0 {
        return Ok(AtOnce::All(Bytes::new()));
    }
    if length > SMALL {
        return Ok(AtOnce::No);
    }
    let mut bytes = BytesMut::zeroed(usize::try_from(length).unwrap_or(0));
    match read_ready(file, &mut bytes, start) {
        Ok(count) if count as u64 == length => Ok(AtOnce::All(bytes.freeze())),
        // Part of it may be on the disk only: the end of the file says which.
        Ok(_) => match file.metadata() {
            Ok(facts) if facts.len() < start + length => Ok(AtOnce::Shorter),
            _ => Ok(AtOnce::No),
        },
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(AtOnce::No),
        Err(error) => Err(unreadable(error)),
    }
}

/// Reads what the system has in memory, without waiting for a disk.
fn read_ready(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    #[cfg(target_os = "linux")]
    {
        let slices = &mut [io::IoSliceMut::new(bytes)];
        match rustix::io::preadv2(file, slices, offset, ReadWriteFlags::NOWAIT) {
            // Some file systems do not know the flag: then the pool reads.
            Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            outcome => Ok(outcome?),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, bytes, offset);
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// Bytes of a file, read on demand: from memory on this thread, from a disk on
/// the blocking pool.
struct FileBody {
    file: Arc<File>,
    offset: u64,
    left: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileBody {
    fn new(file: Arc<File>, offset: u64, left: u64) -> Self {
        Self { file, offset, left, reading: None }
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let bytes = match &mut self.reading {
            Some(reading) => {
                let outcome = ready!(Pin::new(reading).poll(context));
                self.reading = None;
                outcome.map_err(BodyError::from)?.map_err(BodyError::from)?
            }
            None => {
                let size = usize::try_from(self.left).unwrap_or(usize::MAX).min(CHUNK);
                let mut bytes = BytesMut::zeroed(size);
                match read_ready(&self.file, &mut bytes, self.offset) {
                    Ok(count) => {
                        bytes.truncate(count);
                        bytes.freeze()
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        let (file, offset) = (self.file.clone(), self.offset);
                        self.reading = Some(tokio::task::spawn_blocking(move || {
                            use std::os::unix::fs::FileExt;
                            let count = file.read_at(&mut bytes, offset)?;
                            bytes.truncate(count);
                            Ok(bytes.freeze())
                        }));
                        return self.poll_chunk(context);
                    }
                    Err(error) => return Poll::Ready(Some(Err(error.into()))),
                }
            }
        };
        if bytes.is_empty() {
            // The length is promised already: all that is left is to break off.
            let shrunk = io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter");
            return Poll::Ready(Some(Err(shrunk.into())));
        }
        self.offset += bytes.len() as u64;
        self.left = self.left.saturating_sub(bytes.len() as u64);
        Poll::Ready(Some(Ok(bytes)))
    }
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.poll_chunk(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Several ranges of a file, each behind its own head (RFC 9110 section 14.6).
struct MultipartBody {
    file: Arc<File>,
    parts: std::vec::IntoIter<Part>,
    part: Option<FileBody>,
    end: Option<String>,
    left: u64,
}

impl MultipartBody {
    fn new(file: File, parts: Vec<Part>, end: String) -> Self {
        let length =
            |part: &Part| part.head.len() as u64 + part.range.end() - part.range.start() + 1;
        let left = parts.iter().map(length).sum::<u64>() + end.len() as u64;
        Self { file: Arc::new(file), parts: parts.into_iter(), part: None, end: Some(end), left }
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if let Some(part) = &mut self.part {
            if let Some(chunk) = ready!(part.poll_chunk(context)) {
                return Poll::Ready(Some(chunk));
            }
            self.part = None;
        }
        let head = match self.parts.next() {
            Some(part) => {
                let length = part.range.end() - part.range.start() + 1;
                self.part = Some(FileBody::new(self.file.clone(), *part.range.start(), length));
                Some(part.head)
            }
            None => self.end.take(),
        };
        Poll::Ready(head.map(|head| Ok(Bytes::from(head))))
    }
}

impl HttpBody for MultipartBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let chunk = ready!(self.poll_chunk(context));
        if let Some(Ok(bytes)) = &chunk {
            self.left = self.left.saturating_sub(bytes.len() as u64);
        }
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
