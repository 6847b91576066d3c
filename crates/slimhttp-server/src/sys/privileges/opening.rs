//! Opening files as root for a process that is about to be somebody else: logs,
//! and what Python keeps. Who that is may own the folder, and could put a link
//! there that leads root anywhere. So files are opened with that user's rights;
//! where these do not suffice, as root, but only in folders in which that user
//! can put nothing.

use std::fmt;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{Uid, getgrouplist};
#[cfg(target_os = "linux")]
use nix::unistd::{setfsgid, setfsuid};
use rustix::fs::OFlags;
use slimhttp_site::site::Service;

use crate::sys::privileges::{Account, NotDropped, has_become, resolve};

/// Who the process will be, while it is root.
#[derive(Debug)]
pub struct Successor {
    account: Account,
    /// Every group of that user, by number.
    groups: Vec<u32>,
}

impl Successor {
    /// Whom this process is about to become, if it is root and about to be
    /// somebody else.
    ///
    /// # Errors
    /// The system does not know of the user or the group.
    pub fn new(user: &str, group: Option<&str>) -> Result<Option<Self>, NotDropped> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        let account = resolve(user, group)?;
        if account.user.is_root() || has_become(&account)? {
            return Ok(None);
        }
        let groups = getgrouplist(&account.name, account.group)?;
        let groups = groups.into_iter().map(nix::unistd::Gid::as_raw).collect();
        Ok(Some(Self { account, groups }))
    }

    /// The one whom a site names. What cannot be found out is a fault of the
    /// configuration already, see [`crate::sys::privileges::faults`].
    pub(crate) fn of(service: &Service) -> Option<Self> {
        Self::new(service.user.as_deref()?, service.group.as_deref()).ok().flatten()
    }

    /// The name of the user.
    pub fn name(&self) -> String {
        self.account.name.to_string_lossy().into_owned()
    }

    /// Opens what is at `path` by `open`, which adds the further flags; returns with
    /// it whether it took the rights of root, which follow no link.
    ///
    /// # Errors
    /// Those of `open`; permission is denied where root would have to open it in a folder in
    /// which that user can put something.
    pub fn open<T>(
        &self,
        path: &Path,
        open: impl Fn(&Path, OFlags) -> io::Result<T>,
    ) -> io::Result<(T, bool)> {
        match self.with_its_rights(|| open(path, OFlags::empty())) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                match open(&self.trusted(path)?, OFlags::NOFOLLOW) {
                    Err(error) if error.raw_os_error() == Some(Errno::ELOOP as i32) => {
                        Err(io::Error::other("it is a link, and root follows none"))
                    }
                    outcome => Ok((outcome?, true)),
                }
            }
            outcome => Ok((outcome?, false)),
        }
    }

    /// Runs `work` on this thread with that user's rights on files.
    ///
    /// # Errors
    /// Those of `work`; permission is denied where the system has no such rights.
    pub fn with_its_rights<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let _rights = Rights::take(&self.account)?;
        work()
    }

    /// The same file by a path that this user cannot lead elsewhere: no folder
    /// on the way is one in which it can put or rename anything.
    ///
    /// # Errors
    /// Permission is denied where there is such a folder; the system's, where there is no folder.
    pub fn trusted(&self, path: &Path) -> io::Result<PathBuf> {
        let path = std::path::absolute(path)?;
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::IsADirectory.into());
        };
        // Both: the links that lead to the folder could be exchanged too.
        let real = folder.canonicalize()?;
        for way in folder.ancestors().chain(real.ancestors()) {
            let facts = way.metadata()?;
            // A folder above may be one like `/tmp` (the sticky bit), where nobody
            // renames what is another's.
            let above = way != folder && way != real;
            let sticky = above && facts.mode() & 0o1000 != 0 && !self.owns(&facts);
            if self.may_write(&facts) && !sticky {
                let (owner, mode) = (facts.uid(), facts.mode() & 0o7777);
                let untrusted =
                    Untrusted { folder: way.to_owned(), owner, mode, user: self.name() };
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, untrusted));
            }
        }
        Ok(real.join(name))
    }

    /// Whether this user can put something into a folder.
    fn may_write(&self, folder: &Metadata) -> bool {
        let mode = folder.mode();
        let by_group = mode & 0o020 != 0 && self.groups.contains(&folder.gid());
        self.owns(folder) || by_group || mode & 0o002 != 0
    }

    fn owns(&self, folder: &Metadata) -> bool {
        folder.uid() == self.account.user.as_raw()
    }
}

/// A folder in which root opens nothing, because the user that the process will
/// be can put something there.
#[derive(Debug)]
struct Untrusted {
    folder: PathBuf,
    owner: u32,
    mode: u32,
    user: String,
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { folder, owner, mode, user } = self;
        write!(
            f,
            "`{user}` may not open it, and root does not: `{user}` can write into {} (owner \
             {owner}, mode {mode:04o}) and could lead root elsewhere; let `{user}` own the file, \
             or root alone the folder",
            folder.display()
        )
    }
}

impl std::error::Error for Untrusted {}

/// Rights on files as this thread has them for a while (setfsuid(2)); root's
/// further groups stay, which give nothing that root has not.
struct Rights;

#[cfg(target_os = "linux")]
impl Rights {
    fn take(account: &Account) -> io::Result<Self> {
        // In this order, as for the whole process: the group needs root's rights.
        setfsgid(account.group);
        setfsuid(account.user);
        let rights = Self;
        // The call says who it was before, and not whether it has had an effect.
        if setfsuid(account.user) == account.user {
            Ok(rights)
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Rights {
    fn drop(&mut self) {
        setfsuid(Uid::effective());
        setfsgid(nix::unistd::Gid::effective());
    }
}

#[cfg(not(target_os = "linux"))]
impl Rights {
    fn take(_: &Account) -> io::Result<Self> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}
