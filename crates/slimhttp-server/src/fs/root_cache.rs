//! The opened roots: one handle for each `web_root`, cached for as long as the
//! path still leads to that folder. A path that is a link can be switched and a
//! folder be removed and made anew at any moment, so a handle is never used unchecked
//! for longer than [`FRESH_FOR`], and not at all where it says "not found".
//!
//! A snapshot of the site holds one, and the I/O threads share it: a table with locks of its
//! own, none of which is held while the disk is looked at.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use rustix::fs::stat;
use rustix::io::Errno;
use slimhttp_site::file_rules::FollowSymlinks;
use slimhttp_site::path::SafePath;

use crate::fs::file_id::Facts;
use crate::fs::root::{OpenMethod, Opened, Root};

/// For how long a path is taken to lead to the folder to which it led. What was
/// opened there may be given as an answer for as long again.
const FRESH_FOR: Duration = Duration::from_millis(10);

/// How many handles are cached; each is a descriptor.
const MAX_ROOTS: usize = 512;

/// The roots that are open, by the path at which they were opened.
pub(crate) struct RootCache {
    method: OpenMethod,
    cache: Cache<Arc<Path>, CachedRoot>,
}

/// A handle, and when its path was last seen to lead to it.
#[derive(Clone)]
struct CachedRoot {
    root: Arc<Root>,
    checked_at: Instant,
}

impl fmt::Debug for RootCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootCache").field("open", &self.cache.len()).finish_non_exhaustive()
    }
}

impl RootCache {
    /// None opened yet.
    pub(crate) fn new(method: OpenMethod) -> Self {
        Self { method, cache: Cache::new(MAX_ROOTS) }
    }

    /// An empty one with the same method.
    pub(crate) fn new_empty(&self) -> Self {
        Self::new(self.method)
    }

    /// The folder at `path`, as it was at most [`FRESH_FOR`] ago.
    ///
    /// # Errors
    /// As `open`; [`io::ErrorKind::NotFound`] for what is not there or no folder.
    pub(crate) fn get(&self, path: &Path) -> io::Result<Arc<Root>> {
        self.fresh(path).map(|cached| cached.root)
    }

    fn fresh(&self, path: &Path) -> io::Result<CachedRoot> {
        let now = Instant::now();
        match self.cache.get(path) {
            Some(cached) if now.duration_since(cached.checked_at) < FRESH_FOR => Ok(cached),
            cached => self.refresh(path, cached.map(|cached| cached.root), now),
        }
    }

    /// The folder that has taken the place of `root` since it was opened, if
    /// one has.
    fn successor(&self, root: &Arc<Root>) -> Option<Arc<Root>> {
        let now = self.refresh(root.path(), Some(root.clone()), Instant::now()).ok()?.root;
        (!Arc::ptr_eq(&now, root)).then_some(now)
    }

    /// Opens the regular file or the folder at `path` below the root at `folder`,
    /// and gives when that path was seen to lead to this root: what was opened is
    /// no newer than that.
    ///
    /// # Errors
    /// As [`RootCache::get`] and [`Root::open`]. What is not found was not there in
    /// the folder that the path leads to now.
    pub(crate) fn open(
        &self,
        folder: &Path,
        path: &SafePath,
        links: FollowSymlinks,
    ) -> io::Result<(Instant, Opened)> {
        let CachedRoot { root, checked_at } = self.fresh(folder)?;
        match root.open(path, links) {
            Ok(opened) => Ok((checked_at, opened)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let checked_at = Instant::now();
                let root = self.successor(&root).ok_or(error)?;
                let opened = root.open(path, links)?;
                Ok((checked_at, opened))
            }
            Err(error) => Err(error),
        }
    }

    /// Looks where `path` leads now, and caches that.
    fn refresh(
        &self,
        path: &Path,
        known: Option<Arc<Root>>,
        now: Instant,
    ) -> io::Result<CachedRoot> {
        let found = stat(path).map(Facts::from).map_err(as_not_found);
        let root = match (found, known) {
            (Ok(facts), Some(root)) if root.is_same_folder(&facts) => Ok(root),
            (Ok(_), known) => {
                let path = known.map_or_else(|| path.into(), |root| root.shared_path());
                Root::at(path, self.method).map(Arc::new).map_err(as_not_found)
            }
            (Err(error), _) => Err(error),
        };
        match root {
            Ok(root) => {
                let cached = CachedRoot { root, checked_at: now };
                self.cache.insert(cached.root.shared_path(), cached.clone());
                Ok(cached)
            }
            Err(error) => {
                self.cache.remove(path);
                Err(error)
            }
        }
    }
}

/// A path that cannot lead to a folder is not found.
fn as_not_found(error: impl Into<io::Error>) -> io::Error {
    let error = error.into();
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOTDIR | Errno::LOOP) => io::ErrorKind::NotFound.into(),
        _ => error,
    }
}

#[cfg(test)]
mod tests;
