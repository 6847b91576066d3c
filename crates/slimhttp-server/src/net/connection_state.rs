//! What is known of one connection by those who watch it: how far its reading
//! and writing are, and whether it is to end. One sweep per I/O thread and tick
//! looks at all of them, so that no request sets or clears a timer.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use parking_lot::{Mutex, MutexGuard};
use slimhttp_site::site::Service;

use crate::net::unsent_answers::UnsentAnswers;
use crate::sys::clock;

/// How long a connection that is asked to end, and has nothing to do, or nothing that
/// has an end, may take to go. HTTP/2 waits for the client's word that it has heard
/// (RFC 9113 section 6.8).
pub(crate) const PARTING: Duration = Duration::from_secs(2);

/// How far the reading side of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ReadPhase {
    /// Between requests.
    Idle = 0,
    /// Within a head, a TLS handshake, or before the verdict of the handler side.
    Head = 1,
    /// Within a body.
    Body = 2,
    /// Upgraded: the bytes are somebody else's.
    Through = 3,
    /// Before the first byte of a TLS handshake.
    Silent = 4,
}

/// Why a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum CloseMode {
    /// It is not.
    No = 0,
    /// After the exchange in flight, at once where there is none.
    Gracefully = 1,
    /// Its head took too long: 408. HTTP/2, where other requests may be in flight,
    /// says that it ends (RFC 9113 section 6.8) and sees to them.
    HeadTimeout = 2,
    /// It only keeps us busy, as a client of HTTP/2 can. It is told so.
    Rejected = 3,
    /// Its body or its reading of our response stalled, or the server's time is over.
    Cut = 4,
}

/// The state of one connection, shared by its task and its I/O thread's sweep.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    reading: AtomicU8,
    /// Milliseconds since [`Self::born`], by [`clock`], at which the reading state
    /// was entered or last made progress.
    read_at: AtomicU64,
    /// The same for a header block of HTTP/2 that is not complete; 0: there is none.
    /// Nothing else can come before it is, so that it has a time of its own.
    block_at: AtomicU64,
    /// The same for a write that the client does not take; 0: none waits.
    blocked_at: AtomicU64,
    in_flight: AtomicU32,
    /// Those among them whose answer is endless: a stream of events.
    endless: AtomicU32,
    /// Exchanges begun so far.
    begun: AtomicU64,
    /// Whether reading waits for the exchange in flight to end.
    parked: AtomicBool,
    /// Whether the HTTP library has nothing to do for this connection.
    resting: AtomicBool,
    /// Pieces of responses that the library has and has not sent: the client takes
    /// its time. For HTTP/2, whose streams stall while the socket does not.
    unsent: AtomicU32,
    /// When one of them moved last.
    unsent_at: AtomicU64,
    close_mode: AtomicU8,
    /// When it was asked to end.
    asked_at: AtomicU64,
    upgraded: AtomicBool,
    /// What handlers have answered; bounded where requests come side by side.
    answers: OnceLock<Arc<UnsentAnswers>>,
    born: u64,
    /// The task that ends the connection: its own, or after an upgrade the one that carries
    /// its bytes. One task at a time registers, at each of its polls, and any thread wakes it.
    task: AtomicWaker,
}

impl ConnectionState {
    pub(crate) fn new() -> Self {
        Self::born_at(clock::milliseconds())
    }

    /// One that was accepted at that time by [`clock`].
    pub(crate) fn born_at(born: u64) -> Self {
        Self {
            reading: AtomicU8::new(ReadPhase::Idle as u8),
            read_at: AtomicU64::new(0),
            block_at: AtomicU64::new(0),
            blocked_at: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            endless: AtomicU32::new(0),
            begun: AtomicU64::new(0),
            parked: AtomicBool::new(false),
            resting: AtomicBool::new(false),
            unsent: AtomicU32::new(0),
            unsent_at: AtomicU64::new(0),
            close_mode: AtomicU8::new(CloseMode::No as u8),
            asked_at: AtomicU64::new(0),
            upgraded: AtomicBool::new(false),
            answers: OnceLock::new(),
            born,
            task: AtomicWaker::new(),
        }
    }

