//! Descriptors that Python hands over: sent over a UNIX socket (`SCM_RIGHTS`), so that each comes
//! as ours, and not as a number that anybody may close. It blocks until they have come.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use pyo3::prelude::*;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use slimhttp_server::InheritedSocket;

/// The most that are taken at once: the listeners of a server, one for each address of a name.
const MOST: usize = 64;

/// How long a name is at most, with the end of its line: that of a socket in the file system.
const LONGEST_NAME: usize = 128;

/// The sockets that `give` sends: it is called with a descriptor of which it is the owner, a
/// UNIX socket, and sends them over it, in one message, whose bytes are their names, a line each.
///
/// # Errors
/// What `give` raises, and the system's.
pub(crate) fn given(give: &Bound<'_, PyAny>) -> PyResult<Vec<InheritedSocket>> {
    let (ours, theirs) = UnixStream::pair()?;
    give.call1((theirs.into_raw_fd(),))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut names = vec![0; MOST * LONGEST_NAME];
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(&ours, &mut [IoSliceMut::new(&mut names)], &mut ancillary, flags)
        .map_err(std::io::Error::from)?;
    let names = String::from_utf8_lossy(&names[..received.bytes]).into_owned();
    let mut descriptors: Vec<OwnedFd> = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(sent) = message {
            descriptors.extend(sent);
        }
    }
    let sockets = names.lines().zip(descriptors);
    let socket = |(name, socket): (&str, _)| InheritedSocket { name: name.to_owned(), socket };
    Ok(sockets.map(socket).collect())
}
