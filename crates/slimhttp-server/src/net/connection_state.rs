//! How far one connection is, and whether it is to end: what its own task, the housekeeping of its
//! I/O thread and whoever may end it know of it.
//!
//! The task that serves the connection records what happens, at the cost of an atomic store; it
//! sets no timer. Housekeeping looks at all connections of its thread, a few times a second, see
//! [`Connections`](super::connections::Connections), and asks those to end whose time is over:
//!
//! | the connection waits for | counted from | at most | then |
//! | --- | --- | --- | --- |
//! | a request | the end of what came before | `idle_timeout` | [`CloseMode::Gracefully`] |
//! | TLS to begin, the rest of a head or of a handshake | its first byte, or that it was accepted | `header_timeout` | [`CloseMode::HeadTimeout`] |
//! | the rest of a header block of HTTP/2 | its first byte | `header_timeout` | [`CloseMode::HeadTimeout`] |
//! | the rest of a body that is read with no exchange in flight | its last byte | `body_timeout` | [`CloseMode::Cut`] |
//! | the client to take bytes, of the socket or of a stream | when it took some last | `send_timeout` | [`CloseMode::Cut`] |
//! | its end, once that was asked for | what came last | [`CLOSE_TIMEOUT`], or `grace_period` beside an exchange | [`CloseMode::Cut`] |
//!
//! While an exchange is in flight whose answer is not there yet, and once the connection is
//! upgraded, only a client that takes no bytes ends it.
//!
//! Every field is an atomic, read and written on any thread. A time is kept as milliseconds by
//! [`clock`]: 0 stands for none. What few connections need is in a box that is made when they do,
//! for there may be thousands of connections that are idle.

mod close_mode;
mod rest;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use http::{HeaderMap, StatusCode};
use slimhttp_site::site::Service;

pub(crate) use self::close_mode::CloseMode;
use crate::net::interim::InterimQueue;
use crate::net::unsent_answers::UnsentAnswers;
use crate::sys::clock;
use crate::tls::session::TlsSession;

/// How long a connection that is asked to end, and has nothing to do or nothing that has an end,
/// may take to go. A client of HTTP/2 answers GOAWAY first (RFC 9113 section 6.8).
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How far the reading side of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ReadPhase {
    /// Between requests.
    Idle = 0,
    /// Within a head or a TLS handshake, or before a handler has said whether it is served.
    Head = 1,
    /// Within a body.
    Body = 2,
    /// The bytes are not HTTP.
    Upgraded = 3,
    /// Before the first byte of a TLS handshake.
    AwaitingTls = 4,
}

impl ReadPhase {
    fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Idle,
            1 => Self::Head,
            2 => Self::Body,
            3 => Self::Upgraded,
            _ => Self::AwaitingTls,
        }
    }
}

/// The state of one connection, shared by its task, the housekeeping of its I/O thread and those
/// who hold a handle to it, on whichever thread.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    /// When the read phase was entered or last made progress.
    read_at: AtomicU64,
    /// Since when a write waits for the client.
    write_blocked_since: AtomicU64,
    close_requested_at: AtomicU64,
    /// The connection's own task, which registers at each of its polls; any thread wakes it.
    task: AtomicWaker,
    in_flight: AtomicU32,
    /// The listener that it has come by; 0 where it was handed over by the program.
    pub(super) listener: u32,
    read_phase: AtomicU8,
    close_mode: AtomicU8,
    /// Whether its task is to end while nothing comes, see [`rest`].
    rest: AtomicU8,
    is_upgraded: AtomicBool,
    rare: OnceLock<Box<RareState>>,
}

/// What only connections of HTTP/2, of TLS, upgraded ones, and those with an endless answer or an
/// interim one need.
#[derive(Debug, Default)]
struct RareState {
    /// Since when a header block of HTTP/2 is not complete. Nothing else can come before it is,
    /// so that it has a time of its own.
    header_block_since: AtomicU64,
    /// Those exchanges in flight whose answer is endless: a stream of events.
    endless: AtomicU32,
    /// Pieces of responses that wait to be sent, because the client takes its time.
    /// For HTTP/2, whose streams stall while the socket does not.
    unsent: AtomicU32,
    /// When one of them moved last.
    unsent_at: AtomicU64,
    /// What handlers have answered; bounded where requests come side by side.
    unsent_answers: OnceLock<Arc<UnsentAnswers>>,
    /// What the connection's own task is, for the task of its upgrade. For a while there are both:
    /// the upgrade's begins when the 101 is made, and the connection's own goes on until it is
    /// sent.
    upgrade_task: AtomicWaker,
    /// Interim responses for the client, of HTTP/1.1.
    interims: InterimQueue,
    /// What the TLS of the connection has negotiated.
    tls: OnceLock<Arc<TlsSession>>,
}

