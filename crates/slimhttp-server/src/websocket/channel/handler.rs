//! The handler's side of a [`Channel`]. Each question can be asked in two ways: `try_…` never
//! waits, and where the answer is "not yet" `notify` is called once when it may have changed;
//! `…_timeout` keeps the calling thread until the answer is there, and is not for I/O threads.

use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::MutexGuard;

use crate::websocket::channel::{Channel, Outgoing, Pings, State};
use crate::websocket::message::{
    CloseFrame, GOING_AWAY, Message, PingId, TryRecvError, TrySendError,
};

/// Pings whose payloads are kept until the client answers.
const MAX_UNANSWERED_PINGS: usize = 64;

/// How long a thread waits at a time that may wait for ever.
const FOR_EVER: Duration = Duration::from_secs(3600);

impl Channel {
    pub(crate) fn try_recv(&self) -> Result<Message, TryRecvError> {
        let mut state = self.lock();
        state.wants_notify |= state.incoming.is_empty() && state.closed.is_none();
        self.pop_incoming(state)
    }

    pub(crate) fn recv_timeout(&self, timeout: Option<Duration>) -> Result<Message, TryRecvError> {
        let is_ready = |state: &State| match &state.closed {
            None if state.incoming.is_empty() => Err(()),
            _ => Ok(()),
        };
        let ((), state) = self.wait(timeout, is_ready);
        self.pop_incoming(state)
    }

    fn pop_incoming(&self, mut state: MutexGuard<'_, State>) -> Result<Message, TryRecvError> {
        let was_full = self.is_incoming_full(&state);
        if let Some(message) = state.incoming.pop() {
            // The task reads on.
            if was_full && !self.is_incoming_full(&state) {
                let wake = state.wake_task();
                self.wake(state, wake);
            }
            return Ok(message);
        }
        Err(state.closed.clone().map_or(TryRecvError::Empty, TryRecvError::Closed))
    }

    pub(crate) fn try_ready(&self) -> Result<(), TrySendError> {
        self.ready_or_notify(&mut self.lock())
    }

    pub(crate) fn ready_timeout(&self, timeout: Option<Duration>) -> Result<(), TrySendError> {
        let is_ready = |state: &State| match self.ready(state) {
            Err(TrySendError::Full) => Err(Err(TrySendError::Full)),
            outcome => Ok(outcome),
        };
        self.wait(timeout, is_ready).0
    }

    fn ready(&self, state: &State) -> Result<(), TrySendError> {
        if state.is_closed() {
            return Err(TrySendError::Closed);
        }
        if self.is_outgoing_full(state) { Err(TrySendError::Full) } else { Ok(()) }
    }

    fn ready_or_notify(&self, state: &mut State) -> Result<(), TrySendError> {
        let ready = self.ready(state);
        state.wants_notify |= ready == Err(TrySendError::Full);
        ready
    }

    pub(crate) fn try_send(&self, message: Message) -> Result<(), TrySendError> {
        let bytes = message.as_bytes().len();
        self.push_outgoing(|_| Outgoing::Message(message), bytes)
    }

    pub(crate) fn try_ping(&self, payload: Option<Bytes>) -> Result<PingId, TrySendError> {
        let mut id = PingId(0);
        let bytes = payload.as_ref().map_or(8, Bytes::len);
        let ping = |state: &mut State| {
            let (ping, payload) = state.pings.begin(payload);
            id = ping;
            Outgoing::Ping(payload)
        };
        self.push_outgoing(ping, bytes)?;
        Ok(id)
    }

    fn push_outgoing(
        &self,
        outgoing: impl FnOnce(&mut State) -> Outgoing,
        bytes: usize,
    ) -> Result<(), TrySendError> {
        let mut state = self.lock();
        self.ready_or_notify(&mut state)?;
        let outgoing = outgoing(&mut state);
        state.outgoing.push(outgoing, bytes);
        let wake = state.wake_task();
        self.wake(state, wake);
        Ok(())
    }

