//! Whether a peer from which nothing is read has closed its sending side, or has gone. Reading
//! does not tell: nothing more comes of a socket at its end, and what has come already is before
//! its end otherwise. So the system is asked now and then (`poll`), without a descriptor beside the
//! socket's own: the runtime has one registration for each, which reading and writing take.
//!
//! Watched by a connection's task, on its I/O thread, and only while it has something in work for
//! such a peer. That needs one timer, and a call of the system each time that it fires.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// When the first look is due, and the first one behind the end of the peer's bytes.
const FIRST_LOOK: Duration = Duration::from_millis(10);

/// Each further one is due after twice the time, up to this.
const LONGEST: Duration = Duration::from_secs(1);

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
    knows_end: bool,
}

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerEvent {
    /// It has closed its sending side. Told once; by what it is sent then it shows whether it has
    /// gone.
    Ended,
    /// It has reset the connection.
    Gone,
}

impl PeerWatch {
    /// That the peer has closed its sending side is known: a reset alone is to be told of, and
    /// soon.
    pub(crate) fn set_ended(&mut self) {
        *self = Self { knows_end: true, ..Self::default() };
    }

    /// What the next look finds that is worth telling.
    pub(crate) fn poll(
        &mut self,
        socket: &TcpStream,
        context: &mut Context<'_>,
    ) -> Poll<PeerEvent> {
        let Self { timer, interval, knows_end } = self;
        let timer = timer.get_or_insert_with(|| {
            *interval = FIRST_LOOK;
            Box::pin(sleep(FIRST_LOOK))
        });
        loop {
            ready!(timer.as_mut().poll(context));
            let seen = look(socket);
            let is_new = seen == Some(PeerEvent::Ended) && !std::mem::replace(knows_end, true);
            *interval = if is_new { FIRST_LOOK } else { LONGEST.min(*interval * 2) };
            timer.as_mut().reset(Instant::now() + *interval);
            match seen {
                Some(PeerEvent::Gone) => return Poll::Ready(PeerEvent::Gone),
                Some(PeerEvent::Ended) if is_new => return Poll::Ready(PeerEvent::Ended),
                _ => {}
            }
        }
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
