//! The bytes of a file on their way out: read at once where they are few and in
//! memory, else as they are sent; a range of a file, or several behind their heads.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use rustix::io::{Errno, ReadWriteFlags};
use slimhttp_site::file_reply::Part;
use tokio::task::JoinHandle;

use crate::message::body::BodyError;

/// So many bytes are read at once, if the system has them: an HTTP/2 client may ask
/// for as much on each of its streams, and read none of it.
const SMALL: usize = 16 * 1024;

/// Bytes read at a time from larger ones.
const CHUNK: usize = 128 * 1024;

/// The same where there are several ranges, of which a client may ask for many.
const CHUNK_OF_PART: usize = 16 * 1024;

/// Reads `length` bytes from `start` where they are few and the system has them
/// in memory; else `None`.
pub(super) fn read_at_once(file: &File, start: u64, length: u64) -> Option<Bytes> {
    let length = usize::try_from(length).ok().filter(|&length| length <= SMALL)?;
    let mut bytes = BytesMut::zeroed(length);
    match read_ready(file, &mut bytes, start) {
        Ok(count) if count == length => Some(bytes.freeze()),
        _ => None,
    }
}

/// Reads what the system has in memory, without waiting for a disk.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] where a disk would have to be waited for, or the
/// system cannot tell; others as reading.
pub(crate) fn read_ready(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    #[cfg(target_os = "linux")]
    {
        let slices = &mut [io::IoSliceMut::new(bytes)];
        match rustix::io::preadv2(file, slices, offset, ReadWriteFlags::NOWAIT) {
            // Some file systems do not know the flag: then the pool reads.
            Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            outcome => Ok(outcome?),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, bytes, offset);
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// Bytes of an open file, read on demand: from memory on this thread, from a disk
/// on the blocking pool.
pub struct FileBody {
    file: Arc<File>,
    offset: u64,
    left: u64,
    /// Bytes read at a time.
    chunk: usize,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileBody {
    pub(super) fn new(file: Arc<File>, offset: u64, left: u64) -> Self {
        Self { file, offset, left, chunk: CHUNK, reading: None }
    }

    /// No more than so many bytes are read at a time from now on.
    pub(crate) fn read_at_most(&mut self, most: usize) {
        self.chunk = most.clamp(1, CHUNK);
    }

    /// The file, from where in it, and how many bytes are still to be sent, for who
    /// can send them without reading them, and says so by [`FileBody::advance`];
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

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
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
                match read_ready(&self.file, &mut bytes, self.offset) {
                    Ok(count) => {
                        bytes.truncate(count);
                        bytes.freeze()
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        let (file, offset) = (self.file.clone(), self.offset);
                        self.reading = Some(tokio::task::spawn_blocking(move || {
                            use std::os::unix::fs::FileExt;
                            let count = file.read_at(&mut bytes, offset)?;
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

/// Several ranges of a file, each behind its own head (RFC 9110 section 14.6).
pub(super) struct MultipartBody {
    file: Arc<File>,
    parts: std::vec::IntoIter<Part>,
    part: Option<FileBody>,
    end: Option<String>,
    left: u64,
}

impl MultipartBody {
    pub(super) fn new(file: Arc<File>, parts: Vec<Part>, end: String) -> Self {
        let length =
            |part: &Part| part.head.len() as u64 + part.range.end() - part.range.start() + 1;
        let left = parts.iter().map(length).sum::<u64>() + end.len() as u64;
        Self { file, parts: parts.into_iter(), part: None, end: Some(end), left }
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if let Some(part) = &mut self.part {
            if let Some(chunk) = ready!(part.poll_chunk(context)) {
                return Poll::Ready(Some(chunk));
            }
            self.part = None;
        }
        let head = match self.parts.next() {
            Some(part) => {
                let length = part.range.end() - part.range.start() + 1;
                let mut body = FileBody::new(self.file.clone(), *part.range.start(), length);
                body.read_at_most(CHUNK_OF_PART);
                self.part = Some(body);
                Some(part.head)
            }
            None => self.end.take(),
        };
        Poll::Ready(head.map(|head| Ok(Bytes::from(head))))
    }
}

impl HttpBody for MultipartBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let chunk = ready!(self.poll_chunk(context));
        if let Some(Ok(bytes)) = &chunk {
            self.left = self.left.saturating_sub(bytes.len() as u64);
        }
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
