//! Which applications are there, and where each runs: what an I/O thread has to know to hand a
//! request to the right queue. The interpreter's side writes it, when an application has started,
//! has failed to, or is gone; I/O threads read it for each request of an application, and wait in
//! their futures, never blocking, for one that starts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use slimhttp_site::application::{Application, ApplicationId};
use tokio::sync::watch;

use crate::side::Side;

/// Where an application stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplicationState {
    /// It is imported, or its start-up runs; requests wait.
    Starting,
    /// It answers, on this side.
    Ready(Side),
    /// It has failed to start; requests are answered 503.
    Failed,
}

/// Why a request waits no longer for an application that starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotReady {
    /// It has failed to start.
    Failed,
    /// It takes longer than it may.
    Overdue,
    /// Too many requests wait already.
    Full,
}

/// The applications of one server.
#[derive(Debug, Default)]
pub struct ApplicationTable {
    states: RwLock<HashMap<ApplicationId, watch::Sender<ApplicationState>>>,
    /// How many requests wait for applications that start.
    waiting: AtomicUsize,
}

impl ApplicationTable {
    /// Where an application stands; one that is not known yet is starting.
    pub fn state(&self, id: ApplicationId) -> ApplicationState {
        let states = self.states.read();
        states.get(&id).map_or(ApplicationState::Starting, |state| *state.borrow())
    }

    /// Says where an application stands.
    pub fn set(&self, id: ApplicationId, state: ApplicationState) {
        let mut states = self.states.write();
        let sender = states.entry(id).or_insert_with(|| watch::Sender::new(state));
        sender.send_replace(state);
    }

    /// Forgets an application; requests that wait for it are told that it has failed.
    pub fn remove(&self, id: ApplicationId) {
        if let Some(state) = self.states.write().remove(&id) {
            state.send_replace(ApplicationState::Failed);
        }
    }

    /// Waits until an application answers, if it starts; of all requests that wait there are
    /// no more than `limit`.
    pub(crate) async fn ready(
        &self,
        application: &Application,
        limit: usize,
    ) -> Result<Side, NotReady> {
        match self.state(application.id) {
            ApplicationState::Ready(side) => return Ok(side),
            ApplicationState::Failed => return Err(NotReady::Failed),
            ApplicationState::Starting => {}
        }
        let _waiting = Waiting::enter(&self.waiting, limit).ok_or(NotReady::Full)?;
        let changes = {
            let mut states = self.states.write();
            let starting = || watch::Sender::new(ApplicationState::Starting);
            states.entry(application.id).or_insert_with(starting).subscribe()
        };
        let timeout = application.spec.start_timeout;
        match tokio::time::timeout(timeout, decided(changes)).await {
            Ok(ApplicationState::Ready(side)) => Ok(side),
            Ok(_) => Err(NotReady::Failed),
            Err(_) => Err(NotReady::Overdue),
        }
    }
}

/// The first state that is no longer [`ApplicationState::Starting`].
async fn decided(mut changes: watch::Receiver<ApplicationState>) -> ApplicationState {
    let is_decided = |state: &ApplicationState| *state != ApplicationState::Starting;
    let state = changes.wait_for(is_decided).await;
    state.map_or(ApplicationState::Failed, |state| *state)
}

/// One of the requests that wait.
struct Waiting<'w>(&'w AtomicUsize);

impl<'w> Waiting<'w> {
    fn enter(count: &'w AtomicUsize, limit: usize) -> Option<Self> {
        let waiting = Self(count);
        (count.fetch_add(1, Ordering::Relaxed) < limit).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
