//! The one thread of our own beside the I/O threads; like them it never enters
//! Python. It sleeps at a socket. A signal's byte (`signal.set_wakeup_fd`) makes
//! it wake the threads in `turn()`; while jobs wait and every thread is busy it
//! looks now and then for the job that holds them up, and while something waits
//! for the event loop, whether the loop still turns. Completions that the threads
//! hold back it notifies meanwhile, and handshakes of WebSockets that
//! their handlers leave unanswered.

use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::bridge::{Bridge, LEAVE, WATCH};

/// How long a job may run while others wait, before it is named in the log.
const ALLOWANCE: Duration = Duration::from_secs(2);
/// How often it looks, and how long an answer may lie in its completion queue while the
/// thread that made it goes on with another job.
const INTERVAL: Duration = Duration::from_millis(10);

/// Starts the attendant of `bridge`, which listens at `ear`.
///
/// # Errors
/// When the system has no more threads.
pub fn start(bridge: Arc<Bridge>, ear: UnixStream) -> std::io::Result<()> {
    std::thread::Builder::new()
        .name("slimhttp-watch".into())
        .spawn(move || attend(&bridge, &ear))?;
    Ok(())
}

fn attend(bridge: &Bridge, mut ear: &UnixStream) {
    let mut bytes = [0; 64];
    let mut watching = false;
    loop {
        if ear.set_read_timeout(watching.then_some(INTERVAL)).is_err() {
            return;
        }
        match ear.read(&mut bytes) {
            Ok(0) => return,
            Ok(count) => {
                let bytes = &bytes[..count];
                if bytes.contains(&LEAVE) {
                    return;
                }
                watching |= bytes.contains(&WATCH);
                watching |= bridge.unheeded.note(bytes);
                if bytes.iter().any(|byte| *byte != WATCH) {
                    bridge.queue.wake();
                }
            }
            // Not before: whoever is quick is asked to be watched once in a while
            // and not with each request.
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                    watching = look(bridge);
                    if !watching {
                        bridge.note_attended(false);
                        watching = look(bridge);
                        if watching {
                            bridge.note_attended(true);
                        }
                    }
                }
                ErrorKind::Interrupted => {}
                _ => return,
            },
        }
    }
}

/// Looks after everything; whether there is still something to watch.
fn look(bridge: &Bridge) -> bool {
    let threads = report_threads(bridge);
    let event_loop = report_event_loop(bridge);
    let signals = bridge.unheeded.look();
    let openings = bridge.openings.look(Instant::now());
    bridge.notify_io_threads();
    threads || event_loop || signals || openings
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
             make it `async def`, or start the server with `threads=N`",
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
