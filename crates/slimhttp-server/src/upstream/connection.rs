//! One connection to an upstream: its socket, and HTTP/1.1 on it as a client.
//!
//! It has no task. It is polled on the I/O thread that has opened it, by the exchange that uses
//! it (`send`), and then by the body of the response. Between two requests it lies in the
//! thread's pool, without a buffer. Dropping it closes it.

use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, StatusCode};
use slimhttp_http1::{Client, Fault, Limits, Received, ResponseEvent, Scratch};
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};

use crate::net::read_buffer;
use crate::sys::descriptors::UpstreamDescriptor;
use crate::upstream::error::UpstreamError;
use crate::upstream::group::UpstreamGroup;
use crate::upstream::silence::Silence;
use crate::upstream::socket::UpstreamSocket;

/// What is read at once of content that comes in fast, and handed on as it was read.
const LARGE: usize = 64 * 1024;

thread_local! {
    /// Where heads of responses are read to. Boxed, as what threads have of their own is little in
    /// a library that is loaded late, as Python does.
    static SCRATCH: RefCell<Box<Scratch>> = RefCell::default();
}

/// Lends the thread's scratch. `work` only reads what has been received.
pub(super) fn with_scratch<R>(work: impl FnOnce(&mut Scratch) -> R) -> R {
    SCRATCH.with_borrow_mut(|scratch| work(scratch))
}

/// Whose a connection is: an upstream of a group.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(super) group: Weak<UpstreamGroup>,
    /// Which of its upstreams.
    pub(super) index: usize,
}

impl Place {
    /// That upstream of a group.
    pub(crate) fn new(group: &Arc<UpstreamGroup>, index: usize) -> Self {
        Self { group: Arc::downgrade(group), index }
    }

