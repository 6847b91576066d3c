//! The side of a [`Channel`] that the connection's task has. Nothing here waits; the task is
//! woken by the waker that it has registered.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::websocket::channel::{Channel, Outgoing, Pings};
use crate::websocket::message::{ABNORMAL, CloseFrame, Message, PingId};

impl Channel {
    /// Keeps the waker for whatever the handler does next.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut state = self.lock();
        match &mut state.waker {
            Some(registered) => registered.clone_from(waker),
            empty => *empty = Some(waker.clone()),
        }
    }

    /// Ready when the handler has ended.
    pub(crate) fn poll_handler_done(&self, context: &mut Context<'_>) -> Poll<()> {
        self.register(context.waker());
        if self.lock().is_handler_done { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether the client may be read, while the message of which a part has come takes
    /// `partial` bytes.
    pub(crate) fn may_read(&self, partial: usize) -> bool {
        let mut state = self.lock();
        state.partial = partial;
        !self.is_incoming_full(&state)
    }

    /// Gives the handler a message of the client. Once this side closes it is for nobody.
    pub(crate) fn push_incoming(&self, message: Message) {
        let mut state = self.lock();
        if state.is_closed() {
            return;
        }
        let bytes = message.as_bytes().len();
        state.incoming.push(message, bytes);
        let wake = state.wake_handler();
        self.wake(state, wake);
    }

    /// A pong has come. It answers the ping with its payload, and with it the ones
    /// before (RFC 6455 section 5.5.3); one with a payload that was not sent answers none.
    pub(crate) fn pong_received(&self, payload: &Bytes) {
        let mut state = self.lock();
        if state.pings.answer(payload) {
            let wake = state.wake_handler();
            self.wake(state, wake);
        }
    }

    /// The next thing to send.
    pub(crate) fn pop_outgoing(&self) -> Option<Outgoing> {
        let mut state = self.lock();
        let was_full = self.is_outgoing_full(&state);
        let Some(outgoing) = state.outgoing.pop() else {
            return state.closing.clone().map(Outgoing::Close);
        };
        if was_full && !self.is_outgoing_full(&state) {
            let wake = state.wake_handler();
            self.wake(state, wake);
        }
        Some(outgoing)
    }

    /// It was closed so, if it was not before: the handler is woken. What waits is
    /// sent yet, if it can be.
    pub(crate) fn set_closed(&self, frame: CloseFrame) {
        let mut state = self.lock();
        if state.closed.is_some() {
            return;
        }
        state.closed = Some(frame);
        let wake = state.wake_handler();
        self.wake(state, wake);
    }

    /// Nothing more can be sent.
    pub(crate) fn discard_outgoing(&self) {
        let mut state = self.lock();
        let unsent = std::mem::take(&mut state.outgoing);
        let unanswered = std::mem::take(&mut state.pings.unanswered);
        drop(state);
        drop((unsent, unanswered));
    }

    /// The connection is gone.
    pub(crate) fn disconnected(&self) {
        self.set_closed(CloseFrame::without_reason(ABNORMAL));
        self.discard_outgoing();
    }
}

impl Pings {
    /// Whether a pong with this payload answers one.
    fn answer(&mut self, payload: &Bytes) -> bool {
        let Some(place) = self.unanswered.iter().position(|(_, sent)| sent == payload) else {
            return false;
        };
        if let Some((PingId(number), _)) = self.unanswered.drain(..=place).next_back() {
            self.answered = number;
        }
        true
    }
}
