//! The watchdog: the one thread of our own beside the I/O threads; like them it never enters
//! Python. It blocks reading a socket, to which the bridge writes when there is something to watch,
//! and the system when a signal comes (`signal.set_wakeup_fd`): then it wakes the threads in
//! `turn()`, whose Python has to run its signal handlers.
//!
//! While it is armed it polls: for the job that holds others up while every thread is busy, or that
//! another thread is to be woken for (`queue`), for an
//! event loop that does not turn, for completions that a slow job holds back, for handshakes of
//! WebSockets that their handlers leave unanswered, and for signals that Python does not handle.
//! When none of these is left it disarms itself and blocks again.

use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::bridge::{ARM, Bridge, EXIT};

/// How long a job may run while others wait, before it is named in the log.
const ALLOWANCE: Duration = Duration::from_secs(2);
/// How often it polls while it is armed, and how long an answer may lie in its completion queue
/// while the thread that made it goes on with another job.
const INTERVAL: Duration = Duration::from_millis(10);
/// The same where another thread could take what waits behind a slow job.
const SHORT_INTERVAL: Duration = Duration::from_millis(1);

/// Starts the watchdog of `bridge`, which reads `wake_rx`.
///
/// # Errors
/// When the system has no more threads.
pub fn start(bridge: Arc<Bridge>, wake_rx: UnixStream) -> std::io::Result<()> {
    std::thread::Builder::new()
        .name("slimhttp-watch".into())
        .spawn(move || run(&bridge, &wake_rx))?;
    Ok(())
}

fn run(bridge: &Bridge, mut wake_rx: &UnixStream) {
    let mut bytes = [0; 64];
    let mut armed = false;
    let mut interval = INTERVAL;
    loop {
        if wake_rx.set_read_timeout(armed.then_some(interval)).is_err() {
            return;
        }
        match wake_rx.read(&mut bytes) {
            Ok(0) => return,
            Ok(count) => {
                let bytes = &bytes[..count];
                if bytes.contains(&EXIT) {
                    return;
                }
                armed |= bytes.contains(&ARM);
                interval = interval_of(bridge);
                armed |= bridge.pending_signals.record(bytes);
                if bytes.iter().any(|byte| *byte != ARM) {
                    bridge.queue.wake();
                }
            }
            // Not before: where jobs are quick it is armed once in a while, and not with
            // each request.
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                    armed = poll(bridge);
                    interval = interval_of(bridge);
                    if !armed {
                        bridge.set_watchdog_armed(false);
                        armed = poll(bridge);
                        if armed {
                            bridge.set_watchdog_armed(true);
                        }
                    }
                }
                ErrorKind::Interrupted => {}
                _ => return,
            },
        }
    }
}

/// How soon it looks again.
fn interval_of(bridge: &Bridge) -> Duration {
    if bridge.queue.has_idle_thread() { SHORT_INTERVAL } else { INTERVAL }
}

/// Looks at everything once; whether there is still something to watch.
fn poll(bridge: &Bridge) -> bool {
    let threads = report_threads(bridge);
    let event_loop = report_event_loop(bridge);
    let signals = bridge.pending_signals.resend_due();
    let handshakes = bridge.handshakes.accept_due(Instant::now());
    bridge.notify_io_threads();
    threads || event_loop || signals || handshakes
}

/// Names the jobs that hold others up; whether there is still something to watch.
fn report_threads(bridge: &Bridge) -> bool {
    let Some(stalled) = bridge.queue.stalled(ALLOWANCE) else { return false };
    for job in stalled {
        let thread = match job.threads {
            1 => "the only Python thread".to_owned(),
            count => format!("one of {count} Python threads, all of them busy,"),
        };
        tracing::warn!(
            "{} has held {thread} for {:.1} s while {}: \
             make it `async def`, or start the server with `python_threads=N`",
            job.subject,
            job.duration.as_secs_f64(),
            who_waits(job.waiting),
        );
    }
    true
}

/// Tells of an event loop that does not turn; whether there is still something to
/// watch. Which handler blocks it, only Python could say.
fn report_event_loop(bridge: &Bridge) -> bool {
    let Some(blocked) = bridge.loop_queue.blocked(ALLOWANCE) else { return false };
    if let Some(blocked) = blocked {
        tracing::warn!(
            "a handler has blocked the event loop for {:.1} s while {}: \
             no blocking calls in `async def`; use `await asyncio.to_thread(...)`, \
             or a plain `def`",
            blocked.duration.as_secs_f64(),
            who_waits(blocked.waiting),
        );
    }
    true
}

fn who_waits(count: usize) -> String {
    if count == 1 { "1 request waits".to_owned() } else { format!("{count} requests wait") }
}

#[cfg(test)]
mod tests;
