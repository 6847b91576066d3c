//! Moves the bytes of one WebSocket, on the worker that has its connection: one
//! task that reads while the handler takes messages, writes while the client
//! takes bytes, and looks at the clock in between. Whatever a client sends, the
//! worker is its own for no more than a [`TURN`]: the task is made of steps that
//! are short, and gives way between two of them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::Response;
use slimhttp_site::refusal::Refusal;
use slimhttp_site::websocket::WebSocketLimits;
use tokio::io::{AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep};
use tungstenite::protocol::frame::coding::CloseCode;

use crate::context::connection::ConnectionContext;
use crate::message::body::Body;
use crate::net::connection_state::CloseMode;
use crate::net::read_buffer;
use crate::net::stream::Stream;
use crate::net::upgraded::{OnUpgrade, Upgraded};
use crate::upgrade::{handshake, switching};
use crate::websocket::channel::{Channel, Outgoing};
use crate::websocket::decoder::{Decoder, Event};
use crate::websocket::encoder::Encoder;
use crate::websocket::{ABNORMAL, CloseFrame, GOING_AWAY, NO_CODE, PendingWebSocket};

/// How long a client has to answer our closing.
const CLOSING: Duration = Duration::from_secs(5);

/// How long, and how many bytes, a client that broke the protocol may go on
/// sending, so that it reads why before the connection is gone.
const LINGER: (Duration, usize) = (Duration::from_secs(2), 1024 * 1024);

/// How long one connection is worked for before the others of its worker have
/// their turns.
const TURN: Duration = Duration::from_millis(1);

/// Bytes given to the system at a time: what it copies in a small part of a turn.
const WRITE: usize = 256 * 1024;

/// When nothing is to be looked at.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Takes over the connection once the client has been told, and gives what
/// tells it. The exchange counts as in flight until all has ended.
pub(crate) fn begin(
    pending: PendingWebSocket,
    upgrade: Option<OnUpgrade>,
    connection: &Arc<ConnectionContext>,
) -> Result<Response<Body>, Refusal> {
    let upgrade = upgrade.ok_or(Refusal::UpgradeRequired)?;
    let response = handshake::accepted(&pending.handshake);
    spawn(pending, upgrade, connection);
    Ok(response)
}

/// Carries once both sides have switched, until the handler has ended too.
fn spawn(pending: PendingWebSocket, client: OnUpgrade, connection: &Arc<ConnectionContext>) {
    let context = connection.clone();
    switching::carry(connection, async move {
        match client.upgraded().await {
            Ok(upgraded) => carry(&pending, upgraded, &context).await,
            Err(error) => tracing::debug!("a WebSocket was not opened: {error}"),
        }
        let channel = pending.channel.clone();
        // The handler is told, if it has not been.
        drop(pending);
        std::future::poll_fn(|context| channel.poll_handler_done(context)).await;
    });
}

/// The connection itself, without whoever spoke HTTP on it.
async fn carry(
    pending: &PendingWebSocket,
    upgraded: Box<dyn Upgraded>,
    connection: &ConnectionContext,
) {
    let (socket, read) = match upgraded.into_socket() {
        Ok(parts) => parts,
        Err(error) => return tracing::error!("a WebSocket was not opened: {error}"),
    };
    let carrier = Carrier::new(pending, socket, &[&read[0], &read[1]], connection);
    // They are slices of the buffers of the handshake.
    drop(read);
    carrier.run().await;
}

/// How far the end is.
enum Stage {
    /// It is open.
    Open,
    /// Our close frame is made; the client's is waited for.
    Closing,
    /// The client has broken the protocol and is told so; what it sends is not
    /// looked at, and so many bytes more of it are read.
    Broken(usize),
    /// All is said: it ends when the last byte is sent.
    Over,
}

