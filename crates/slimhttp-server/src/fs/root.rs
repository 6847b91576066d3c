//! Opening below a root, for every file that is sent, listed or run: nothing outside the root
//! is ever opened, not by `..`, not by a symbolic link, not by a race. On Linux the kernel
//! resolves beneath the root's handle (`openat2` with `RESOLVE_BENEATH`); elsewhere, and where
//! a sandbox denies that call, [`component_walk`] opens name by name without following.
//!
//! All of it waits for the disk, on the thread that calls: the I/O thread of a request, for
//! whom a path that the system knows is opened in microseconds, or one of the blocking pool.
//!
//! Nothing but regular files and folders is opened either: opening a FIFO would
//! wake who waits at its other end, opening a device can do anything. So a path
//! is looked at first. Whether a race exchanged it since is seen on what was
//! opened, and `O_NONBLOCK` keeps such an opening from waiting.

mod component_walk;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, statat};
use rustix::io::Errno;
use slimhttp_site::file_rules::FollowSymlinks;
use slimhttp_site::path::SafePath;

use crate::fs::file_id::Facts;

/// How a file is opened for reading.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// How a folder is opened below which others are opened.
#[cfg(target_os = "linux")]
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// How often a look-up is begun anew that a rename beside it has disturbed.
const ATTEMPTS: usize = 8;

/// Why nothing is opened where the way leads over a link.
const LEADS_OUT: &str = "a symbolic link leads out of the root, and nothing outside it is served";
const NOT_FOLLOWED: &str = "there is a symbolic link, and `follow_symlinks` is `never`";

/// How a look-up is kept beneath the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenMethod {
    /// The kernel does it, by `openat2`.
    #[cfg(target_os = "linux")]
    Openat2,
    /// We do it, name by name.
    ComponentWalk,
}

impl OpenMethod {
    /// The best that this machine, and the sandbox around us, allow.
    pub(crate) fn available() -> Self {
        #[cfg(target_os = "linux")]
        if beneath(CWD, Path::new("."), FOLDER).is_ok() {
            tracing::info!("files are opened by openat2, beneath their `web_root`");
            return Self::Openat2;
        }
        tracing::info!("files are opened name by name beneath their `web_root`: no openat2 here");
        Self::ComponentWalk
    }
}

/// An open folder, below which files are opened. Renaming it does not
/// matter to it; see [`crate::fs::root_cache`] for that.
#[derive(Debug)]
pub(crate) struct Root {
    path: Arc<Path>,
    folder: OwnedFd,
    facts: Facts,
    method: OpenMethod,
}

/// What was opened below a root.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The open file, or folder.
    pub(crate) file: File,
    /// What it is, as seen on the open file itself.
    pub(crate) facts: Facts,
    /// Its own path below the root, where the one that was asked for leads over
    /// a symbolic link: a link called `notes.txt` may name a script.
    pub(crate) real_name: Option<SafePath>,
}

impl Root {
    /// Opens the folder at `path`; links on the way to it are the administrator's
    /// own and are followed.
    ///
    /// # Errors
    /// As `open`.
    pub(crate) fn at(path: Arc<Path>, method: OpenMethod) -> io::Result<Self> {
        let folder = rustix::fs::openat(CWD, &*path, FOLDER, Mode::empty())?;
        let facts = Facts::of(&folder)?;
        Ok(Self { path, folder, facts, method })
    }

    /// The path at which it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The same, shared.
    pub(crate) fn shared_path(&self) -> Arc<Path> {
        self.path.clone()
    }

    /// Whether `other` are the facts of this very folder. Its number cannot be
    /// given to another one while it is open.
    pub(crate) fn is_same_folder(&self, other: &Facts) -> bool {
        let (own, other) = (self.facts.identity(), other.identity());
        (own.device, own.inode) == (other.device, other.inode)
    }

