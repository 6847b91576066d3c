//! The content of a request on its way from its connection to whoever reads it: a handler, the
//! exchange that collects it, or an upstream.
//!
//! The connection's task, on its I/O thread, holds the [`ContentPipe`]; the [`ContentReader`] may
//! be polled on any thread. One lock is between them, which neither holds while it waits. The pipe
//! holds what one read of the socket has brought, and nothing is read before its reader asks for
//! more: so a client can send no faster than its content is taken.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::Mutex;
use slimhttp_site::refusal::Refusal;

use crate::message::body::BodyError;
use crate::message::request_body::MalformedBody;

/// The connection's end. Dropping it before the end of the content breaks that off.
pub(super) struct ContentPipe(Arc<Mutex<State>>);

/// The reader's end. Dropping it gives the rest up.
pub(super) struct ContentReader(Arc<Mutex<State>>);

/// How a content ends.
#[derive(Debug)]
pub(super) enum End {
    /// It is complete, with its trailers, if it has any.
    Complete(HeaderMap),
    /// What came is no content; what the client is to be answered.
    Malformed(Refusal),
    /// The client has closed its side, or left.
    Early,
}

/// Who reads a content, as far as the connection's task is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// That very task.
    Here,
    /// Somebody who was woken, or nobody.
    Elsewhere,
}

#[derive(Debug)]
struct State {
    /// What has come and was not taken; none is empty.
    pieces: VecDeque<Bytes>,
    /// `None` while more is to come.
    end: Option<End>,
    /// What is to be read of the content as the head has announced it.
    left: Option<u64>,
    /// Whether the reader waits for more.
    is_wanted: bool,
    is_abandoned: bool,
    /// Who waits for more.
    reader: Option<Waker>,
    /// Who brings more.
    connection: Option<Waker>,
}

/// Both ends of a content of this announced length, or of none.
pub(super) fn pipe(length: Option<u64>) -> (ContentPipe, ContentReader) {
    let state = Arc::new(Mutex::new(State {
        pieces: VecDeque::new(),
        end: None,
        left: length,
        is_wanted: false,
        is_abandoned: false,
        reader: None,
        connection: None,
    }));
    (ContentPipe(state.clone()), ContentReader(state))
}

impl ContentPipe {
    /// Whether the reader asks for more. If not, `waker` is woken once it does.
    pub(super) fn is_wanted(&self, waker: &Waker) -> bool {
        let mut state = self.0.lock();
        if !state.is_wanted {
            match &mut state.connection {
                Some(connection) => connection.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
        }
        state.is_wanted
    }

    /// Whether nobody will read it.
    pub(super) fn is_abandoned(&self) -> bool {
        self.0.lock().is_abandoned
    }

    /// Gives the reader what has come, and wakes it unless it runs in the task of `waker`.
    pub(super) fn supply(
        &self,
        pieces: impl IntoIterator<Item = Bytes>,
        end: Option<End>,
        waker: &Waker,
    ) -> Reader {
        let mut state = self.0.lock();
        state.pieces.extend(pieces);
        state.end = end;
        state.is_wanted = false;
        let reader = state.reader.take();
        drop(state);
        match reader {
            Some(reader) if reader.will_wake(waker) => Reader::Here,
            Some(reader) => {
                reader.wake();
                Reader::Elsewhere
            }
            None => Reader::Elsewhere,
        }
    }
}

impl Drop for ContentPipe {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.end.get_or_insert(End::Early);
        state.connection = None;
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl Drop for ContentReader {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_abandoned = true;
        state.is_wanted = false;
        state.reader = None;
        let pieces = std::mem::take(&mut state.pieces);
        drop(state);
        drop(pieces);
    }
}

impl State {
    /// The next frame, if it is there.
    fn next(&mut self) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(piece) = self.pieces.pop_front() {
            self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        Poll::Ready(match &mut self.end {
            None => return Poll::Pending,
            Some(End::Complete(trailers)) if trailers.is_empty() => None,
            Some(End::Complete(trailers)) => Some(Ok(Frame::trailers(std::mem::take(trailers)))),
            Some(End::Malformed(refusal)) => Some(Err(MalformedBody(refusal.clone()).into())),
            Some(End::Early) => Some(Err("the body ended early".into())),
        })
    }
}

impl HttpBody for ContentReader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut state = self.0.lock();
        let frame = state.next();
        if frame.is_ready() {
            return frame;
        }
        match &mut state.reader {
            Some(reader) => reader.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        if state.is_wanted {
            return Poll::Pending;
        }
        state.is_wanted = true;
        let connection = state.connection.take();
        drop(state);
        // Its own task looks at the pipe after each poll of the exchange.
        if let Some(connection) = connection
            && !connection.will_wake(context.waker())
        {
            connection.wake();
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let state = self.0.lock();
        state.pieces.is_empty()
            && matches!(&state.end, Some(End::Complete(trailers)) if trailers.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().left.map(SizeHint::with_exact).unwrap_or_default()
    }
}

impl fmt::Debug for ContentPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ContentPipe").field(&*self.0.lock()).finish()
    }
}

#[cfg(test)]
mod tests;
