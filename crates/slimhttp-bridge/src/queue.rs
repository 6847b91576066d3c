//! The queue between the I/O threads and the threads of the interpreter in `turn()`: bounded, and
//! fair among virtual hosts (see `fair_queue`). I/O threads push and never wait; threads of the
//! interpreter take jobs, and wait in [`Queue::wait`] without holding the interpreter. It also
//! keeps what the watchdog reports: what runs, since when, and how many wait behind it.
//!
//! One thread is woken at a time, and only once the jobs that run have taken longer than [`QUICK`]:
//! the interpreter lets one thread run at once, so that further ones would wait for it, and find
//! the queue empty. Who takes a job behind a slow one wakes the next thread, and where nobody takes
//! any, for all are blocked, the watchdog does.
//!
//! No tracing under the lock (a log record may wake this very queue), and no job is dropped under
//! it (the last owner of a request may release an id here).

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use smallvec::SmallVec;

use crate::fair_queue::{Capacity, FairQueue, Rejection};
use crate::job::{Job, Subject};
use crate::job_id::JobId;

/// How long a job runs before another thread is woken for those that wait behind it.
const QUICK: Duration = Duration::from_millis(1);

/// What became of things that were to go in.
#[derive(Debug)]
pub(crate) struct Pushed<T> {
    /// Whether the watchdog is to be armed.
    pub watchdog: Watchdog,
    /// Those that were not taken, and such as had to make room for others.
    pub refused: Vec<(T, Rejection)>,
}

impl<T> Pushed<T> {
    /// What became of the only one.
    ///
    /// # Errors
    /// Why it was not taken.
    pub(crate) fn outcome(&self) -> Result<Watchdog, Rejection> {
        self.refused.first().map_or(Ok(self.watchdog), |(_, rejection)| Err(*rejection))
    }
}

/// What a change of a queue asks of the watchdog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watchdog {
    /// A job waits, every thread is busy and it is not armed yet.
    Arm,
    /// There is nothing to watch, or it is armed already.
    Leave,
}

impl Watchdog {
    /// To be armed, or not.
    pub(crate) fn of(arm: bool) -> Self {
        if arm { Self::Arm } else { Self::Leave }
    }
}

/// A job that runs, from `Queue::next` to the next `Queue::next` or [`Queue::finish`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run(u64);

/// A job that has run for long while others wait and no thread is free.
#[derive(Debug)]
pub(crate) struct Stalled {
    /// What it is about.
    pub subject: Subject,
    /// How long it has run.
    pub(crate) duration: Duration,
    /// How many wait.
    pub waiting: usize,
    /// How many threads there are to run jobs, as far as is known.
    pub threads: usize,
}

/// The queue.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    /// How many calls may wait.
    pub(crate) capacity: Capacity,
}

#[derive(Debug, Default)]
struct State {
    jobs: FairQueue<Job>,
    /// Ids whose owner is gone.
    released: Vec<JobId>,
    /// Threads that wait in [`Queue::wait`], and how many of them have been
    /// notified but are not running yet.
    idle: usize,
    notified: usize,
    /// Threads that have been notified, run, and do not hold the interpreter yet.
    arriving: usize,
    running: SmallVec<[Running; 1]>,
    runs: u64,
    /// Goes up with every [`Queue::wake`]; `woken` keeps one that met nobody.
    wakes: u64,
    woken: bool,
    watched: bool,
    closed: bool,
}

#[derive(Debug)]
struct Running {
    run: Run,
    since: Instant,
    subject: Subject,
    reported: bool,
}

impl State {
    fn has_work(&self) -> bool {
        !self.jobs.is_empty() || !self.released.is_empty()
    }

    /// Whether a waiting thread has to be notified, now that there is work.
    fn claim_idle_thread(&mut self) -> bool {
        let claim = self.may_claim() && self.running.iter().all(Running::is_slow);
        self.notified += usize::from(claim);
        claim
    }

    /// Whether the jobs that wait do so behind slow ones, as a job is taken by a thread whose last
    /// one has `ended`. The one that is taken is new and says nothing: those before it do.
    fn is_held_up(&self, ended: Option<&Running>) -> bool {
        match (ended, self.running.split_last()) {
            (Some(ended), _) => ended.is_slow(),
            (None, Some((_, others))) => !others.is_empty() && others.iter().all(Running::is_slow),
            (None, None) => false,
        }
    }

    /// Whether a thread could be notified: one waits, and none is on its way.
    fn may_claim(&self) -> bool {
        self.has_work() && self.idle > 0 && self.notified + self.arriving == 0
    }
}

impl Running {
    fn is_slow(&self) -> bool {
        self.since.elapsed() > QUICK
    }
}

