//! Giving up the rights of root: the process becomes another user, with every
//! thread it has, and cannot go back.
//!
//! A port below 1024 that is bound already stays bound. What is opened later (a
//! renewed key, a new access log) is opened as that user; how it is opened before,
//! while the process is still root, see `opening`. Called on a thread of the program,
//! before there are I/O threads; a look-up of a user may ask a server elsewhere.

use std::ffi::CString;
use std::fmt;

use nix::errno::Errno;
use nix::unistd::{
    Gid, Group, Uid, User, getgroups, getresgid, getresuid, initgroups, setresgid, setresuid,
};
use slimhttp_site::fault::{Fault, Place};
use slimhttp_site::site::Service;

mod opening;

pub use opening::Successor;

/// Why the process goes on as whoever it was.
#[derive(Debug)]
pub enum NotDropped {
    /// The system knows no such user (`user`) or group (`group`).
    Unknown {
        /// The option that names it.
        option: &'static str,
        /// The name.
        name: String,
    },
    /// Only root can become another user, and this process is not root.
    NotRoot {
        /// The number of the user that it is.
        now: u32,
        /// Who it was to be.
        user: String,
    },
    /// The system refuses.
    Refused(Errno),
}

impl fmt::Display for NotDropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { option, name } => {
                write!(f, "{option}: the system knows no {option} `{name}`")
            }
            Self::NotRoot { now, user } => write!(
                f,
                "only root can become the user `{user}`, and this process is the user with the \
                 number {now}"
            ),
            Self::Refused(errno) => write!(f, "the system refuses: {}", errno.desc()),
        }
    }
}

impl std::error::Error for NotDropped {}

impl From<Errno> for NotDropped {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno)
    }
}

/// Whom the process is to become.
#[derive(Debug)]
struct Account {
    name: CString,
    user: Uid,
    group: Gid,
}

/// Makes the whole process that user, with that group or the user's own, and
/// with the further groups of the user. Does nothing where it is so already.
///
/// # Errors
/// See [`NotDropped`]; the process is then who it was, unless the system has
/// refused the second half of what it allowed the first half of.
pub fn drop_to(user: &str, group: Option<&str>) -> Result<(), NotDropped> {
    let account = resolve(user, group)?;
    if has_become(&account)? {
        return Ok(());
    }
    if !Uid::effective().is_root() {
        return Err(NotDropped::NotRoot { now: Uid::effective().as_raw(), user: user.to_owned() });
    }
    // Groups first: without the rights of root they cannot be changed any more.
    // Each of these calls of the C library reaches every thread of the process
    // (POSIX 2.12.5, nptl(7)), where the bare system call reaches one.
    initgroups(&account.name, account.group)?;
    // Real, effective and saved: from a saved one there is a way back.
    setresgid(account.group, account.group, account.group)?;
    setresuid(account.user, account.user, account.user)?;
    let can_return = !account.user.is_root() && setresuid(ROOT, ROOT, ROOT).is_ok();
    if can_return || !has_become(&account)? {
        return Err(NotDropped::Refused(Errno::EPERM));
    }
    Ok(())
}

const ROOT: Uid = Uid::from_raw(0);

/// What is wrong with the accounts that a site names; where one of them is new.
pub(crate) fn faults(service: &Service, before: Option<&Service>) -> Vec<Fault> {
    let Some(user) = &service.user else { return Vec::new() };
    let group = service.group.as_deref();
    if before.is_some_and(|before| before.user == service.user && before.group == service.group) {
        return Vec::new();
    }
    match resolve(user, group) {
        Err(NotDropped::Unknown { option, name }) => vec![Fault {
            place: Place::default().key(option),
            expected: format!("a {option} that the system knows"),
            found: Some(format!("`{name}`")),
            hint: None,
        }],
        // The system may know later what it cannot say now.
        _ => Vec::new(),
    }
}

/// Serves as the user that the site names, if it names one: the last step before
/// a server answers.
///
/// # Errors
/// The process stays root: rights that were to be dropped must not be kept unnoticed.
pub(crate) fn apply(service: &Service) -> std::io::Result<()> {
    let Some(user) = &service.user else { return Ok(()) };
    match drop_to(user, service.group.as_deref()) {
        Ok(()) => Ok(()),
        Err(not_root @ NotDropped::NotRoot { .. }) => {
            tracing::warn!("{not_root}: it goes on as that");
            Ok(())
        }
        Err(error) => Err(std::io::Error::other(error)),
    }
}

fn resolve(user: &str, group: Option<&str>) -> Result<Account, NotDropped> {
    let unknown = |option, name: &str| NotDropped::Unknown { option, name: name.to_owned() };
    let found = User::from_name(user)?.ok_or_else(|| unknown("user", user))?;
    let group = match group {
        Some(group) => Group::from_name(group)?.ok_or_else(|| unknown("group", group))?.gid,
        None => found.gid,
    };
    // A name that was found has no NUL in it.
    let name = CString::new(found.name).map_err(|_| Errno::EINVAL)?;
    Ok(Account { name, user: found.uid, group })
}

/// The numbers of a user and of a group, of those that are named.
///
/// # Errors
/// The system knows no such user or group, or cannot tell.
pub(crate) fn owner_ids(
    owner: Option<&str>,
    group: Option<&str>,
) -> Result<(Option<u32>, Option<u32>), NotDropped> {
    let unknown = |option, name: &str| NotDropped::Unknown { option, name: name.to_owned() };
    let user = |name: &str| {
        let found = User::from_name(name)?.ok_or_else(|| unknown("user", name))?;
        Ok::<_, NotDropped>(found.uid.as_raw())
    };
    let owner = owner.map(user).transpose()?;
    let gid = |name: &str| {
        let found = Group::from_name(name)?.ok_or_else(|| unknown("group", name))?;
        Ok::<_, NotDropped>(found.gid.as_raw())
    };
    Ok((owner, group.map(gid).transpose()?))
}

/// Whether the process is that user already, with no way back and no group of root.
fn has_become(account: &Account) -> Result<bool, NotDropped> {
    let (user, group) = (getresuid()?, getresgid()?);
    let user = [user.real, user.effective, user.saved].iter().all(|id| *id == account.user);
    let group = [group.real, group.effective, group.saved].iter().all(|id| *id == account.group);
    let root = Gid::from_raw(0);
    Ok(user && group && (account.group == root || !getgroups()?.contains(&root)))
}
