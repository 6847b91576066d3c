//! What the system says of a file, as small plain values: of what kind it is,
//! and what distinguishes it from every other file and from itself after an edit.

use std::os::fd::AsFd;

use rustix::fs::{FileType, Stat, fstat};
use rustix::io::Errno;

/// What was seen of a file at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Facts {
    identity: FileId,
    mode: u32,
}

/// A file and its content at one moment: an edit in place changes the times, a
/// replacement the inode. Two moments with the same identity have the same
/// content, unless an edit came within the resolution of the file system's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileId {
    /// The number of the device.
    pub(crate) device: u64,
    /// The number of the file on it.
    pub(crate) inode: u64,
    /// Bytes.
    pub(crate) length: u64,
    /// When the content was last changed.
    pub(crate) modified: Time,
    /// When anything of the file was last changed; no program can set it back.
    pub(crate) changed: Time,
}

/// A moment: seconds since 1970 and nanoseconds within the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Time {
    /// Seconds since 1970; negative before.
    pub(crate) seconds: i64,
    /// From 0 to 999,999,999.
    pub(crate) nanoseconds: u32,
}

impl Time {
    /// Nanoseconds since 1970.
    pub(crate) fn as_nanoseconds(self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanoseconds)
    }
}

impl Facts {
    /// Looks at an open file.
    ///
    /// # Errors
    /// As `fstat`.
    pub(crate) fn of(file: impl AsFd) -> Result<Self, Errno> {
        fstat(file).map(Self::from)
    }

    /// What distinguishes it from other files, and from itself after an edit.
    pub(crate) fn identity(&self) -> FileId {
        self.identity
    }

    /// Bytes.
    pub(crate) fn length(&self) -> u64 {
        self.identity.length
    }

    /// Whether it is a regular file.
    pub(crate) fn is_file(&self) -> bool {
        self.kind() == FileType::RegularFile
    }

    /// Whether it is a folder.
    pub(crate) fn is_folder(&self) -> bool {
        self.kind() == FileType::Directory
    }

    /// Whether it is a symbolic link: only where none was followed.
    pub(crate) fn is_link(&self) -> bool {
        self.kind() == FileType::Symlink
    }

    /// Whether anybody may execute it.
    pub(crate) fn is_executable(&self) -> bool {
        self.mode & 0o111 != 0
    }

    fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.mode as _)
    }
}

impl From<Stat> for Facts {
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_lossless,
        reason = "the widths of these fields, and their signs, are each system's own"
    )]
    fn from(stat: Stat) -> Self {
        let time = |seconds: i64, nanoseconds: u32| Time { seconds, nanoseconds };
        Self {
            identity: FileId {
                device: stat.st_dev as u64,
                inode: stat.st_ino as u64,
                length: stat.st_size as u64,
                modified: time(stat.st_mtime as i64, stat.st_mtime_nsec as u32),
                changed: time(stat.st_ctime as i64, stat.st_ctime_nsec as u32),
            },
            mode: stat.st_mode as u32,
        }
    }
}

#[cfg(test)]
mod tests;
