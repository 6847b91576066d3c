//! The signals that the program reacts to. Ctrl-C (SIGINT) and SIGTERM stop it;
//! so does SIGHUP where it comes because the terminal is gone. Sent by somebody,
//! SIGHUP has most programs read their configuration anew, and must not end this
//! one by surprise. SIGUSR1 has the access logs opened anew, for logrotate. SIGUSR2 has another
//! process take over.
//!
//! The main thread waits here for as long as the server runs; what a signal stands for
//! is done there too, by `lib.rs`.
//!
//! What was ignored when the program began stays ignored: `nohup` has SIGHUP
//! ignored, and a shell has its background jobs ignore Ctrl-C.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

#[cfg(test)]
mod tests;

/// What is to be done at a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignalAction {
    /// Stop the server, or cut it off where it is stopping already.
    Stop,
    /// Open the access logs anew.
    ReopenLogs,
    /// Start the program once more, and let that process take over.
    Upgrade,
    /// Read the configuration anew, which the program does not do: it is a warning.
    Reload,
}

/// The signals, from the moment of [`Signals::listen`] on: none is lost.
pub(crate) struct Signals {
    runtime: Runtime,
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    hang_up: Option<Signal>,
    user1: Option<Signal>,
    user2: Option<Signal>,
    terminal: Terminal,
}

impl Signals {
    /// Begins to listen; from now on a signal no longer ends the process.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn listen() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let inside = runtime.enter();
        let ignored = ignored();
        let listen_to = |kind: SignalKind| {
            let bit = 1_u64.checked_shl(u32::try_from(kind.as_raw_value() - 1).unwrap_or(64));
            let is_ignored = bit.is_some_and(|bit| ignored & bit != 0);
            (!is_ignored).then(|| signal(kind)).transpose()
        };
        let interrupt = listen_to(SignalKind::interrupt())?;
        let terminate = listen_to(SignalKind::terminate())?;
        let hang_up = listen_to(SignalKind::hangup())?;
        let user1 = listen_to(SignalKind::user_defined1())?;
        let user2 = listen_to(SignalKind::user_defined2())?;
        drop(inside);
        let terminal = Terminal::at_start();
        Ok(Self { runtime, interrupt, terminate, hang_up, user1, user2, terminal })
    }

    /// Waits for a signal.
    pub(crate) fn wait(&mut self) -> SignalAction {
        loop {
            if let Some(action) = self.wait_timeout(Duration::from_secs(3600)) {
                return action;
            }
        }
    }

    /// Waits for a signal, for `timeout` at most. The runtime runs only here, so that a
    /// server may be stopped between two calls by code that runs one of its own.
    pub(crate) fn wait_timeout(&mut self, timeout: Duration) -> Option<SignalAction> {
        let Self { runtime, interrupt, terminate, hang_up, user1, user2, terminal } = self;
        runtime.block_on(async {
            let any = async {
                tokio::select! {
                    () = next(interrupt) => SignalAction::Stop,
                    () = next(terminate) => SignalAction::Stop,
                    () = next(hang_up) => {
                        if terminal.is_gone() { SignalAction::Stop } else { SignalAction::Reload }
                    }
                    () = next(user1) => SignalAction::ReopenLogs,
                    () = next(user2) => SignalAction::Upgrade,
                }
            };
            tokio::time::timeout(timeout, any).await.ok()
        })
    }
}

/// Waits for a signal; one that is ignored never comes.
async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// The signals that this process ignores, a bit for each from SIGHUP on; none where
/// the system does not say.
fn ignored() -> u64 {
    std::fs::read_to_string("/proc/self/status").map_or(0, |status| read_ignored(&status))
}

fn read_ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Which of the standard streams were a terminal when the program began.
struct Terminal([bool; 3]);

impl Terminal {
    fn at_start() -> Self {
        Self(streams())
    }

    /// Whether it has been closed: asking whether it is a terminal fails from then on.
    fn is_gone(&self) -> bool {
        self.0.iter().zip(streams()).any(|(was, is)| *was && !is)
    }
}

fn streams() -> [bool; 3] {
    [io::stdin().is_terminal(), io::stdout().is_terminal(), io::stderr().is_terminal()]
}
