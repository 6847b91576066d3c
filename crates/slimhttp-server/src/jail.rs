//! Opening below a root: nothing outside it is ever opened, not by `..`, not by
//! a symlink, not by a race. On Linux the kernel resolves beneath the root
//! (`openat2` with `RESOLVE_BENEATH`); elsewhere, and where a sandbox denies
//! that call, each component is opened without following links.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use slimhttp_site::path::SafePath;

/// `O_NONBLOCK`: opening a FIFO must not wait for its other end.
const READ: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// Opens `path` below `root` for reading. Symlinks are followed while they stay
/// below the root.
///
/// # Errors
/// As `open`; a path that leads out of the root is [`io::ErrorKind::NotFound`].
pub(crate) fn open(root: &Path, path: &SafePath) -> io::Result<File> {
    let root_folder = rustix::fs::openat(CWD, root, folder_flags(), Mode::empty())?;
    let relative =
        if path.as_path().as_os_str().is_empty() { Path::new(".") } else { path.as_path() };
    match beneath(&root_folder, relative) {
        Err(Errno::XDEV | Errno::LOOP) => follow(root, &root_folder, relative),
        other => Ok(File::from(other?)),
    }
}

/// An absolute link may still lead to a place below the root, which the kernel
/// does not tell: the place it leads to is looked up, and opened from the root
/// by names alone. A race can only make that fail.
fn follow(root: &Path, root_folder: &OwnedFd, relative: &Path) -> io::Result<File> {
    let target = root.join(relative).canonicalize()?;
    let inside = target
        .strip_prefix(root.canonicalize()?)
        .map_err(|_| io::Error::from(io::ErrorKind::NotFound))?;
    let inside = if inside.as_os_str().is_empty() { Path::new(".") } else { inside };
    Ok(File::from(beneath(root_folder, inside)?))
}

#[cfg(target_os = "linux")]
fn beneath(root: &OwnedFd, relative: &Path) -> Result<OwnedFd, Errno> {
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::fs::ResolveFlags;

    // Learnt once: whether the kernel, or the sandbox around us, has the call.
    static MISSING: AtomicBool = AtomicBool::new(false);
    if MISSING.load(Ordering::Relaxed) {
        return by_component(root, relative);
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(root, relative, READ, Mode::empty(), resolve) {
        // A rename beside the look-up: the kernel asks to try again.
        Err(Errno::AGAIN) => rustix::fs::openat2(root, relative, READ, Mode::empty(), resolve),
        Err(Errno::NOSYS | Errno::PERM) => {
            if !MISSING.swap(true, Ordering::Relaxed) {
                tracing::info!("openat2 is not available: paths are opened component by component");
            }
            by_component(root, relative)
        }
        other => other,
    }
}

#[cfg(not(target_os = "linux"))]
fn beneath(root: &OwnedFd, relative: &Path) -> Result<OwnedFd, Errno> {
    by_component(root, relative)
}

/// Opens component by component, following no link at all: a link is reported
/// as [`Errno::LOOP`], and [`follow`] looks where it leads.
fn by_component(root: &OwnedFd, relative: &Path) -> Result<OwnedFd, Errno> {
    let names: Vec<_> = relative
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect();
    let Some((last, folders)) = names.split_last() else {
        return rustix::fs::openat(root, ".", READ, Mode::empty());
    };
    let mut folder: Option<OwnedFd> = None;
    for name in folders {
        let from = folder.as_ref().map_or(root.as_fd(), AsFd::as_fd);
        let flags = folder_flags() | OFlags::NOFOLLOW;
        let next = rustix::fs::openat(from, *name, flags, Mode::empty());
        // A link among the folders shows as "not a folder" with O_PATH.
        let is_link = |error| match error {
            Errno::NOTDIR => rustix::fs::readlinkat(from, *name, Vec::new()).is_ok(),
            error => error == Errno::LOOP,
        };
        folder = Some(next.map_err(|error| if is_link(error) { Errno::LOOP } else { error })?);
    }
    let from = folder.as_ref().map_or(root.as_fd(), AsFd::as_fd);
    rustix::fs::openat(from, *last, READ | OFlags::NOFOLLOW, Mode::empty())
}

#[cfg(target_os = "linux")]
fn folder_flags() -> OFlags {
    OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC
}

#[cfg(not(target_os = "linux"))]
fn folder_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC
}

/// The path of `file` below `root`, where a handler names one: absolute or
/// relative, but of plain names and below the root.
pub(crate) fn below(root: &Path, file: &Path) -> Option<SafePath> {
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
