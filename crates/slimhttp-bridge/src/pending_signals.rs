//! Signals that have come and that Python has not handled. Its handlers of signals run on the main
//! thread, between two instructions, and two things keep them from it. A signal that comes just
//! before a call blocks does not end that call: it is sent once more, while the call blocks. And a
//! call in C may go on whatever comes: there the user's third signal ends the process.
//!
//! The watchdog records signals and sends them once more; `run()`, on the main thread, says from
//! when to when it serves and what it has handled. All this only while it serves: a signal that is
//! sent once more must meet the handler that knows of it.

use std::io::Write;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use rustix::process::{Signal, getpid, kill_process};

/// How many signals end the process, if Python has handled none of them.
const MOST: usize = 3;
/// How long Python may take before a signal is sent once more.
const ALLOWANCE: Duration = Duration::from_millis(100);
/// How often it is sent once more: who has not handled it by then will not.
const TIMES: u32 = 20;

/// The signals that the watchdog has read of and Python has not handled.
#[derive(Debug, Default)]
pub struct PendingSignals(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Whether `run()` serves.
    serving: bool,
    /// Those that users have sent.
    received: usize,
    /// Those that we have sent, and whose bytes have not come yet.
    ours: usize,
    /// Whether one of ours was sent since Python handled the last.
    repeated: bool,
    /// What is sent once more, when the first of them came, and how often it was.
    pending: Option<(Signal, Instant, u32)>,
}

impl PendingSignals {
    /// `run()` begins to serve.
    pub fn begin_serving(&self) {
        *self.lock() = State { serving: true, ..State::default() };
    }

    /// `run()` ends. When this returns, nothing of ours is sent any more.
    pub fn end_serving(&self) {
        *self.lock() = State::default();
    }

    /// Python has run its handler; whether perhaps for one of ours.
    pub fn handled(&self) -> bool {
        let mut state = self.lock();
        let repeated = state.repeated;
        *state = State { serving: state.serving, ..State::default() };
        repeated
    }

    /// Python sends one itself, which is not the user's.
    pub fn expect(&self) {
        self.lock().ours += 1;
    }

    /// Counts the signals among the `bytes` of the wake-up descriptor, which are
    /// their numbers, and ends the process with the last that may be ignored.
    /// Whether some are to be looked at later.
    pub fn record(&self, bytes: &[u8]) -> bool {
        let signals = [Signal::INT, Signal::TERM];
        let mut state = self.lock();
        for byte in bytes {
            let Some(signal) = signals.iter().find(|signal| signal.as_raw() == i32::from(*byte))
            else {
                continue;
            };
            if !state.serving {
                continue;
            }
            if state.ours > 0 {
                state.ours -= 1;
                continue;
            }
            state.received += 1;
            state.pending.get_or_insert((*signal, Instant::now(), 0));
            if state.received == MOST {
                end();
            }
        }
        state.pending.is_some()
    }

    /// Sends once more what is still not handled; whether to look again.
    pub(crate) fn resend_due(&self) -> bool {
        let mut state = self.lock();
        let Some((signal, since, times)) = state.pending else { return false };
        if times == TIMES {
            state.pending = None;
            return false;
        }
        if since.elapsed() >= ALLOWANCE * (times + 1) {
            state.pending = Some((signal, since, times + 1));
            state.ours += 1;
            state.repeated = true;
            // To the main thread: it is the first that the system thinks of. With
            // the lock held, so that none is sent once `end_serving` has returned.
            let _ = kill_process(getpid(), signal);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

fn end() {
    // Not through the log: nobody would take it from there any more.
    let _ = std::io::stderr().write_all(
        b"slimHTTP: the main thread is in a call that heeds no signal: ended by the third\n",
    );
    // Whatever were to run at the end could wait for that thread too.
    let _ = kill_process(getpid(), Signal::KILL);
}

#[cfg(test)]
mod tests;
