//! Mounts: the prefixes of paths that a table `mounts` has as keys, and the table that finds
//! the one that a path is below.

use std::sync::Arc;

use smallvec::SmallVec;

use super::path::LONGEST_NAME;

#[cfg(test)]
mod tests;

/// The longest prefix, in bytes.
const LONGEST: usize = 1024;
/// The most segments of a prefix. A path is looked up once for each, at most.
const MOST_SEGMENTS: usize = 32;

/// Reads a prefix as the user wrote it: decoded, and with or without a slash at its end.
/// What comes of it has none, and is empty for the root: it is what a path below it begins
/// with.
///
/// # Errors
/// What was expected instead, for the fault's text, and what helps.
pub fn parse_prefix(written: &str) -> Result<&str, (&'static str, Option<&'static str>)> {
    let wrong = |expected| Err((expected, None));
    let Some(behind) = written.strip_prefix('/') else {
        return wrong("a path that begins with a slash, such as `/static`");
    };
    let names = behind.strip_suffix('/').unwrap_or(behind);
    if names.is_empty() {
        // `//` has an empty name, `/` has none.
        return if behind.is_empty() { Ok("") } else { wrong("a path without empty names") };
    }
    if written.contains('%') {
        let hint = "a space is written as a space, and `é` as `é`";
        return Err(("a path as it is decoded, without `%`", Some(hint)));
    }
    if written.contains(['?', '#']) {
        return wrong("a path without a query");
    }
    if written.contains(|char: char| char.is_control() || char == '\\') {
        return wrong("a path without backslashes and control characters");
    }
    for name in names.split('/') {
        match name {
            "" => return wrong("a path without empty names"),
            "." | ".." => return wrong("a path without `.` and `..`"),
            "*" | "**" => {
                let hint = "a mount answers for all that is below its prefix";
                return Err(("a path without `*`", Some(hint)));
            }
            _ if name.len() > LONGEST_NAME => {
                return wrong("a path whose names have at most 255 bytes");
            }
            _ if name.trim() != name => {
                return wrong("a path whose names neither begin nor end with a space");
            }
            _ if name.contains(['<', '>']) => {
                return Err(("a path without variables", Some("routes have variables")));
            }
            _ => {}
        }
    }
    if written.len() > LONGEST || names.split('/').count() > MOST_SEGMENTS {
        return wrong("a path of at most 1024 bytes and 32 names");
    }
    Ok(&written[..=names.len()])
}

/// Finds what belongs to a path. Cloning is cheap, an insertion into a clone shares all the
/// rest. A look-up costs what the path and the deepest prefix cost, however many there are.
#[derive(Clone, Debug)]
pub struct MountTable<T: Clone> {
    entries: imbl::HashMap<Arc<[u8]>, T>,
    /// How many prefixes there are of each number of segments: of none, of one, and so on.
    depths: SmallVec<[u32; 4]>,
}

impl<T: Clone> Default for MountTable<T> {
    fn default() -> Self {
        Self { entries: imbl::HashMap::new(), depths: SmallVec::new() }
    }
}

impl<T: Clone> MountTable<T> {
    /// Puts `value` below `prefix`, which [`parse_prefix`] gave, and returns what stood there.
    pub fn insert(&mut self, prefix: &str, value: T) -> Option<T> {
        let old = self.entries.insert(prefix.as_bytes().into(), value);
        if old.is_none() {
            let depth = segments(prefix);
            if self.depths.len() <= depth {
                self.depths.resize(depth + 1, 0);
            }
            self.depths[depth] += 1;
        }
        old
    }

    /// Takes `prefix` away.
    pub fn remove(&mut self, prefix: &str) -> Option<T> {
        let old = self.entries.remove(prefix.as_bytes())?;
        self.depths[segments(prefix)] -= 1;
        while self.depths.last() == Some(&0) {
            self.depths.pop();
        }
        Some(old)
    }

    /// What stands at exactly `prefix`.
    pub fn get(&self, prefix: &str) -> Option<&T> {
        self.entries.get(prefix.as_bytes())
    }

    /// What belongs to `path` (decoded, as [`crate::routing::path::Target::path`]): the
    /// longest prefix that is a whole number of its segments.
    pub fn find(&self, path: &[u8]) -> Option<&T> {
        let deepest = self.depths.len().checked_sub(1)?;
        // Where the segments end, the last one that a prefix may have behind the others.
        let mut ends = SmallVec::<[usize; 8]>::new();
        let slashes = memchr::memchr_iter(b'/', path).skip(1);
        ends.extend(slashes.chain([path.len()]).take(deepest));
        let candidates = ends.iter().enumerate().rev().map(|(at, end)| (at + 1, *end));
        for (depth, end) in candidates.chain([(0, 0)]) {
            if self.depths[depth] > 0
                && let Some(value) = self.entries.get(&path[..end])
            {
                return Some(value);
            }
        }
        None
    }

    /// Everything, in no order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.values()
    }

    /// How many prefixes there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn segments(prefix: &str) -> usize {
    memchr::memchr_iter(b'/', prefix.as_bytes()).count()
}
