//! The queue between the I/O threads and the thread of the event loop, which is woken by a socket
//! that is readable while something waits: the loop watches it as any other socket, and then takes
//! everything at once. Bounded and fair as [`Queue`](crate::queue::Queue) is. Any thread pushes;
//! nothing here waits.
//!
//! A client that leaves cancels its task: for a call of the loop's own always, for a call of a
//! thread's only if that has handed it on.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use crate::fair_queue::{Capacity, FairQueue, Queued, Rejection};
use crate::job::{Call, Pull, Subject};
use crate::job_id::JobId;
use crate::queue::{Pushed, Watchdog};

/// One job for the event loop.
#[derive(Debug)]
pub enum LoopJob {
    /// Answer a request by an `async def` handler.
    Call(Call),
    /// Go on with the awaitable or async iterator that a thread has left under this id.
    Resume(JobId),
    /// Fetch the next chunk of an async iterator.
    Pull(Pull),
    /// Content of a request has come for the reader that waits under this id.
    Content(JobId),
    /// Something has changed for the WebSocket, or the application's exchange, that is kept under
    /// this id.
    Wake(JobId),
    /// The client has left: cancel what runs under this id.
    Cancel(JobId),
}

impl LoopJob {
    /// What it is about, where that is known.
    pub fn subject(&self) -> Option<Subject> {
        match self {
            Self::Call(call) => Some(Subject::Call(call.request.clone())),
            Self::Pull(pull) => Some(Subject::Pull(pull.subject.clone())),
            Self::Resume(_) | Self::Content(_) | Self::Wake(_) | Self::Cancel(_) => None,
        }
    }

    /// The id of a call.
    fn id(&self) -> Option<JobId> {
        match self {
            Self::Call(call) => Some(call.id),
            _ => None,
        }
    }

    /// Whether a client waits for it.
    fn is_awaited(&self) -> bool {
        !matches!(self, Self::Cancel(_)) && !self.is_abandoned()
    }

    /// Ends the wait of who asked: nobody will do it.
    pub fn refuse(self, rejection: Rejection) {
        if let Self::Call(call) = self {
            call.refuse(rejection);
        }
    }
}

impl Queued for LoopJob {
    fn host(&self) -> Option<&Arc<str>> {
        match self {
            Self::Call(call) => call.request.scope.name.as_ref(),
            Self::Pull(pull) => pull.host.as_ref(),
            Self::Resume(_) | Self::Content(_) | Self::Wake(_) | Self::Cancel(_) => None,
        }
    }

    fn is_call(&self) -> bool {
        matches!(self, Self::Call(_))
    }

    fn is_abandoned(&self) -> bool {
        match self {
            Self::Call(call) => call.reply.is_closed(),
            Self::Pull(pull) => pull.reply.is_closed(),
            Self::Resume(_) | Self::Content(_) | Self::Wake(_) | Self::Cancel(_) => false,
        }
    }
}

/// An event loop that takes nothing, while clients wait for it.
#[derive(Debug)]
pub(crate) struct Blocked {
    /// For how long at least.
    pub(crate) duration: Duration,
    /// How many wait.
    pub waiting: usize,
}

/// The queue.
#[derive(Debug)]
pub struct LoopQueue {
    state: Mutex<State>,
    /// How many calls may wait.
    pub(crate) capacity: Capacity,
    wake_pair: OnceLock<WakePair>,
    /// How many ids [`State::resumed`] has.
    resumed_count: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    jobs: FairQueue<LoopJob>,
    /// The calls that a thread has handed on to the loop, until they are answered:
    /// of those alone among a thread's calls the task is cancelled when the client leaves.
    resumed: HashSet<JobId>,
    /// When the first of `jobs` came that a client waits for.
    since: Option<Instant>,
    watched: bool,
    /// Whether it was logged that nobody takes these jobs.
    reported: bool,
    closed: bool,
}

/// A socket pair: a byte written to one end makes the other readable.
#[derive(Debug)]
struct WakePair {
    wake_tx: UnixStream,
    wake_rx: UnixStream,
}

impl LoopQueue {
    /// An empty queue in which `limit` calls may wait.
    pub fn new(limit: usize) -> Self {
        Self {
            state: Mutex::default(),
            capacity: Capacity::new(limit),
            wake_pair: OnceLock::new(),
            resumed_count: AtomicUsize::new(0),
        }
    }

