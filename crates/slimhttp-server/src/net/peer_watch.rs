//! Whether a peer from which nothing is read has closed its sending side, or has gone. Reading
//! does not tell: nothing more comes of a socket at its end, and what has come already is before
//! its end otherwise. So the system is asked now and then (`poll`), without a descriptor beside the
//! socket's own: the runtime has one registration for each, which reading and writing take.
//!
//! Watched by a connection's task, on its I/O thread, and only while it has something in work for
//! such a peer. That needs one timer, and a call of the system each time that it fires.
//!
//! A peer that has closed its sending side shows that it has gone by nothing but a reset, which
//! its system answers to what reaches a socket that is closed. What reached it before and was read
//! tells nothing of later. So the owner is asked to send more now and then, further and further
//! apart; and where there is nothing that it may send, TCP's own probes (RFC 9293 section 3.8.4)
//! are answered by a reset as soon as the peer's system has forgotten the connection.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// When the first look is due, and the first one behind the end of the peer's bytes.
const FIRST_LOOK: Duration = Duration::from_millis(10);

/// Each further one is due after twice the time, up to this.
const LONGEST: Duration = Duration::from_secs(1);

/// When a peer is to be probed again, counted from the end of its bytes on. Behind the last, each
/// is due after twice the time.
const PROBES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
];

/// After how long, and how far apart, TCP probes a peer that has ended, and how many probes without
/// an answer mean that it has gone.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const KEEP_ALIVE_COUNT: u32 = 3;

/// That the peer has closed its sending side.
#[cfg(target_os = "linux")]
const ENDED: PollFlags = PollFlags::RDHUP;
/// The same where the system has no word of its own for it.
#[cfg(not(target_os = "linux"))]
const ENDED: PollFlags = PollFlags::HUP;

/// A watch of one peer; nothing is watched before it is polled.
#[derive(Debug, Default)]
pub(crate) struct PeerWatch {
    timer: Option<Pin<Box<Sleep>>>,
    /// For how long the timer was set last.
    interval: Duration,
    ended: Option<Ended>,
}

/// That the peer has closed its sending side.
#[derive(Debug)]
struct Ended {
    since: Instant,
    /// How long after that the next probe is due.
    probe: Duration,
}

impl Ended {
    fn now() -> Self {
        Self { since: Instant::now(), probe: PROBES[0] }
    }

    /// Whether a probe is due; the next one is, later.
    fn is_probe_due(&mut self) -> bool {
        let is_due = self.since.elapsed() >= self.probe;
        if is_due {
            let later = PROBES.into_iter().find(|&probe| probe > self.probe);
            self.probe = later.unwrap_or(self.probe * 2);
        }
        is_due
    }
}

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerEvent {
    /// It has closed its sending side. Told once; by what it is sent then it shows whether it has
    /// gone.
    Ended,
    /// It had closed its sending side, and nothing tells yet whether it has gone: more is to be
    /// sent to it, if anything may.
    ProbeDue,
    /// It has reset the connection.
    Gone,
}

impl PeerWatch {
    /// That the peer has closed its sending side is known: a reset is to be told of, and soon, and
    /// when more is to be sent.
    pub(crate) fn set_ended(&mut self) {
        *self = Self { ended: Some(Ended::now()), ..Self::default() };
    }

    /// What the next look finds that is worth telling. Without a socket, as in tests, there is
    /// nothing to look at.
    pub(crate) fn poll(
        &mut self,
        socket: Option<&TcpStream>,
        context: &mut Context<'_>,
    ) -> Poll<PeerEvent> {
        let Self { timer, interval, ended } = self;
        if socket.is_none() && ended.is_none() {
            return Poll::Pending;
        }
        let timer = timer.get_or_insert_with(|| {
            *interval = FIRST_LOOK;
            Box::pin(sleep(FIRST_LOOK))
        });
        loop {
            ready!(timer.as_mut().poll(context));
            let seen = socket.and_then(look);
            let is_new = seen == Some(PeerEvent::Ended) && ended.is_none();
            *interval = if is_new { FIRST_LOOK } else { LONGEST.min(*interval * 2) };
            timer.as_mut().reset(Instant::now() + *interval);
            if seen == Some(PeerEvent::Gone) {
                return Poll::Ready(PeerEvent::Gone);
            }
            if is_new {
                *ended = Some(Ended::now());
                return Poll::Ready(PeerEvent::Ended);
            }
            if let Some(ended) = ended
                && ended.is_probe_due()
            {
                socket.map(keep_alive);
                return Poll::Ready(PeerEvent::ProbeDue);
            }
        }
    }
}

/// Has TCP probe the peer. A socket that takes this no more is closed already, and is found to be.
fn keep_alive(socket: &TcpStream) {
    let set = || {
        sockopt::set_tcp_keepidle(socket, KEEP_ALIVE)?;
        sockopt::set_tcp_keepintvl(socket, KEEP_ALIVE)?;
        sockopt::set_tcp_keepcnt(socket, KEEP_ALIVE_COUNT)?;
        sockopt::set_socket_keepalive(socket, true)
    };
    if let Err(error) = set() {
        tracing::debug!("a client that has closed its side is not probed by TCP: {error}");
    }
}

/// What there is to see now.
fn look(socket: &TcpStream) -> Option<PeerEvent> {
    let mut watched = [PollFd::new(socket, ENDED)];
    // Where the call is interrupted, the next look finds it.
    poll(&mut watched, Some(&Timespec::default())).ok()?;
    let seen = watched[0].revents();
    if seen.intersects((PollFlags::ERR | PollFlags::HUP).difference(ENDED)) {
        return Some(PeerEvent::Gone);
    }
    seen.contains(ENDED).then_some(PeerEvent::Ended)
}

#[cfg(test)]
mod tests;
