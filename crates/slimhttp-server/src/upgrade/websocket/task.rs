//! The task of one WebSocket, on the I/O thread that has its connection: it reads while the
//! handler takes messages, writes while the client takes bytes, and looks at the clock in
//! between. Whatever a client sends, the thread is its own for no more than a [`TimeSlice`]:
//! the task is made of steps that are short, and yields between two of them.
//!
//! It is woken by its socket, by the handler (`websocket::channel`), by what asks the connection
//! to end (`ConnectionState`) and by its timer. Dropping it, as a cut does, ends the connection
//! without a close frame.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep};
use tungstenite::protocol::frame::coding::CloseCode;

use crate::net::connection_state::{CloseMode, ConnectionState};
use crate::net::read_buffer;
use crate::net::stream::Stream;
use crate::net::time_slice::TimeSlice;
use crate::upgrade::websocket::keep_alive::{Due, KeepAlive, NEVER, Next};
use crate::websocket::channel::{Channel, Outgoing};
use crate::websocket::decoder::{Decoder, Event};
use crate::websocket::encoder::Encoder;
use crate::websocket::{ABNORMAL, CloseFrame, GOING_AWAY, NO_CODE, PendingWebSocket};

/// How long a client has to answer our close frame.
const CLOSE_FRAME_TIMEOUT: Duration = Duration::from_secs(5);

/// For how long, and how many bytes of it, what a client sends is discarded that has broken the
/// protocol; and how long the last bytes may take.
const DISCARD: (Duration, usize) = (Duration::from_secs(2), 1024 * 1024);

/// Bytes given to the system at a time: what it copies in a small part of a time slice.
const MAX_WRITE: usize = 256 * 1024;

/// How far the WebSocket is on its way to its end.
enum Stage {
    /// It is open.
    Open,
    /// Our close frame is made; the client's is waited for.
    Closing,
    /// The client has broken the protocol and our close frame says so. What it sends is
    /// discarded, this many bytes more of it at most, see [`DISCARD`]; but while that frame is
    /// still being written, for a client may write all it has before it reads.
    Failed(usize),
    /// All is said: the connection ends when the last byte is sent.
    Over,
}

/// Why the work stops.
enum Stop {
    /// All is done.
    Over,
    /// The time slice is over, and there is more to do.
    Yield,
}

/// What reading came to.
enum Read {
    Some,
    End,
}

pub(super) struct WebSocketTask<'c, S> {
    socket: S,
    channel: &'c Channel,
    state: &'c ConnectionState,
    peer: SocketAddr,
    decoder: Decoder,
    encoder: Encoder,
    /// Read and not decoded yet: the handler takes no more messages.
    unread: BytesMut,
    stage: Stage,
    /// The payload of a ping that is to be answered. The last one counts (RFC 6455 section
    /// 5.5.3).
    pong: Option<Bytes>,
    keep_alive: KeepAlive,
    timer: Pin<Box<Sleep>>,
}

impl<'c, S: Stream> WebSocketTask<'c, S> {
    /// Of an open WebSocket, of whose client nothing was read.
    pub(super) fn new(
        pending: &'c PendingWebSocket,
        socket: S,
        state: &'c ConnectionState,
        peer: SocketAddr,
    ) -> Self {
        let limits = &pending.limits;
        let compressed = pending.handshake.deflate.is_some();
        let mut task = Self {
            socket,
            channel: &pending.channel,
            state,
            peer,
            decoder: Decoder::new(limits.max_message, compressed),
            encoder: Encoder::new(compressed),
            unread: BytesMut::new(),
            stage: Stage::Open,
            pong: None,
            keep_alive: KeepAlive::new(limits, Instant::now()),
            timer: Box::pin(tokio::time::sleep(NEVER)),
        };
        task.check_time();
        task
    }

    /// The client has sent something before it had our answer, for which it waits (section 4.1).
    pub(super) fn refuse_early_frames(&mut self) {
        self.fail(CloseFrame {
            code: CloseCode::Protocol.into(),
            reason: "frames before the answer to the handshake".into(),
        });
    }

