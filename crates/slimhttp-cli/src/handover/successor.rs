//! The process that is to take the place of this one, as this one has it: started, waited for, let
//! go or ended. Called by whoever waits for signals, and by nothing that serves.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use command_fds::CommandFdExt as _;
use slimhttp_server::InheritedSocket;

use crate::handover::channel::{Channel, Message};
use crate::handover::inheritance::CHANNEL;
use crate::handover::invocation::Invocation;

/// The variable that says how long a successor may take to serve, in seconds.
const TIMEOUT_VARIABLE: &str = "SLIMHTTP_UPGRADE_TIMEOUT";

/// How long that is otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long one that has said that it fails may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// How often it is looked whether it has ended.
const END_INTERVAL: Duration = Duration::from_millis(10);

/// How far a successor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It has still to open what it needs.
    Starting,
    /// It needs what this process holds, and goes on once it is let go.
    WantsToBeAlone,
    /// It serves.
    Ready,
    /// It does not serve, and why, in a line. It has ended.
    Failed(String),
}

/// The successor of this process. One that is dropped before it serves is ended.
#[derive(Debug)]
pub(super) struct Successor {
    child: Child,
    channel: Channel,
    began: Instant,
    timeout: Duration,
    /// Whether it goes on without this process.
    is_let_go: bool,
}

impl Successor {
    /// Starts the program once more, and sends it the sockets.
    ///
    /// # Errors
    /// The system's: there is no such program any more, or no such folder.
    pub(super) fn start(invocation: &Invocation, sockets: &[InheritedSocket]) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let channel = Channel::new(ours)?;
        let mut command = Command::new(&invocation.program);
        command
            .args(&invocation.arguments)
            .current_dir(&invocation.folder)
            .env_clear()
            .envs(invocation.environment.iter().map(|(name, value)| (name, value)))
            .env("LISTEN_FDS", "1")
            .env("LISTEN_FDS_FIRST_FD", theirs.as_raw_fd().to_string())
            .env("LISTEN_FDNAMES", CHANNEL)
            .preserved_fds(vec![theirs.into()]);
        let child = command.spawn()?;
        // With it goes the other end of the channel, which the child has alone from now on.
        drop(command);
        let (began, timeout) = (Instant::now(), timeout());
        let successor = Self { child, channel, began, timeout, is_let_go: false };
        // One that has ended already says more by that than an error here would.
        let _ = successor.send(sockets);
        Ok(successor)
    }

    fn send(&self, sockets: &[InheritedSocket]) -> io::Result<()> {
        for InheritedSocket { name, socket } in sockets {
            self.channel.send_socket(name, socket.as_fd())?;
        }
        self.channel.send("begin", "")
    }

    /// The number of its process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// For how long it has been running.
    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits for what it says next, at most `patience`; how far it is by then.
    pub(super) fn wait(&mut self, patience: Duration) -> Progress {
        let left = self.timeout.saturating_sub(self.age());
        // No time at all would be for ever.
        let patience = patience.min(left).max(Duration::from_millis(1));
        match self.channel.receive(Some(patience)) {
            Ok(Some(Message::Ready)) => Progress::Ready,
            Ok(Some(Message::Alone)) => Progress::WantsToBeAlone,
            Ok(Some(Message::Failed(why))) => {
                self.end(END_TIMEOUT);
                Progress::Failed(first_line(&why).to_owned())
            }
            Ok(None) => {
                let status = self.end(END_TIMEOUT);
                Progress::Failed(format!("it ended {} before it served", describe(status)))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if !left.is_zero() {
                    return Progress::Starting;
                }
                self.end(Duration::ZERO);
                Progress::Failed(format!(
                    "it did not serve within {} s ({TIMEOUT_VARIABLE}), and was ended",
                    self.timeout.as_secs_f64()
                ))
            }
            Ok(Some(_)) | Err(_) => {
                self.end(Duration::ZERO);
                Progress::Failed("what it says is not understood, and it was ended".to_owned())
            }
        }
    }

    /// Lets it go on by itself.
    pub(super) fn let_go(mut self) {
        self.is_let_go = true;
        // It may have ended meanwhile; nobody else serves then, and whoever watches it sees that.
        let _ = self.channel.send("go", "");
    }

    /// Waits for its end, at most `patience`, and then ends it, by its number.
    fn end(&mut self, patience: Duration) -> Option<ExitStatus> {
        self.is_let_go = true;
        let end = Instant::now() + patience;
        while Instant::now() < end {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            std::thread::sleep(END_INTERVAL);
        }
        let _ = self.child.kill();
        self.child.wait().ok()
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.is_let_go {
            self.end(Duration::ZERO);
        }
    }
}

/// How a process has ended, as a part of a sentence.
fn describe(status: Option<ExitStatus>) -> String {
    let Some(status) = status else { return "somehow".to_owned() };
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("with status {code}"),
        (None, Some(signal)) => format!("by signal {signal}"),
        (None, None) => "somehow".to_owned(),
    }
}

/// The first line of an explanation, without the name that all of ours begin with.
fn first_line(text: &str) -> &str {
    let line = text.trim_start().lines().next().unwrap_or_default();
    line.strip_prefix("slimhttp: ").unwrap_or(line)
}

fn timeout() -> Duration {
    let seconds = std::env::var(TIMEOUT_VARIABLE).ok().and_then(|text| text.parse().ok());
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(TIMEOUT)
}

#[cfg(test)]
mod tests;
