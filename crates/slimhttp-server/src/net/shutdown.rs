//! How a server ends: asked for by any thread, in stages that are only ever gone through forwards.
//! I/O threads wait for a stage as a future; threads outside of the runtimes wait for the end by
//! blocking, which an I/O thread must not.

use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;
use tokio::time::Instant;

/// The end of one server, shared by all of its threads.
#[derive(Debug)]
pub(crate) struct Shutdown {
    stage: watch::Sender<Stage>,
    /// When another process has taken over, if one has.
    relieved_at: OnceLock<Instant>,
    /// What threads outside of the runtimes wait for.
    end: (Mutex<End>, Condvar),
}

/// What I/O threads are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Serving,
    /// To accept nobody more, for another process does; and to answer one more request of each
    /// connection.
    Relieved,
    /// To accept nobody more, and to finish.
    Requested,
    /// To finish what is in flight: all that was accepted has its thread.
    AcceptingEnded,
    /// To drop what is in flight.
    Cut,
}

/// How far the end is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    #[default]
    NotYet,
    /// The listeners are closed.
    PortFree,
    /// Everything has ended.
    Complete,
}

impl Default for Shutdown {
    fn default() -> Self {
        let stage = watch::Sender::new(Stage::Serving);
        Self { stage, relieved_at: OnceLock::new(), end: Default::default() }
    }
}

impl Shutdown {
    /// Asks that nobody more is accepted.
    pub(crate) fn relieve(&self) {
        if !self.is_requested() {
            self.relieved_at.get_or_init(Instant::now);
        }
        self.advance(Stage::Relieved);
    }

    /// When that was asked, if it was asked before everyone was to finish: the grace period
    /// counts from then.
    pub(crate) fn relieved_at(&self) -> Option<Instant> {
        self.relieved_at.get().copied()
    }

    /// Asks everyone to finish.
    pub(crate) fn request(&self) {
        self.advance(Stage::Requested);
    }

    /// Asks everyone to drop what they do.
    pub(crate) fn cut(&self) {
        self.advance(Stage::Cut);
    }

    /// The listeners are closed, and all that they accepted has its thread.
    pub(crate) fn no_more_accepting(&self) {
        self.advance(Stage::AcceptingEnded);
        self.advance_end(End::PortFree);
    }

    /// Everything has ended.
    pub(crate) fn finished(&self) {
        self.advance_end(End::Complete);
    }

    fn advance(&self, stage: Stage) {
        self.stage.send_if_modified(|now| {
            let is_later = stage > *now;
            *now = stage.max(*now);
            is_later
        });
    }

    fn advance_end(&self, end: End) {
        let (reached, changed) = &self.end;
        let mut reached = reached.lock();
        *reached = end.max(*reached);
        changed.notify_all();
    }

    pub(crate) fn is_requested(&self) -> bool {
        *self.stage.borrow() >= Stage::Requested
    }

    /// Waits for that stage, or a later one.
    pub(crate) async fn reached(&self, stage: Stage) {
        // The sender is `self`, so the channel cannot close meanwhile.
        let _ = self.stage.subscribe().wait_for(|now| *now >= stage).await;
    }

    pub(crate) async fn relieved(&self) {
        self.reached(Stage::Relieved).await;
    }

    pub(crate) async fn requested(&self) {
        self.reached(Stage::Requested).await;
    }

    pub(crate) async fn accepting_ended(&self) {
        self.reached(Stage::AcceptingEnded).await;
    }

    /// Blocks until everything has ended, at most `timeout`; whether it has.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        self.wait_for(End::Complete, timeout)
    }

    /// Blocks until the port is free, at most `timeout`; whether it is.
    pub(crate) fn wait_for_port(&self, timeout: Duration) -> bool {
        self.wait_for(End::PortFree, timeout)
    }

    fn wait_for(&self, end: End, timeout: Duration) -> bool {
        let (reached, changed) = &self.end;
        let mut reached = reached.lock();
        changed.wait_while_for(&mut reached, |reached| *reached < end, timeout);
        *reached >= end
    }
}

#[cfg(test)]
mod tests;
