//! Patterns that take a folder with all that is in it: what `exclude` names.
//!
//! A path is taken where a pattern matches it or any folder on the way to it.
//! Every pattern is held against a path in one pass over its bytes: to match each
//! of the folders in turn would cost the square of what a client sends.

use std::sync::Arc;

use globset::{Candidate, GlobSet};

use super::{Glob, Globs, Matcher, Subject, set};

#[cfg(test)]
mod tests;

/// Patterns, each of which takes what it matches and all that is below. A clone
/// shares them.
#[derive(Clone, Debug, Default)]
pub struct Subtrees {
    /// The same patterns, by which two of these are compared.
    globs: Globs,
    reaches: Arc<[Reach]>,
}

/// How one pattern is held against a path and all the folders on its way at once.
#[derive(Clone, Debug)]
enum Reach {
    /// It takes everything.
    Everything,
    /// A pattern of a name: one of the names of the path matches.
    AnyName(Glob),
    /// The path is this one, or below it.
    Folder(Box<[u8]>),
    /// The path begins with this. Whatever stands behind it within the same name
    /// matches too, so that some folder on the way, or the path, is taken.
    Beginning(Box<[u8]>),
    /// The path matches one of these: the pattern, and the pattern with anything
    /// below it.
    Pattern(GlobSet),
}

impl Subtrees {
    /// Builds what the patterns take.
    ///
    /// # Errors
    /// What is wrong with the first that is too large to be matched.
    pub fn new(globs: Vec<Glob>) -> Result<Self, String> {
        let reaches = globs.iter().map(Reach::of).collect::<Result<_, _>>()?;
        Ok(Self { globs: globs.into_iter().collect(), reaches })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.reaches.is_empty()
    }

    /// Whether a pattern matches `path`, decoded and with its first slash or
    /// without, or a folder above it.
    pub fn take(&self, path: &[u8]) -> bool {
        let path = path.strip_prefix(b"/").unwrap_or(path);
        self.reaches.iter().any(|reach| reach.takes(path))
    }
}

impl PartialEq for Subtrees {
    fn eq(&self, other: &Self) -> bool {
        self.globs == other.globs
    }
}

impl Eq for Subtrees {}

impl Reach {
    fn of(glob: &Glob) -> Result<Self, String> {
        Ok(match (glob.subject, &glob.matcher) {
            (_, Matcher::Any) => Self::Everything,
            (Subject::Name, Matcher::Set(_)) => match glob.pattern() {
                // A class may hold a slash, which a name does not.
                name if name.contains('[') => Self::AnyName(glob.clone()),
                name => Self::pattern(&format!("**/{name}"))?,
            },
            (Subject::Name, _) => Self::AnyName(glob.clone()),
            (Subject::Path, Matcher::Literal(path)) => Self::Folder(path.clone()),
            (Subject::Path, Matcher::Prefix(start) | Matcher::Child(start)) => {
                Self::Beginning(start.clone())
            }
            (Subject::Path, Matcher::Suffix(_) | Matcher::Set(_)) => Self::pattern(glob.pattern())?,
        })
    }

    fn pattern(whole: &str) -> Result<Self, String> {
        // One that ends so takes all that is below already.
        let below = (!whole.ends_with("/**")).then(|| format!("{whole}/**"));
        let patterns = [whole].into_iter().chain(below.as_deref());
        set(patterns).map(Self::Pattern).map_err(|error| error.kind().to_string())
    }

    fn takes(&self, path: &[u8]) -> bool {
        match self {
            Self::Everything => true,
            Self::AnyName(glob) => {
                path.split(|&byte| byte == b'/').any(|name| glob.matcher.matches(name))
            }
            Self::Folder(folder) => path
                .strip_prefix(&**folder)
                .is_some_and(|rest| matches!(rest.first(), None | Some(b'/'))),
            Self::Beginning(start) => path.starts_with(start),
            Self::Pattern(set) => set.is_match_candidate(&Candidate::from_bytes(path)),
        }
    }
}
