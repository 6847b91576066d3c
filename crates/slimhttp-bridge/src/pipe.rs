//! The bytes of an upgraded connection on their way between its I/O thread and the interpreter:
//! two bounded buffers. When that of received bytes is full nothing more is read from the client;
//! when that of bytes to send is, [`Pipe::send`] waits, on a thread of the interpreter that does
//! not hold it. [`Pipe::run`] is polled on the I/O thread, and is cancelled by being dropped.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use parking_lot::{Condvar, Mutex, MutexGuard};
use slimhttp_server::Bytestream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// Bytes from the client that wait for Python.
pub(crate) const MOST_RECEIVED: usize = 256 * 1024;
/// Bytes for the client after which the next `send` waits. One that is longer by
/// itself is taken whole.
pub(crate) const MOST_SENT: usize = 1024 * 1024;
/// Bytes that are read at once.
const PIECE: usize = 16 * 1024;

/// Both directions of one connection. Shared by its I/O thread and threads of the interpreter.
#[derive(Debug, Default)]
pub struct Pipe {
    state: Mutex<State>,
    /// There is room for more to send, or it has ended.
    room: Condvar,
    /// The same for the I/O thread: Python has taken something.
    taken: Notify,
    /// Python has given something, or has closed.
    given: Notify,
}

#[derive(Debug, Default)]
struct State {
    stage: Stage,
    received: BytesMut,
    /// Goes up with everything for which a reader has to look.
    arrivals: u64,
    /// Whether a job is under way for which a reader looks.
    announced: bool,
    /// Whether the client sends no more.
    finished: bool,
    sent: VecDeque<Bytes>,
    sent_len: usize,
    /// Whether it ends once everything is sent.
    closing: bool,
}

/// What may be done with the bytes of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Nothing: it speaks HTTP.
    #[default]
    Http,
    /// The answer to an upgrade is being written.
    Answering,
    /// They are the program's.
    Open,
    /// There are no more.
    Ended,
}

/// Why something was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// The connection speaks HTTP.
    Http,
    /// It has ended, or is about to.
    Ended,
    /// There was no room within the time.
    Full,
}

/// What there is to receive.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// These bytes.
    Bytes(Bytes),
    /// Nothing yet.
    Nothing,
    /// Nothing ever again.
    End,
}

/// How much had arrived when a reader began to look, see [`Pipe::arrivals`].
#[derive(Clone, Copy, Debug)]
pub struct Arrivals {
    arrivals: u64,
    waiting: usize,
    /// Whether the client sends no more.
    pub finished: bool,
}

/// Python's side.
impl Pipe {
    /// What is sent from now on is the answer to an upgrade.
    pub fn begin_answer(&self) {
        let mut state = self.lock();
        if state.stage == Stage::Http {
            state.stage = Stage::Answering;
        }
    }

    /// Whether anything of an answer has been sent.
    pub fn has_answer(&self) -> bool {
        let state = self.lock();
        state.stage == Stage::Answering && state.sent_len > 0
    }

    /// The answer that was sent. What is sent next has nobody to go to, unless
    /// [`Pipe::open`] is called.
    pub fn take_answer(&self) -> Vec<u8> {
        let mut state = self.lock();
        if state.stage != Stage::Answering {
            return Vec::new();
        }
        state.stage = Stage::Http;
        state.sent_len = 0;
        std::mem::take(&mut state.sent).into_iter().flatten().collect()
    }

    /// The connection is the program's from now on; `first` is sent first.
    pub fn open(&self, first: Bytes) {
        let mut state = self.lock();
        if state.stage == Stage::Http {
            state.stage = Stage::Open;
            state.sent_len = first.len();
            state.sent.extend(Some(first).filter(|first| !first.is_empty()));
        }
    }

    /// Sends bytes, in order. Waits at most `patience` for room.
    ///
    /// # Errors
    /// Why not; nothing of it is sent then.
    pub fn send(&self, bytes: Bytes, patience: Duration) -> Result<(), NotSent> {
        let deadline = Instant::now().checked_add(patience);
        let mut state = self.lock();
        loop {
            match state.stage {
                Stage::Http => return Err(NotSent::Http),
                Stage::Ended => return Err(NotSent::Ended),
                Stage::Answering | Stage::Open if state.closing => return Err(NotSent::Ended),
                _ if state.sent_len < MOST_SENT => break,
                // Nobody takes anything before the answer is complete.
                Stage::Answering => return Err(NotSent::Full),
                Stage::Open => {}
            }
            let left = deadline.map_or(Duration::from_secs(3600), |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return Err(NotSent::Full);
            }
            self.room.wait_for(&mut state, left);
        }
        if !bytes.is_empty() {
            state.sent_len += bytes.len();
            state.sent.push_back(bytes);
            drop(state);
            self.given.notify_one();
        }
        Ok(())
    }

