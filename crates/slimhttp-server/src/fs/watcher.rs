//! What open pages are made of: files are added as pages are answered, and looked at while
//! somebody has a page open. By looking and not by the system's notifications: they are few,
//! they may lie on any file system, and nobody pays for it while no page is open.
//!
//! A server has one, for all of its threads. Files are added on I/O threads and looked at on the
//! blocking pool; the lock is held meanwhile, so a disk that makes the latter wait makes the
//! former wait too. That is the price of `live_reload`, which goes with `debug`.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use slimhttp_site::site::{Scope, ScopeOptions};

use crate::fs::file_id::{Facts, FileId};

/// The most files of one scope that are looked at; the oldest go first.
const MAX_FILES: usize = 512;

/// The most mounts of one scope of which it is remembered that they are gone.
const MAX_MOUNTS: usize = 512;

/// What the open pages of one server are made of.
#[derive(Debug, Default)]
pub(crate) struct FileWatcher {
    /// By the name of the scope; its mounts are watched with it.
    scopes: Mutex<HashMap<Option<Arc<str>>, WatchedFiles>>,
}

/// What is behind the pages of one scope and its mounts, and how often it has changed.
#[derive(Debug, Default)]
struct WatchedFiles {
    /// Those of the scope itself, and by its prefix those of each mount that has had a page.
    options: HashMap<Option<Arc<str>>, Option<Arc<ScopeOptions>>>,
    files: VecDeque<(PathBuf, FileState)>,
    changes: u64,
}

/// What a path names at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileState {
    File(FileId),
    /// Whatever comes into it and goes.
    Folder,
    Missing,
}

impl FileState {
    fn of(path: &Path) -> Self {
        match rustix::fs::stat(path).map(Facts::from) {
            Ok(facts) if facts.is_folder() => Self::Folder,
            Ok(facts) => Self::File(facts.identity()),
            Err(_) => Self::Missing,
        }
    }
}

impl WatchedFiles {
    /// Compares the options of `host` and its mounts with those that were seen before, after
    /// `scope` is one of them.
    fn set_options(&mut self, host: &Scope, scope: &Scope) {
        let prefix = scope.mount.as_ref().map(|mount| mount.prefix.clone());
        self.options.entry(prefix).or_insert_with(|| Some(scope.options.clone()));
        for (prefix, known) in &mut self.options {
            let now = match prefix {
                None => Some(&host.options),
                Some(prefix) => host.mounts.get(prefix).map(|mount| &mount.options),
            };
            let is_same = match (&*known, now) {
                (Some(known), Some(now)) => Arc::ptr_eq(known, now) || known == now,
                (known, now) => known.is_none() && now.is_none(),
            };
            if !is_same {
                *known = now.cloned();
                self.changes += 1;
            }
        }
        // A mount that is gone may come back while a page of it is open.
        if self.options.len() > MAX_MOUNTS {
            self.options.retain(|_, known| known.is_some());
        }
    }

    fn add(&mut self, path: PathBuf) {
        let state = FileState::of(&path);
        match self.files.iter_mut().find(|(known, _)| *known == path) {
            Some((_, known)) if *known == state => {}
            Some((_, known)) => {
                *known = state;
                self.changes += 1;
            }
            None => {
                if self.files.len() >= MAX_FILES {
                    self.files.pop_front();
                }
                self.files.push_back((path, state));
            }
        }
    }

    fn check(&mut self) {
        for (path, known) in &mut self.files {
            let state = FileState::of(path);
            if *known != state {
                *known = state;
                self.changes += 1;
            }
        }
    }
}

impl FileWatcher {
    /// Adds files of which a page of a scope may be made.
    pub(crate) fn add(&self, scope: Option<&Arc<str>>, added: impl IntoIterator<Item = PathBuf>) {
        let mut scopes = self.lock();
        let files = scopes.entry(scope.cloned()).or_default();
        added.into_iter().for_each(|file| files.add(file));
    }

    /// Looks at what is behind the pages of a scope and its mounts, which waits for the disk;
    /// gives how often any of it has changed so far.
    pub(crate) fn check(&self, host: &Scope) -> u64 {
        let mut scopes = self.lock();
        let files = scopes.entry(host.name.clone()).or_default();
        files.set_options(host, host);
        files.check();
        files.changes
    }

    /// The same without a look at the files, for a page of `scope`, which is `host` or a mount
    /// of it: they have been added just now.
    pub(crate) fn changes(&self, host: &Scope, scope: &Scope) -> u64 {
        let mut scopes = self.lock();
        let files = scopes.entry(host.name.clone()).or_default();
        files.set_options(host, scope);
        files.changes
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Option<Arc<str>>, WatchedFiles>> {
        self.scopes.lock()
    }
}

#[cfg(test)]
mod tests;
