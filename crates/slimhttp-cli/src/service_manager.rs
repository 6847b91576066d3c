//! What the process tells the service manager that has started it: systemd, or another one that
//! reads sd_notify(3). It is told by datagrams to the socket that `NOTIFY_SOCKET` names; without
//! that variable nothing is told to anybody. Called by the main thread, and by a thread that feels
//! the pulse of the I/O threads where a watchdog wants to know of it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use slimhttp_server::Pulse;

/// What a service manager says of one process by its number.
pub(crate) const ABOUT_ONE_PROCESS: [&str; 5] =
    ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_FDS_FIRST_FD", "WATCHDOG_PID"];

/// Every variable by which a process that is started learns of its service manager, or of its
/// predecessor: none of them is for what it starts itself.
pub const VARIABLES: [&str; 7] = [
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_FDS_FIRST_FD",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// How long a notice may take: a service manager that reads none must not stop the server.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);

/// Within which every I/O thread looks after its connections, with time to spare.
const LEAST_PULSE: Duration = Duration::from_secs(2);

/// Who has started the process, and wants to hear of it. Any thread may tell it something.
#[derive(Debug, Default)]
pub struct ServiceManager {
    /// Where it listens.
    address: Option<SocketAddr>,
    /// Within which it wants to hear that the process goes on.
    watchdog: Option<Duration>,
    /// Whether another process speaks for the service from now on.
    is_over: AtomicBool,
}

/// A thread that tells that the process goes on, until this is dropped.
#[derive(Debug)]
pub struct WatchdogThread {
    _stop: Sender<()>,
}

impl ServiceManager {
    /// The one that the environment speaks of.
    pub(crate) fn from_environment() -> Self {
        let address = std::env::var_os("NOTIFY_SOCKET").as_deref().and_then(address);
        let variable = |name| std::env::var(name).ok();
        let watchdog =
            watchdog(variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"), std::process::id());
        Self { address, watchdog, is_over: AtomicBool::new(false) }
    }

    /// The process serves; `status` is a line about it.
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", line(status)));
    }

    /// It is being replaced, and says that it is ready again when that is done.
    pub fn reloading(&self, status: &str) {
        // Without the time systemd would not know which of two reloads is over.
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        let status = line(status);
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}\nSTATUS={status}"));
    }

    /// It is stopping.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping");
    }

    /// Another process is the one that serves, and is the one that speaks from now on.
    pub fn replaced_by(&self, process: u32) {
        self.tell(&format!("MAINPID={process}"));
        self.is_over.store(true, Ordering::Release);
    }

    /// Tells it from now on, in half of the time that it has set, that the process goes on; for as
    /// long as every I/O thread does. `None` where it does not want to know.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn watch(self: &Arc<Self>, pulse: Pulse) -> io::Result<Option<WatchdogThread>> {
        self.watch_by(move |time| pulse.is_felt_within(time))
    }

    /// The same, where `goes_on` says whether the process has done so within that time.
    fn watch_by(
        self: &Arc<Self>,
        goes_on: impl Fn(Duration) -> bool + Send + 'static,
    ) -> io::Result<Option<WatchdogThread>> {
        let Some(timeout) = self.watchdog.filter(|_| self.address.is_some()) else {
            return Ok(None);
        };
        let interval = timeout / 2;
        let (stop, stopped) = channel::<()>();
        let manager = self.clone();
        std::thread::Builder::new().name("slimhttp-pulse".into()).spawn(move || {
            loop {
                if goes_on(interval.max(LEAST_PULSE)) {
                    manager.tell("WATCHDOG=1");
                } else {
                    tracing::error!("an I/O thread hangs: the watchdog is not told otherwise");
                }
                if stopped.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Some(WatchdogThread { _stop: stop }))
    }

    /// Sends a notice. That nobody reads it is no reason to fail.
    fn tell(&self, notice: &str) {
        let Some(address) = &self.address else { return };
        if self.is_over.load(Ordering::Acquire) {
            return;
        }
        let sent = UnixDatagram::unbound().and_then(|socket| {
            socket.set_write_timeout(Some(SEND_TIMEOUT))?;
            socket.send_to_addr(notice.as_bytes(), address)
        });
        if let Err(cause) = sent {
            tracing::debug!("the service manager cannot be told {notice:?}: {cause}");
        }
    }
}

/// A socket's address as `NOTIFY_SOCKET` has it: a path, or `@` and a name that is no path.
fn address(text: &OsStr) -> Option<SocketAddr> {
    match text.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt as _;
            SocketAddr::from_abstract_name(name).ok()
        }
        [b'/', ..] => SocketAddr::from_pathname(OsString::from(text)).ok(),
        // Sockets of other kinds are for virtual machines.
        _ => None,
    }
}

/// Within which the process is to say that it goes on, if it is `process` that is to.
fn watchdog(time: Option<String>, of: Option<String>, process: u32) -> Option<Duration> {
    if of.is_some_and(|of| of.parse() != Ok(process)) {
        return None;
    }
    let microseconds = time?.parse().ok().filter(|time| *time > 0)?;
    Some(Duration::from_micros(microseconds))
}

/// A text as one line of a notice.
fn line(text: &str) -> String {
    text.replace('\n', " ")
}

#[cfg(test)]
mod tests;
