//! Several ranges of a file, each behind its own head: the body of a `multipart/byteranges`
//! response whose file is not in memory. Polled on the I/O thread of its connection; each part
//! is a [`FileBody`], which waits for a disk on the blocking pool.

use std::fs::File;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use slimhttp_site::file_reply::RangePart;

use crate::message::body::BodyError;
use crate::message::file_body::FileBody;

/// Bytes read at a time: fewer than of a whole file, for a client may ask for many ranges.
const CHUNK_OF_PART: usize = 16 * 1024;

/// Several ranges of a file, each behind its own head (RFC 9110 section 14.6).
pub(super) struct MultipartBody {
    file: Arc<File>,
    parts: std::vec::IntoIter<RangePart>,
    part: Option<FileBody>,
    end: Option<String>,
    left: u64,
}

impl MultipartBody {
    pub(super) fn new(file: Arc<File>, parts: Vec<RangePart>, end: String) -> Self {
        let length =
            |part: &RangePart| part.head.len() as u64 + part.range.end() - part.range.start() + 1;
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
