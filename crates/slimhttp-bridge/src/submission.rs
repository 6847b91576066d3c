//! The submission queue of an I/O thread: the jobs that it has for the interpreter, until the
//! thread has polled everything else that is ready. Then all go into the bridge's queues at once,
//! for to wake a thread of the interpreter costs more than a small handler runs: one wake-up serves
//! all requests that came together.
//!
//! The queue is the thread's own and never waits. A job whose client leaves before it was flushed
//! is flushed all the same, and skipped by whoever takes it.

use std::cell::RefCell;
use std::future::Future;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::bridge::Bridge;
use crate::completion::{CompletionQueue, DrainCompletions};
use crate::job::{Job, Pull};
use crate::loop_queue::LoopJob;
use crate::outcome::ChunkOutcome;
use crate::reply::ChunkReply;
use crate::side::Side;

/// How many jobs a submission queue holds before it is flushed.
const MOST: usize = 32;

/// A job, and the queue that it is for.
#[derive(Debug)]
pub enum Submission {
    /// For a thread in `turn()`.
    Job(Job),
    /// For the event loop.
    LoopJob(LoopJob),
}

thread_local! {
    /// The submission queue of this I/O thread, once it has asked Python something.
    static SUBMISSIONS: RefCell<Option<SubmissionQueue>> = const { RefCell::new(None) };
}

struct SubmissionQueue {
    bridge: Arc<Bridge>,
    completions: Arc<CompletionQueue>,
    jobs: Vec<Job>,
    loop_jobs: Vec<LoopJob>,
    /// Wakes the task that flushes, once that has begun.
    flusher: Option<Waker>,
}

impl SubmissionQueue {
    fn new(bridge: &Arc<Bridge>, runtime: &Handle) -> Self {
        let completions = Arc::new(CompletionQueue::default());
        bridge.add_completion_queue(&completions);
        runtime.spawn(DrainCompletions(completions.clone()));
        runtime.spawn(FlushSubmissions);
        let (jobs, loop_jobs) = (Vec::new(), Vec::new());
        Self { bridge: bridge.clone(), completions, jobs, loop_jobs, flusher: None }
    }
}

/// Flushes the submission queue of this I/O thread each time it is woken, as a task of that thread.
/// It never ends by itself: to begin one for each batch costs an allocation that is aligned.
struct FlushSubmissions;

impl Future for FlushSubmissions {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        SUBMISSIONS.with_borrow_mut(|queue| {
            if let Some(queue) = queue {
                queue.flusher = Some(context.waker().clone());
            }
        });
        // A panic is logged by its hook, and must not end the only task that flushes.
        let _ = catch_unwind(flush);
        Poll::Pending
    }
}

/// Submits the job that `make` makes, whose answer comes by the completion queue that it is given,
/// and gives what it gives besides. Without a runtime nothing would drain that queue: the job is
/// submitted at once, and its answer fills its slot directly.
pub fn submit<R>(
    bridge: &Arc<Bridge>,
    make: impl FnOnce(Option<Arc<CompletionQueue>>) -> (Submission, R),
) -> R {
    let Ok(runtime) = Handle::try_current() else {
        let (submission, made) = make(None);
        match submission {
            Submission::Job(job) => bridge.take_jobs([job]),
            Submission::LoopJob(job) => bridge.take_loop_jobs([job]),
        }
        return made;
    };
    let (made, submitted, flusher) = SUBMISSIONS.with_borrow_mut(|queue| {
        let queue = match queue {
            Some(queue) if Arc::ptr_eq(&queue.bridge, bridge) => queue,
            other => other.insert(SubmissionQueue::new(bridge, &runtime)),
        };
        let (submission, made) = make(Some(queue.completions.clone()));
        match submission {
            Submission::Job(job) => queue.jobs.push(job),
            Submission::LoopJob(job) => queue.loop_jobs.push(job),
        }
        let submitted = queue.jobs.len() + queue.loop_jobs.len();
        (made, submitted, queue.flusher.take_if(|_| submitted == 1))
    });
    if submitted == MOST {
        flush();
    }
    if let Some(flusher) = flusher {
        // The task comes behind all that is ready now. One that has just been spawned does anyway.
        flusher.wake();
    }
    made
}

/// Asks for a chunk of a stream: `pull` makes the job, the chunk comes into
/// what is given. If the bridge is closed, it never comes.
pub fn pull(
    bridge: &Arc<Bridge>,
    side: Side,
    pull: impl FnOnce(ChunkReply) -> Pull,
) -> oneshot::Receiver<ChunkOutcome> {
    submit(bridge, |completions| {
        let (reply, piece) = ChunkReply::channel(completions);
        let pull = pull(reply);
        let submission = match side {
            Side::Thread => Submission::Job(Job::Pull(pull)),
            Side::Loop => Submission::LoopJob(LoopJob::Pull(pull)),
        };
        (submission, piece)
    })
}

/// Moves what this thread has submitted into the bridge's queues.
fn flush() {
    let taken = SUBMISSIONS.with_borrow_mut(|queue| {
        let SubmissionQueue { bridge, jobs, loop_jobs, .. } = queue.as_mut()?;
        Some((bridge.clone(), std::mem::take(jobs), std::mem::take(loop_jobs)))
    });
    let Some((bridge, jobs, loop_jobs)) = taken else { return };
    if !jobs.is_empty() {
        bridge.take_jobs(jobs);
    }
    if !loop_jobs.is_empty() {
        bridge.take_loop_jobs(loop_jobs);
    }
}

#[cfg(test)]
mod tests;
