//! The process whose place this one is to take, as this one has it. Until it lets this process go a
//! thread reads the channel, and does nothing else: a successor whose predecessor ends before that
//! ends too, in whatever it is stuck, for nobody would know that it is there.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use slimhttp_server::InheritedSocket;

use crate::handover::channel::{Channel, Message};

/// How long sockets may take to come.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the predecessor may take to let go of a successor that serves.
const GO_TIMEOUT: Duration = Duration::from_secs(5);

/// What a successor says of a failure, at most, in characters.
const MAX_REASON: usize = 10_000;

/// The predecessor of this process.
#[derive(Debug)]
pub struct Predecessor {
    channel: Channel,
    /// Whether this process goes on without it. Read by the thread that receives.
    is_needless: Arc<AtomicBool>,
    /// Told when it lets this process go, or has ended.
    gone: Receiver<()>,
}

impl Predecessor {
    /// Receives the sockets over the channel, and begins to watch it.
    pub(super) fn begin(socket: UnixStream) -> io::Result<(Self, Vec<InheritedSocket>)> {
        let mut channel = Channel::new(socket)?;
        let mut sockets = Vec::new();
        loop {
            match channel.receive(Some(RECEIVE_TIMEOUT))? {
                Some(Message::Socket(name, socket)) => {
                    sockets.push(InheritedSocket { name, socket });
                }
                Some(Message::Begin) => break,
                None => return Err(io::Error::other("the process that was to do so has ended")),
                Some(_) => return Err(io::Error::other("the wrong message came")),
            }
        }
        let sender = channel.sender()?;
        let is_needless = Arc::<AtomicBool>::default();
        let (tell, gone) = self::channel();
        let watched = is_needless.clone();
        std::thread::Builder::new()
            .name("slimhttp-handover".into())
            .spawn(move || watch(channel, &watched, &tell))?;
        Ok((Self { channel: sender, is_needless, gone }, sockets))
    }

    /// Waits until nothing is left that the predecessor holds: it ends meanwhile.
    ///
    /// # Errors
    /// It cannot be told.
    pub fn wait_until_alone(&self) -> io::Result<()> {
        self.is_needless.store(true, Ordering::Release);
        self.channel.send("alone", "")?;
        let _ = self.gone.recv();
        Ok(())
    }

    /// Tells it that this process serves, and waits until it has let go. Where it has ended in
    /// this very moment this process serves all the same.
    pub fn replace(self) {
        self.is_needless.store(true, Ordering::Release);
        if self.channel.send("ready", "").is_ok() {
            let _ = self.gone.recv_timeout(GO_TIMEOUT);
        }
    }

    /// Tells it why this process does not serve.
    pub fn fail(self, why: &str) {
        self.is_needless.store(true, Ordering::Release);
        let why: String = why.chars().take(MAX_REASON).collect();
        let _ = self.channel.send("failed", &why);
    }
}

/// Reads the channel until there is nothing more to hear; ends the process with its predecessor,
/// while it needs that.
fn watch(mut channel: Channel, is_needless: &AtomicBool, gone: &Sender<()>) {
    let is_let_go = matches!(channel.receive(None), Ok(Some(Message::Go)));
    if !is_let_go && !is_needless.load(Ordering::Acquire) {
        tracing::error!("the process that this one was to take over from has ended");
        // Not `exit`, which would wait for locks that the main thread may hold for ever.
        let _ = kill_process(getpid(), Signal::KILL);
    }
    let _ = gone.send(());
}

#[cfg(test)]
mod tests;