    /// Works until the WebSocket has ended, and closes the connection.
    pub(super) async fn run(mut self) {
        loop {
            match std::future::poll_fn(|context| self.poll(context)).await {
                // The runtime looks for what has become ready elsewhere first; a task
                // that just woke itself would be polled before it does.
                Ok(Stop::Yield) => tokio::task::yield_now().await,
                Ok(Stop::Over) => break,
                Err(error) => {
                    tracing::debug!("{}: a WebSocket ended: {error}", self.peer);
                    break;
                }
            }
        }
        self.channel.disconnected();
        // Closing the other way, after the close frames (section 7.1.1).
        let _ = tokio::time::timeout(DISCARD.0, self.socket.shutdown()).await;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Stop>> {
        let slice = TimeSlice::begin();
        self.channel.register(context.waker());
        self.state.register_upgrade(context.waker());
        match self.state.close_mode() {
            CloseMode::No | CloseMode::AfterRequest => {}
            CloseMode::Gracefully => self.close(CloseFrame::without_reason(GOING_AWAY)),
            CloseMode::HeadTimeout | CloseMode::Rejected | CloseMode::Cut => {
                return Poll::Ready(Ok(Stop::Over));
            }
        }
        while self.timer.as_mut().poll(context).is_ready() {
            if let Some(reason) = self.check_time() {
                self.channel.set_closed(CloseFrame { code: ABNORMAL, reason: reason.into() });
                return Poll::Ready(Ok(Stop::Over));
            }
        }
        loop {
            let wrote = self.poll_write(context, &slice)?;
            if matches!(self.stage, Stage::Over) && self.encoder.is_empty() {
                return Poll::Ready(Ok(Stop::Over));
            }
            if matches!(self.stage, Stage::Failed(_)) && self.encoder.is_empty() {
                // The client need not wait to learn that no more comes.
                let _ = Pin::new(&mut self.socket).poll_shutdown(context)?;
            }
            let read = self.poll_read(context, &slice)?;
            if matches!(read, Poll::Ready(Read::End)) {
                return Poll::Ready(Ok(Stop::Over));
            }
            if slice.is_over() {
                return Poll::Ready(Ok(Stop::Yield));
            }
            if wrote.is_pending() && read.is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Begins to close from this side: the handler is woken at once.
    fn close(&mut self, frame: CloseFrame) {
        self.channel.close(frame.clone());
        self.channel.set_closed(frame);
    }

    /// Fails the WebSocket (section 7.1.7): says why nothing more can be decoded, and decodes
    /// no more.
    fn fail(&mut self, why: CloseFrame) {
        tracing::debug!("{}: a WebSocket broke: {} {}", self.peer, why.code, why.reason);
        self.channel.discard_outgoing();
        self.pong = None;
        if !matches!(self.stage, Stage::Closing) {
            self.encoder.close(Some(&why));
        }
        self.channel.set_closed(why);
        self.unread = BytesMut::new();
        let (time, bytes) = DISCARD;
        self.enter(Stage::Failed(bytes), time);
    }

    /// Enters a stage, which has its time.
    fn enter(&mut self, stage: Stage, time: Duration) {
        self.stage = stage;
        self.timer.as_mut().reset(Instant::now() + time);
    }

    /// Makes frames and sends them. Pending when nothing can be sent, or there
    /// is nothing.
    fn poll_write(&mut self, context: &mut Context<'_>, slice: &TimeSlice) -> io::Result<Poll<()>> {
        self.make_frames(slice);
        if self.encoder.pending().is_empty() {
            if self.keep_alive.is_ping_unsent() {
                let due = self.keep_alive.ping_sent(Instant::now());
                if due < self.timer.deadline() {
                    self.timer.as_mut().reset(due);
                }
            }
            // TLS keeps bytes of its own.
            let flushed = Pin::new(&mut self.socket).poll_flush(context)?;
            self.state.set_write_blocked(flushed.is_pending());
            return Ok(Poll::Pending);
        }
        let pending = self.encoder.pending();
        let piece = &pending[..pending.len().min(MAX_WRITE)];
        match Pin::new(&mut self.socket).poll_write(context, piece)? {
            Poll::Ready(0) => Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(count) => {
                // A client that takes a little is slow, and not still.
                self.state.set_write_blocked(false);
                self.encoder.advance(count);
                Ok(Poll::Ready(()))
            }
            Poll::Pending => {
                self.state.set_write_blocked(true);
                Ok(Poll::Pending)
            }
        }
    }

    /// Makes frames of what the handler sends, as long as there is room for them.
    fn make_frames(&mut self, slice: &TimeSlice) {
        while self.encoder.has_room() && !slice.is_over() {
            if let Some(pong) = self.pong.take() {
                self.encoder.pong(&pong);
                continue;
            }
            if !matches!(self.stage, Stage::Open) {
                return;
            }
            match self.channel.pop_outgoing() {
                None => return,
                Some(Outgoing::Ping(payload)) => self.encoder.ping(&payload),
                Some(Outgoing::Message(message)) => {
                    self.keep_alive.message_sent(Instant::now());
                    self.encoder.message(message);
                }
                Some(Outgoing::Close(frame)) => {
                    self.encoder.close(Some(&frame));
                    self.enter(Stage::Closing, CLOSE_FRAME_TIMEOUT);
                }
            }
        }
        if self.encoder.is_compressing() {
            // Control frames may stand between the pieces (section 5.4).
            if let Some(pong) = self.pong.take() {
                self.encoder.pong(&pong);
            }
            self.encoder.continue_message();
        }
    }

    /// Decodes what was read, and reads on. Pending when there is nothing, or
    /// the handler takes no more.
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        slice: &TimeSlice,
    ) -> io::Result<Poll<Read>> {
        if matches!(self.stage, Stage::Over) || slice.is_over() {
            return Ok(Poll::Pending);
        }
        if !self.unread.is_empty() {
            let mut unread = std::mem::take(&mut self.unread);
            let read = self.decode(&mut unread, slice);
            unread.advance(read);
            if !unread.is_empty() {
                self.unread = unread;
                return Ok(Poll::Pending);
            }
            return Ok(Poll::Ready(Read::Some));
        }
        if !self.may_read() {
            return Ok(Poll::Pending);
        }
        read_buffer::with(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            match Pin::new(&mut self.socket).poll_read(context, &mut buffer) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(outcome) => outcome?,
            }
            let bytes = buffer.filled_mut();
            if bytes.is_empty() {
                return Ok(Poll::Ready(Read::End));
            }
            self.keep_alive.heard(Instant::now());
            let read = self.decode(bytes, slice);
            self.unread.extend_from_slice(&bytes[read..]);
            Ok(Poll::Ready(Read::Some))
        })
    }

