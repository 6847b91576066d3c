//! The portable way below a root: name by name, each opened from the handle of
//! the folder before it, without ever following a link. Links are read and
//! resolved here, while they stay below the root.
//!
//! `..` in a link goes back to the handle of the folder before, never to what the
//! system calls the parent: a folder that is moved meanwhile leads nowhere.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, openat, readlinkat};
use rustix::io::Errno;
use slimhttp_site::file_rules::FollowSymlinks;
use slimhttp_site::path::SafePath;

use crate::fs::root::{ATTEMPTS, FOLDER, Opened, READ, Root, file_or_folder, lstat};

/// As many links as Linux follows on one walk.
const MAX_LINKS: usize = 40;

/// Opens `path` below `root`.
///
/// # Errors
/// [`Errno::LOOP`] for a link that may not be followed, [`Errno::XDEV`] for one
/// that leads out; others as `open`.
pub(super) fn open(root: &Root, path: &SafePath, links: FollowSymlinks) -> Result<Opened, Errno> {
    let mut walk = Walk {
        root,
        links_left: if links == FollowSymlinks::Inside { MAX_LINKS } else { 0 },
        linked: false,
        entered: Vec::new(),
        remaining: path.as_path().iter().rev().map(OsStr::to_owned).collect(),
    };
    while let Some(name) = walk.remaining.pop() {
        if let Some(file) = walk.step(name)? {
            let real_name = if walk.linked { Some(walk.real_name()?) } else { None };
            return file_or_folder(file, real_name);
        }
    }
    // It ended at a folder that was entered: by a link to `.`, or at the root.
    let folder = openat(walk.current(), ".", READ | OFlags::DIRECTORY, Mode::empty())?;
    let real_name = if walk.linked { Some(walk.real_name()?) } else { None };
    file_or_folder(folder, real_name)
}

/// A walk down from the root.
struct Walk<'r> {
    root: &'r Root,
    links_left: usize,
    /// Whether it led over a link.
    linked: bool,
    /// The folders entered, by the names that they have below each other. The
    /// handle of the last one may be missing: it is what is to be opened.
    entered: Vec<(OsString, Option<OwnedFd>)>,
    /// The names that remain, the next name last. A link puts `..` here too.
    remaining: Vec<OsString>,
}

impl Walk<'_> {
    /// The folder that was reached.
    fn current(&self) -> BorrowedFd<'_> {
        let last = self.entered.last().and_then(|(_, folder)| folder.as_ref());
        last.map_or(self.root.folder.as_fd(), AsFd::as_fd)
    }

    /// Goes to `name`; gives the file where the walk ends at it.
    fn step(&mut self, name: OsString) -> Result<Option<OwnedFd>, Errno> {
        if name == ".." {
            return match self.entered.pop() {
                Some(_) => Ok(None),
                None => self.climb().map(|()| None),
            };
        }
        let last = self.remaining.is_empty();
        let mut attempts = ATTEMPTS;
        loop {
            attempts -= 1;
            let facts = lstat(self.current(), Path::new(&name))?;
            let flags = match facts {
                _ if facts.is_link() => {
                    match readlinkat(self.current(), &*name, Vec::new()) {
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
            match openat(self.current(), &*name, flags, Mode::empty()) {
                // It was exchanged since the look: by a link, or by something else.
                // `EMLINK` is what some systems say in place of `ELOOP`.
                Err(Errno::LOOP | Errno::NOTDIR | Errno::MLINK) if attempts > 0 => {}
                Err(error) => return Err(error),
                Ok(file) if last => {
                    self.entered.push((name, None));
                    return Ok(Some(file));
                }
                Ok(folder) => {
                    self.entered.push((name, Some(folder)));
                    return Ok(None);
                }
            }
        }
    }

    /// Puts the names of a link's target in front of what remains.
    fn follow(&mut self, target: &Path) -> Result<(), Errno> {
        self.links_left = self.links_left.checked_sub(1).ok_or(Errno::LOOP)?;
        self.linked = true;
        let inside;
        let target = if target.is_absolute() {
            self.entered.clear();
            inside = self.below_root(target)?;
            &inside
        } else {
            target
        };
        self.prepend(target);
        Ok(())
    }

    /// `..` at the root. What remains may lead back in, as `../site/page` does
    /// in a root that is called `site`: that is decided by the names alone.
    fn climb(&mut self) -> Result<(), Errno> {
        let root = self.canonical_root()?;
        let mut place = root.clone();
        place.pop();
        for name in self.remaining.iter().rev() {
            if name == ".." {
                place.pop();
            } else {
                place.push(name);
            }
        }
        let inside = place.strip_prefix(root).map_err(|_| Errno::XDEV)?;
        self.remaining.clear();
        self.prepend(inside);
        Ok(())
    }

    /// The part of an absolute path that lies below the root, by the names
    /// alone: those of the root's path as configured, or as the system has it.
    fn below_root(&self, target: &Path) -> Result<PathBuf, Errno> {
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
                Component::Normal(name) => self.remaining.push(name.to_owned()),
                Component::ParentDir => self.remaining.push("..".into()),
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
    }

    /// Where the walk ended, by the real names of all that it entered.
    fn real_name(&self) -> Result<SafePath, Errno> {
        self.entered
            .iter()
            .try_fold(SafePath::root(), |path, (name, _)| path.join_name(name))
            .ok_or(Errno::NOENT)
    }
}