    /// Puts jobs in, each at the end of its host's queue.
    pub(crate) fn push(&self, jobs: impl IntoIterator<Item = LoopJob>) -> Pushed<LoopJob> {
        let mut refused = Vec::new();
        let mut abandoned = Vec::new();
        let mut state = self.lock();
        let was_empty = state.jobs.is_empty();
        for job in jobs {
            if state.closed {
                refused.push((job, Rejection::Closed));
                continue;
            }
            if let LoopJob::Resume(id) = &job {
                state.resumed.insert(*id);
                self.resumed_count.store(state.resumed.len(), Ordering::SeqCst);
            }
            if state.since.is_none() && job.is_awaited() {
                state.since = Some(Instant::now());
            }
            if let Some(job) = self.capacity.admit(job, &mut state.jobs, &mut abandoned) {
                refused.push((job, Rejection::Full));
            }
        }
        if !abandoned.is_empty() {
            // With a call goes that it is to be cancelled.
            let calls: HashSet<JobId> = abandoned.iter().filter_map(LoopJob::id).collect();
            let of_those = |job: &LoopJob| matches!(job, LoopJob::Cancel(of) if calls.contains(of));
            abandoned.append(&mut state.jobs.remove_where(of_those));
        }
        let begin = state.since.is_some() && !state.watched;
        state.watched |= begin;
        let wake = was_empty && !state.jobs.is_empty();
        drop(state);
        drop(abandoned);
        if wake {
            self.wake_loop();
        }
        Pushed { watchdog: Watchdog::of(begin), refused }
    }

    /// Cancels what runs for a client that has left, if there is a loop that may run it.
    pub fn cancel(&self, id: JobId) {
        self.capacity.client_left();
        if self.wake_pair.get().is_some() {
            // A closed queue has cancelled everything already.
            self.push([LoopJob::Cancel(id)]);
        }
    }

    /// Forgets a call that a thread has handed on; whether it was one.
    pub fn forget_resumed(&self, id: JobId) -> bool {
        if self.resumed_count.load(Ordering::SeqCst) == 0 {
            return false;
        }
        let mut state = self.lock();
        let was = state.resumed.remove(&id);
        self.resumed_count.store(state.resumed.len(), Ordering::SeqCst);
        was
    }

    /// Whether clients have waited longer than `allowance` for the loop to take
    /// what is here; reported once until it has. `None` when nobody waits: there is
    /// nothing to watch until [`LoopQueue::push`] says so again.
    pub(crate) fn blocked(&self, allowance: Duration) -> Option<Option<Blocked>> {
        let mut state = self.lock();
        let Some(since) = state.since.filter(|_| !state.closed) else {
            state.watched = false;
            return None;
        };
        let duration = since.elapsed();
        if state.reported || duration <= allowance || self.wake_pair.get().is_none() {
            return Some(None);
        }
        let waiting = state.jobs.iter().filter(|job| job.is_awaited()).count();
        state.reported = waiting > 0;
        Some(state.reported.then_some(Blocked { duration, waiting }))
    }

    /// Everything that waits, in order; the socket is quiet again.
    pub fn take(&self) -> Vec<LoopJob> {
        if let Some(pair) = self.wake_pair.get() {
            let mut bytes = [0; 64];
            while matches!((&pair.wake_rx).read(&mut bytes), Ok(count) if count == bytes.len()) {}
        }
        let mut state = self.lock();
        state.since = None;
        state.reported = false;
        state.jobs.take()
    }

    /// The socket that is readable while something waits.
    ///
    /// # Errors
    /// When the system has no more descriptors.
    pub fn descriptor(&self) -> std::io::Result<RawFd> {
        if let Some(pair) = self.wake_pair.get() {
            return Ok(pair.wake_rx.as_raw_fd());
        }
        let (wake_tx, wake_rx) = UnixStream::pair()?;
        wake_tx.set_nonblocking(true)?;
        wake_rx.set_nonblocking(true)?;
        let pair = self.wake_pair.get_or_init(|| WakePair { wake_tx, wake_rx });
        // What came before there was a socket to wake it.
        let waiting = {
            let state = self.lock();
            !state.jobs.is_empty() || state.closed
        };
        if waiting {
            self.wake_loop();
        }
        Ok(pair.wake_rx.as_raw_fd())
    }

    /// Takes nothing more in and gives back what waits, to be dropped.
    pub fn close(&self) -> Vec<LoopJob> {
        let mut state = self.lock();
        state.closed = true;
        let jobs = state.jobs.take();
        drop(state);
        self.wake_loop();
        jobs
    }

    /// Whether it takes nothing more in.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn wake_loop(&self) {
        if let Some(pair) = self.wake_pair.get() {
            // A full socket is readable as it is.
            let _ = (&pair.wake_tx).write(&[1]);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[cfg(test)]
mod tests;
