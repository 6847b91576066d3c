//! Patterns of file names, and values by pattern.
//!
//! A pattern without a slash is matched against the last name of a path
//! (`*.js`), one with a slash against the whole path (`/assets/**`). Where
//! several match, the longer text is the more specific one.

use globset::{GlobBuilder, GlobMatcher};

/// Patterns, any of which may match.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Globs(ByGlob<()>);

impl Globs {
    /// Reads patterns.
    ///
    /// # Errors
    /// What is wrong with the first that is none.
    pub fn new(patterns: &[&str]) -> Result<Self, String> {
        ByGlob::new(patterns.iter().map(|pattern| (*pattern, ()))).map(Self)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them matches `path`, decoded and beginning with `/`.
    pub fn matches(&self, path: &[u8]) -> bool {
        self.0.best(path).is_some()
    }
}

/// Values by pattern.
#[derive(Clone, Debug)]
pub struct ByGlob<T>(Vec<(Pattern, T)>);

#[derive(Clone, Debug)]
struct Pattern {
    text: Box<str>,
    matcher: GlobMatcher,
}

impl<T> ByGlob<T> {
    /// Reads patterns and their values.
    ///
    /// # Errors
    /// What is wrong with the first that is none.
    pub fn new<'p>(values: impl IntoIterator<Item = (&'p str, T)>) -> Result<Self, String> {
        let mut entries = values
            .into_iter()
            .map(|(text, value)| {
                let whole = text.strip_prefix('/').unwrap_or(text);
                let matcher = GlobBuilder::new(whole)
                    .literal_separator(true)
                    .build()
                    .map_err(|error| error.to_string())?
                    .compile_matcher();
                Ok((Pattern { text: text.into(), matcher }, value))
            })
            .collect::<Result<Vec<_>, String>>()?;
        entries.sort_by(|(a, _), (b, _)| (a.text.len(), &a.text).cmp(&(b.text.len(), &b.text)));
        Ok(Self(entries))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of the most specific pattern that matches `path`, decoded and
    /// beginning with `/`.
    pub fn best(&self, path: &[u8]) -> Option<&T> {
        self.0.iter().rev().find(|(pattern, _)| pattern.matches(path)).map(|(_, value)| value)
    }

    /// The values of every pattern that matches, the most specific last.
    pub fn all<'g>(&'g self, path: &'g [u8]) -> impl Iterator<Item = &'g T> {
        self.0.iter().filter(move |(pattern, _)| pattern.matches(path)).map(|(_, value)| value)
    }
}

impl<T> Default for ByGlob<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: PartialEq> PartialEq for ByGlob<T> {
    fn eq(&self, other: &Self) -> bool {
        let texts = |(pattern, _): &(Pattern, T)| pattern.text.clone();
        self.0.iter().map(texts).eq(other.0.iter().map(texts))
            && self.0.iter().map(|(_, value)| value).eq(other.0.iter().map(|(_, value)| value))
    }
}

impl Pattern {
    #[cfg(unix)]
    fn matches(&self, path: &[u8]) -> bool {
        use std::os::unix::ffi::OsStrExt;

        let path = path.strip_prefix(b"/").unwrap_or(path);
        let subject = if self.text.contains('/') {
            path
        } else {
            let name = memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1);
            &path[name..]
        };
        self.matcher.is_match(std::path::Path::new(std::ffi::OsStr::from_bytes(subject)))
    }
}
