//! The portable way below a root: name by name, each opened from the handle of
//! the folder before it, without ever following a link. Links are read and
//! resolved here, while they stay below the root.
//!
//! `..` in a link goes back to the handle that was passed, never to what the
//! system calls the parent: a folder that is moved meanwhile leads nowhere.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, openat, readlinkat};
use rustix::io::Errno;
use slimhttp_site::file_rules::FollowSymlinks;
use slimhttp_site::path::SafePath;

use crate::fs::root::{ATTEMPTS, FOLDER, Opened, READ, Root, look, opened};

/// As many links as Linux follows on one way.
const MOST_LINKS: usize = 40;

/// Opens `path` below `root`.
///
/// # Errors
/// [`Errno::LOOP`] for a link that may not be followed, [`Errno::XDEV`] for one
/// that leads out; others as `open`.
pub(super) fn open(root: &Root, path: &SafePath, links: FollowSymlinks) -> Result<Opened, Errno> {
    let mut way = Way {
        root,
        links_left: if links == FollowSymlinks::Inside { MOST_LINKS } else { 0 },
        linked: false,
        passed: Vec::new(),
        ahead: path.as_path().iter().rev().map(OsStr::to_owned).collect(),
    };
    while let Some(name) = way.ahead.pop() {
        if let Some(file) = way.step(name)? {
            let real_name = if way.linked { Some(way.real_name()?) } else { None };
            return opened(file, real_name);
        }
    }
    // It ended at a folder that was passed: by a link to `.`, or at the root.
    let folder = openat(way.here(), ".", READ | OFlags::DIRECTORY, Mode::empty())?;
    let real_name = if way.linked { Some(way.real_name()?) } else { None };
    opened(folder, real_name)
}

/// A way down from the root, half gone.
struct Way<'r> {
    root: &'r Root,
    links_left: usize,
    /// Whether it led over a link.
    linked: bool,
    /// The folders passed, by the names that they have below each other. The
    /// handle of the last one may be missing: it is what is to be opened.
    passed: Vec<(OsString, Option<OwnedFd>)>,
    /// What is still to be gone, the next name last. A link puts `..` here too.
    ahead: Vec<OsString>,
}

impl Way<'_> {
    /// The folder that was reached.
    fn here(&self) -> BorrowedFd<'_> {
        let last = self.passed.last().and_then(|(_, folder)| folder.as_ref());
        last.map_or(self.root.folder.as_fd(), AsFd::as_fd)
    }

    /// Goes to `name`; gives the file where the way ends at it.
    fn step(&mut self, name: OsString) -> Result<Option<OwnedFd>, Errno> {
        if name == ".." {
            return match self.passed.pop() {
                Some(_) => Ok(None),
                None => self.climb().map(|()| None),
            };
        }
        let last = self.ahead.is_empty();
        let mut attempts = ATTEMPTS;
        loop {
            attempts -= 1;
            let facts = look(self.here(), Path::new(&name))?;
            let flags = match facts {
                _ if facts.is_link() => {
                    match readlinkat(self.here(), &*name, Vec::new()) {
                        Ok(target) => {
                            let target = OsString::from_vec(target.into_bytes());
                            return self.follow(Path::new(&target)).map(|()| None);
                        }
                        // It is no link any more.
                        Err(Errno::INVAL) if attempts > 0 => continue,
                        Err(error) => return Err(error),
                    }
                }
                _ if last && (facts.is_file() || facts.is_folder()) => READ,
                _ if facts.is_folder() => FOLDER | OFlags::NOFOLLOW,
                _ => return Err(if last { Errno::NOENT } else { Errno::NOTDIR }),
            };
            match openat(self.here(), &*name, flags, Mode::empty()) {
                // It was exchanged since the look: by a link, or by something else.
                // `EMLINK` is what some systems say in place of `ELOOP`.
                Err(Errno::LOOP | Errno::NOTDIR | Errno::MLINK) if attempts > 0 => {}
                Err(error) => return Err(error),
                Ok(file) if last => {
                    self.passed.push((name, None));
                    return Ok(Some(file));
                }
                Ok(folder) => {
                    self.passed.push((name, Some(folder)));
                    return Ok(None);
                }
            }
        }
    }

    /// Puts the names of a link's target in front of what is ahead.
    fn follow(&mut self, target: &Path) -> Result<(), Errno> {
        self.links_left = self.links_left.checked_sub(1).ok_or(Errno::LOOP)?;
        self.linked = true;
        let inside;
        let target = if target.is_absolute() {
            self.passed.clear();
            inside = self.inside(target)?;
            &inside
        } else {
            target
        };
        self.prepend(target);
        Ok(())
    }

    /// `..` at the root. What is ahead may lead back in, as `../site/page` does
    /// in a root that is called `site`: that is decided by the names alone.
    fn climb(&mut self) -> Result<(), Errno> {
        let root = self.canonical_root()?;
        let mut place = root.clone();
        place.pop();
        for name in self.ahead.iter().rev() {
            if name == ".." {
                place.pop();
            } else {
                place.push(name);
            }
        }
        let inside = place.strip_prefix(root).map_err(|_| Errno::XDEV)?;
        self.ahead.clear();
        self.prepend(inside);
        Ok(())
    }

    /// The part of an absolute path that lies below the root, by the names
    /// alone: those of the root's path as configured, or as the system has it.
    fn inside(&self, target: &Path) -> Result<PathBuf, Errno> {
        if let Ok(inside) = target.strip_prefix(self.root.path()) {
            return Ok(inside.to_owned());
        }
        target.strip_prefix(self.canonical_root()?).map(Path::to_owned).map_err(|_| Errno::XDEV)
    }

    /// The root's path without links. Only names are taken from it: whatever it
    /// leads to by now, what is opened is opened from the root's handle.
    fn canonical_root(&self) -> Result<PathBuf, Errno> {
        std::fs::canonicalize(self.root.path()).map_err(|_| Errno::XDEV)
    }

    fn prepend(&mut self, path: &Path) {
        for component in path.components().rev() {
            match component {
                Component::Normal(name) => self.ahead.push(name.to_owned()),
                Component::ParentDir => self.ahead.push("..".into()),
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
    }

    /// Where the way ended, by the real names of all that it passed.
    fn real_name(&self) -> Result<SafePath, Errno> {
        self.passed
            .iter()
            .try_fold(SafePath::root(), |path, (name, _)| path.join_name(name))
            .ok_or(Errno::NOENT)
    }
}