    /// Opens the regular file or the folder at `path` for reading.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] for what is not there, what is neither file nor
    /// folder, what lies outside, and links where `links` allows none; its text
    /// says which it is, for those who may know. Others as `open`.
    pub(crate) fn open(&self, path: &SafePath, links: FollowSymlinks) -> io::Result<Opened> {
        let opened = match self.method {
            #[cfg(target_os = "linux")]
            OpenMethod::Openat2 => match self.open_plain(path) {
                Err(Errno::LOOP) => component_walk::open(self, path, links),
                outcome => outcome,
            },
            OpenMethod::ComponentWalk => component_walk::open(self, path, links),
        };
        opened.map_err(|error| match error {
            // A name that is too long, or lies below a file, names nothing. Nor
            // does what became a link, or of another kind, while it was opened.
            // `ENXIO` is a socket's answer to being opened.
            Errno::XDEV => io::Error::new(io::ErrorKind::NotFound, LEADS_OUT),
            Errno::LOOP if links == FollowSymlinks::Never => {
                io::Error::new(io::ErrorKind::NotFound, NOT_FOLLOWED)
            }
            Errno::NOENT
            | Errno::NOTDIR
            | Errno::LOOP
            | Errno::NAMETOOLONG
            | Errno::NXIO
            | Errno::AGAIN => io::ErrorKind::NotFound.into(),
            error => error.into(),
        })
    }

    /// Opens a path without links; [`Errno::LOOP`] where there is one.
    #[cfg(target_os = "linux")]
    fn open_plain(&self, path: &SafePath) -> Result<Opened, Errno> {
        let path = match path.as_path() {
            root if root.as_os_str().is_empty() => Path::new("."),
            path => path,
        };
        // This look may lead over a link among the folders, and out of the root.
        // So nothing of what it finds is passed on but "not here", which is all that is
        // said of what lies outside.
        match lstat(&self.folder, path) {
            Ok(facts) if facts.is_link() => return Err(Errno::LOOP),
            Ok(facts) if !facts.is_file() && !facts.is_folder() => return Err(Errno::NOENT),
            Err(error @ (Errno::NOENT | Errno::NOTDIR)) => return Err(error),
            Ok(_) | Err(_) => {}
        }
        file_or_folder(beneath(&self.folder, path, READ)?, None)
    }
}

/// Opens `path` beneath `folder`, over no link at all.
#[cfg(target_os = "linux")]
fn beneath(folder: impl std::os::fd::AsFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    use rustix::fs::ResolveFlags;

    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let mut attempts = ATTEMPTS;
    loop {
        attempts -= 1;
        match rustix::fs::openat2(folder.as_fd(), path, flags, Mode::empty(), resolve) {
            // A rename beside the look-up: the kernel asks to try again.
            Err(Errno::AGAIN | Errno::INTR) if attempts > 0 => {}
            outcome => return outcome,
        }
    }
}

/// What stands at `path` itself, be it a link.
fn lstat(folder: impl std::os::fd::AsFd, path: &Path) -> Result<Facts, Errno> {
    statat(folder, path, AtFlags::SYMLINK_NOFOLLOW).map(Facts::from)
}

/// What was opened, where it is a file or a folder.
fn file_or_folder(file: OwnedFd, real_name: Option<SafePath>) -> Result<Opened, Errno> {
    let facts = Facts::of(&file)?;
    if facts.is_file() || facts.is_folder() {
        Ok(Opened { file: file.into(), facts, real_name })
    } else {
        Err(Errno::NOENT)
    }
}

/// The path of `file` below `root`, where a handler names one: absolute or
/// relative, but of plain names and below the root.
pub(crate) fn path_below(root: &Path, file: &Path) -> Option<SafePath> {
    let relative: PathBuf =
        if file.is_absolute() { file.strip_prefix(root).ok()?.into() } else { file.into() };
    let mut path = SafePath::root();
    for component in relative.components() {
        match component {
            Component::Normal(name) => path = path.join(name.to_str()?)?,
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests;
