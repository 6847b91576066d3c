//! What waits to be sent on one HTTP/2 connection, all of its streams together. A
//! client may open many windows wide and read none of them: each stream's bound
//! alone would then be held as often as there are streams.
//!
//! While more is held than is allowed a stream gets no further piece, unless it has
//! none at all: a stream whose client does not read it never stops another one.
//!
//! Shared by the bodies of the connection's responses and the pieces that hyper holds, all of
//! them on the connection's I/O thread: no lock is ever contended.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::{Mutex, MutexGuard};

use bytes::{Buf, Bytes};

use crate::http2::wait::Wait;

/// The longest piece of a file that is read at once.
pub(super) const PIECE: usize = 32 * 1024;

/// The same while the connection holds what it may.
pub(super) const LEAST: usize = 8 * 1024;

/// What a piece holds beside its bytes: hyper's record of its frame, this
/// module's, and what the allocator adds. Without it, pieces of one byte would count
/// for nothing.
const BESIDE: usize = 384;

/// What one connection holds.
#[derive(Debug)]
pub(super) struct SendBudget {
    most: usize,
    /// Bytes of content that went out.
    sent: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: usize,
    /// Streams so far.
    streams: u64,
    /// The streams that wait for room, by number, longest first.
    waiting: VecDeque<(u64, Waker)>,
    /// The response that has begun since [`SendBudget::begun`] was called last.
    begun: Option<Arc<Wait>>,
}

impl SendBudget {
    pub(super) fn new(most: usize) -> Self {
        Self { most, sent: AtomicU64::new(0), state: Mutex::default() }
    }

    /// How much content went out. What hyper has taken and the client's windows
    /// keep here does not count: a client would have it for the price of asking.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// A piece of content that is in memory anyway, and so held by nobody for its sake.
    pub(super) fn pass(self: &Arc<Self>, bytes: Bytes) -> Piece {
        Piece { bytes, owner: Owner::Nobody(self.clone()) }
    }

    /// Begins a response, which waits for its client.
    pub(super) fn begin(&self) -> Arc<Wait> {
        let wait = Arc::new(Wait::begun());
        self.lock().begun = Some(wait.clone());
        wait
    }

    /// The response that the request that was polled just now has begun, if it has.
    pub(super) fn begun(&self) -> Option<Arc<Wait>> {
        self.lock().begun.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// The part of one stream in it.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<SendBudget>,
    stream: u64,
    held: AtomicUsize,
    wait: Arc<Wait>,
}

impl Share {
    pub(super) fn of(budget: Arc<SendBudget>, wait: Arc<Wait>) -> Arc<Self> {
        let stream = {
            let mut state = budget.lock();
            state.streams += 1;
            state.streams
        };
        Arc::new(Self { budget, stream, held: AtomicUsize::new(0), wait })
    }

    /// How long the next piece may be, once there may be one.
    pub(super) fn poll_room(&self, context: &mut Context<'_>) -> Poll<usize> {
        let mut state = self.budget.lock();
        if state.held < self.budget.most {
            return Poll::Ready(PIECE);
        }
        if self.held.load(Ordering::Relaxed) == 0 {
            return Poll::Ready(LEAST);
        }
        match state.waiting.iter_mut().find(|(stream, _)| *stream == self.stream) {
            Some((_, waker)) => waker.clone_from(context.waker()),
            None => state.waiting.push_back((self.stream, context.waker().clone())),
        }
        Poll::Pending
    }

    /// Holds a piece until it is dropped.
    pub(super) fn hold(self: &Arc<Self>, bytes: Bytes) -> Piece {
        let length = bytes.len() + BESIDE;
        self.budget.lock().held += length;
        self.held.fetch_add(length, Ordering::Relaxed);
        Piece { bytes, owner: Owner::Stream(self.clone(), length) }
    }

    /// Lets the next stream look for room, if there is some: whoever was let has
    /// taken what it wanted of it.
    pub(super) fn pass_on(&self) {
        let mut state = self.budget.lock();
        let next = match state.held < self.budget.most {
            true => state.waiting.pop_front(),
            false => None,
        };
        drop(state);
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }

    /// Takes the stream off the list: it wants no more.
    pub(super) fn leave(&self) {
        self.budget.lock().waiting.retain(|(stream, _)| *stream != self.stream);
        self.pass_on();
    }

    fn release(&self, length: usize) {
        let mut state = self.budget.lock();
        state.held -= length;
        let emptied = self.held.fetch_sub(length, Ordering::Relaxed) == length;
        // Who has nothing may take a piece, whatever the others hold.
        let own = state.waiting.iter().position(|(stream, _)| emptied && *stream == self.stream);
        let next = match own {
            Some(position) => state.waiting.remove(position),
            None if state.held < self.budget.most => state.waiting.pop_front(),
            None => None,
        };
        drop(state);
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }
}

/// A piece of a body on its way.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    owner: Owner,
}

/// Whose a piece is.
#[derive(Debug)]
enum Owner {
    Nobody(Arc<SendBudget>),
    /// A stream's, and how much is held for it: all of it until its end, for memory
    /// is given back as a whole.
    Stream(Arc<Share>, usize),
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Owner::Stream(share, length) = &self.owner {
            share.release(*length);
        }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    /// Hyper does so as it writes a frame, within the client's windows.
    fn advance(&mut self, count: usize) {
        let budget = match &self.owner {
            Owner::Nobody(budget) => budget,
            Owner::Stream(share, _) => {
                share.wait.moved();
                &share.budget
            }
        };
        budget.sent.fetch_add(count as u64, Ordering::Relaxed);
        self.bytes.advance(count);
    }
}

#[cfg(test)]
mod tests;
