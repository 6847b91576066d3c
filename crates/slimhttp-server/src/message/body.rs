//! The body of a response: nothing, bytes, a piece of a file, or a stream with
//! back-pressure. It is made where the answer is, on any thread, and polled by the protocol on
//! the connection's I/O thread. Dropping it gives up the rest.

use std::any::Any;
use std::fs::File;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Method;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::net::TcpStream;

pub(crate) use crate::message::file_body::FileBody;

/// Whatever ended a body early.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// How much of a response is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The head and the content.
    Whole,
    /// The head alone: the method is HEAD (RFC 9110 section 9.3.2).
    HeadOnly,
}

impl Extent {
    /// Of the response to a request with this method.
    pub(crate) fn of(method: &Method) -> Self {
        if *method == Method::HEAD { Self::HeadOnly } else { Self::Whole }
    }
}

/// A response body.
#[derive(Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// What is not sent because the method is HEAD: the head says what is known of
    /// its length. The server puts it in the place of what a handler has made, or an upstream
    /// would have sent.
    #[doc(hidden)]
    Omitted,
    /// All of it, in memory.
    Full(Bytes),
    /// Bytes of an open file, see [`Body::open_file`].
    #[doc(hidden)]
    File(FileBody),
    /// A stream; polled only when the client takes more.
    Stream(Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send>>),
    /// A stream that may be taken off a socket instead. Only the server makes it.
    #[doc(hidden)]
    Socket(Pin<Box<dyn SocketBody>>),
}

/// A body whose bytes come in on a socket of this process: whoever sends it may have the system
/// move them from there to another socket.
pub trait SocketBody: HttpBody<Data = Bytes, Error = BodyError> + Send {
    /// The plain socket whose next bytes are the rest of the body and nothing else, and how many
    /// these are; `None` while that is not so.
    fn socket(&self) -> Option<(&TcpStream, u64)>;

    /// So many of these bytes were taken off the socket.
    fn advance(self: Pin<&mut Self>, count: u64);

    /// While nothing comes: ready when that has lasted for too long. What is polled next says so.
    fn poll_silence(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()>;
}

impl Body {
    /// A body that streams.
    pub fn stream(body: impl HttpBody<Data = Bytes, Error = BodyError> + Send + 'static) -> Self {
        Self::Stream(Box::pin(body))
    }

    /// `length` bytes of a regular file from `offset` on, sent by the system where it can do
    /// that (`sendfile`). It is what a handler has opened by itself and answers for: no option
    /// says anything of it, and no range or condition of the request is looked at. One that is
    /// named by [`Answer::File`](crate::Answer::File) is answered as files of the site are.
    ///
    /// `kept` is dropped once the last byte was sent, or when the client has left.
    pub fn open_file(file: Arc<File>, offset: u64, length: u64, kept: impl Any + Send) -> Self {
        Self::File(FileBody::new(file, offset, length).keeping(kept))
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Omitted => f.write_str("Omitted"),
            Self::Full(bytes) => write!(f, "Full({} bytes)", bytes.len()),
            Self::File(body) => write!(f, "File({} bytes)", body.size_hint().lower()),
            Self::Stream(_) => f.write_str("Stream"),
            Self::Socket(_) => f.write_str("Socket"),
        }
    }
}

impl<B: Into<Bytes>> From<B> for Body {
    fn from(bytes: B) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::Empty } else { Self::Full(bytes) }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Empty | Self::Omitted => Poll::Ready(None),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::File(body) => Pin::new(body).poll_frame(context),
            Self::Stream(body) => body.as_mut().poll_frame(context),
            Self::Socket(body) => body.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty | Self::Omitted => true,
            Self::Full(_) => false,
            Self::File(body) => body.is_end_stream(),
            Self::Stream(body) => body.is_end_stream(),
            Self::Socket(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            // Not 0, which whoever writes the head would announce.
            Self::Omitted => SizeHint::default(),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::File(body) => body.size_hint(),
            Self::Stream(body) => body.size_hint(),
            Self::Socket(body) => body.size_hint(),
        }
    }
}