    pub(crate) fn has_pong(&self, ping: PingId) -> Result<bool, CloseFrame> {
        let mut state = self.lock();
        let pong = pong(&state, ping);
        state.wants_notify |= pong == Ok(false);
        pong
    }

    pub(crate) fn pong_timeout(
        &self,
        ping: PingId,
        timeout: Option<Duration>,
    ) -> Result<bool, CloseFrame> {
        let is_ready = |state: &State| match pong(state, ping) {
            Ok(false) => Err(Ok(false)),
            outcome => Ok(outcome),
        };
        self.wait(timeout, is_ready).0
    }

    /// Closes, behind what waits to be sent. The first call counts.
    pub(crate) fn close(&self, frame: CloseFrame) {
        let mut state = self.lock();
        if state.is_closed() {
            return;
        }
        state.closing = Some(frame);
        let mut wake = state.wake_handler();
        wake.task = state.waker.take();
        self.wake(state, wake);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_closed()
    }

    pub(crate) fn close_frame(&self) -> Option<CloseFrame> {
        let state = self.lock();
        state.closed.as_ref().or(state.closing.as_ref()).cloned()
    }

    pub(crate) fn try_closed(&self) -> Option<CloseFrame> {
        let mut state = self.lock();
        state.wants_notify |= state.closed.is_none();
        state.closed.clone()
    }

    pub(crate) fn closed_timeout(&self, timeout: Option<Duration>) -> Option<CloseFrame> {
        let is_ready = |state: &State| match &state.closed {
            Some(frame) => Ok(Some(frame.clone())),
            None => Err(None),
        };
        self.wait(timeout, is_ready).0
    }

    /// The handler has ended: the WebSocket closes, if it does not yet, and what the client
    /// sends is for nobody.
    pub(crate) fn handler_done(&self) {
        let mut state = self.lock();
        state.is_handler_done = true;
        if !state.is_closed() {
            state.closing = Some(CloseFrame::without_reason(GOING_AWAY));
        }
        let unread = std::mem::take(&mut state.incoming);
        let wake = state.wake_task();
        self.wake(state, wake);
        drop(unread);
    }

    /// Keeps this thread until `check` gives `Ok`; the last `Err` where `timeout` has run out
    /// before. Without one it waits for as long as that takes.
    fn wait<T>(
        &self,
        timeout: Option<Duration>,
        check: impl Fn(&State) -> Result<T, T>,
    ) -> (T, MutexGuard<'_, State>) {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.lock();
        loop {
            let not_yet = match check(&state) {
                Ok(outcome) => return (outcome, state),
                Err(not_yet) => not_yet,
            };
            let left = match deadline {
                Some(at) => at.saturating_duration_since(Instant::now()),
                None => FOR_EVER,
            };
            if left.is_zero() {
                return (not_yet, state);
            }
            state.waiting_threads += 1;
            self.changed.wait_for(&mut state, left);
            state.waiting_threads -= 1;
        }
    }
}

impl Pings {
    /// Numbers a ping. Without a payload it gets one that no other ping has.
    fn begin(&mut self, payload: Option<Bytes>) -> (PingId, Bytes) {
        self.last += 1;
        let id = PingId(self.last);
        let payload = payload.unwrap_or_else(|| Bytes::copy_from_slice(&self.last.to_be_bytes()));
        self.unanswered.push_back((id, payload.clone()));
        if self.unanswered.len() > MAX_UNANSWERED_PINGS {
            // A later one answers it too.
            self.unanswered.pop_front();
        }
        (id, payload)
    }
}

/// Whether a ping was answered; `Err` where that cannot be any more.
fn pong(state: &State, ping: PingId) -> Result<bool, CloseFrame> {
    match &state.closed {
        _ if state.pings.answered >= ping.0 => Ok(true),
        Some(frame) => Err(frame.clone()),
        None => Ok(false),
    }
}
