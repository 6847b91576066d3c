//! What a process has of whoever started it, taken once, at its start: sockets that listen, from its
//! predecessor or from systemd (`LISTEN_FDS`, sd_listen_fds(3)), and whom it has to tell that it
//! serves. On the main thread, before there is another one: the variables are removed at once.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use listenfd::ListenFd;
use slimhttp_server::InheritedSocket;

use crate::handover::Predecessor;
use crate::service_manager::ServiceManager;

/// What stands in `LISTEN_FDNAMES` where the one descriptor is the channel to a predecessor.
pub(super) const CHANNEL: &str = "slimhttp-handover";

/// How many sockets are adopted; whoever says more than that hands over none.
const MAX_SOCKETS: u64 = 1024;

/// The same, for a process.
#[derive(Debug, Default)]
pub struct Inheritance {
    /// The sockets, each with the name of its listener, or that which systemd gives it.
    pub sockets: Vec<InheritedSocket>,
    /// The process whose place this one is to take.
    pub predecessor: Option<Predecessor>,
    /// Who has started the process, and wants to hear of it.
    pub manager: ServiceManager,
    /// What is wrong with what was handed over, for the log.
    pub warnings: Vec<String>,
}

impl Inheritance {
    /// Takes what the environment of this process speaks of.
    ///
    /// # Errors
    /// The predecessor has ended, as a sentence.
    pub fn take() -> Result<Self, String> {
        let variable = |name| std::env::var(name).ok();
        let (process, names) = (variable("LISTEN_PID"), variable("LISTEN_FDNAMES"));
        let mut inheritance =
            Self { manager: ServiceManager::from_environment(), ..Self::default() };
        match process {
            // It knows the number of this process no sooner than the process does.
            None if names.as_deref() == Some(CHANNEL) => inheritance
                .receive()
                .map_err(|cause| format!("nothing was handed over: {cause}"))?,
            Some(process) if process.parse() == Ok(std::process::id()) => {
                inheritance.adopt(names.as_deref().unwrap_or_default());
            }
            // They are for another process, of which this one may be a child.
            _ => {}
        }
        Ok(inheritance)
    }

    /// Receives from the predecessor.
    fn receive(&mut self) -> io::Result<()> {
        let channel = ListenFd::from_env().take_unix_listener(0)?;
        let channel = channel.ok_or_else(|| io::Error::other("there is no channel"))?;
        let channel = UnixStream::from(OwnedFd::from(channel));
        let (predecessor, sockets) = Predecessor::begin(channel)?;
        self.sockets = sockets;
        self.predecessor = Some(predecessor);
        Ok(())
    }

    /// Adopts what systemd has bound.
    fn adopt(&mut self, names: &str) {
        let count = std::env::var("LISTEN_FDS").ok().and_then(|count| count.parse::<u64>().ok());
        if let Some(count) = count.filter(|count| *count > MAX_SOCKETS) {
            self.warnings.push(format!(
                "no socket is adopted: `LISTEN_FDS` says {count}, of {MAX_SOCKETS} at most"
            ));
            return;
        }
        let mut given = ListenFd::from_env();
        let mut names = names.split(':');
        for index in 0..given.len() {
            // What systemd calls a descriptor without a name.
            let name = names.next().filter(|name| !name.is_empty()).unwrap_or("unknown");
            let tcp = given.take_tcp_listener(index).ok().flatten().map(OwnedFd::from);
            let unix = || given.take_unix_listener(index).ok().flatten().map(OwnedFd::from);
            match tcp.or_else(unix) {
                Some(socket) => {
                    self.sockets.push(InheritedSocket { name: name.to_owned(), socket });
                }
                None => self.warnings.push(format!(
                    "what systemd has handed over as `{name}` is no socket for streams, and is \
                     left alone"
                )),
            }
        }
    }

    /// Tells the predecessor, if there is one, why this process does not serve.
    pub fn fail(&mut self, why: &str) {
        if let Some(predecessor) = self.predecessor.take() {
            predecessor.fail(why);
        }
    }
}
