//! Bytes from one plain socket to another without a copy through this process: `splice(2)`,
//! through a pipe in between. For the content of a proxied response that is long enough: what it
//! saves in copies has to outweigh the pipe.
//!
//! Used by whoever sends such a content, in the connection's task; neither step waits. A pipe is
//! two descriptors and memory of the system, so that there are only so many at once ([`MOST`]),
//! and none where descriptors are scarce; who gets none copies.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::sys::descriptors::ExtraDescriptors;

/// The shortest rest of a content that is worth a pipe, in bytes.
pub(crate) const LEAST: u64 = 256 * 1024;

/// Bytes that a pipe holds, if the system allows so many.
const SIZE: usize = 256 * 1024;

/// Pipes at once, in the process: 16 MiB of the system's memory at most.
const MOST: usize = 64;

/// How many there are.
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// A pipe between two sockets. What it holds is lost with it.
#[derive(Debug)]
pub(crate) struct Splice {
    into: OwnedFd,
    out_of: OwnedFd,
    held: usize,
    _count: Count,
    _descriptors: ExtraDescriptors,
}

/// One of those that are counted.
#[derive(Debug)]
struct Count(&'static AtomicUsize);

impl Count {
    fn take(open: &'static AtomicUsize) -> Option<Self> {
        let more = |open| (open < MOST).then_some(open + 1);
        open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self(open))
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Splice {
    /// An empty pipe; `None` where there are too many, or there are no descriptors for it.
    pub(crate) fn open() -> Option<Self> {
        let count = Count::take(&OPEN)?;
        let descriptors = ExtraDescriptors::take(2)?;
        let (out_of, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        // With the usual size it goes slower, and works.
        let _ = fcntl_setpipe_size(&into, SIZE);
        Some(Self { into, out_of, held: 0, _count: count, _descriptors: descriptors })
    }

    /// Bytes that have been taken from one socket and not given to the other.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Takes at most `most` bytes from a socket. For an empty pipe alone: of one that is full the
    /// system says the same as of a socket that has nothing. `0` is the end of its bytes.
    ///
    /// # Errors
    /// The socket's.
    pub(crate) fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        from: &TcpStream,
        most: u64,
    ) -> Poll<io::Result<usize>> {
        debug_assert_eq!(self.held, 0, "the pipe is empty");
        let most = usize::try_from(most).map_or(SIZE, |most| most.min(SIZE));
        loop {
            ready!(from.poll_read_ready(context))?;
            let taken = from.try_io(Interest::READABLE, || {
                Ok(splice(from, None, &self.into, None, most, flags())?)
            });
            if let Some(taken) = settled(taken) {
                self.held = *taken.as_ref().unwrap_or(&0);
                return Poll::Ready(taken);
            }
        }
    }

    /// Gives what is held to a socket, as much as it takes; how much that was.
    ///
    /// # Errors
    /// The socket's.
    pub(crate) fn poll_drain(
        &mut self,
        context: &mut Context<'_>,
        to: &TcpStream,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(to.poll_write_ready(context))?;
            let given = to.try_io(Interest::WRITABLE, || {
                Ok(splice(&self.out_of, None, to, None, self.held, flags())?)
            });
            if let Some(given) = settled(given) {
                self.held -= *given.as_ref().unwrap_or(&0);
                return Poll::Ready(given);
            }
        }
    }
}

fn flags() -> SpliceFlags {
    SpliceFlags::MOVE | SpliceFlags::NONBLOCK
}

/// What came of a call, unless it is to be made again once the socket is ready.
fn settled(outcome: io::Result<usize>) -> Option<io::Result<usize>> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
        outcome => Some(outcome),
    }
}

#[cfg(test)]
mod tests;
