//! Patterns of file names, and values by pattern.
//!
//! A pattern without a slash is matched against the last name of a path
//! (`*.js`), one with a slash against the whole path (`/assets/**`); a slash at
//! its beginning may be left out if there is another. `*` stands for any bytes
//! but a slash, `**` for whole folders, `?` for one byte, `[a-z]` and `[!a-z]`
//! for a byte of a set or of none, `{a,b}` for one of several patterns, and a
//! backslash takes the meaning from what follows. Upper and lower case differ.
//!
//! Where several patterns match, the longer text is the more specific one: a
//! configuration's tables have no order of their own.

use std::fmt;
use std::sync::Arc;

use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};

mod subtrees;
#[cfg(test)]
mod tests;

pub use subtrees::Subtrees;

/// The longest pattern, in bytes. What a pattern of this length can say is built
/// and matched in no time.
const LONGEST: usize = 1024;

/// One pattern.
#[derive(Clone)]
pub struct Glob {
    /// As written.
    text: Box<str>,
    /// What of a path it is held against.
    subject: Subject,
    matcher: Matcher,
}

/// What of a path a pattern is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    /// What stands behind the last slash.
    Name,
    /// All of it, without the first slash.
    Path,
}

/// How a pattern is matched: the usual ones by comparing bytes.
#[derive(Clone)]
enum Matcher {
    /// It takes everything.
    Any,
    /// Exactly this.
    Literal(Box<[u8]>),
    /// What begins with this.
    Prefix(Box<[u8]>),
    /// What begins with this and has no slash behind it.
    Child(Box<[u8]>),
    /// What ends with this.
    Suffix(Box<[u8]>),
    /// All else.
    Set(GlobSet),
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        if text.len() > LONGEST {
            return Err(format!("it has more than {LONGEST} bytes"));
        }
        let (subject, pattern) = subject_of(text);
        let matcher = match Matcher::simple(subject, pattern) {
            Some(matcher) => matcher,
            None => Matcher::Set(set([pattern]).map_err(|error| error.kind().to_string())?),
        };
        Ok(Self { text: text.into(), subject, matcher })
    }

    /// What is held against the subject: the text without what says which.
    fn pattern(&self) -> &str {
        subject_of(&self.text).1
    }

    /// Whether it matches a path, of which `name` is the last name.
    fn matches(&self, path: &[u8], name: &[u8]) -> bool {
        let subject = match self.subject {
            Subject::Name => name,
            Subject::Path => path,
        };
        self.matcher.matches(subject)
    }
}

/// What of a path the pattern `text` is held against, and the pattern itself.
fn subject_of(text: &str) -> (Subject, &str) {
    let whole = text.strip_prefix('/').unwrap_or(text);
    match whole.strip_prefix("**/") {
        // In whatever folder: the last name alone decides.
        Some(name) if !name.contains('/') && !name.contains("**") => (Subject::Name, name),
        _ if text.contains('/') => (Subject::Path, whole),
        _ => (Subject::Name, whole),
    }
}

/// The pattern as written; what it was built into is long and says no more.
impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

/// Two patterns are the same if they are written in the same way.
impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl Matcher {
    /// The matcher of a pattern that bytes alone decide. Within a name there is no
    /// slash, so that a `*` there takes whatever comes.
    fn simple(subject: Subject, pattern: &str) -> Option<Self> {
        let literal = |text: &str| !text.contains(['*', '?', '[', ']', '{', '}', '\\']);
        let bytes = |text: &str| text.as_bytes().into();
        if literal(pattern) {
            return Some(Self::Literal(bytes(pattern)));
        }
        let (before, behind) = pattern.split_once('*')?;
        match (subject, before, behind) {
            (Subject::Name, "", "") | (Subject::Path, "", "*") => Some(Self::Any),
            (Subject::Name, "", end) if literal(end) => Some(Self::Suffix(bytes(end))),
            (Subject::Name, start, "") if literal(start) => Some(Self::Prefix(bytes(start))),
            (Subject::Path, start, "") if literal(start) => Some(Self::Child(bytes(start))),
            (Subject::Path, folder, "*") if folder.ends_with('/') && literal(folder) => {
                Some(Self::Prefix(bytes(folder)))
            }
            _ => None,
        }
    }

    fn matches(&self, subject: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Literal(text) => subject == &**text,
            Self::Prefix(text) => subject.starts_with(text),
            Self::Child(text) => {
                subject.strip_prefix(&**text).is_some_and(|rest| !rest.contains(&b'/'))
            }
            Self::Suffix(text) => subject.ends_with(text),
            Self::Set(set) => set.is_match_candidate(&Candidate::from_bytes(subject)),
        }
    }
}

