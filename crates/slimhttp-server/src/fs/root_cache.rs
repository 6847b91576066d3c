//! The opened roots: one handle for each `web_root`, kept for as long as the
//! path still leads to that folder. A path that is a link can be switched and a
//! folder be removed and made anew at any moment, so a handle is never believed
//! for longer than [`BELIEVED`], and not at all where it says "not found".

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
use crate::fs::root::{Method, Opened, Root};

/// For how long a path is taken to lead to the folder to which it led. What was
/// opened there may be given as an answer for as long again.
const BELIEVED: Duration = Duration::from_millis(10);

/// How many handles are kept; each is a descriptor.
const MOST: usize = 512;

/// The roots that are open, by the path at which they were opened.
pub(crate) struct Roots {
    method: Method,
    kept: Cache<Arc<Path>, Kept>,
}

/// A handle, and when its path last led to it.
#[derive(Clone)]
struct Kept {
    root: Arc<Root>,
    seen: Instant,
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots").field("open", &self.kept.len()).finish_non_exhaustive()
    }
}

impl Roots {
    /// None opened yet.
    pub(crate) fn new(method: Method) -> Self {
        Self { method, kept: Cache::new(MOST) }
    }

    /// As many as none, with the same method.
    pub(crate) fn anew(&self) -> Self {
        Self::new(self.method)
    }

    /// The folder at `path`, as it was at most [`BELIEVED`] ago.
    ///
    /// # Errors
    /// As `open`; [`io::ErrorKind::NotFound`] for what is not there or no folder.
    pub(crate) fn get(&self, path: &Path) -> io::Result<Arc<Root>> {
        self.believed(path).map(|kept| kept.root)
    }

    fn believed(&self, path: &Path) -> io::Result<Kept> {
        let now = Instant::now();
        match self.kept.get(path) {
            Some(kept) if now.duration_since(kept.seen) < BELIEVED => Ok(kept),
            kept => self.look(path, kept.map(|kept| kept.root), now),
        }
    }

    /// The folder that has taken the place of `root` since it was opened, if
    /// one has.
    fn successor(&self, root: &Arc<Root>) -> Option<Arc<Root>> {
        let now = self.look(root.path(), Some(root.clone()), Instant::now()).ok()?.root;
        (!Arc::ptr_eq(&now, root)).then_some(now)
    }

    /// Opens the regular file or the folder at `path` below the root at `folder`,
    /// and tells when that path was seen to lead to this root: what was opened is
    /// no newer than that.
    ///
    /// # Errors
    /// As [`Roots::get`] and [`Root::open`]. What is not found was not there in
    /// the folder that the path leads to now.
    pub(crate) fn open(
        &self,
        folder: &Path,
        path: &SafePath,
        links: FollowSymlinks,
    ) -> io::Result<(Instant, Opened)> {
        let Kept { root, seen } = self.believed(folder)?;
        match root.open(path, links) {
            Ok(opened) => Ok((seen, opened)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let seen = Instant::now();
                let root = self.successor(&root).ok_or(error)?;
                let opened = root.open(path, links)?;
                Ok((seen, opened))
            }
            Err(error) => Err(error),
        }
    }

    /// Looks where `path` leads now, and keeps that.
    fn look(&self, path: &Path, known: Option<Arc<Root>>, now: Instant) -> io::Result<Kept> {
        let seen = stat(path).map(Facts::from).map_err(absent);
        let root = match (seen, known) {
            (Ok(facts), Some(root)) if root.is(&facts) => Ok(root),
            (Ok(_), known) => {
                let path = known.map_or_else(|| path.into(), |root| root.shared_path());
                Root::at(path, self.method).map(Arc::new).map_err(absent)
            }
            (Err(error), _) => Err(error),
        };
        match root {
            Ok(root) => {
                let kept = Kept { root, seen: now };
                self.kept.insert(kept.root.shared_path(), kept.clone());
                Ok(kept)
            }
            Err(error) => {
                self.kept.remove(path);
                Err(error)
            }
        }
    }
}

/// A path that cannot lead to a folder is as good as none.
fn absent(error: impl Into<io::Error>) -> io::Error {
    let error = error.into();
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOTDIR | Errno::LOOP) => io::ErrorKind::NotFound.into(),
        _ => error,
    }
}

#[cfg(test)]
mod tests;
