//! What open pages are made of: files that are noted as pages are answered, and looked at while
//! somebody has a page open. By looking and not by the system's notices: few files are noted,
//! they may lie on any file system, and nobody pays for it while no page is open.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use slimhttp_site::site::{Scope, ScopeOptions};

use crate::fs::file_id::{Facts, FileId};

/// The most files of one scope that are looked at; the oldest go first.
const MOST: usize = 512;

/// What the open pages of one server are made of.
#[derive(Debug, Default)]
pub(crate) struct Reload {
    /// By the name of the scope.
    scopes: Mutex<HashMap<Option<Arc<str>>, Sources>>,
}

/// What is behind the pages of one scope, and how often it has changed.
#[derive(Debug, Default)]
struct Sources {
    options: Option<Arc<ScopeOptions>>,
    files: VecDeque<(PathBuf, State)>,
    changes: u64,
}

/// What a path names at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    File(FileId),
    /// Whatever comes into it and goes.
    Folder,
    Missing,
}

impl State {
    fn of(path: &Path) -> Self {
        match rustix::fs::stat(path).map(Facts::from) {
            Ok(facts) if facts.is_folder() => Self::Folder,
            Ok(facts) => Self::File(facts.identity()),
            Err(_) => Self::Missing,
        }
    }
}

impl Sources {
    fn serve(&mut self, options: &Arc<ScopeOptions>) {
        if self.options.as_ref().is_some_and(|known| known == options) {
            return;
        }
        self.changes += u64::from(self.options.is_some());
        self.options = Some(options.clone());
    }

    fn note(&mut self, path: PathBuf) {
        let state = State::of(&path);
        match self.files.iter_mut().find(|(known, _)| *known == path) {
            Some((_, known)) if *known == state => {}
            Some((_, known)) => {
                *known = state;
                self.changes += 1;
            }
            None => {
                if self.files.len() >= MOST {
                    self.files.pop_front();
                }
                self.files.push_back((path, state));
            }
        }
    }

    fn look(&mut self) {
        for (path, known) in &mut self.files {
            let state = State::of(path);
            if *known != state {
                *known = state;
                self.changes += 1;
            }
        }
    }
}

impl Reload {
    /// Notes that a page of a scope may be made of these files.
    pub(crate) fn note(&self, scope: Option<&Arc<str>>, files: impl IntoIterator<Item = PathBuf>) {
        let mut scopes = self.lock();
        let sources = scopes.entry(scope.cloned()).or_default();
        files.into_iter().for_each(|file| sources.note(file));
    }

    /// Looks at what is behind the pages of a scope; gives how often any of it has
    /// changed so far.
    pub(crate) fn look(&self, scope: &Scope) -> u64 {
        let mut scopes = self.lock();
        let sources = scopes.entry(scope.name.clone()).or_default();
        sources.serve(&scope.options);
        sources.look();
        sources.changes
    }

    /// The same without a look at the files: they have been noted just now.
    pub(crate) fn changes(&self, scope: &Scope) -> u64 {
        let mut scopes = self.lock();
        let sources = scopes.entry(scope.name.clone()).or_default();
        sources.serve(&scope.options);
        sources.changes
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Option<Arc<str>>, Sources>> {
        self.scopes.lock()
    }
}

#[cfg(test)]
mod tests;