    /// Takes at most `most` bytes of what the client has sent.
    pub fn receive(&self, most: usize) -> Received {
        let mut state = self.lock();
        if state.received.is_empty() {
            let over = state.finished || state.stage == Stage::Ended;
            return if over { Received::End } else { Received::Nothing };
        }
        let count = most.clamp(1, state.received.len());
        let bytes = state.received.split_to(count).freeze();
        drop(state);
        self.taken.notify_one();
        Received::Bytes(bytes)
    }

    /// Whether the connection was upgraded and has not ended.
    pub fn is_open(&self) -> bool {
        self.lock().stage == Stage::Open
    }

    /// How many bytes of the client wait.
    pub fn waiting(&self) -> usize {
        self.lock().received.len()
    }

    /// Ends the connection once everything is sent; whether it was upgraded, or
    /// is about to be.
    pub fn close(&self) -> bool {
        let mut state = self.lock();
        state.closing = true;
        let is_ours = matches!(state.stage, Stage::Answering | Stage::Open);
        drop(state);
        self.given.notify_one();
        self.room.notify_all();
        is_ours
    }

    /// A reader is about to look: what there is.
    pub fn arrivals(&self) -> Arrivals {
        let state = self.lock();
        let State { arrivals, finished, .. } = *state;
        Arrivals { arrivals, waiting: state.received.len(), finished }
    }

    /// A reader has looked, see [`Pipe::arrivals`]; whether it has to look again:
    /// more has come, or it took some of what waited and left some.
    pub fn must_look_again(&self, before: Arrivals) -> bool {
        let mut state = self.lock();
        let left = state.received.len();
        let again = state.stage == Stage::Open
            && !state.closing
            && (state.arrivals != before.arrivals || (0 < left && left < before.waiting));
        state.announced = again;
        again
    }
}

/// The I/O thread's side.
impl Pipe {
    /// Moves the bytes of a connection until it ends; `announce` is called where a reader has
    /// to look. False where Python has taken nothing for as long as `patience`, with the buffer
    /// full: it is given up then, for nobody would notice that the client has gone.
    pub async fn run(
        self: &Arc<Self>,
        connection: Box<dyn Bytestream>,
        patience: Duration,
        announce: impl Fn() + Send,
    ) -> bool {
        let (reader, writer) = tokio::io::split(connection);
        let stalled = async {
            match self.read_all(reader, patience, announce).await {
                // The program may still have something to say.
                Ok(()) => std::future::pending().await,
                Err(stalled) => stalled,
            }
        };
        tokio::select! {
            () = self.write_all(writer) => true,
            Elapsed { .. } = stalled => false,
        }
    }

    /// Nothing goes through any more, whatever the reason.
    pub fn end(&self) {
        let mut state = self.lock();
        state.stage = Stage::Ended;
        let sent = std::mem::take(&mut state.sent);
        drop(state);
        drop(sent);
        self.room.notify_all();
    }

    async fn read_all(
        &self,
        mut reader: ReadHalf<Box<dyn Bytestream>>,
        patience: Duration,
        announce: impl Fn(),
    ) -> Result<(), Elapsed> {
        let mut piece = BytesMut::new();
        loop {
            while self.waiting() >= MOST_RECEIVED {
                timeout(patience, self.taken.notified()).await?;
            }
            piece.reserve(PIECE);
            let read = reader.read_buf(&mut piece).await;
            let more = matches!(read, Ok(count) if count > 0);
            if self.record(more.then_some(&piece)) {
                announce();
            }
            piece.clear();
            if !more {
                return Ok(());
            }
        }
    }

    /// Keeps what has been read, or with `None` that nothing more comes; whether a
    /// reader has to be asked to look.
    fn record(&self, piece: Option<&BytesMut>) -> bool {
        let mut state = self.lock();
        match piece {
            Some(piece) => state.received.extend_from_slice(piece),
            None => state.finished = true,
        }
        state.arrivals += 1;
        !std::mem::replace(&mut state.announced, true)
    }

    async fn write_all(&self, mut writer: WriteHalf<Box<dyn Bytestream>>) {
        loop {
            let (next, closing) = self.next();
            let Some(mut bytes) = next else {
                if closing {
                    let _ = writer.shutdown().await;
                    return;
                }
                let _ = writer.flush().await;
                self.given.notified().await;
                continue;
            };
            while bytes.has_remaining() {
                match writer.write(&bytes).await {
                    Ok(count) if count > 0 => {
                        bytes.advance(count);
                        self.lock().sent_len -= count;
                        self.room.notify_all();
                    }
                    _ => return,
                }
            }
        }
    }

    /// What is to be sent next, and whether that is all.
    fn next(&self) -> (Option<Bytes>, bool) {
        let mut state = self.lock();
        (state.sent.pop_front(), state.closing)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[cfg(test)]
mod tests;
