//! A turn of a Python thread: it waits for jobs, with Python released, and does one after the other
//! without releasing Python between them. A panic of ours ends the job at hand and no other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use slimhttp_bridge::completion::Batch;
use slimhttp_bridge::fair_queue::Queued;
use slimhttp_bridge::job::Job;
use slimhttp_bridge::queue::Run;
use slimhttp_bridge::side::Side;
use slimhttp_server::Callee;

use crate::process::catch_panic::catch_panic;
use crate::run::acme;
use crate::run::connection_hooks;
use crate::run::dispatcher::Dispatcher;

/// How long a turn goes on while jobs keep coming.
const TURN: Duration = Duration::from_millis(10);
/// How long the last turn goes on with what is left to do.
const LAST: Duration = Duration::from_millis(500);

/// Takes a turn: waits at most `timeout` for a job, then does what waits, `most`
/// jobs if that is not 0.
///
/// # Errors
/// `KeyboardInterrupt`, from a handler or while it waits.
pub(crate) fn take(
    py: Python<'_>,
    dispatcher: &Arc<Dispatcher>,
    timeout: Duration,
    most: usize,
) -> PyResult<()> {
    let bridge = &*dispatcher.bridge;
    // What was released before a job is taken does not wait for the end of that, which may wait for
    // what it gives back.
    dispatcher.drop_released(py);
    let mut taken = bridge.next(None);
    if taken.is_none() {
        if py.detach(|| bridge.queue.wait(timeout)) {
            bridge.queue.arrive();
        }
        py.check_signals()?;
        dispatcher.drop_released(py);
        taken = bridge.next(None);
    }
    let begin = Instant::now();
    let mut batch = Batch::begin(begin);
    let mut done = 0;
    while let Some((run, job)) = taken {
        let outcome = perform(dispatcher, py, run, job);
        done += 1;
        let now = Instant::now();
        let enough = done == most || now.duration_since(begin) > TURN;
        if enough || outcome.is_err() {
            bridge.queue.finish(run);
            return outcome;
        }
        batch.notify_if_late(now);
        taken = bridge.next(Some(run));
        if taken.is_some() && batch.holds_completions() {
            // The next job may take long, and other threads may be idle, so that
            // nothing else arms the watchdog.
            bridge.arm_watchdog();
        }
    }
    Ok(())
}

/// Does one job, the one of `run`.
///
/// # Errors
/// `KeyboardInterrupt`, and nothing else that a handler raises.
fn perform(dispatcher: &Arc<Dispatcher>, py: Python<'_>, run: Run, job: Job) -> PyResult<()> {
    let subject =
        || dispatcher.bridge.queue.subject(run).map_or_else(String::new, |it| it.to_string());
    catch_panic(subject, || match job {
        job if job.is_abandoned() => Ok(()),
        Job::Call(call) if matches!(call.callee, Callee::Application(..)) => {
            dispatcher.ask_wsgi(py, call)
        }
        Job::Call(call) => match dispatcher.begin(py, call) {
            Some((pending, result)) => dispatcher.settle(py, Side::Thread, pending, result),
            None => Ok(()),
        },
        Job::Open(call) => dispatcher.open_left(py, call),
        Job::Pull(pull) => dispatcher.pull(py, pull),
        Job::Connection(job) => connection_hooks::run(dispatcher, py, job),
        Job::Acme(job) => acme::run(dispatcher, py, job),
    })
    .unwrap_or(Ok(()))
}

/// Takes the last turns, once no connection is left: whoever is to hear that the
/// last ones have ended hears it.
///
/// # Errors
/// As [`take`].
pub(crate) fn take_last(py: Python<'_>, dispatcher: &Arc<Dispatcher>) -> PyResult<()> {
    let began = Instant::now();
    while dispatcher.bridge.queue.has_jobs() && began.elapsed() < LAST {
        take(py, dispatcher, Duration::ZERO, 1)?;
    }
    Ok(())
}

/// Seconds as Python gives them: nonsense and what is negative is no time, what
/// no clock can count is for ever.
pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}