    /// The upstream for the log, if the group is still there.
    pub(super) fn name(&self) -> Option<String> {
        self.group.upgrade().map(|group| group.name(self.index))
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct UpstreamConnection {
    pub(super) socket: UpstreamSocket,
    pub(super) client: Client,
    /// What was received and not read yet.
    pub(super) unread: BytesMut,
    pub(super) silence: Silence,
    pub(super) place: Place,
    /// Whether it has carried a request before.
    is_reused: bool,
    /// Whether content comes in fast enough for a buffer of its own.
    reads_large: bool,
    /// Whether the last response spoke of content that it does not have, as one to HEAD does.
    may_speak: bool,
    _descriptor: UpstreamDescriptor,
}

/// A part of a response's content.
#[derive(Debug)]
pub(super) enum Piece {
    /// More has to be received first.
    Incomplete,
    Data(Bytes),
    /// The end, with the trailers.
    End(HeaderMap),
}

impl UpstreamConnection {
    pub(super) fn new(
        socket: UpstreamSocket,
        place: Place,
        descriptor: UpstreamDescriptor,
    ) -> Box<Self> {
        Box::new(Self {
            socket,
            client: Client::new(Limits { max_head: 0, max_fields: 0, max_target: 0 }),
            unread: BytesMut::new(),
            silence: Silence::default(),
            place,
            is_reused: false,
            reads_large: false,
            may_speak: false,
            _descriptor: descriptor,
        })
    }

    /// Whether it has carried a request before, so that the upstream may have closed it since.
    pub(crate) fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// Whether the exchange on it is complete and it may carry another one.
    pub(super) fn is_reusable(&self) -> bool {
        self.unread.is_empty() && self.client.is_reusable()
    }

    /// What a complete response says of its content, which it does not have if it is `empty`;
    /// whether the connection may carry another request as far as that goes.
    ///
    /// A response to HEAD, and a 304, may speak of the content that another one would have. An
    /// upstream that errs sends it as well, perhaps a little later, and that must not be the answer
    /// to the next request: so the connection is looked at before that. A 204 says nothing of a
    /// content (RFC 9110 section 8.6, RFC 9112 section 6.1): whoever does so in one has some.
    pub(super) fn set_announced(&mut self, parts: &Parts, is_empty: bool) -> bool {
        let fields = &parts.headers;
        self.may_speak = is_empty
            && (fields.contains_key(TRANSFER_ENCODING)
                || fields.get_all(CONTENT_LENGTH).iter().any(|length| length != "0"));
        !(self.may_speak && parts.status == StatusCode::NO_CONTENT)
    }

    /// Whether it may carry a request now: the upstream has sent nothing since its last response.
    /// Costs a system call only where the upstream may have reason to, or the system has said so.
    pub(super) fn is_fit(&mut self) -> bool {
        self.is_quiet() && !(self.may_speak && self.socket.has_received())
    }

    /// Readies it for the pool.
    pub(super) fn make_idle(&mut self) {
        self.is_reused = true;
        self.reads_large = false;
        self.unread = BytesMut::new();
        self.silence.end();
    }

    /// Whether the upstream has sent nothing since its last response, neither bytes nor its end.
    /// Costs a system call only where the system has said that there is something.
    pub(super) fn is_quiet(&mut self) -> bool {
        let look = std::future::poll_fn(|context| {
            let (mut byte, socket) = ([0], Pin::new(&mut self.socket));
            Poll::Ready(socket.poll_read(context, &mut ReadBuf::new(&mut byte)).is_pending())
        });
        // Even where the task has done so much that the runtime would have it yield first.
        let look = pin!(tokio::task::unconstrained(look));
        look.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(true)
    }

    /// Receives more, and returns how many bytes: none at the end.
    ///
    /// # Errors
    /// The socket's.
    pub(super) fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let received = if self.reads_large && self.unread.is_empty() {
            self.unread.reserve(LARGE);
            let received = pin!(self.socket.read_buf(&mut self.unread)).poll(context);
            if self.unread.is_empty() {
                // Nobody waits with so much memory.
                self.unread = BytesMut::new();
            }
            let received = ready!(received)?;
            if received < LARGE / 4 {
                // Whoever gets it may keep it for a while.
                self.unread = BytesMut::from(&*self.unread);
            }
            received
        } else {
            ready!(read_buffer::with(|buffer| {
                let mut buffer = ReadBuf::new(buffer);
                ready!(Pin::new(&mut self.socket).poll_read(context, &mut buffer))?;
                self.unread.extend_from_slice(buffer.filled());
                Poll::Ready(io::Result::Ok(buffer.filled().len()))
            }))?
        };
        self.reads_large = received >= LARGE / 4;
        self.silence.end();
        Poll::Ready(Ok(received))
    }

    /// The upstream has closed its side. Whether that ends a response, which is complete then.
    ///
    /// # Errors
    /// It has closed within a response.
    pub(super) fn end(&mut self) -> Result<bool, Fault> {
        self.client.read_end(&self.unread)
    }

    /// Fails when nothing has moved for `limit`.
    pub(super) fn poll_silence(
        &mut self,
        limit: Duration,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), UpstreamError>> {
        self.silence.poll(limit, context).map(|()| Err(UpstreamError::silent(limit)))
    }

    /// The next part of the content, of what has been received.
    ///
    /// # Errors
    /// The upstream has sent what is no content.
    pub(super) fn read_piece(&mut self) -> Result<Piece, Fault> {
        with_scratch(|scratch| {
            let Received { consumed, event } = self.client.read(&self.unread, scratch)?;
            let piece = match event {
                ResponseEvent::Data(data) => {
                    let offset = data.as_ptr() as usize - self.unread.as_ptr() as usize;
                    let length = data.len();
                    return Ok(Piece::Data(self.cut(consumed, offset, length)));
                }
                ResponseEvent::End(trailers) => Piece::End(trailers.to_map()?),
                ResponseEvent::Incomplete => Piece::Incomplete,
                ResponseEvent::Interim(_) | ResponseEvent::Head(_) | ResponseEvent::Switched => {
                    return Err(Fault::Unsolicited);
                }
            };
            self.unread.advance(consumed);
            Ok(piece)
        })
    }

    /// Takes so many bytes off what was received, and returns `length` of them without copying.
    fn cut(&mut self, consumed: usize, offset: usize, length: usize) -> Bytes {
        let mut taken = if consumed == self.unread.len() {
            std::mem::take(&mut self.unread)
        } else {
            self.unread.split_to(consumed)
        };
        taken.advance(offset);
        taken.truncate(length);
        taken.freeze()
    }
}