    fn now(&self) -> u64 {
        // Never 0, which means "not blocked".
        clock::milliseconds().saturating_sub(self.born) + 1
    }

    /// Notes progress in reading. A head's time counts from its first byte, so
    /// bytes within a head are no progress.
    pub(crate) fn read(&self, reading: ReadPhase) {
        let before = self.reading.swap(reading as u8, Ordering::Relaxed);
        if before != reading as u8 || reading != ReadPhase::Head {
            self.read_at.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Notes whether a header block of HTTP/2 has begun and not ended. Its time counts
    /// from its first byte.
    pub(crate) fn within_block(&self, within: bool) {
        let since = self.block_at.load(Ordering::Relaxed);
        if within != (since != 0) {
            self.block_at.store(if within { self.now() } else { 0 }, Ordering::Relaxed);
        }
    }

    /// Notes that the client takes no more bytes, or does again.
    pub(crate) fn write_blocked(&self, blocked: bool) {
        let since = self.blocked_at.load(Ordering::Relaxed);
        if blocked && since == 0 {
            self.blocked_at.store(self.now(), Ordering::Relaxed);
        } else if !blocked && since != 0 {
            self.blocked_at.store(0, Ordering::Relaxed);
            if self.reading.load(Ordering::Relaxed) == ReadPhase::Idle as u8 {
                self.read_at.store(self.now(), Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn is_write_blocked(&self) -> bool {
        self.blocked_at.load(Ordering::Relaxed) != 0
    }

    /// Notes whether the library waits for a further request.
    pub(crate) fn rest(&self, rests: bool) {
        self.resting.store(rests, Ordering::Relaxed);
    }

    pub(crate) fn is_resting(&self) -> bool {
        self.resting.load(Ordering::Relaxed)
    }

    /// One more exchange has begun.
    pub(crate) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// One exchange has ended; the time of what comes next counts from now.
    pub(crate) fn end(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.read_at.store(self.now(), Ordering::Relaxed);
        if self.parked.swap(false, Ordering::AcqRel) {
            self.task.wake();
        }
    }

    /// Notes that an answer is endless.
    pub(crate) fn begin_endless(&self) {
        self.endless.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that it is over, which comes before [`Self::end`].
    pub(crate) fn end_endless(&self) {
        self.endless.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether nothing is in flight but endless answers.
    fn is_endless(&self) -> bool {
        let endless = self.endless.load(Ordering::Relaxed);
        endless > 0 && endless == self.in_flight.load(Ordering::Relaxed)
    }

    /// ReadPhase is not to go on before the exchange in flight has ended: then the
    /// connection's task is woken.
    pub(crate) fn park(&self) {
        self.parked.store(true, Ordering::Release);
    }

    /// How many exchanges have begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Notes that a piece of a response waits for the client, or does no more.
    pub(crate) fn unsent(&self, waits: bool) {
        if waits {
            self.unsent.fetch_add(1, Ordering::Relaxed);
        } else {
            self.unsent.fetch_sub(1, Ordering::Relaxed);
            self.read_at.store(self.now(), Ordering::Relaxed);
        }
        self.sent();
    }

    /// Notes that some of such a piece was taken.
    pub(crate) fn sent(&self) {
        self.unsent_at.store(self.now(), Ordering::Relaxed);
    }

    /// Bounds what handlers answer and the client does not take, in bytes.
    pub(crate) fn bound_answers(&self, most: usize) {
        self.answers.get_or_init(|| Arc::new(UnsentAnswers::new(most)));
    }

    /// What they have answered, where it is bounded.
    pub(crate) fn answers(&self) -> Option<&Arc<UnsentAnswers>> {
        self.answers.get()
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) > 0
    }

    /// From now on the bytes are not HTTP.
    pub(crate) fn upgrade(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Relaxed)
    }

    pub(crate) fn close_mode(&self) -> CloseMode {
        match self.close_mode.load(Ordering::Acquire) {
            0 => CloseMode::No,
            1 => CloseMode::Gracefully,
            2 => CloseMode::HeadTimeout,
            3 => CloseMode::Rejected,
            _ => CloseMode::Cut,
        }
    }

    /// Asks the connection to end; a stronger wish replaces a weaker one.
    pub(crate) fn request_close(&self, mode: CloseMode) {
        if self.close_mode.fetch_max(mode as u8, Ordering::AcqRel) < mode as u8 {
            self.asked_at.store(self.now(), Ordering::Relaxed);
            self.task.wake();
        }
    }

    /// Registers the task that looks at [`Self::close_mode`] to be woken by the next change of
    /// it. A wake-up takes the registration away, so a task registers in each of its polls, and
    /// before it looks: what is asked for between the two is then not missed.
    pub(crate) fn watch(&self, waker: &Waker) {
        self.task.register(waker);
    }

    /// Waits until the connection is to be cut. For an upgraded one, whose own
    /// task has ended.
    pub(crate) async fn cut(&self) {
        std::future::poll_fn(|context| {
            self.watch(context.waker());
            match self.close_mode() {
                CloseMode::No | CloseMode::Gracefully => Poll::Pending,
                CloseMode::HeadTimeout | CloseMode::Rejected | CloseMode::Cut => Poll::Ready(()),
            }
        })
        .await;
    }

    /// Whether nothing is under way: no request has begun, and every answer is sent.
    fn is_idle(&self) -> bool {
        let reading = self.reading.load(Ordering::Relaxed);
        (reading == ReadPhase::Idle as u8 || reading == ReadPhase::Silent as u8)
            && self.block_at.load(Ordering::Relaxed) == 0
            && !self.is_busy()
            && !self.is_upgraded()
            && !self.is_write_blocked()
            && self.unsent.load(Ordering::Relaxed) == 0
    }

    /// Since when, by [`clock`], nothing has been under way on a connection that is
    /// to stay.
    pub(crate) fn idle_since(&self) -> Option<u64> {
        let idle = self.close_mode() == CloseMode::No && self.is_idle();
        idle.then(|| self.born + self.read_at.load(Ordering::Relaxed))
    }

    /// Ends the connection if one of its times is over, `now` by [`Self::now`].
    fn judge(&self, now: u64, limits: &Service) {
        let blocked = self.blocked_at.load(Ordering::Relaxed);
        if blocked != 0 && over(now, blocked, limits.send_timeout) {
            return self.request_close(CloseMode::Cut);
        }
        let unsent = self.unsent.load(Ordering::Relaxed) > 0;
        if unsent && over(now, self.unsent_at.load(Ordering::Relaxed), limits.send_timeout) {
            return self.request_close(CloseMode::Cut);
        }
        if self.has_parted(now, limits) {
            return self.request_close(CloseMode::Cut);
        }
        let block = self.block_at.load(Ordering::Relaxed);
        if block != 0 && over(now, block, limits.header_timeout) {
            return self.request_close(CloseMode::HeadTimeout);
        }
        // While an exchange is in flight nobody owes us a head; who waits for a
        // body has its own clock, see `incoming`.
        if self.is_busy() {
            return;
        }
        let since = self.read_at.load(Ordering::Relaxed);
        match self.reading.load(Ordering::Relaxed) {
            // Nobody is idle whose answer is on its way.
            0 if blocked != 0 || unsent => {}
            0 if over(now, since, limits.idle_timeout) => self.request_close(CloseMode::Gracefully),
            1 | 4 if over(now, since, limits.header_timeout) => {
                self.request_close(CloseMode::HeadTimeout)
            }
            2 if over(now, since, limits.body_timeout) => self.request_close(CloseMode::Cut),
            _ => {}
        }
    }

    /// Whether a connection that was asked to end has had its time to do so.
    fn has_parted(&self, now: u64, limits: &Service) -> bool {
        let asked = self.asked_at.load(Ordering::Relaxed);
        let over_since_last =
            || over(now, asked.max(self.read_at.load(Ordering::Relaxed)), PARTING);
        match self.close_mode() {
            CloseMode::Gracefully => self.is_idle() && over_since_last(),
            // Over HTTP/2: with HTTP/1 it was over at once.
            CloseMode::HeadTimeout if self.is_busy() => over(now, asked, limits.grace_period),
            CloseMode::HeadTimeout => over_since_last(),
            CloseMode::No | CloseMode::Rejected | CloseMode::Cut => false,
        }
    }
}

/// Runs `work` unless the connection is to end at once before it is done.
pub(crate) async fn until_ended<T>(
    state: &ConnectionState,
    work: impl Future<Output = T>,
) -> Result<T, CloseMode> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| {
        state.watch(context.waker());
        match state.close_mode() {
            CloseMode::No | CloseMode::Gracefully => work.as_mut().poll(context).map(Ok),
            ending @ (CloseMode::HeadTimeout | CloseMode::Rejected | CloseMode::Cut) => {
                Poll::Ready(Err(ending))
            }
        }
    })
    .await
}

fn over(now: u64, since: u64, limit: Duration) -> bool {
    u128::from(now.saturating_sub(since)) >= limit.as_millis()
}

/// Every connection of one I/O thread.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    states: Mutex<Vec<Arc<ConnectionState>>>,
}

impl Connections {
    pub(crate) fn add(&self, state: &Arc<ConnectionState>) {
        self.lock().push(state.clone());
    }

    /// Judges every connection and forgets those that have ended: nobody else
    /// holds them.
    pub(crate) fn sweep(&self, limits: &Service) {
        let mut states = self.lock();
        states.retain(|state| Arc::strong_count(state) > 1);
        for state in states.iter() {
            state.judge(state.now(), limits);
        }
        if states.capacity() > 64 && states.len() * 4 < states.capacity() {
            states.shrink_to_fit();
        }
    }

    /// Adds those that have been idle longest, and for `least` or more at `now` by
    /// [`clock`], to `found`: up to `most` of them, each with since when.
    pub(crate) fn longest_idle(
        &self,
        now: u64,
        least: Duration,
        most: usize,
        found: &mut Vec<(u64, Weak<ConnectionState>)>,
    ) {
        let states = self.lock();
        let idle = |(index, state): (usize, &Arc<ConnectionState>)| {
            let since = state.idle_since()?;
            over(now, since, least).then_some((since, index))
        };
        let mut idle: Vec<_> = states.iter().enumerate().filter_map(idle).collect();
        if idle.len() > most {
            idle.select_nth_unstable(most);
            idle.truncate(most);
        }
        found.extend(idle.iter().map(|(since, index)| (*since, Arc::downgrade(&states[*index]))));
    }

    /// How many requests are under way, and how many connections go on that are
    /// HTTP no longer.
    pub(crate) fn under_way(&self) -> (u64, u64) {
        let count = |(requests, upgraded), state: &Arc<ConnectionState>| {
            let busy = u64::from(state.in_flight.load(Ordering::Relaxed));
            if state.is_upgraded() {
                (requests, upgraded + busy.min(1))
            } else {
                (requests + busy, upgraded)
            }
        };
        self.lock().iter().fold((0, 0), count)
    }

    /// Cuts those that have nothing in flight but answers without an end.
    pub(crate) fn cut_endless(&self) {
        for state in self.lock().iter().filter(|state| state.is_endless()) {
            state.request_close(CloseMode::Cut);
        }
    }

    /// Asks every connection to end.
    pub(crate) fn request_close(&self, mode: CloseMode) {
        for state in self.lock().iter() {
            state.request_close(mode);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<ConnectionState>>> {
        self.states.lock()
    }
}

#[cfg(test)]
mod tests;