impl Queue {
    /// An empty queue in which `limit` calls may wait.
    pub fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), arrived: Condvar::new(), capacity: Capacity::new(limit) }
    }

    /// Puts jobs in, each at the end of its host's queue. Fetching chunks is never refused
    /// for want of room: there are no more of them than responses under way.
    pub(crate) fn push(&self, jobs: impl IntoIterator<Item = Job>) -> Pushed<Job> {
        let mut refused = Vec::new();
        let mut abandoned = Vec::new();
        let mut state = self.lock();
        for job in jobs {
            if state.closed {
                refused.push((job, Rejection::Closed));
                continue;
            }
            if let Some(job) = self.capacity.admit(job, &mut state.jobs, &mut abandoned) {
                refused.push((job, Rejection::Full));
            }
        }
        let notify = state.claim_idle_thread();
        let backlog = state.jobs.len() > state.notified;
        let begin = backlog && !state.watched && !state.running.is_empty();
        state.watched |= begin;
        drop(state);
        drop(abandoned);
        if notify {
            self.arrived.notify_one();
        }
        Pushed { watchdog: Watchdog::of(begin), refused }
    }

    /// Releases what is kept under an id: it is dropped in a turn.
    pub fn release(&self, id: JobId) {
        let mut state = self.lock();
        state.released.push(id);
        // At once, for the watchdog looks at jobs alone, and a handler may have begun to block.
        let notify = state.may_claim();
        state.notified += usize::from(notify);
        drop(state);
        if notify {
            self.arrived.notify_one();
        }
    }

    /// The ids released since the last time.
    pub fn take_released(&self) -> Vec<JobId> {
        std::mem::take(&mut self.lock().released)
    }

    /// Takes the first job, and records that the one of `finished` has ended.
    pub(crate) fn next(&self, finished: Option<Run>) -> Option<(Run, Job, Watchdog)> {
        let mut state = self.lock();
        let ended = finished.and_then(|run| {
            let position = state.running.iter().position(|running| running.run == run)?;
            Some(state.running.swap_remove(position))
        });
        let job = state.jobs.pop();
        let taken = job.map(|job| {
            state.runs += 1;
            let run = Run(state.runs);
            state.running.push(Running {
                run,
                since: Instant::now(),
                subject: job.subject(),
                reported: false,
            });
            let begin = !state.jobs.is_empty() && !state.watched;
            state.watched |= begin;
            (run, job, Watchdog::of(begin))
        });
        // Last of all the clock: it is read for each job otherwise.
        let notify = taken.is_some() && state.may_claim() && state.is_held_up(ended.as_ref());
        state.notified += usize::from(notify);
        drop(state);
        drop(ended);
        if notify {
            self.arrived.notify_one();
        }
        taken
    }

    /// Records that the job of `run` has ended, and takes no other.
    pub fn finish(&self, run: Run) {
        let mut state = self.lock();
        let position = state.running.iter().position(|running| running.run == run);
        let ended = position.map(|position| state.running.swap_remove(position));
        drop(state);
        drop(ended);
    }

    /// What a job that still runs is about.
    pub fn subject(&self, run: Run) -> Option<Subject> {
        let state = self.lock();
        let running = state.running.iter().find(|running| running.run == run)?;
        Some(running.subject.clone())
    }

    /// Waits for something to do, at most `timeout`, or until [`Queue::wake`]. Whether the thread
    /// was notified, and is to say so by [`Queue::arrive`].
    pub fn wait(&self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.lock();
        if std::mem::take(&mut state.woken) {
            return false;
        }
        let mut was_notified = false;
        let wakes = state.wakes;
        while !state.has_work() && !state.closed && state.wakes == wakes {
            let left = match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return was_notified,
                Some(left) => left,
                // Longer than the clock can count is for ever; an hour is a round of it.
                None => Duration::from_secs(3600),
            };
            // Somebody else has taken what it was notified of.
            state.arriving -= usize::from(std::mem::take(&mut was_notified));
            state.idle += 1;
            self.arrived.wait_for(&mut state, left);
            state.idle -= 1;
            was_notified = state.notified > 0;
            state.notified -= usize::from(was_notified);
            state.arriving += usize::from(was_notified);
        }
        was_notified
    }

    /// A thread that was notified holds the interpreter.
    pub fn arrive(&self) {
        let mut state = self.lock();
        state.arriving = state.arriving.saturating_sub(1);
    }

    /// Lets every waiting thread go on; if none waits, the next one does not.
    pub fn wake(&self) {
        let mut state = self.lock();
        state.wakes += 1;
        state.woken = state.idle == 0;
        drop(state);
        self.arrived.notify_all();
    }

    /// Takes nothing more in and gives back what waits, to be dropped.
    pub fn close(&self) -> Vec<Job> {
        let mut state = self.lock();
        state.closed = true;
        let jobs = state.jobs.take();
        drop(state);
        self.arrived.notify_all();
        jobs
    }

    /// Whether jobs wait.
    pub fn has_jobs(&self) -> bool {
        !self.lock().jobs.is_empty()
    }

    /// Whether jobs wait, perhaps behind slow ones, for which a thread could be woken.
    pub(crate) fn has_idle_thread(&self) -> bool {
        let state = self.lock();
        state.idle > 0 && !state.jobs.is_empty()
    }

    /// Whether nothing waits and nothing runs.
    #[cfg(test)]
    pub(crate) fn is_quiet(&self) -> bool {
        let state = self.lock();
        !state.has_work() && state.running.is_empty()
    }

    /// The jobs that have run longer than `allowance` while others wait and no
    /// thread is free; each is reported once. `None` when nothing waits: there is
    /// nothing to watch until [`Queue::push`] says so again.
    pub(crate) fn stalled(&self, allowance: Duration) -> Option<Vec<Stalled>> {
        let mut state = self.lock();
        let waiting = state.jobs.len();
        if waiting == 0 || state.closed {
            state.watched = false;
            return None;
        }
        if state.idle > 0 {
            let notify = state.claim_idle_thread();
            drop(state);
            if notify {
                self.arrived.notify_one();
            }
            return Some(Vec::new());
        }
        let threads = state.running.len();
        let stalled = state
            .running
            .iter_mut()
            .filter(|running| !running.reported && running.since.elapsed() > allowance)
            .map(|running| {
                running.reported = true;
                Stalled {
                    subject: running.subject.clone(),
                    duration: running.since.elapsed(),
                    waiting,
                    threads,
                }
            })
            .collect();
        Some(stalled)
    }

    /// What the jobs are that run now, in words.
    pub fn subjects(&self) -> Vec<String> {
        let running: Vec<_> =
            self.lock().running.iter().map(|running| running.subject.clone()).collect();
        running.iter().map(ToString::to_string).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[cfg(test)]
mod tests;
