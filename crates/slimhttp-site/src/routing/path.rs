//! The request target: split, percent-decoded once, dot segments resolved (RFC 3986
//! sections 2.4 and 5.2.4). [`SafePath`] is made here only, and the server opens nothing
//! but one of these, so that no request reaches a file outside its root.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use smallvec::SmallVec;

use crate::protocol::refusal::Refusal;

pub(crate) mod readings;
#[cfg(test)]
mod tests;

/// The longest name of a file, in bytes: `NAME_MAX` of every usual file system.
pub(crate) const LONGEST_NAME: usize = 255;

/// The longest path of a file below a root, in bytes: `PATH_MAX` of Linux without
/// the NUL at its end. No call of the system takes a longer one, so that none is
/// held against patterns or looked for.
const LONGEST_PATH: usize = 4095;

/// Whether no file can be called so, whatever the system: a name is too long, or all.
pub fn is_too_long(path: &Path) -> bool {
    path.as_os_str().len() > LONGEST_PATH || path.iter().any(|name| name.len() > LONGEST_NAME)
}

/// All but the unreserved characters of RFC 3986 section 2.3.
pub(crate) const NOT_UNRESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is encoded in a segment: all but `pchar` of RFC 3986 section 3.3.
pub(crate) const NOT_IN_SEGMENT: &AsciiSet = &NOT_UNRESERVED
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// The path and query of a request target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'r> {
    /// The path as sent, still encoded; begins with `/`. It may begin with
    /// `//host`, so a `Location` is made by [`SafePath::url_path`] instead.
    pub raw_path: &'r str,
    /// What stands behind the first `?`, still encoded.
    pub query: Option<&'r str>,
    /// The path decoded once, `.` and `..` resolved, empty segments merged.
    /// Begins with `/`; the trailing slash is kept. A `/` that was sent encoded
    /// makes the path unfit for disk, see [`Target::safe_path`].
    pub path: Cow<'r, [u8]>,
    /// Whether any segment as sent held an encoded slash, even one that a later
    /// `..` took away. Only then can a `..` be left over in `path`, inside of
    /// what was sent as one segment.
    encoded_slash: bool,
}

impl<'r> Target<'r> {
    /// Reads an origin-form target (`/a%20b?x=1`). The absolute form is reduced
    /// to this by the caller.
    ///
    /// Bytes beyond ASCII and the characters that RFC 3986 leaves out but
    /// clients send (`"<>\^{|}` and the backquote) stand for themselves; a
    /// backslash is part of a name like any other character. Empty segments go
    /// before `..` is resolved, as on disk: `/a//../b` is `/b`.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`] for a bad percent-encoding, an encoded NUL, a
    /// byte that no target may have, no leading slash, or `..` above the root.
    pub fn parse(raw: &'r str) -> Result<Self, Refusal> {
        let (raw_path, query) = match memchr::memchr(b'?', raw.as_bytes()) {
            Some(mark) => (&raw[..mark], Some(&raw[mark + 1..])),
            None => (raw, None),
        };
        if !raw_path.starts_with('/') {
            return Err(Refusal::BadRequest("the target does not begin with a slash"));
        }
        Self::of_parts(raw_path, query)
    }

    /// Reads what stands behind the authority of an absolute form. Where that is a query alone
    /// (`http://a.example?x`), the path is `/` (RFC 9110 section 4.2.3).
    ///
    /// # Errors
    /// As [`Target::parse`].
    pub fn parse_behind_authority(raw: &'r str) -> Result<Self, Refusal> {
        match raw.strip_prefix('?') {
            Some(query) => Self::of_parts("/", Some(query)),
            None => Self::parse(raw),
        }
    }

    fn of_parts(raw_path: &'r str, query: Option<&'r str>) -> Result<Self, Refusal> {
        let mut bytes = raw_path.bytes().chain(query.unwrap_or_default().bytes());
        if bytes.any(|byte| matches!(byte, 0..=b' ' | b'#' | 0x7f)) {
            return Err(Refusal::BadRequest("the target holds a control byte, a space or a `#`"));
        }
        let (path, encoded_slash) = if is_normal(raw_path.as_bytes()) {
            (Cow::Borrowed(raw_path.as_bytes()), false)
        } else {
            let (path, encoded_slash) = resolve(raw_path.as_bytes())?;
            (Cow::Owned(path), encoded_slash)
        };
        Ok(Self { raw_path, query, path, encoded_slash })
    }

