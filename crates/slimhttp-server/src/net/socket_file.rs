//! Whose a socket in the file system is, and who may open it. It is set on the file that was
//! looked at, never on another one to which the path leads by then: whoever may write to the folder
//! could put a link there, and have a server of root's change what the link names.
//!
//! On the thread that starts the server or makes a change, which may wait for the disk.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Stat, Uid, chmod, chownat};
use slimhttp_site::listener::SocketFile;

use crate::sys::privileges::owner_ids;

/// A file as it is known again: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity(pub(super) u64, pub(super) u64);

/// Other permissions, or another owner, that a file has been given.
#[derive(Debug)]
pub(crate) struct Protection {
    file: File,
    before: Access,
}

impl Protection {
    /// Gives the socket at `path` the permissions and the owner that `wanted` names; `known` is which
    /// one it has to be. `None` where it has them.
    ///
    /// # Errors
    /// The system's, and then nothing has changed; another file is there; it knows no such user or
    /// group.
    pub(super) fn give(
        path: &Path,
        known: Option<Identity>,
        wanted: &SocketFile,
    ) -> io::Result<Option<Self>> {
        let (owner, group) = owner_ids(wanted.owner.as_deref(), wanted.group.as_deref())
            .map_err(|unknown| io::Error::new(io::ErrorKind::InvalidInput, unknown.to_string()))?;
        let (file, found) = File::find(path)?;
        let is_it = known.is_none_or(|known| known == identity(&found));
        if !is_it || FileType::from_raw_mode(found.st_mode) != FileType::Socket {
            let why = "another file is there than the socket that was bound";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        let before = Access::of(&found);
        let given = Access {
            owner: owner.map_or(before.owner, Uid::from_raw),
            group: group.map_or(before.group, Gid::from_raw),
            mode: Mode::from_raw_mode(wanted.mode as _),
        };
        if given == before {
            return Ok(None);
        }
        let protection = Self { file, before };
        if let Err(error) = protection.file.set(&given) {
            // Its owner may be another one already.
            protection.undo();
            return Err(error);
        }
        Ok(Some(protection))
    }

    /// Gives the file what it had before.
    pub(super) fn undo(&self) {
        if let Err(error) = self.file.set(&self.before) {
            tracing::warn!("{} has other permissions now: {error}", self.file.path.display());
        }
    }
}

/// Owner and permissions.
#[derive(Debug, PartialEq, Eq)]
struct Access {
    owner: Uid,
    group: Gid,
    mode: Mode,
}

impl Access {
    fn of(found: &Stat) -> Self {
        Self {
            owner: Uid::from_raw(found.st_uid),
            group: Gid::from_raw(found.st_gid),
            mode: Mode::from_raw_mode(found.st_mode),
        }
    }
}

/// A file that is held, so that no other one takes its place while it is changed; systems other
/// than Linux know it by its path alone.
#[derive(Debug)]
struct File {
    path: PathBuf,
    held: Option<OwnedFd>,
}

impl File {
    /// What is at a path, and what it is like. No link at its end is followed.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn find(path: &Path) -> io::Result<(Self, Stat)> {
        use rustix::fs::{OFlags, fstat, open};

        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let held = open(path, flags, Mode::empty())?;
        let found = fstat(&held)?;
        Ok((Self { path: path.to_owned(), held: Some(held) }, found))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn find(path: &Path) -> io::Result<(Self, Stat)> {
        let found = rustix::fs::lstat(path)?;
        Ok((Self { path: path.to_owned(), held: None }, found))
    }

    fn set(&self, Access { owner, group, mode }: &Access) -> io::Result<()> {
        let (owner, group) = (Some(*owner), Some(*group));
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(held) = &self.held {
            use std::os::fd::AsRawFd;

            chownat(held, c"", owner, group, AtFlags::EMPTY_PATH)?;
            // No system call changes the permissions of what is held so, but this name leads to it.
            return Ok(chmod(format!("/proc/self/fd/{}", held.as_raw_fd()), *mode)?);
        }
        chownat(CWD, &self.path, owner, group, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(chmod(&self.path, *mode)?)
    }
}

pub(super) fn identity(found: &Stat) -> Identity {
    // Their types are those of the system.
    #[allow(clippy::unnecessary_cast, reason = "they are narrower elsewhere")]
    Identity(found.st_dev as u64, found.st_ino as u64)
}
