//! The one thread of our own beside the I/O threads; like them it never enters
//! Python. It sleeps at a socket. A signal's byte (`signal.set_wakeup_fd`) makes
//! it wake the threads in `turn()`; while jobs wait and every thread is busy it
//! looks now and then for the job that holds them up.

use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use crate::desk::Desk;

/// Begin to watch. No signal has this number, nor the next.
pub(crate) const WATCH: u8 = 0xF0;
/// The server is closed.
pub(crate) const LEAVE: u8 = 0xF1;

/// How long a job may run while others wait, before it is named in the log.
const ALLOWANCE: Duration = Duration::from_secs(2);
/// How often the watchdog looks.
const INTERVAL: Duration = Duration::from_millis(100);

/// Starts the attendant of `desk`, which listens at `ear`.
///
/// # Errors
/// When the system has no more threads.
pub(crate) fn start(desk: Arc<Desk>, ear: UnixStream) -> std::io::Result<()> {
    std::thread::Builder::new().name("slimhttp-desk".into()).spawn(move || attend(&desk, &ear))?;
    Ok(())
}

fn attend(desk: &Desk, mut ear: &UnixStream) {
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
                if bytes.iter().any(|byte| *byte != WATCH) {
                    desk.queue.wake();
                }
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
                ErrorKind::Interrupted => continue,
                _ => return,
            },
        }
        if watching {
            watching = report(desk);
        }
    }
}

/// Names the jobs that hold others up; whether there is still something to watch.
fn report(desk: &Desk) -> bool {
    let Some(stalled) = desk.queue.stalled(ALLOWANCE) else { return false };
    for job in stalled {
        let thread = match job.threads {
            1 => "the only Python thread".to_owned(),
            count => format!("one of {count} Python threads, all of them busy,"),
        };
        let (requests, wait) =
            if job.waiting == 1 { ("request", "waits") } else { ("requests", "wait") };
        tracing::warn!(
            "{} has held {thread} for {:.1} s while {} {requests} {wait}: \
             make it `async def`, or start the server with `threads=N`",
            job.subject,
            job.duration.as_secs_f64(),
            job.waiting,
        );
    }
    true
}