    /// The path below a `web_root`, or `None` where no file can have it (an
    /// encoded slash, a segment of more than 255 bytes, more than 4095 in all).
    ///
    /// A trailing slash is not part of it: whoever opens it asks
    /// [`Target::is_folder`] too.
    pub fn safe_path(&self) -> Option<SafePath> {
        if self.encoded_slash {
            return None;
        }
        SafePath::of_names(&self.path)
    }

    /// What is asked for below `prefix`, with which `path` begins: a whole number of its
    /// segments, without a slash at the end. Its path is empty where `path` is `prefix`.
    pub fn below(&self, prefix: &str) -> Target<'_> {
        let path = self.path.get(prefix.len()..).unwrap_or_default();
        Target {
            raw_path: self.raw_path,
            query: self.query,
            path: Cow::Borrowed(path),
            encoded_slash: self.encoded_slash,
        }
    }

    /// Whether a segment as sent held an encoded slash. Then `path` tells no
    /// longer where its segments end.
    pub(crate) fn has_encoded_slash(&self) -> bool {
        self.encoded_slash
    }

    /// Whether the path names a folder: it ends with a slash.
    pub fn is_folder(&self) -> bool {
        self.path.ends_with(b"/")
    }

    /// The decoded path as text; bytes that are not UTF-8 become U+FFFD.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.path)
    }
}

/// Whether a path is its own decoded and resolved form. A name that begins with
/// a dot is not looked at closely: [`resolve`] leaves it as it is.
fn is_normal(path: &[u8]) -> bool {
    let mut before = 0;
    path.iter().all(|&byte| {
        let slash_before = std::mem::replace(&mut before, byte) == b'/';
        byte != b'%' && !(slash_before && matches!(byte, b'/' | b'.'))
    })
}

/// Decodes and resolves a path that begins with `/`. Tells too whether it held
/// an encoded slash.
///
/// The path is split before it is decoded and resolved after it: `%2e%2e` is
/// `..`, but `%2f..%2f` is part of a segment's name and never climbs.
fn resolve(raw: &[u8]) -> Result<(Vec<u8>, bool), Refusal> {
    let mut path = Vec::with_capacity(raw.len());
    let mut encoded_slash = false;
    // Where in `path` each segment's slash stands. A search for the last slash
    // would not do, because the segment that `..` takes away may hold one.
    let mut starts = SmallVec::<[usize; 16]>::new();
    let mut folder = false;
    for segment in raw[1..].split(|&byte| byte == b'/') {
        let start = path.len();
        path.push(b'/');
        encoded_slash |= decode(segment, &mut path)?;
        folder = match &path[start + 1..] {
            b"" | b"." => {
                path.truncate(start);
                true
            }
            b".." => {
                let parent =
                    starts.pop().ok_or(Refusal::BadRequest("`..` leads above the root"))?;
                path.truncate(parent);
                true
            }
            _ => {
                starts.push(start);
                false
            }
        };
    }
    if folder {
        path.push(b'/');
    }
    Ok((path, encoded_slash))
}

/// Appends the decoded `segment` to `path` and tells whether a slash was
/// encoded in it.
fn decode(segment: &[u8], path: &mut Vec<u8>) -> Result<bool, Refusal> {
    let mut encoded_slash = false;
    let mut rest = segment;
    while let Some(percent) = memchr::memchr(b'%', rest) {
        path.extend_from_slice(&rest[..percent]);
        let [high, low, behind @ ..] = &rest[percent + 1..] else {
            return Err(BAD_ENCODING);
        };
        let byte = hex(*high)? << 4 | hex(*low)?;
        if byte == 0 {
            return Err(Refusal::BadRequest("the target holds an encoded NUL"));
        }
        encoded_slash |= byte == b'/';
        path.push(byte);
        rest = behind;
    }
    path.extend_from_slice(rest);
    Ok(encoded_slash)
}

const BAD_ENCODING: Refusal =
    Refusal::BadRequest("a `%` without two hexadecimal digits in the target");

