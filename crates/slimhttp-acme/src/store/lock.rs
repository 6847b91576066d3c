//! Locks between processes, and between two servers of one process. The system keeps them with
//! the open file: a process that is killed holds none.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::failure::Failure;

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub(crate) struct Lock(File);

/// With whom a lock is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// With nobody.
    Exclusive,
    /// With all who say so too.
    Shared,
}

impl Lock {
    /// Takes the lock of the file `path`, which is made where it is not there and never taken
    /// away. `None`: somebody else has it. It does not wait.
    pub(super) fn take(path: &Path, sharing: Sharing) -> Result<Option<Self>, Failure> {
        let mut options = OpenOptions::new();
        let file =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.map_err(|error| Failure::storage(path, &error))?;
        let operation = match sharing {
            Sharing::Exclusive => FlockOperation::NonBlockingLockExclusive,
            Sharing::Shared => FlockOperation::NonBlockingLockShared,
        };
        match flock(&file, operation) {
            Ok(()) => Ok(Some(Self(file))),
            Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(None),
            Err(error) => Err(Failure::storage(path, &error.into())),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Said aloud, for a child that was forked meanwhile has the file open too. Where it fails
        // the file's end frees it.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}
