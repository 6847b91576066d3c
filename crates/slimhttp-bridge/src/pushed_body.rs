//! A response body that a program pushes, and the end that it pushes into: an application that
//! sends chunk by chunk. The program's thread puts chunks in without waiting, up to a bound; the
//! I/O thread of the connection takes all that is there at once, when the client can take more. A
//! program that has met the bound is told when there is room, by `notify`; so it is when nobody
//! takes the body any more.
//!
//! One lock is between the two, held while some pointers are moved. The I/O thread is woken by its
//! completion queue, and so with whatever else the program's thread has for it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame};
use parking_lot::{Mutex, MutexGuard};
use slimhttp_server::{Body as ResponseBody, BodyError};

use crate::completion::{Completion, CompletionQueue};

/// How many bytes of a body may wait: as many as a protocol takes before it waits for the client.
pub const MAX_WAITING: usize = 64 * 1024;
/// Chunks of this size are passed on as they are, and shorter ones together with their next.
const COALESCED: usize = 16 * 1024;

/// Why nothing can be pushed: nobody takes the body any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// The program's end. Dropped before [`BodySender::finish`], it breaks the body off.
pub struct BodySender(Arc<Shared>);

/// The connection's end.
pub struct PushedBody(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    completions: Option<Arc<CompletionQueue>>,
    notify: Box<dyn Fn() + Send + Sync>,
}

struct State {
    chunks: VecDeque<Bytes>,
    /// How many bytes these are.
    waiting: usize,
    /// How many of the bytes that were announced the connection has not taken.
    left: Option<u64>,
    end: Option<End>,
    /// Whether the program is to be told when there is room.
    wants_room: bool,
    /// Whether the connection has dropped it.
    is_dropped: bool,
    /// Of the connection's task, while it waits for more.
    waker: Option<Waker>,
}

enum End {
    /// It is complete, with its trailers, if it has any.
    Complete(Option<HeaderMap>),
    /// No more comes, though more was to come.
    Broken,
}

/// A body of which `announced` bytes are promised, if that is known: both of its ends. `completions`
/// are those of the connection's I/O thread. `notify` is called on that thread, and must not wait.
pub fn channel(
    announced: Option<u64>,
    completions: Option<Arc<CompletionQueue>>,
    notify: impl Fn() + Send + Sync + 'static,
) -> (BodySender, PushedBody) {
    let state = State {
        chunks: VecDeque::new(),
        waiting: 0,
        left: announced,
        end: None,
        wants_room: false,
        is_dropped: false,
        waker: None,
    };
    let shared = Shared { state: Mutex::new(state), completions, notify: Box::new(notify) };
    let shared = Arc::new(shared);
    (BodySender(shared.clone()), PushedBody(shared))
}

impl State {
    /// Whether nobody takes the body any more. A connection that has all that was announced may
    /// drop it before its end has come.
    fn is_gone(&self) -> bool {
        self.is_dropped && self.left != Some(0)
    }

    fn is_full(&self) -> bool {
        self.waiting >= MAX_WAITING
    }

    /// Whether the next chunk goes together with so many bytes before it.
    fn fits_behind(&self, size: usize) -> bool {
        let fits = |next: &Bytes| size + next.len() <= MAX_WAITING;
        size < COALESCED && self.chunks.front().is_some_and(fits)
    }

    /// The next bytes to send: a long chunk, or short ones together.
    fn take_piece(&mut self) -> Option<Bytes> {
        let mut piece = self.chunks.pop_front()?;
        if self.fits_behind(piece.len()) {
            let mut joined = BytesMut::with_capacity(self.waiting.min(MAX_WAITING));
            joined.extend_from_slice(&piece);
            while self.fits_behind(joined.len())
                && let Some(next) = self.chunks.pop_front()
            {
                joined.extend_from_slice(&next);
            }
            piece = joined.freeze();
        }
        self.waiting -= piece.len();
        self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
        Some(piece)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn wake(&self, waker: Option<Waker>) {
        match (waker, &self.completions) {
            (Some(waker), Some(completions)) => completions.push(Completion::Wake(waker)),
            (Some(waker), None) => waker.wake(),
            (None, _) => {}
        }
    }
}

impl BodySender {
    /// Pushes a chunk; whether there is room for another one. There is none until `notify` is
    /// called otherwise.
    ///
    /// # Errors
    /// Nobody takes the body any more.
    pub fn push(&self, chunk: Bytes) -> Result<bool, Gone> {
        let mut state = self.0.lock();
        if state.is_gone() {
            return Err(Gone);
        }
        if !chunk.is_empty() {
            state.waiting += chunk.len();
            state.chunks.push_back(chunk);
        }
        let has_room = !state.is_full();
        let waker = state.waker.take();
        drop(state);
        self.0.wake(waker);
        Ok(has_room)
    }

    /// Whether there is room for a chunk; `notify` is called where there is none yet.
    ///
    /// # Errors
    /// Nobody takes the body any more.
    pub fn has_room(&self) -> Result<bool, Gone> {
        let mut state = self.0.lock();
        if state.is_gone() {
            return Err(Gone);
        }
        state.wants_room = state.is_full();
        Ok(!state.wants_room)
    }

    /// Whether nobody takes the body any more.
    pub fn is_gone(&self) -> bool {
        self.0.lock().is_gone()
    }

    /// The body is complete.
    pub fn finish(self, trailers: Option<HeaderMap>) {
        self.end(End::Complete(trailers));
    }

    fn end(&self, end: End) {
        let mut state = self.0.lock();
        if state.end.is_some() {
            return;
        }
        state.end = Some(end);
        let waker = state.waker.take();
        drop(state);
        self.0.wake(waker);
    }
}

impl Drop for BodySender {
    fn drop(&mut self) {
        self.end(End::Broken);
    }
}

impl PushedBody {
    /// As a body of a response.
    pub fn into_body(self) -> ResponseBody {
        ResponseBody::stream(self)
    }
}

impl Body for PushedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut state = self.0.lock();
        if let Some(piece) = state.take_piece() {
            let notify = state.wants_room && !state.is_full();
            state.wants_room &= !notify;
            drop(state);
            if notify {
                (self.0.notify)();
            }
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match &mut state.end {
            Some(End::Complete(trailers)) => {
                Poll::Ready(trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
            }
            Some(End::Broken) => {
                Poll::Ready(Some(Err("the application has not finished its response".into())))
            }
            None => {
                match &mut state.waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    none => *none = Some(context.waker().clone()),
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let state = self.0.lock();
        state.chunks.is_empty() && matches!(state.end, Some(End::Complete(None)))
    }
}

impl Drop for PushedBody {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_dropped = true;
        state.waker = None;
        let chunks = std::mem::take(&mut state.chunks);
        state.waiting = 0;
        let notify = state.end.is_none() && state.is_gone();
        drop(state);
        drop(chunks);
        if notify {
            (self.0.notify)();
        }
    }
}

#[cfg(test)]
mod tests;
