//! What the two ends of a WebSocket share: the queues, how it ends, and who is to
//! be woken. Every method takes the lock for a moment and calls nobody under it.

use std::collections::VecDeque;
use std::fmt;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use bytes::Bytes;
use slimhttp_site::websocket::WebSocketLimits;

use crate::websocket::message::{ABNORMAL, CloseFrame, Message, PingId, Received, SendFault};

/// Pings whose bytes are kept until the client answers.
const MOST_PINGED: usize = 64;

/// What a message in a queue holds beside its bytes: its place there, and what the
/// allocator adds. Without it, messages of one byte would count for nothing.
const BESIDE: usize = 128;

/// The line between the ends.
pub(crate) struct Channel {
    state: Mutex<State>,
    /// For threads that wait.
    changed: Condvar,
    /// For who does not.
    bell: Box<dyn Fn() + Send + Sync>,
    pub(crate) subprotocol: Option<Box<str>>,
    /// Messages that may wait in each queue.
    most: usize,
    /// Memory that they may hold, in bytes; a longer message waits alone.
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    incoming: Waiting<Message>,
    /// What the message holds that is coming in behind these.
    coming: usize,
    outgoing: Waiting<Outgoing>,
    /// Pings that the client has not answered, oldest first, and the number of
    /// the last that it has.
    pinged: VecDeque<(PingId, Bytes)>,
    pings: u64,
    answered: u64,
    /// How this side wants to close.
    closing: Option<CloseFrame>,
    /// How it has ended.
    ended: Option<CloseFrame>,
    /// Whether the handler has ended.
    left: bool,
    /// Whether the handler's side is to be told of the next change.
    heeds: bool,
    /// Threads of it that wait.
    threads: usize,
    /// The carrier's.
    waker: Option<Waker>,
}

/// A queue that is bounded by number and by the memory that it holds, in bytes.
#[derive(Debug)]
struct Waiting<T> {
    queue: VecDeque<(T, usize)>,
    bytes: usize,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), bytes: 0 }
    }
}

impl<T> Waiting<T> {
    fn push(&mut self, item: T, bytes: usize) {
        let bytes = bytes + BESIDE;
        self.bytes += bytes;
        self.queue.push_back((item, bytes));
    }

    fn pop(&mut self) -> Option<T> {
        let (item, bytes) = self.queue.pop_front()?;
        self.bytes -= bytes;
        if self.queue.is_empty() {
            // A connection at rest holds nothing.
            self.queue = VecDeque::new();
        }
        Some(item)
    }
}

/// What the carrier is to send.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Message(Message),
    Ping(Bytes),
    /// The last of all.
    Close(CloseFrame),
}

/// Who is to be woken after a change.
#[must_use]
struct Wake {
    carrier: Option<Waker>,
    bell: bool,
    threads: bool,
}

impl State {
    /// Something has changed that concerns the handler.
    fn tell_handler(&mut self) -> Wake {
        let bell = std::mem::take(&mut self.heeds);
        Wake { carrier: None, bell, threads: self.threads > 0 }
    }

    /// Something has changed that concerns the carrier.
    fn tell_carrier(&mut self) -> Wake {
        Wake { carrier: self.waker.take(), bell: false, threads: false }
    }

    fn is_closed(&self) -> bool {
        self.closing.is_some() || self.ended.is_some()
    }
}

