//! Sockets in the file system. One appears at its path with its permissions and its owner, whole
//! or not at all; one that a server has left behind is replaced, one that is served is not.
//!
//! On the thread that starts the server or makes a change, which may wait for the disk.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, fchmod, flock};
use slimhttp_site::listener::SocketFile;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::net::listener::BACKLOG;
use crate::net::socket_file::{Identity, Protection};

/// How often, and how far apart, it is tried whether another process has done with the folder: it
/// has it for as long as it takes to bind a socket.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// The longest path that a socket can be reached by, in bytes: what an address has room for (unix(7)),
/// with a zero behind it.
const MAX_PATH: usize = if cfg!(target_vendor = "apple") { 103 } else { 107 };

/// The file of a socket that we have bound, as it is known again.
#[derive(Clone, Debug)]
pub(crate) struct SocketPath {
    path: PathBuf,
    /// `None` where it was not there when we looked.
    identity: Option<Identity>,
}

impl SocketPath {
    /// The socket that is at `path` now.
    pub(super) fn of(path: &Path) -> Self {
        let metadata = fs::symlink_metadata(path).ok();
        let identity = metadata.map(|found| Identity(found.dev(), found.ino()));
        Self { path: path.to_owned(), identity }
    }

    /// No file of ours.
    pub(super) fn none() -> Self {
        Self { path: PathBuf::new(), identity: None }
    }

    /// Whether there is a file of ours.
    pub(super) fn is_known(&self) -> bool {
        self.identity.is_some()
    }

    /// Takes the file away, unless it is another one by now: a successor's.
    pub(super) fn remove(&self) {
        let is_ours = self.identity.is_some() && Self::of(&self.path).identity == self.identity;
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("{} stays behind: {error}", self.path.display());
        }
    }

    /// Gives it other permissions, or another owner.
    ///
    /// # Errors
    /// The system's; another file is there by now; it knows no such user or group.
    pub(super) fn protect(&self, file: &SocketFile) -> io::Result<Option<Protection>> {
        Protection::give(&self.path, self.identity, file)
    }
}

/// Binds and listens at `path`.
///
/// # Errors
/// The system's; a server answers there already, or what is there is no socket.
pub(super) fn bind(path: &Path, file: &SocketFile) -> io::Result<(UnixListener, SocketPath)> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let temporary = temporary(path, folder)?;
    // Two processes that start at once must not both take the other's socket for one left behind.
    let _held = hold(folder)?;
    check_free(path)?;
    let socket = bind_at(&temporary)?;
    let listening = listen(&socket, &temporary, file).and_then(|()| fs::rename(&temporary, path));
    match listening {
        Ok(()) => Ok((socket.into(), SocketPath::of(path))),
        Err(error) => {
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}

/// Where the socket is until it is whole: beside `path`, and by no longer a path than a socket may
/// have.
///
/// # Errors
/// `path` itself is longer, so that nobody could connect.
fn temporary(path: &Path, folder: &Path) -> io::Result<PathBuf> {
    let length = path.as_os_str().len();
    if length > MAX_PATH {
        let why = format!("the path of a socket has at most {MAX_PATH} bytes, and this {length}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let name = format!(".{:08x}", RandomState::new().hash_one(path) as u32);
    let beside = folder.join(&name);
    let excess = beside.as_os_str().len().saturating_sub(MAX_PATH);
    Ok(match excess {
        0 => beside,
        // Without its dot, for no more than that may be left of it.
        excess => folder.join(&name[excess.max(1)..]),
    })
}

/// Holds a folder against other processes that bind a socket there; dropping its descriptor lets go.
fn hold(folder: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let held = rustix::fs::open(folder, flags, Mode::empty())?;
    for _ in 0..TRIES {
        match flock(&held, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(held),
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(PAUSE),
            // A file system without locks.
            Err(_) => return Ok(held),
        }
    }
    Err(io::Error::new(io::ErrorKind::WouldBlock, "another process holds the folder"))
}

/// Whether a socket may take the path: nothing is there, or a socket that nobody answers.
fn check_free(path: &Path) -> io::Result<()> {
    let answers = || Err(io::Error::new(io::ErrorKind::AddrInUse, "a server answers there"));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.file_type().is_socket() => match connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            // It is busy, and its queue is full.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => answers(),
            Ok(()) => answers(),
            Err(error) => Err(error),
        },
        Ok(_) => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file is there that is no socket"))
        }
    }
}

/// Connects to whoever listens there, and waits for nobody.
fn connect(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

fn bind_at(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Until its owner and its permissions are set it is ours alone: Linux makes the file with the
    // permissions of the socket. Where another system does not, the umask decides for a moment.
    let _ = fchmod(&socket, Mode::from_raw_mode(0o600));
    socket.bind(&SockAddr::unix(path)?)?;
    Ok(socket)
}

fn listen(socket: &Socket, path: &Path, file: &SocketFile) -> io::Result<()> {
    Protection::give(path, None, file)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)
}

#[cfg(test)]
mod tests;
