//! Where I/O threads hand jobs in and threads of the interpreter take them: the two queues, the
//! completion queues of the I/O threads, and the wake-up of the watchdog. One per server; shared
//! by all of its threads. Nothing here waits but [`Queue::wait`](crate::queue::Queue::wait), which
//! threads of the interpreter call.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};

use crate::acme_job::AcmeBacklog;
use crate::applications::ApplicationTable;
use crate::completion::CompletionQueue;
use crate::connection::{Connection, ConnectionJob};
use crate::fair_queue::Rejection;
use crate::interests::{CloseBacklog, InterestFlags};
use crate::job::Job;
use crate::job_id::JobId;
use crate::loop_queue::{LoopJob, LoopQueue};
use crate::pending_handshake::{PendingHandshake, PendingHandshakes};
use crate::pending_signals::PendingSignals;
use crate::queue::{Queue, Run, Watchdog};
use crate::side::Side;

/// Arm the watchdog. No signal has this number, nor the next.
pub(crate) const ARM: u8 = 0xF0;
/// The server is closed: end the watchdog.
pub(crate) const EXIT: u8 = 0xF1;

/// How many calls may wait before the configuration has said it.
const FIRST_LIMIT: usize = 1024;

/// The bridge of one server.
#[derive(Debug)]
pub struct Bridge {
    /// What waits for a thread in `turn()`.
    pub queue: Queue,
    /// What waits for the event loop.
    pub loop_queue: LoopQueue,
    /// The applications, and where each runs.
    pub applications: ApplicationTable,
    /// The completion queues of all I/O threads that have submitted something.
    completion_queues: Mutex<Vec<Arc<CompletionQueue>>>,
    ids: AtomicU64,
    /// What the program wants to hear of connections.
    pub interests: InterestFlags,
    /// The signals that the watchdog has read of and Python has not handled.
    pub pending_signals: PendingSignals,
    /// The ends of connections of which the program has not heard.
    pub close_backlog: CloseBacklog,
    /// The questions about certificates that the program has not answered.
    pub(crate) acme_backlog: AcmeBacklog,
    /// The handshakes of WebSockets that their handlers have not answered.
    pub handshakes: PendingHandshakes,
    /// Whether the watchdog polls.
    watchdog_armed: AtomicBool,
    wake_tx: UnixStream,
}

impl Bridge {
    /// A bridge, whose watchdog reads the other end of `wake_tx` (non-blocking).
    pub fn new(wake_tx: UnixStream) -> Self {
        Self {
            queue: Queue::new(FIRST_LIMIT),
            loop_queue: LoopQueue::new(FIRST_LIMIT),
            applications: ApplicationTable::default(),
            completion_queues: Mutex::default(),
            ids: AtomicU64::new(0),
            close_backlog: CloseBacklog::default(),
            acme_backlog: AcmeBacklog::default(),
            handshakes: PendingHandshakes::default(),
            watchdog_armed: AtomicBool::new(false),
            interests: InterestFlags::default(),
            pending_signals: PendingSignals::default(),
            wake_tx,
        }
    }

    /// An id that nothing else has.
    pub fn next_id(&self) -> JobId {
        JobId(self.ids.fetch_add(1, Ordering::Relaxed))
    }

    /// Changes how many calls may wait in each queue.
    pub fn set_limit(&self, limit: usize) {
        self.queue.capacity.set_limit(limit);
        self.loop_queue.capacity.set_limit(limit);
        self.close_backlog.set_limit(limit);
    }

    /// Takes the first job, see `Queue::next`.
    pub fn next(&self, finished: Option<Run>) -> Option<(Run, Job)> {
        let (run, job, watchdog) = self.queue.next(finished)?;
        self.arm_if(watchdog);
        Some((run, job))
    }

    /// Takes jobs into the queue; those for which there is no room are answered
    /// here and now.
    pub fn take_jobs(&self, jobs: impl IntoIterator<Item = Job>) {
        let pushed = self.queue.push(jobs);
        self.arm_if(pushed.watchdog);
        for (job, rejection) in pushed.refused {
            job.refuse(rejection);
        }
    }

    /// The same with jobs for the event loop.
    pub(crate) fn take_loop_jobs(&self, jobs: impl IntoIterator<Item = LoopJob>) {
        let pushed = self.loop_queue.push(jobs);
        self.arm_if(pushed.watchdog);
        for (job, rejection) in pushed.refused {
            job.refuse(rejection);
        }
    }

    /// Wakes every I/O thread for which completions wait.
    pub(crate) fn notify_io_threads(&self) {
        for completions in self.completion_queues().iter() {
            completions.notify();
        }
    }

    /// Makes the completion queue of an I/O thread known.
    pub(crate) fn add_completion_queue(&self, completions: &Arc<CompletionQueue>) {
        self.completion_queues().push(completions.clone());
        if self.loop_queue.is_closed() {
            completions.close();
        }
    }

    fn completion_queues(&self) -> MutexGuard<'_, Vec<Arc<CompletionQueue>>> {
        self.completion_queues.lock()
    }

    fn arm_if(&self, watchdog: Watchdog) {
        if watchdog == Watchdog::Arm {
            self.arm_watchdog();
        }
    }

    /// Arms the watchdog, unless it is armed.
    pub fn arm_watchdog(&self) {
        if !self.watchdog_armed.swap(true, Ordering::SeqCst) {
            self.wake_watchdog(ARM);
        }
    }

    /// Has the watchdog accept a handshake whose handler does not decide in time.
    pub fn watch_handshake(&self, pending_handshake: &Arc<PendingHandshake>) {
        self.handshakes.add(pending_handshake, Instant::now());
        self.arm_watchdog();
    }

    /// Says whether the watchdog is armed. When it has disarmed itself it looks once more: so it is
    /// armed again, or has seen what was there.
    pub(crate) fn set_watchdog_armed(&self, armed: bool) {
        self.watchdog_armed.store(armed, Ordering::SeqCst);
    }

    /// Gives the event loop something to do.
    ///
    /// # Errors
    /// When the bridge is closed.
    pub fn hand_to_loop(&self, job: LoopJob) -> Result<(), Rejection> {
        let pushed = self.loop_queue.push([job]);
        self.arm_if(pushed.watchdog);
        pushed.outcome().map(drop)
    }

    /// Queues a job for what has come on an upgraded connection.
    pub fn announce_data(&self, connection: &Arc<Connection>) {
        self.take_jobs([Job::Connection(ConnectionJob::Data(connection.clone()))]);
    }

    /// Releases the iterator of a stream that is not read to its end.
    pub(crate) fn abandon(&self, side: Side, stream: JobId) {
        match side {
            Side::Thread => self.queue.release(stream),
            Side::Loop => self.loop_queue.cancel(stream),
        }
    }

    /// Takes nothing more in; what waits is answered by
    /// `HandlerFault::Stopped`, since its reply slot is dropped.
    pub fn close(&self) {
        drop(self.queue.close());
        drop(self.loop_queue.close());
        // Slots are not filled under a lock of ours.
        let completion_queues = self.completion_queues().clone();
        for completions in completion_queues {
            completions.close();
        }
        self.wake_watchdog(EXIT);
    }

    fn wake_watchdog(&self, byte: u8) {
        // A full socket is readable: the watchdog is on its way.
        let _ = (&self.wake_tx).write(&[byte]);
    }
}