fn hex(digit: u8) -> Result<u8, Refusal> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(BAD_ENCODING),
    }
}

/// `name` as a name on disk, or `None` where it is not exactly one plain name.
fn plain_name(name: &[u8]) -> Option<&OsStr> {
    let plain = !matches!(name, b"" | b"." | b"..")
        && name.len() <= LONGEST_NAME
        && memchr::memchr2(b'/', 0, name).is_none();
    if plain { os_name(name) } else { None }
}

/// Any bytes are a name.
#[cfg(unix)]
fn os_name(name: &[u8]) -> Option<&OsStr> {
    use std::os::unix::ffi::OsStrExt;
    Some(OsStr::from_bytes(name))
}

/// Names are text. A backslash parts them, a colon begins a drive or a stream,
/// and dots or spaces at the end are dropped, so such a name is another one.
#[cfg(not(unix))]
fn os_name(name: &[u8]) -> Option<&OsStr> {
    let name = std::str::from_utf8(name).ok()?;
    (!name.contains(['\\', ':']) && !name.ends_with(['.', ' '])).then_some(OsStr::new(name))
}

/// A relative path of plain names: no `..`, no `.`, no NUL, no leading slash.
/// The only constructors are [`Target::safe_path`], [`SafePath::root`],
/// [`SafePath::of_names`], [`SafePath::join`] and [`SafePath::join_name`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafePath(PathBuf);

impl SafePath {
    /// The path of the `web_root` itself: empty.
    pub fn root() -> Self {
        Self(PathBuf::new())
    }

    /// The path of the names that stand between the slashes of `path`, which is
    /// decoded; `None` where one of them is no plain name, or all of it is longer
    /// than the path of any file. Empty ones go, so slashes at either end do not
    /// count.
    pub fn of_names(path: &[u8]) -> Option<Self> {
        let mut joined = OsString::with_capacity(path.len());
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            if !joined.is_empty() {
                joined.push("/");
            }
            joined.push(plain_name(name)?);
        }
        if joined.len() > LONGEST_PATH {
            return None;
        }
        Some(Self(joined.into()))
    }

    /// The bytes of the path, its names parted by `/`; without a slash at either
    /// end.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_os_str().as_encoded_bytes()
    }

    /// This path with one more plain name, or `None` where `name` is none.
    pub fn join(&self, name: &str) -> Option<Self> {
        plain_name(name.as_bytes()).map(|name| Self(self.0.join(name)))
    }

    /// This path with one more plain name as a file system has it, or `None`
    /// where `name` is none.
    pub fn join_name(&self, name: &OsStr) -> Option<Self> {
        plain_name(name.as_encoded_bytes()).map(|name| Self(self.0.join(name)))
    }

    /// The path, relative; empty for the root itself.
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// The path as a URL has it: begins with `/`, encoded, without a trailing
    /// slash except for the root. A `Location` made of it stays on this host:
    /// it begins with one slash, and a backslash, which browsers take for one,
    /// is encoded.
    pub fn url_path(&self) -> String {
        let mut url = String::new();
        for name in &self.0 {
            url.push('/');
            url.extend(percent_encode(name.as_encoded_bytes(), NOT_IN_SEGMENT));
        }
        if url.is_empty() {
            url.push('/');
        }
        url
    }

    /// The path of what this is below `prefix`, as [`SafePath::url_path`] has it.
    pub fn url_path_below(&self, prefix: &str) -> String {
        match Self::of_names(prefix.as_bytes()).map(|prefix| prefix.url_path()) {
            Some(prefix) if prefix != "/" => prefix + &self.url_path(),
            _ => self.url_path(),
        }
    }

    /// Whether the last name ends with a dot and `extension` (`"py"`), in any
    /// case of ASCII: file systems that ignore case would open `a.py` for
    /// `/a.PY`, and a script's source must not be sent as a file.
    pub fn extension_is(&self, extension: &str) -> bool {
        let name = self.0.file_name().unwrap_or_default().as_encoded_bytes();
        let Some(dot) = name.len().checked_sub(extension.len() + 1) else {
            return false;
        };
        name[dot] == b'.' && name[dot + 1..].eq_ignore_ascii_case(extension.as_bytes())
    }
}
