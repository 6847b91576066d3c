//! Which applications are there, and where each runs: what an I/O thread has to know to hand a
//! request to the right queue. The interpreter's side writes it, when an application starts, has
//! started, has failed to, or is gone; I/O threads read it for each request of an application, and
//! wait in their futures, never blocking, for one that starts.
//!
//! A request may have been planned by a site that is no longer in force, for an application that
//! is gone by now. So the last of those that are gone are remembered: for one that nobody knows
//! yet, a request waits.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use slimhttp_server::DebugPage;
use slimhttp_site::application::{Application, ApplicationId};
use tokio::sync::watch;

use crate::side::Side;

#[cfg(test)]
mod tests;

/// How many applications that are gone are remembered.
const REMEMBERED: usize = 64;

/// Where an application stands.
#[derive(Clone, Debug)]
pub enum ApplicationState {
    /// It is imported, or its start-up runs; requests wait.
    Starting,
    /// It answers, on this side.
    Ready(Side),
    /// It has failed to start; requests are answered 503, with the page that shows why where the
    /// scope has `debug`.
    Failed(Option<Arc<DebugPage>>),
    /// No site names it any more, and it has ended.
    Gone,
}

/// Why a request waits no longer for an application that starts.
#[derive(Clone, Debug)]
pub(crate) enum NotReady {
    /// It has failed to start.
    Failed(Option<Arc<DebugPage>>),
    /// It takes longer than it may.
    Overdue,
    /// Too many requests wait for it already.
    Full,
    /// It has ended.
    Gone,
}

/// The applications of one server.
#[derive(Debug, Default)]
pub struct ApplicationTable(RwLock<Table>);

#[derive(Debug, Default)]
struct Table {
    known: HashMap<ApplicationId, Known>,
    /// Those that are gone, the first one first; one that came back is in it too.
    gone: VecDeque<ApplicationId>,
}

/// What is known of one application.
#[derive(Debug)]
struct Known {
    /// Where it runs; only while it is ready. It says again what `state` says, for that has a
    /// lock of its own, which a request that need not wait does without.
    side: Option<Side>,
    state: watch::Sender<ApplicationState>,
    /// How many requests wait for it.
    waiting: Arc<AtomicUsize>,
}

impl Default for Known {
    fn default() -> Self {
        let state = watch::Sender::new(ApplicationState::Starting);
        Self { side: None, state, waiting: Arc::default() }
    }
}

impl ApplicationTable {
    /// Where an application runs; `None` where it does not.
    pub(crate) fn side(&self, id: ApplicationId) -> Option<Side> {
        self.0.read().known.get(&id)?.side
    }

    /// Says where an application stands. Requests that wait for it hear of it.
    pub fn set(&self, id: ApplicationId, state: ApplicationState) {
        let mut table = self.0.write();
        let known = table.known.entry(id).or_default();
        known.side = match &state {
            ApplicationState::Ready(side) => Some(*side),
            _ => None,
        };
        let is_gone = matches!(state, ApplicationState::Gone);
        let before = known.state.send_replace(state);
        if is_gone {
            table.remember(id);
        }
        drop(table);
        drop(before);
    }

    /// Waits until an application answers, if it starts; no more than `limit` requests wait for
    /// the same.
    ///
    /// # Errors
    /// Why it is waited for no longer.
    pub(crate) async fn ready(
        &self,
        application: &Application,
        limit: usize,
    ) -> Result<Side, NotReady> {
        let (changes, waiting) = {
            let mut table = self.0.write();
            let known = table.known.entry(application.id).or_default();
            (known.state.subscribe(), known.waiting.clone())
        };
        if let Some(decided) = outcome(&changes.borrow()) {
            return decided;
        }
        let _waiting = Waiting::enter(&waiting, limit).ok_or(NotReady::Full)?;
        match tokio::time::timeout(application.spec.start_timeout, decided(changes)).await {
            Ok(decided) => decided,
            Err(_) => Err(NotReady::Overdue),
        }
    }
}

impl Table {
    /// Records that an application is gone, and forgets one that has been for long.
    fn remember(&mut self, id: ApplicationId) {
        self.gone.push_back(id);
        if self.gone.len() <= REMEMBERED {
            return;
        }
        let Some(oldest) = self.gone.pop_front() else { return };
        let is_gone = |known: &Known| matches!(*known.state.borrow(), ApplicationState::Gone);
        if self.known.get(&oldest).is_some_and(is_gone) && !self.gone.contains(&oldest) {
            self.known.remove(&oldest);
        }
    }
}

/// What comes of a request, once the application has started or has not.
fn outcome(state: &ApplicationState) -> Option<Result<Side, NotReady>> {
    match state {
        ApplicationState::Starting => None,
        ApplicationState::Ready(side) => Some(Ok(*side)),
        ApplicationState::Failed(page) => Some(Err(NotReady::Failed(page.clone()))),
        ApplicationState::Gone => Some(Err(NotReady::Gone)),
    }
}

/// What comes of a request, once that is known.
async fn decided(mut changes: watch::Receiver<ApplicationState>) -> Result<Side, NotReady> {
    let state = changes.wait_for(|state| outcome(state).is_some()).await;
    // Without a sender it is known to nobody any more.
    state.ok().and_then(|state| outcome(&state)).unwrap_or(Err(NotReady::Gone))
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
