//! The content of a request, as the connection's task reads it from the socket: whole where it has
//! come with its head, else piece by piece as its reader asks for it (`content_pipe`), or dropped
//! where nobody does.
//!
//! What was read lies in `Http1::unread` until the engine has taken its framing off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use slimhttp_http1::{Framing, RequestEvent};
use slimhttp_site::refusal::Refusal;
use smallvec::SmallVec;
use tokio::io::{AsyncReadExt, ReadBuf};

use crate::exchange::Tracked;
use crate::http1::Http1;
use crate::http1::connection::with_scratch;
use crate::http1::content_pipe::{ContentPipe, End, Reader, pipe};
use crate::message::request_body::RequestBody;
use crate::net::connection_state::ReadPhase;
use crate::net::read_buffer;
use crate::net::stream::Stream;

/// Bytes of content that are read at a time, of a client that sends little at once.
const READ: usize = 64 * 1024;

/// Of one that has always more, of content that is not chunked: what is read at a time is doubled
/// up to this.
const READ_MOST: usize = 256 * 1024;

/// A piece of so many bytes is handed on in the memory it was read into; shorter ones are copied,
/// those of one read into one piece.
const LARGE: usize = 16 * 1024;

/// Content that nobody reads is dropped up to so many bytes, so that the connection stays. Where
/// more is to come it ends.
const DROPPED: u64 = 64 * 1024;

/// For how long it is dropped behind the response.
const DROP_TIME: Duration = Duration::from_secs(5);

/// The content of the request in flight, of which some is still to come.
#[derive(Debug)]
pub(super) struct IncomingContent {
    /// `None` where it is dropped.
    pipe: Option<ContentPipe>,
    /// How much is to come, where that was announced.
    left: Option<u64>,
    /// Whether the client waits for `100 Continue` before it sends any.
    awaits_continue: bool,
    /// How many bytes are read next into memory of its own. `None` where little came at a time:
    /// they are read into the buffer of the thread, and copied.
    read_next: Option<usize>,
    /// How much may still be dropped; `None` once nothing more of it is read.
    may_drop: Option<u64>,
}

impl IncomingContent {
    /// How much is to come, as far as was announced.
    pub(super) fn announced(&self) -> u64 {
        self.left.unwrap_or(0)
    }

    /// Whether nobody reads it.
    pub(super) fn is_dropped(&self) -> bool {
        self.pipe.is_none()
    }
}

/// What was taken of a content: the pieces, and its end if that was among it.
#[derive(Debug, Default)]
struct Taken {
    pieces: SmallVec<[Bytes; 2]>,
    end: Option<End>,
}

impl Taken {
    fn length(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len() as u64).sum()
    }

    fn is_nothing(&self) -> bool {
        self.pieces.is_empty() && self.end.is_none()
    }
}

/// What the engine says of the bytes that are there; lengths and places are within them.
enum Read {
    Data { start: usize, length: usize, consumed: usize },
    End { end: End, consumed: usize },
    Incomplete { consumed: usize },
}

impl<S: Stream> Http1<S> {
    /// The content behind a head that was just read: all of it where it has come already, else
    /// what brings it.
    pub(super) fn begin_content(&mut self, framing: Framing, expects: bool) -> RequestBody {
        let left = match framing {
            Framing::Length(length) => Some(length),
            _ => None,
        };
        let awaits_continue = expects && self.unread.is_empty();
        let content = IncomingContent {
            pipe: None,
            left,
            awaits_continue,
            read_next: None,
            may_drop: Some(DROPPED),
        };
        self.content = Some(Box::new(content));
        let taken = self.take_content();
        if let Some(End::Complete(trailers)) = &taken.end
            && trailers.is_empty()
        {
            self.content = None;
            self.context.state.record_read(ReadPhase::Idle);
            return RequestBody::Collected(joined(taken.pieces));
        }
        self.context.state.record_read(ReadPhase::Body);
        let (pipe, reader) = pipe(left);
        let waker = std::task::Waker::noop();
        let ends = taken.end.is_some();
        pipe.supply(taken.pieces, taken.end, waker);
        match &mut self.content {
            Some(content) if !ends => content.pipe = Some(pipe),
            _ => self.end_content(),
        }
        RequestBody::incoming(reader)
    }