struct Carrier<'c, S> {
    socket: S,
    channel: &'c Channel,
    limits: &'c WebSocketLimits,
    connection: &'c ConnectionContext,
    inbound: Decoder,
    outbound: Encoder,
    /// Read and not looked at yet: the handler takes no more messages.
    unread: BytesMut,
    stage: Stage,
    /// What a ping wants back. The last one counts (RFC 6455 section 5.5.3).
    pong: Option<Bytes>,
    /// When the client was heard last, and when a message last went either way.
    heard: Instant,
    spoke: Instant,
    /// Whether a ping of ours waits to be sent, or since when for its answer.
    pinged: Pinged,
    timer: Pin<Box<Sleep>>,
}

/// A time of work, see [`TURN`].
struct Turn(std::time::Instant);

impl Turn {
    fn begin() -> Self {
        Self(std::time::Instant::now())
    }

    fn is_over(&self) -> bool {
        self.0.elapsed() >= TURN
    }
}

/// Why the work stops.
enum Stop {
    /// All is done.
    Over,
    /// The turn is over, and there is more to do.
    GiveWay,
}

enum Pinged {
    No,
    Unsent,
    At(Instant),
}

impl<'c, S: Stream> Carrier<'c, S> {
    fn new(
        pending: &'c PendingWebSocket,
        socket: S,
        unread: &[&[u8]],
        connection: &'c ConnectionContext,
    ) -> Self {
        let now = Instant::now();
        let limits = &pending.limits;
        let compressed = pending.handshake.deflate.is_some();
        let mut carrier = Self {
            socket,
            channel: &pending.channel,
            limits,
            connection,
            inbound: Decoder::new(limits.max_message, compressed),
            outbound: Encoder::new(compressed),
            unread: unread.concat().as_slice().into(),
            stage: Stage::Open,
            pong: None,
            heard: now,
            spoke: now,
            pinged: Pinged::No,
            timer: Box::pin(tokio::time::sleep(NEVER)),
        };
        carrier.look_at_clock();
        if connection.fault.get().is_some() {
            // Section 4.1: the client waits for our answer. What it sent before was
            // judged as a further request, and is lost.
            carrier.break_off(CloseFrame {
                code: CloseCode::Protocol.into(),
                reason: "frames before the answer to the handshake".into(),
            });
        }
        carrier
    }