impl ConnectionState {
    pub(crate) fn new() -> Self {
        Self::created_at(clock::milliseconds())
    }

    /// One that was accepted at that time by [`clock`].
    pub(crate) fn created_at(created_at: u64) -> Self {
        Self {
            read_at: AtomicU64::new(created_at),
            write_blocked_since: AtomicU64::new(0),
            close_requested_at: AtomicU64::new(0),
            task: AtomicWaker::new(),
            in_flight: AtomicU32::new(0),
            listener: 0,
            read_phase: AtomicU8::new(ReadPhase::Idle as u8),
            close_mode: AtomicU8::new(CloseMode::No as u8),
            rest: AtomicU8::new(0),
            is_upgraded: AtomicBool::new(false),
            rare: OnceLock::new(),
        }
    }

    /// One that has come by that listener.
    pub(crate) fn by_listener(listener: u32) -> Self {
        Self { listener, ..Self::new() }
    }

    /// What few connections need, for one that does.
    fn rare(&self) -> &RareState {
        self.rare.get_or_init(Box::default)
    }

    /// What the TLS of the connection has negotiated, once that is known.
    pub(crate) fn tls_session(&self) -> Option<&Arc<TlsSession>> {
        self.rare.get()?.tls.get()
    }

    pub(crate) fn set_tls_session(&self, session: TlsSession) {
        self.rare().tls.get_or_init(|| Arc::new(session));
    }

    /// The time as the fields have it.
    pub(super) fn now() -> u64 {
        // Never 0, which means that there is none.
        clock::milliseconds().max(1)
    }
}

/// Reading
impl ConnectionState {
    /// Records progress in reading. A head's time counts from its first byte, so
    /// bytes within a head are no progress.
    pub(crate) fn record_read(&self, phase: ReadPhase) {
        let before = self.read_phase.swap(phase as u8, Ordering::Relaxed);
        if before != phase as u8 || phase != ReadPhase::Head {
            self.read_at.store(Self::now(), Ordering::Relaxed);
        }
    }

    /// Whether a header block of HTTP/2 has begun and not ended. Its time counts from its first
    /// byte.
    pub(crate) fn set_in_header_block(&self, is_within: bool) {
        let header_block_since = &self.rare().header_block_since;
        let since = header_block_since.load(Ordering::Relaxed);
        if is_within != (since != 0) {
            let since = if is_within { Self::now() } else { 0 };
            header_block_since.store(since, Ordering::Relaxed);
        }
    }

    fn is_in_header_block(&self) -> bool {
        let since = |rare: &RareState| rare.header_block_since.load(Ordering::Relaxed);
        self.rare.get().is_some_and(|rare| since(rare) != 0)
    }
}

/// Answering
impl ConnectionState {
    /// One more exchange has begun.
    pub(crate) fn begin_exchange(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// One exchange has ended; the time of what comes next counts from now.
    pub(crate) fn end_exchange(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.read_at.store(Self::now(), Ordering::Relaxed);
    }

    /// How many exchanges are in flight.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.in_flight() > 0
    }

    /// The answer of an exchange is endless.
    pub(crate) fn begin_endless(&self) {
        self.rare().endless.fetch_add(1, Ordering::Relaxed);
    }