    /// No more of it comes.
    fn end_content(&mut self) {
        self.content = None;
        self.context.state.record_read(ReadPhase::Idle);
    }

    /// Brings what the reader of the content asks for, if it does. Ready where something was
    /// brought, or nothing more can be.
    ///
    /// # Errors
    /// The client has left.
    pub(super) fn poll_content(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Reader>> {
        let Some(pipe) = self.content.as_ref().and_then(|content| content.pipe.as_ref()) else {
            return self.poll_reset(context).map(Err);
        };
        if !pipe.is_wanted(context.waker()) {
            return self.poll_reset(context).map(Err);
        }
        self.send_continue(context)?;
        let mut taken = self.take_content();
        while taken.is_nothing() {
            if ready!(self.poll_read_content(context))? == 0 {
                self.client_has_ended();
                taken.end = Some(End::Early);
            } else {
                taken = self.take_content();
            }
        }
        self.context.state.record_read(ReadPhase::Body);
        let ends = taken.end.is_some();
        let pipe = self.content.as_ref().and_then(|content| content.pipe.as_ref());
        let reader = pipe.map_or(Reader::Elsewhere, |pipe| {
            pipe.supply(taken.pieces, taken.end, context.waker())
        });
        if ends {
            self.end_content();
        }
        Poll::Ready(Ok(reader))
    }

    /// Sends `100 Continue` to a client that waits for it and has sent nothing yet (RFC 9110
    /// section 10.1.1).
    fn send_continue(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let Some(content) = &mut self.content else { return Ok(()) };
        if !std::mem::take(&mut content.awaits_continue) || !self.unread.is_empty() {
            return Ok(());
        }
        self.send_interim(context, StatusCode::CONTINUE, &HeaderMap::new())
    }

    /// Takes what there is of the content out of what was read.
    fn take_content(&mut self) -> Taken {
        let mut taken = Taken::default();
        let mut short = BytesMut::new();
        while taken.end.is_none() {
            match self.read_content() {
                Read::Data { start, length, consumed } => {
                    let bytes = self.unread.split_to(consumed);
                    if length >= LARGE {
                        if !short.is_empty() {
                            taken.pieces.push(short.split().freeze());
                        }
                        taken.pieces.push(bytes.freeze().slice(start..start + length));
                    } else {
                        short.extend_from_slice(&bytes[start..start + length]);
                    }
                }
                Read::End { end, consumed } => {
                    self.unread.advance(consumed);
                    taken.end = Some(end);
                }
                Read::Incomplete { consumed } => {
                    self.unread.advance(consumed);
                    break;
                }
            }
        }
        if !short.is_empty() {
            taken.pieces.push(short.freeze());
        }
        if self.unread.is_empty() {
            // The memory belongs to the pieces.
            self.unread = BytesMut::new();
        }
        let length = taken.length();
        if let Some(left) = self.content.as_mut().and_then(|content| content.left.as_mut()) {
            *left = left.saturating_sub(length);
        }
        taken
    }

    /// The next event of the content.
    fn read_content(&mut self) -> Read {
        with_scratch(|scratch| match self.engine.read(&self.unread, scratch) {
            Ok(received) => {
                let consumed = received.consumed;
                match received.event {
                    RequestEvent::Data(data) => {
                        let start = data.as_ptr() as usize - self.unread.as_ptr() as usize;
                        Read::Data { start, length: data.len(), consumed }
                    }
                    RequestEvent::End(trailers) => {
                        let end = match trailers.to_map() {
                            Ok(trailers) => End::Complete(trailers),
                            Err(fault) => End::Malformed(Refusal::from(fault)),
                        };
                        Read::End { end, consumed }
                    }
                    _ => Read::Incomplete { consumed },
                }
            }
            Err(fault) => Read::End { end: End::Malformed(Refusal::from(fault)), consumed: 0 },
        })
    }

    /// Reads more of it; 0 where the client has closed its side.
    fn poll_read_content(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let (own, left) = match &self.content {
            Some(content) => (content.read_next, content.left),
            None => (None, None),
        };
        let left = left.and_then(|left| usize::try_from(left).ok()).unwrap_or(usize::MAX);
        let most = own.unwrap_or(READ).min(left);
        let read = if own.is_some() {
            self.unread.reserve(most);
            let mut limited = (&mut self.unread).limit(most);
            let read = std::pin::pin!(self.socket.read_buf(&mut limited)).poll(context);
            if self.unread.is_empty() {
                // Nobody waits with so much memory.
                self.unread = BytesMut::new();
            }
            read
        } else {
            read_buffer::with(|buffer| {
                let mut buffer = ReadBuf::new(&mut buffer[..most]);
                let read = Pin::new(&mut self.socket).poll_read(context, &mut buffer);
                self.unread.extend_from_slice(buffer.filled());
                read.map_ok(|()| buffer.filled().len())
            })
        };
        let count = match ready!(read) {
            // Without the end that TLS has (RFC 8446 section 6.1): the same as with it, for what
            // is complete here HTTP knows.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            count => count?,
        };
        if let Some(content) = &mut self.content {
            // Of chunks no more is read at a time: how many there are, and what comes behind the
            // last one, is not known.
            let limit = if content.left.is_some() { READ_MOST } else { READ };
            content.read_next = match count {
                // There may be more than was asked for.
                count if count == most => Some((2 * count).clamp(READ, limit)),
                count if count >= READ / 2 => Some(count.next_power_of_two().min(limit)),
                _ => None,
            };
        }
        Poll::Ready(Ok(count))
    }

    /// Before the head of the response is sent: whether the connection ends with it because of
    /// content that nobody reads (RFC 9112 section 9.3). If not, that is little, and
    /// [`Self::drop_content`] is to be called behind the response.
    pub(super) fn ends_with_content(
        &mut self,
        context: &mut Context<'_>,
        response: &Tracked,
    ) -> bool {
        let Some(content) = &mut self.content else { return false };
        let is_read = content.pipe.as_ref().is_some_and(|pipe| !pipe.is_abandoned());
        if is_read && !response.leaves_content_unread() {
            return false;
        }
        content.pipe = None;
        if content.awaits_continue {
            // Whether it will send any, only the client knows.
            return true;
        }
        match self.poll_drop_content(context) {
            Poll::Ready(dropped) => !dropped.unwrap_or(false),
            Poll::Pending => {
                let Some(content) = &mut self.content else { return false };
                content.may_drop = Some(DROPPED);
                content.left.is_none_or(|left| left > DROPPED)
            }
        }
    }

    /// Reads the rest of a content that nobody reads, if there is any, for a while; whether it has
    /// ended, so that another request may follow.
    pub(super) async fn drop_content(&mut self) -> bool {
        match &mut self.content {
            None => return true,
            Some(content) => content.pipe = None,
        }
        let dropped = std::future::poll_fn(|context| {
            if self.context.state.close_mode().ends_idle() {
                return Poll::Ready(false);
            }
            self.poll_drop_content(context).map(|dropped| dropped.unwrap_or(false))
        });
        tokio::time::timeout(DROP_TIME, dropped).await.unwrap_or(false)
    }

    /// Reads and drops content, within a bound; whether it has ended well. If not, nothing more
    /// of it is read.
    ///
    /// # Errors
    /// The client has left.
    pub(super) fn poll_drop_content(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        loop {
            let Some(content) = &mut self.content else { return Poll::Ready(Ok(true)) };
            let Some(most) = content.may_drop.take() else { return Poll::Ready(Ok(false)) };
            let taken = self.take_content();
            match taken.end {
                Some(End::Complete(_)) => {
                    self.end_content();
                    return Poll::Ready(Ok(true));
                }
                Some(End::Malformed(_) | End::Early) => return Poll::Ready(Ok(false)),
                None => {}
            }
            let Some(most) = most.checked_sub(taken.length()) else {
                return Poll::Ready(Ok(false));
            };
            let read = self.poll_read_content(context);
            if let Poll::Ready(Ok(0)) = read {
                self.client_has_ended();
                return Poll::Ready(Ok(false));
            }
            if let Some(content) = &mut self.content {
                content.may_drop = Some(most);
            }
            ready!(read)?;
            self.context.state.record_read(ReadPhase::Body);
        }
    }
}

/// These pieces as one.
fn joined(mut pieces: SmallVec<[Bytes; 2]>) -> Bytes {
    match &mut *pieces {
        [] => Bytes::new(),
        [one] => std::mem::take(one),
        pieces => pieces.concat().into(),
    }
}