impl Channel {
    pub(crate) fn new(
        limits: &WebSocketLimits,
        subprotocol: Option<Box<str>>,
        bell: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            bell,
            subprotocol,
            most: limits.queue,
            most_bytes: limits.max_message,
        }
    }

    fn is_full<T>(&self, waiting: &Waiting<T>) -> bool {
        waiting.queue.len() >= self.most || waiting.bytes >= self.most_bytes
    }

    /// Whether the client is not to be read. A message that is coming in alone may
    /// become as long as any; together with others it must not.
    fn is_incoming_full(&self, state: &State) -> bool {
        let waiting = &state.incoming;
        let is_too_much = waiting.bytes + state.coming >= self.most_bytes;
        waiting.queue.len() >= self.most || (!waiting.queue.is_empty() && is_too_much)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Wakes, with the lock let go.
    fn wake(&self, state: MutexGuard<'_, State>, wake: Wake) {
        drop(state);
        if let Some(waker) = wake.carrier {
            waker.wake();
        }
        if wake.threads {
            self.changed.notify_all();
        }
        if wake.bell {
            (self.bell)();
        }
    }

    /// What `look` finds, or waits for on this thread; the last thing that it
    /// found where `patience` has run out.
    fn wait<T>(
        &self,
        patience: Option<Duration>,
        look: impl Fn(&mut State) -> Result<T, T>,
    ) -> (T, MutexGuard<'_, State>) {
        let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
        let mut state = self.lock();
        loop {
            let nothing = match look(&mut state) {
                Ok(found) => return (found, state),
                Err(nothing) => nothing,
            };
            let left = match deadline {
                Some(at) => at.saturating_duration_since(Instant::now()),
                None => Duration::from_secs(3600),
            };
            if left.is_zero() {
                return (nothing, state);
            }
            state.threads += 1;
            self.changed.wait_for(&mut state, left);
            state.threads -= 1;
        }
    }

    // The handler's side.

    pub(crate) fn receive(&self) -> Received {
        let state = self.lock();
        self.take(state, true)
    }

    pub(crate) fn receive_within(&self, patience: Option<Duration>) -> Received {
        let there = |state: &mut State| match &state.ended {
            None if state.incoming.queue.is_empty() => Err(()),
            _ => Ok(()),
        };
        let ((), state) = self.wait(patience, there);
        self.take(state, false)
    }

    fn take(&self, mut state: MutexGuard<'_, State>, heed: bool) -> Received {
        let was_full = self.is_incoming_full(&state);
        if let Some(message) = state.incoming.pop() {
            // The carrier reads on.
            if was_full && !self.is_incoming_full(&state) {
                let wake = state.tell_carrier();
                self.wake(state, wake);
            }
            return Received::Message(message);
        }
        match &state.ended {
            Some(closure) => Received::Closed(closure.clone()),
            None => {
                state.heeds |= heed;
                Received::Nothing
            }
        }
    }

    fn look_for_room(&self, state: &State) -> Result<(), SendFault> {
        if state.is_closed() {
            return Err(SendFault::Closed);
        }
        if self.is_full(&state.outgoing) { Err(SendFault::Full) } else { Ok(()) }
    }

    /// As [`Self::look_for_room`], and the handler is told when there is some.
    fn heed_room(&self, state: &mut State) -> Result<(), SendFault> {
        let found = self.look_for_room(state);
        state.heeds |= found == Err(SendFault::Full);
        found
    }

    pub(crate) fn room(&self) -> Result<(), SendFault> {
        self.heed_room(&mut self.lock())
    }

    pub(crate) fn room_within(&self, patience: Option<Duration>) -> Result<(), SendFault> {
        let look = |state: &mut State| match self.look_for_room(state) {
            Err(SendFault::Full) => Err(Err(SendFault::Full)),
            found => Ok(found),
        };
        self.wait(patience, look).0
    }

    pub(crate) fn send(&self, message: Message) -> Result<(), SendFault> {
        let bytes = message.as_bytes().len();
        self.push(|_| Outgoing::Message(message), bytes)
    }

    pub(crate) fn ping(&self, payload: Option<Bytes>) -> Result<PingId, SendFault> {
        let mut id = PingId(0);
        let bytes = payload.as_ref().map_or(8, Bytes::len);
        let ping = |state: &mut State| {
            state.pings += 1;
            id = PingId(state.pings);
            let payload =
                payload.unwrap_or_else(|| Bytes::copy_from_slice(&state.pings.to_be_bytes()));
            state.pinged.push_back((id, payload.clone()));
            if state.pinged.len() > MOST_PINGED {
                // A later one answers it too.
                state.pinged.pop_front();
            }
            Outgoing::Ping(payload)
        };
        self.push(ping, bytes)?;
        Ok(id)
    }

    fn push(
        &self,
        outgoing: impl FnOnce(&mut State) -> Outgoing,
        bytes: usize,
    ) -> Result<(), SendFault> {
        let mut state = self.lock();
        self.heed_room(&mut state)?;
        let outgoing = outgoing(&mut state);
        state.outgoing.push(outgoing, bytes);
        let wake = state.tell_carrier();
        self.wake(state, wake);
        Ok(())
    }

    fn look_for_pong(state: &State, ping: PingId) -> Result<bool, CloseFrame> {
        match &state.ended {
            _ if state.answered >= ping.0 => Ok(true),
            Some(closure) => Err(closure.clone()),
            None => Ok(false),
        }
    }

    pub(crate) fn is_answered(&self, ping: PingId) -> Result<bool, CloseFrame> {
        let mut state = self.lock();
        let found = Self::look_for_pong(&state, ping);
        state.heeds |= found == Ok(false);
        found
    }

    pub(crate) fn is_answered_within(
        &self,
        ping: PingId,
        patience: Option<Duration>,
    ) -> Result<bool, CloseFrame> {
        let look = |state: &mut State| match Self::look_for_pong(state, ping) {
            Ok(false) => Err(Ok(false)),
            found => Ok(found),
        };
        self.wait(patience, look).0
    }

    pub(crate) fn close(&self, closure: CloseFrame) {
        let mut state = self.lock();
        if state.is_closed() {
            return;
        }
        state.closing = Some(closure);
        let mut wake = state.tell_handler();
        wake.carrier = state.waker.take();
        self.wake(state, wake);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_closed()
    }

    pub(crate) fn closure(&self) -> Option<CloseFrame> {
        let state = self.lock();
        state.ended.as_ref().or(state.closing.as_ref()).cloned()
    }

    pub(crate) fn ended(&self) -> Option<CloseFrame> {
        let mut state = self.lock();
        state.heeds |= state.ended.is_none();
        state.ended.clone()
    }

    pub(crate) fn ended_within(&self, patience: Option<Duration>) -> Option<CloseFrame> {
        let look = |state: &mut State| match &state.ended {
            Some(closure) => Ok(Some(closure.clone())),
            None => Err(None),
        };
        self.wait(patience, look).0
    }

    /// The handler has ended.
    pub(crate) fn leave(&self) {
        let mut state = self.lock();
        state.left = true;
        if !state.is_closed() {
            state.closing = Some(CloseFrame::without_reason(crate::websocket::GOING_AWAY));
        }
        // Nobody will ask for these.
        let unread = std::mem::take(&mut state.incoming);
        let wake = state.tell_carrier();
        self.wake(state, wake);
        drop(unread);
    }

    // The carrier's side.

    /// Keeps the waker for whatever the handler does.
    pub(crate) fn watch(&self, waker: &Waker) {
        let mut state = self.lock();
        match &mut state.waker {
            Some(kept) => kept.clone_from(waker),
            empty => *empty = Some(waker.clone()),
        }
    }

    /// Ready when the handler has ended.
    pub(crate) fn poll_left(&self, context: &mut Context<'_>) -> Poll<()> {
        self.watch(context.waker());
        if self.lock().left { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether the client may be read, while the message that is coming in holds
    /// `coming` bytes.
    pub(crate) fn takes_messages(&self, coming: usize) -> bool {
        let mut state = self.lock();
        state.coming = coming;
        !self.is_incoming_full(&state)
    }

    /// A message has come. Once this side closes nobody waits for it.
    pub(crate) fn came(&self, message: Message) {
        let mut state = self.lock();
        if state.is_closed() {
            return;
        }
        let bytes = message.as_bytes().len();
        state.incoming.push(message, bytes);
        let wake = state.tell_handler();
        self.wake(state, wake);
    }

    /// A pong has come. It answers the ping of those bytes, and with it the ones
    /// before (RFC 6455 section 5.5.3); one that nobody has sent answers none.
    pub(crate) fn ponged(&self, payload: &Bytes) {
        let mut state = self.lock();
        let Some(place) = state.pinged.iter().position(|(_, sent)| sent == payload) else {
            return;
        };
        let answered = state.pinged.drain(..=place).next_back();
        if let Some((PingId(number), _)) = answered {
            state.answered = number;
        }
        let wake = state.tell_handler();
        self.wake(state, wake);
    }

    /// The next thing to send.
    pub(crate) fn next(&self) -> Option<Outgoing> {
        let mut state = self.lock();
        let was_full = self.is_full(&state.outgoing);
        let Some(outgoing) = state.outgoing.pop() else {
            return state.closing.clone().map(Outgoing::Close);
        };
        if was_full && !self.is_full(&state.outgoing) {
            let wake = state.tell_handler();
            self.wake(state, wake);
        }
        Some(outgoing)
    }

    /// It ends so, if it has not ended before: the handler is told. What waits is
    /// sent yet, if it can be.
    pub(crate) fn end_with(&self, closure: CloseFrame) {
        let mut state = self.lock();
        if state.ended.is_some() {
            return;
        }
        state.ended = Some(closure);
        let wake = state.tell_handler();
        self.wake(state, wake);
    }

    /// Nothing more can be sent.
    pub(crate) fn forget_outgoing(&self) {
        let mut state = self.lock();
        let unsent = std::mem::take(&mut state.outgoing);
        let pinged = std::mem::take(&mut state.pinged);
        drop(state);
        drop((unsent, pinged));
    }

    /// The connection is gone.
    pub(crate) fn lost(&self) {
        self.end_with(CloseFrame::without_reason(ABNORMAL));
        self.forget_outgoing();
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("state", &self.state).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
