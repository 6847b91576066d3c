//! How a server ends. Asked for by any thread; the I/O threads wait for it as a future, threads
//! outside of the runtimes by blocking.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How a server ends: asked once, finished once.
#[derive(Debug)]
pub(crate) struct Shutdown {
    state: tokio::sync::watch::Sender<Stage>,
    /// The end as threads outside of the runtimes wait for it.
    end: (Mutex<End>, Condvar),
}

/// How far the end is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    #[default]
    NotYet,
    /// The listeners are closed: the port is free.
    PortFree,
    /// Everything has ended.
    Complete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Serving,
    Requested,
    AcceptingEnded,
    Cut,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { state: tokio::sync::watch::Sender::new(Stage::Serving), end: Default::default() }
    }
}

impl Shutdown {
    fn raise(&self, stage: Stage) {
        self.state.send_if_modified(|now| {
            let raised = stage > *now;
            *now = stage.max(*now);
            raised
        });
    }

    pub(crate) async fn reached(&self, stage: Stage) {
        // The sender is `self`, so the channel cannot close meanwhile.
        let _ = self.state.subscribe().wait_for(|now| *now >= stage).await;
    }

    /// Asks everyone to finish.
    pub(crate) fn request(&self) {
        self.raise(Stage::Requested);
    }

    /// Asks everyone to drop what they do.
    pub(crate) fn cut(&self) {
        self.raise(Stage::Cut);
    }

    pub(crate) fn is_requested(&self) -> bool {
        *self.state.borrow() >= Stage::Requested
    }

    pub(crate) async fn requested(&self) {
        self.reached(Stage::Requested).await;
    }

    pub(crate) fn no_more_accepting(&self) {
        self.raise(Stage::AcceptingEnded);
        self.reach(End::PortFree);
    }

    pub(crate) async fn accepting_ended(&self) {
        self.reached(Stage::AcceptingEnded).await;
    }

    /// Everything has ended.
    pub(crate) fn finished(&self) {
        self.reach(End::Complete);
    }

    fn reach(&self, end: End) {
        let (reached, changed) = &self.end;
        let mut reached = reached.lock();
        *reached = end.max(*reached);
        changed.notify_all();
    }

    /// Waits until everything has ended, at most `timeout`; whether it has.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        self.wait_for(End::Complete, timeout)
    }

    /// Waits until the port is free, at most `timeout`; whether it is.
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