    /// Whether the handler takes messages, or none is left to take.
    fn may_read(&self) -> bool {
        !matches!(self.stage, Stage::Open) || self.channel.may_read(self.decoder.buffered())
    }

    /// Does what `bytes` say; how many of them were decoded.
    fn decode(&mut self, bytes: &mut [u8], slice: &TimeSlice) -> usize {
        let mut read = 0;
        while read < bytes.len() && self.may_read() && !slice.is_over() {
            match &mut self.stage {
                Stage::Over => return bytes.len(),
                Stage::Failed(left) => {
                    *left = left.saturating_sub(bytes.len());
                    if *left == 0 {
                        self.stage = Stage::Over;
                    }
                    return bytes.len();
                }
                Stage::Open | Stage::Closing => {}
            }
            match self.decoder.feed(&mut bytes[read..]) {
                Err(why) => {
                    self.fail(why);
                    return bytes.len();
                }
                Ok((count, event)) => {
                    read += count;
                    if let Some(event) = event {
                        self.handle(event);
                    }
                }
            }
        }
        read
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Message(message) => {
                self.keep_alive.message_received();
                self.channel.push_incoming(message);
            }
            Event::Ping(payload) => self.pong = Some(payload),
            Event::Pong(payload) => self.channel.pong_received(&payload),
            Event::Close(frame) => self.handle_close(frame),
        }
    }

    /// The client's close frame has come: an answer to ours, or to be answered.
    fn handle_close(&mut self, frame: Option<CloseFrame>) {
        self.channel.discard_outgoing();
        // It has been waiting for this.
        if let Some(pong) = self.pong.take() {
            self.encoder.pong(&pong);
        }
        if !matches!(self.stage, Stage::Closing) {
            // Its code is sent back (section 5.5.1).
            let echo = frame.as_ref().map(|frame| CloseFrame::without_reason(frame.code));
            self.encoder.close(echo.as_ref());
        }
        let frame = frame.unwrap_or_else(|| CloseFrame::without_reason(NO_CODE));
        self.channel.set_closed(frame);
        self.enter(Stage::Over, CLOSE_FRAME_TIMEOUT);
    }

    /// Does what is due, and sets the timer anew; says why it is over, if so.
    fn check_time(&mut self) -> Option<&'static str> {
        let now = Instant::now();
        if !matches!(self.stage, Stage::Open) {
            // The timer was set when the stage began.
            return (self.timer.deadline() <= now).then_some("the closing was not answered");
        }
        if !self.may_read() && self.keep_alive.not_reading(now) && self.encoder.is_empty() {
            self.encoder.ping(&[]);
        }
        let Due { ping, next } = self.keep_alive.check(now);
        if ping {
            // Between the pieces of a message too (section 5.4).
            self.encoder.ping(&[]);
        }
        let at = match next {
            Next::Check(at) => at,
            Next::Silent => return Some("the client is silent"),
            Next::Idle => {
                self.close(CloseFrame { code: GOING_AWAY, reason: "idle".into() });
                now + CLOSE_FRAME_TIMEOUT
            }
        };
        self.timer.as_mut().reset(at);
        None
    }
}

#[cfg(test)]
mod tests;
