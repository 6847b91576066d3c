//! A file → a plain socket without a copy through this process: `sendfile(2)`.
//!
//! The call waits for the disk where the system has not got the bytes in
//! memory, so each window is looked at first, and one that is not there is read
//! on the blocking pool. The look takes a byte here and there; what the system
//! drops in between can cost one wait. Called by `sending`, in the connection's task.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use slimhttp_http1::Framing;
use tokio::io::Interest;

use crate::exchange::Tracked;
use crate::fs::read;
use crate::http1::Http1;
use crate::net::stream::Stream;

/// Bytes that are sent by one call: enough to fill any send buffer.
const WINDOW: u64 = 1024 * 1024;

impl<S: Stream> Http1<S> {
    /// Sends what is left of a file, and returns what is left to be sent: all of it where the
    /// body is none, where the response promises another length than the file has, and where this
    /// socket or this file system does not do it.
    ///
    /// # Errors
    /// The socket's, the disk's, or that the file became shorter.
    pub(super) async fn send_file(
        &mut self,
        body: &mut Tracked,
        framing: Framing,
    ) -> io::Result<Framing> {
        let left = body.file().map(|(.., left)| Framing::Length(left));
        if left != Some(framing) || self.socket.tcp().is_none() {
            return Ok(framing);
        }
        std::future::poll_fn(|context| self.poll_write_queue(context)).await?;
        // Where what was found in memory, or was read into it, ends.
        let mut loaded = 0;
        let mut turn = 0;
        while let Some((file, offset, left)) = body.file() {
            if offset >= loaded {
                let window = left.min(WINDOW);
                if !read::is_in_memory(file, offset, window)? {
                    let file = Arc::clone(file);
                    tokio::task::spawn_blocking(move || read::load(&file, offset, window))
                        .await??;
                }
                loaded = offset + window;
            }
            match std::future::poll_fn(|context| self.poll_sendfile(context, file, offset, loaded))
                .await
            {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(sent) => {
                    self.engine.send_data(sent).map_err(io::Error::other)?;
                    body.file_sent(sent);
                    turn += sent;
                }
                // What some file systems say who do not know the call.
                Err(error)
                    if matches!(
                        Errno::from_io_error(&error),
                        Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
                    ) =>
                {
                    return Ok(Framing::Length(left));
                }
                Err(error) => return Err(error),
            }
            // Who takes as fast as we send would keep this thread from all others.
            if turn >= WINDOW {
                turn = 0;
                tokio::task::yield_now().await;
            }
        }
        self.engine.send_end(&mut Vec::new(), None).map_err(io::Error::other)?;
        Ok(Framing::None)
    }

    fn poll_sendfile(
        &self,
        context: &mut Context<'_>,
        file: &File,
        offset: u64,
        end: u64,
    ) -> Poll<io::Result<u64>> {
        let Some(tcp) = self.socket.tcp() else { return Poll::Ready(Ok(0)) };
        loop {
            let ready = tcp.poll_write_ready(context);
            self.context.state.set_write_blocked(ready.is_pending());
            ready!(ready)?;
            let count = usize::try_from(end - offset).unwrap_or(usize::MAX);
            let sent = tcp.try_io(Interest::WRITABLE, || {
                Ok(rustix::fs::sendfile(tcp, file, Some(&mut offset.clone()), count)?)
            });
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                sent => return Poll::Ready(sent.map(|sent| sent as u64)),
            }
        }
    }
}
