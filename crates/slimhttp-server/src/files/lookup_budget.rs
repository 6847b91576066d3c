//! What one request looks up on the disk: how it is kept from looking again for
//! what cannot be there, and from holding up all others on its thread.
//!
//! A request tries several names (an index, the entries of `try_files`, the
//! codings of a file, the folders of earlier releases), each with a call of the
//! system that takes as long as the path is. How many there are at most follows
//! from the configuration; the client chooses the path alone.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::stat;
use rustix::io::Errno;
use slimhttp_site::path::SafePath;
use smallvec::SmallVec;

use crate::files::etag::is_stable;
use crate::fs::file_id::Facts;

/// After so many look-ups the request yields to others on its I/O thread. One takes some
/// microseconds, some tens where the path is as long as a path can be.
const YIELD_EVERY: u32 = 16;

/// The look-ups of one request.
#[derive(Debug, Default)]
pub(super) struct LookupBudget {
    count: u32,
    /// The path of a folder that is missing below the root at hand.
    missing: Option<Box<[u8]>>,
}

impl LookupBudget {
    /// From now on another root is looked in.
    pub(super) fn enter_root(&mut self) {
        self.missing = None;
    }

    /// Counts one more, and yields to other requests after every so many.
    pub(super) async fn count(&mut self) {
        self.count += 1;
        if self.count.is_multiple_of(YIELD_EVERY) {
            tokio::task::yield_now().await;
        }
    }

    /// Whether `path` lies in a folder that was found to be missing.
    pub(super) fn knows_missing(&self, path: &SafePath) -> bool {
        self.missing.as_ref().is_some_and(|folder| {
            let behind = path.as_bytes().strip_prefix(&**folder);
            behind.is_some_and(|behind| matches!(behind.first(), None | Some(b'/')))
        })
    }

    /// Records why `path` is not there.
    pub(super) fn record(&mut self, path: &SafePath, absence: &Absence) {
        if let Some(folder) = absence.missing_folder.and_then(|end| path.as_bytes().get(..end)) {
            self.missing = Some(folder.into());
        }
    }
}

/// Why a path leads to nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Absence {
    /// The end in the path of the uppermost folder on the way that is missing;
    /// `None` where all of them are there.
    missing_folder: Option<usize>,
    /// Whether nothing has come to the nearest folder that is there, or gone from
    /// it, for a while.
    pub(super) stable: bool,
}

impl Absence {
    /// Looks why `path` below `root` is not there, at `now`. What a request has of
    /// folders that are not there is of any number: the missing one is found by
    /// halves.
    pub(super) fn of(root: &Path, path: &SafePath, now: SystemTime) -> Self {
        Self::probe(|folder| stat(root.join(folder)).map(Facts::from), path, now)
    }

    /// The same by what `look` says of folders.
    fn probe(
        mut look: impl FnMut(&Path) -> Result<Facts, Errno>,
        path: &SafePath,
        now: SystemTime,
    ) -> Self {
        let bytes = path.as_bytes();
        let folders: SmallVec<[usize; 16]> = memchr::memchr_iter(b'/', bytes).collect();
        // The lowest folder that was seen: a later one is lower. One that cannot be
        // looked at, as its path from the root of the system is too long or because
        // of its rights, is taken to be there.
        let mut nearest = None;
        let mut is_there = |end: &usize| match look(Path::new(OsStr::from_bytes(&bytes[..*end]))) {
            Err(Errno::NOENT | Errno::NOTDIR) => false,
            facts => {
                nearest = Some(facts);
                true
            }
        };
        let there = match &folders[..] {
            // Most often it is the file alone that is missing, or all of the path.
            [.., last] if is_there(last) => folders.len(),
            [first, rest @ .., _] if is_there(first) => 1 + rest.partition_point(&mut is_there),
            _ => 0,
        };
        let missing_folder = folders.get(there).copied();
        let nearest = nearest.unwrap_or_else(|| look(Path::new("")));
        let stable = nearest.is_ok_and(|facts| is_stable(&facts.identity(), now));
        Self { missing_folder, stable }
    }
}

#[cfg(test)]
mod tests;