    async fn run(mut self) {
        loop {
            match std::future::poll_fn(|context| self.poll(context)).await {
                // The runtime looks for what has become ready elsewhere first; a task
                // that just woke itself would be polled before it does.
                Ok(Stop::GiveWay) => tokio::task::yield_now().await,
                Ok(Stop::Over) => break,
                Err(error) => {
                    tracing::debug!("{}: a WebSocket ended: {error}", self.connection.peer);
                    break;
                }
            }
        }
        self.channel.disconnected();
        // Closing the other way, after the closing frames (section 7.1.1).
        let _ = tokio::time::timeout(LINGER.0, self.socket.shutdown()).await;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Stop>> {
        let turn = Turn::begin();
        self.channel.register(context.waker());
        self.connection.state.register(context.waker());
        match self.connection.state.close_mode() {
            CloseMode::No => {}
            CloseMode::Gracefully => self.close(CloseFrame::without_reason(GOING_AWAY)),
            CloseMode::HeadTimeout | CloseMode::Rejected | CloseMode::Cut => {
                return Poll::Ready(Ok(Stop::Over));
            }
        }
        while self.timer.as_mut().poll(context).is_ready() {
            if let Some(reason) = self.look_at_clock() {
                self.channel.set_closed(CloseFrame { code: ABNORMAL, reason: reason.into() });
                return Poll::Ready(Ok(Stop::Over));
            }
        }
        loop {
            let wrote = self.poll_write(context, &turn)?;
            if matches!(self.stage, Stage::Over) && self.outbound.is_empty() {
                return Poll::Ready(Ok(Stop::Over));
            }
            if matches!(self.stage, Stage::Broken(_)) && self.outbound.is_empty() {
                // The client need not wait to learn that no more comes.
                let _ = Pin::new(&mut self.socket).poll_shutdown(context)?;
            }
            let read = self.poll_read(context, &turn)?;
            if matches!(read, Poll::Ready(Read::End)) {
                return Poll::Ready(Ok(Stop::Over));
            }
            if turn.is_over() {
                return Poll::Ready(Ok(Stop::GiveWay));
            }
            if wrote.is_pending() && read.is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Begins to close from this side: the handler is told at once.
    fn close(&mut self, closure: CloseFrame) {
        self.channel.close(closure.clone());
        self.channel.set_closed(closure);
    }

    /// Says why nothing more can be read, and reads no more.
    fn break_off(&mut self, why: CloseFrame) {
        tracing::debug!(
            "{}: a WebSocket broken: {} {}",
            self.connection.peer,
            why.code,
            why.reason
        );
        self.channel.discard_outgoing();
        self.pong = None;
        if !matches!(self.stage, Stage::Closing) {
            self.outbound.close(Some(&why));
        }
        self.channel.set_closed(why);
        self.stage = Stage::Broken(LINGER.1);
        self.unread = BytesMut::new();
        self.timer.as_mut().reset(Instant::now() + LINGER.0);
    }

    /// Makes frames and sends them. Pending when nothing can be sent, or there
    /// is nothing.
    fn poll_write(&mut self, context: &mut Context<'_>, turn: &Turn) -> io::Result<Poll<()>> {
        self.make_frames(turn);
        if self.outbound.pending().is_empty() {
            if let Pinged::Unsent = self.pinged {
                let now = Instant::now();
                self.pinged = Pinged::At(now);
                let due = now + self.limits.ping_timeout;
                if due < self.timer.deadline() {
                    self.timer.as_mut().reset(due);
                }
            }
            // TLS keeps bytes of its own.
            let flushed = Pin::new(&mut self.socket).poll_flush(context)?;
            self.connection.state.set_write_blocked(flushed.is_pending());
            return Ok(Poll::Pending);
        }
        let pending = self.outbound.pending();
        let piece = &pending[..pending.len().min(WRITE)];
        match Pin::new(&mut self.socket).poll_write(context, piece)? {
            Poll::Ready(0) => Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(count) => {
                // Who takes a little is slow, and not still.
                self.connection.state.set_write_blocked(false);
                self.outbound.advance(count);
                Ok(Poll::Ready(()))
            }
            Poll::Pending => {
                self.connection.state.set_write_blocked(true);
                Ok(Poll::Pending)
            }
        }
    }

    fn make_frames(&mut self, turn: &Turn) {
        while self.outbound.has_room() && !turn.is_over() {
            if let Some(pong) = self.pong.take() {
                self.outbound.pong(&pong);
                continue;
            }
            if !matches!(self.stage, Stage::Open) {
                return;
            }
            match self.channel.pop_outgoing() {
                None => return,
                Some(Outgoing::Ping(payload)) => self.outbound.ping(&payload),
                Some(Outgoing::Message(message)) => {
                    self.spoke = Instant::now();
                    self.outbound.message(message);
                }
                Some(Outgoing::Close(closure)) => {
                    self.outbound.close(Some(&closure));
                    self.stage = Stage::Closing;
                    self.timer.as_mut().reset(Instant::now() + CLOSING);
                }
            }
        }
        if self.outbound.is_compressing() {
            // Control frames may stand between the pieces (section 5.4).
            if let Some(pong) = self.pong.take() {
                self.outbound.pong(&pong);
            }
            self.outbound.continue_message();
        }
    }

    /// Looks at what was read, and reads on. Pending when there is nothing, or
    /// the handler takes no more.
    fn poll_read(&mut self, context: &mut Context<'_>, turn: &Turn) -> io::Result<Poll<Read>> {
        if matches!(self.stage, Stage::Over) || turn.is_over() {
            return Ok(Poll::Pending);
        }
        if !self.unread.is_empty() {
            let mut unread = std::mem::take(&mut self.unread);
            let read = self.look_at(&mut unread, turn);
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
            self.heard = Instant::now();
            let read = self.look_at(bytes, turn);
            self.unread.extend_from_slice(&bytes[read..]);
            Ok(Poll::Ready(Read::Some))
        })
    }

    /// Whether the handler takes messages, or none is left to take.
    fn may_read(&self) -> bool {
        !matches!(self.stage, Stage::Open) || self.channel.may_read(self.inbound.buffered())
    }

    /// Does what `bytes` say; how many of them could be looked at.
    fn look_at(&mut self, bytes: &mut [u8], turn: &Turn) -> usize {
        let mut read = 0;
        while read < bytes.len() && self.may_read() && !turn.is_over() {
            match &mut self.stage {
                Stage::Over => return bytes.len(),
                Stage::Broken(left) => {
                    *left = left.saturating_sub(bytes.len());
                    if *left == 0 {
                        self.stage = Stage::Over;
                    }
                    return bytes.len();
                }
                Stage::Open | Stage::Closing => {}
            }
            match self.inbound.feed(&mut bytes[read..]) {
                Err(why) => {
                    self.break_off(why);
                    return bytes.len();
                }
                Ok((count, event)) => {
                    read += count;
                    if let Some(event) = event {
                        self.heed(event);
                    }
                }
            }
        }
        read
    }

    fn heed(&mut self, event: Event) {
        match event {
            Event::Message(message) => {
                self.spoke = self.heard;
                self.channel.push_incoming(message);
            }
            Event::Ping(payload) => self.pong = Some(payload),
            Event::Pong(payload) => self.channel.pong_received(&payload),
            Event::Close(closure) => {
                self.channel.discard_outgoing();
                // It has been waiting for this.
                if let Some(pong) = self.pong.take() {
                    self.outbound.pong(&pong);
                }
                if !matches!(self.stage, Stage::Closing) {
                    // What it said is said back (section 5.5.1).
                    let echo =
                        closure.as_ref().map(|closure| CloseFrame::without_reason(closure.code));
                    self.outbound.close(echo.as_ref());
                }
                self.channel
                    .set_closed(closure.unwrap_or_else(|| CloseFrame::without_reason(NO_CODE)));
                self.stage = Stage::Over;
                self.timer.as_mut().reset(Instant::now() + CLOSING);
            }
        }
    }

    /// Does what is due, and sets the timer anew; says why it is over, if so.
    fn look_at_clock(&mut self) -> Option<&'static str> {
        let now = Instant::now();
        if !matches!(self.stage, Stage::Open) {
            // Set when the stage began.
            return (self.timer.deadline() <= now).then_some("the closing was not answered");
        }
        let WebSocketLimits { ping_interval, ping_timeout, idle_timeout, .. } = *self.limits;
        if !self.may_read() {
            let is_due = !ping_interval.is_zero() && now >= self.heard + ping_interval;
            if is_due && self.outbound.is_empty() {
                // The answer stands behind what is not read. But to a connection that
                // is gone nothing can be sent, and that is told without reading.
                self.outbound.ping(&[]);
            }
            // Nobody listens, so silence tells nothing.
            self.heard = now;
        }
        let mut next = now + NEVER;
        if !ping_interval.is_zero() {
            next = match self.pinged {
                Pinged::At(at) if self.heard < at => {
                    if now >= at + ping_timeout {
                        return Some("the client is silent");
                    }
                    at + ping_timeout
                }
                // It is looked at again when the ping has been sent.
                Pinged::Unsent => now + ping_interval,
                _ if now >= self.heard + ping_interval => {
                    // Between the pieces of a message too (section 5.4).
                    self.outbound.ping(&[]);
                    self.pinged = Pinged::Unsent;
                    now + ping_interval + ping_timeout
                }
                _ => self.heard + ping_interval,
            };
        }
        if !idle_timeout.is_zero() {
            if now >= self.spoke + idle_timeout {
                self.close(CloseFrame { code: GOING_AWAY, reason: "idle".into() });
                next = now + CLOSING;
            } else {
                next = next.min(self.spoke + idle_timeout);
            }
        }
        self.timer.as_mut().reset(next);
        None
    }
}

/// What reading came to.
enum Read {
    Some,
    End,
}
