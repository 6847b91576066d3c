//! Descriptors that Python hands over: sent over a UNIX socket (`SCM_RIGHTS`), so that each comes
//! as ours, and not as a number that anybody may close. It blocks until they have come.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use pyo3::prelude::*;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// The most that are taken at once: the listeners of a server, one for each address of a name.
const MOST: usize = 64;

/// The descriptors that `give` sends: it is called with a descriptor of which it is the owner, a
/// UNIX socket, and sends them over it, in one message.
///
/// # Errors
/// What `give` raises, and the system's.
pub(crate) fn given(give: &Bound<'_, PyAny>) -> PyResult<Vec<OwnedFd>> {
    let (ours, theirs) = UnixStream::pair()?;
    give.call1((theirs.into_raw_fd(),))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let flags = RecvFlags::CMSG_CLOEXEC;
    recvmsg(&ours, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, flags)
        .map_err(std::io::Error::from)?;
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(sent) = message {
            descriptors.extend(sent);
        }
    }
    Ok(descriptors)
}
