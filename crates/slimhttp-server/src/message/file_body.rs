//! Bytes of a file on their way out, read as the client takes them. Polled on the connection's
//! I/O thread, which never waits for the disk.

use std::any::Any;
use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::task::JoinHandle;

use crate::fs::read;
use crate::message::body::BodyError;

/// Bytes read at a time.
const CHUNK: usize = 128 * 1024;

/// Bytes of an open file, read on demand: from memory on this thread, from a disk
/// on the blocking pool.
pub struct FileBody {
    file: Arc<File>,
    offset: u64,
    left: u64,
    /// Bytes read at a time.
    chunk: usize,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    /// What is dropped with it, once the last byte was sent or nobody takes more.
    _kept: Option<Box<dyn Any + Send>>,
}

impl FileBody {
    pub(crate) fn new(file: Arc<File>, offset: u64, left: u64) -> Self {
        Self { file, offset, left, chunk: CHUNK, reading: None, _kept: None }
    }

    /// The same, with something that is dropped when it is.
    pub(crate) fn keeping(self, kept: impl Any + Send) -> Self {
        Self { _kept: Some(Box::new(kept)), ..self }
    }

    /// No more than so many bytes are read at a time from now on.
    pub(crate) fn read_at_most(&mut self, most: usize) {
        self.chunk = most.clamp(1, CHUNK);
    }

    /// The file, from where in it, and how many bytes are still to be sent, for who
    /// can send them without reading them, and reports it by [`FileBody::advance`];
    /// `None` while some of them are being read.
    pub(crate) fn unread(&self) -> Option<(&Arc<File>, u64, u64)> {
        self.reading.is_none().then_some((&self.file, self.offset, self.left))
    }

    /// The next `count` bytes have been sent by other means.
    pub(crate) fn advance(&mut self, count: u64) {
        debug_assert!(self.reading.is_none(), "these bytes are being read");
        self.offset += count;
        self.left = self.left.saturating_sub(count);
    }

    pub(crate) fn poll_chunk(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let bytes = match &mut self.reading {
            Some(reading) => {
                let outcome = ready!(Pin::new(reading).poll(context));
                self.reading = None;
                outcome.map_err(BodyError::from)?.map_err(BodyError::from)?
            }
            None => {
                let size = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.chunk);
                let mut bytes = BytesMut::zeroed(size);
                match read::read_ready(&self.file, &mut bytes, self.offset) {
                    Ok(count) => {
                        bytes.truncate(count);
                        bytes.freeze()
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        let (file, offset) = (self.file.clone(), self.offset);
                        self.reading = Some(tokio::task::spawn_blocking(move || {
                            let count = read::read_some(&file, &mut bytes, offset)?;
                            bytes.truncate(count);
                            Ok(bytes.freeze())
                        }));
                        return self.poll_chunk(context);
                    }
                    Err(error) => return Poll::Ready(Some(Err(error.into()))),
                }
            }
        };
        if bytes.is_empty() {
            // The length is promised already: all that is left is to break off.
            let shrunk = io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter");
            return Poll::Ready(Some(Err(shrunk.into())));
        }
        self.offset += bytes.len() as u64;
        self.left = self.left.saturating_sub(bytes.len() as u64);
        Poll::Ready(Some(Ok(bytes)))
    }
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.poll_chunk(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests;