    /// It is over, which comes before [`Self::end_exchange`].
    pub(crate) fn end_endless(&self) {
        self.rare().endless.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether nothing is in flight but endless answers.
    pub(crate) fn is_endless(&self) -> bool {
        let endless = self.rare.get().map_or(0, |rare| rare.endless.load(Ordering::Relaxed));
        endless > 0 && endless == self.in_flight()
    }

    /// Bounds what handlers answer and the client does not take, in bytes.
    pub(crate) fn limit_unsent_answers(&self, limit: usize) {
        self.rare().unsent_answers.get_or_init(|| Arc::new(UnsentAnswers::new(limit)));
    }

    /// What they have answered, where it is bounded.
    pub(crate) fn unsent_answers(&self) -> Option<&Arc<UnsentAnswers>> {
        self.rare.get()?.unsent_answers.get()
    }

    /// The interim responses that wait to be sent.
    pub(crate) fn interims(&self) -> &InterimQueue {
        &self.rare().interims
    }

    /// Takes them, in their order.
    pub(crate) fn take_interims(&self) -> Vec<(StatusCode, HeaderMap)> {
        self.rare.get().map(|rare| rare.interims.take()).unwrap_or_default()
    }

    /// One more, from whichever thread: the connection's task sends it.
    pub(crate) fn push_interim(&self, status: StatusCode, fields: HeaderMap) {
        self.interims().push(status, fields);
        self.task.wake();
    }

    /// From now on the bytes are not HTTP.
    pub(crate) fn set_upgraded(&self) {
        self.is_upgraded.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_upgraded(&self) -> bool {
        self.is_upgraded.load(Ordering::Relaxed)
    }
}

/// Writing
impl ConnectionState {
    /// Whether the client takes no more bytes of the socket.
    pub(crate) fn set_write_blocked(&self, is_blocked: bool) {
        let since = self.write_blocked_since.load(Ordering::Relaxed);
        if is_blocked && since == 0 {
            self.write_blocked_since.store(Self::now(), Ordering::Relaxed);
        } else if !is_blocked && since != 0 {
            self.write_blocked_since.store(0, Ordering::Relaxed);
            if self.read_phase.load(Ordering::Relaxed) == ReadPhase::Idle as u8 {
                self.read_at.store(Self::now(), Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn is_write_blocked(&self) -> bool {
        self.write_blocked_since.load(Ordering::Relaxed) != 0
    }

    /// A piece of a response waits for the client.
    pub(crate) fn begin_unsent(&self) {
        self.rare().unsent.fetch_add(1, Ordering::Relaxed);
        self.record_sent();
    }

    /// It does no more: it is sent, or given up.
    pub(crate) fn end_unsent(&self) {
        self.rare().unsent.fetch_sub(1, Ordering::Relaxed);
        self.read_at.store(Self::now(), Ordering::Relaxed);
        self.record_sent();
    }

    /// Some of such a piece was taken.
    pub(crate) fn record_sent(&self) {
        self.rare().unsent_at.store(Self::now(), Ordering::Relaxed);
    }

    fn has_unsent(&self) -> bool {
        self.rare.get().is_some_and(|rare| rare.unsent.load(Ordering::Relaxed) > 0)
    }
}

/// Ending
impl ConnectionState {
    pub(crate) fn close_mode(&self) -> CloseMode {
        CloseMode::from_number(self.close_mode.load(Ordering::Acquire))
    }

    /// Asks the connection to end; a stronger reason replaces a weaker one.
    pub(crate) fn request_close(&self, mode: CloseMode) {
        if self.close_mode.fetch_max(mode as u8, Ordering::AcqRel) < mode as u8 {
            self.close_requested_at.store(Self::now(), Ordering::Relaxed);
            self.task.wake();
            // Made where it is not there yet: by it alone a task that registers in this moment
            // and looks is sure to see the mode, or to be woken.
            self.rare().upgrade_task.wake();
        }
    }

    /// Registers the connection's task, which looks at [`Self::close_mode`], to be woken by the
    /// next change of it. A wake-up takes the registration away, so a task registers in each of
    /// its polls, and before it looks: what is asked for between the two is then not missed.
    pub(crate) fn register(&self, waker: &Waker) {
        self.task.register(waker);
    }

    /// The same for the task of the connection's upgrade.
    pub(crate) fn register_upgrade(&self, waker: &Waker) {
        self.rare().upgrade_task.register(waker);
    }

    /// The connection's task ends, and its upgrade goes on: its memory is not kept for a
    /// wake-up.
    pub(crate) fn unregister(&self) {
        drop(self.task.take());
    }

    /// Waits until the connection is to be cut. For its own task.
    pub(crate) async fn until_cut(&self) {
        // Work that never ends is ended by that only.
        let _ = run_until_cut(self, std::future::pending::<()>()).await;
    }

    /// The same for the task of its upgrade.
    pub(crate) async fn until_upgrade_cut(&self) {
        std::future::poll_fn(|context| {
            self.register_upgrade(context.waker());
            match self.close_mode() {
                CloseMode::No | CloseMode::AfterRequest | CloseMode::Gracefully => Poll::Pending,
                CloseMode::HeadTimeout | CloseMode::Rejected | CloseMode::Cut => Poll::Ready(()),
            }
        })
        .await;
    }

    /// Whether nothing is under way: no request has begun, and every answer is sent.
    fn is_idle(&self) -> bool {
        let phase = ReadPhase::from_number(self.read_phase.load(Ordering::Relaxed));
        matches!(phase, ReadPhase::Idle | ReadPhase::AwaitingTls)
            && !self.is_in_header_block()
            && !self.is_busy()
            && !self.is_upgraded()
            && !self.is_write_blocked()
            && !self.has_unsent()
    }

    /// Since when, by [`clock`], nothing has been under way on a connection that is
    /// to stay.
    pub(crate) fn idle_since(&self) -> Option<u64> {
        let is_idle = self.close_mode() == CloseMode::No && self.is_idle();
        is_idle.then(|| self.read_at.load(Ordering::Relaxed))
    }

    /// Asks the connection to end if one of its times is over, `now` by [`clock`].
    pub(super) fn enforce_timeouts(&self, now: u64, limits: &Service) {
        let is_over = |since: &AtomicU64, limit| {
            let since = since.load(Ordering::Relaxed);
            since != 0 && has_elapsed(now, since, limit)
        };
        let rare = self.rare.get();
        let has_stalled =
            |rare: &RareState| self.has_unsent() && is_over(&rare.unsent_at, limits.send_timeout);
        if is_over(&self.write_blocked_since, limits.send_timeout)
            || rare.is_some_and(|rare| has_stalled(rare))
            || self.is_close_overdue(now, limits)
        {
            return self.request_close(CloseMode::Cut);
        }
        if rare.is_some_and(|rare| is_over(&rare.header_block_since, limits.header_timeout)) {
            return self.request_close(CloseMode::HeadTimeout);
        }
        // While an exchange is in flight the client owes us no head; whoever reads a body for
        // one has a timer for it.
        if self.is_busy() {
            return;
        }
        let since = self.read_at.load(Ordering::Relaxed);
        let has_taken = |limit| has_elapsed(now, since, limit);
        match ReadPhase::from_number(self.read_phase.load(Ordering::Relaxed)) {
            // Nobody is idle whose answer is on its way.
            ReadPhase::Idle if self.is_write_blocked() || self.has_unsent() => {}
            ReadPhase::Idle if has_taken(limits.idle_timeout) => {
                self.request_close(CloseMode::Gracefully);
            }
            ReadPhase::Head | ReadPhase::AwaitingTls if has_taken(limits.header_timeout) => {
                self.request_close(CloseMode::HeadTimeout);
            }
            ReadPhase::Body if has_taken(limits.body_timeout) => {
                self.request_close(CloseMode::Cut);
            }
            _ => {}
        }
    }

    /// Whether a connection that was asked to end has had its time to do so.
    fn is_close_overdue(&self, now: u64, limits: &Service) -> bool {
        let requested = self.close_requested_at.load(Ordering::Relaxed);
        let is_over_since_last = || {
            let last = requested.max(self.read_at.load(Ordering::Relaxed));
            has_elapsed(now, last, CLOSE_TIMEOUT)
        };
        match self.close_mode() {
            CloseMode::Gracefully => self.is_idle() && is_over_since_last(),
            // Over HTTP/2: with HTTP/1 it was over at once.
            CloseMode::HeadTimeout if self.is_busy() => {
                has_elapsed(now, requested, limits.grace_period)
            }
            CloseMode::HeadTimeout => is_over_since_last(),
            CloseMode::No | CloseMode::AfterRequest | CloseMode::Rejected | CloseMode::Cut => false,
        }
    }
}

/// Runs `work`, in the connection's task, unless the connection is to end at once before it is
/// done; then the error says why. Dropped like any future, it leaves a registration behind that wakes nobody.
pub(crate) async fn run_until_cut<T>(
    state: &ConnectionState,
    work: impl Future<Output = T>,
) -> Result<T, CloseMode> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| {
        state.register(context.waker());
        match state.close_mode() {
            CloseMode::No | CloseMode::AfterRequest | CloseMode::Gracefully => {
                work.as_mut().poll(context).map(Ok)
            }
            mode @ (CloseMode::HeadTimeout | CloseMode::Rejected | CloseMode::Cut) => {
                Poll::Ready(Err(mode))
            }
        }
    })
    .await
}

/// Whether `limit` has passed from `since` to `now`, in milliseconds.
pub(super) fn has_elapsed(now: u64, since: u64, limit: Duration) -> bool {
    u128::from(now.saturating_sub(since)) >= limit.as_millis()
}

#[cfg(test)]
pub(super) mod tests;