/// A set of a pattern or two: unlike a matcher it says so where it cannot be
/// built.
fn set<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern)
            .literal_separator(true)
            .backslash_escape(true)
            .empty_alternates(true)
            .build()?;
        set.add(glob);
    }
    set.build()
}

/// Patterns, any of which may match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Globs(ByGlob<()>);

impl Globs {
    /// Reads patterns.
    ///
    /// # Errors
    /// What is wrong with the first that is none.
    pub fn new(patterns: &[&str]) -> Result<Self, String> {
        patterns.iter().map(|pattern| Glob::parse(pattern)).collect()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them matches `path`, decoded, with its first slash or
    /// without.
    pub fn matches(&self, path: &[u8]) -> bool {
        self.0.best(path).is_some()
    }
}

impl FromIterator<Glob> for Globs {
    fn from_iter<I: IntoIterator<Item = Glob>>(globs: I) -> Self {
        Self(globs.into_iter().map(|glob| (glob, ())).collect())
    }
}

/// Values by pattern. A clone shares them.
#[derive(Clone, Debug)]
pub struct ByGlob<T>(Arc<[(Glob, T)]>);

impl<T> ByGlob<T> {
    /// Reads patterns and their values.
    ///
    /// # Errors
    /// What is wrong with the first that is none.
    pub fn new<'p>(values: impl IntoIterator<Item = (&'p str, T)>) -> Result<Self, String> {
        values.into_iter().map(|(text, value)| Ok((Glob::parse(text)?, value))).collect()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every value.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }

    /// The value of the most specific pattern that matches `path`, decoded, with
    /// its first slash or without.
    pub fn best(&self, path: &[u8]) -> Option<&T> {
        if self.is_empty() {
            return None;
        }
        let (path, name) = subjects(path);
        self.0.iter().rev().find(|(glob, _)| glob.matches(path, name)).map(|(_, value)| value)
    }

    /// The values of every pattern that matches, the most specific last.
    pub fn all<'g>(&'g self, path: &'g [u8]) -> impl Iterator<Item = &'g T> {
        let (path, name) = subjects(path);
        self.0.iter().filter(move |(glob, _)| glob.matches(path, name)).map(|(_, value)| value)
    }
}

impl<T> FromIterator<(Glob, T)> for ByGlob<T> {
    fn from_iter<I: IntoIterator<Item = (Glob, T)>>(values: I) -> Self {
        let mut entries: Vec<_> = values.into_iter().collect();
        entries.sort_by(|(a, _), (b, _)| (a.text.len(), &a.text).cmp(&(b.text.len(), &b.text)));
        Self(entries.into())
    }
}

impl<T> Default for ByGlob<T> {
    fn default() -> Self {
        Self(Arc::new([]))
    }
}

impl<T: PartialEq> PartialEq for ByGlob<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl<T: Eq> Eq for ByGlob<T> {}

/// What patterns are held against: a path without its first slash, and its last
/// name.
fn subjects(path: &[u8]) -> (&[u8], &[u8]) {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let name = memchr::memrchr(b'/', path).map_or(path, |slash| &path[slash + 1..]);
    (path, name)
}
