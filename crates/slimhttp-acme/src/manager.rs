//! The thread `slimhttp-acme`: which certificate is looked at when. A look is a task of the
//! thread's runtime ([`step()`]), a few at once; between two of them everything that is known of a
//! certificate is its [`Entry`].
//!
//! The entries are a table under a lock, which is never held across an `.await` nor during a wait
//! for a disk. The handles of the server read it, and change which certificates are wanted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use slimhttp_site::acme::Identifier;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use crate::account;
use crate::certificate::Certificate;
use crate::clock;
use crate::context::Context;
use crate::names::Names;
use crate::status::{CertificateState, CertificateStatus};
use crate::store::{FileIdentity, Meta};

mod on_demand;
mod step;
#[cfg(test)]
mod tests;

pub(crate) use on_demand::OnDemandTable;
pub use on_demand::Refusal;
use step::{Outcome, step};

/// How many certificates are looked at, and ordered, at once; those on demand have places of their
/// own (`at_once`).
const STEPS_AT_ONCE: usize = 4;
/// After a task that has panicked a certificate is left alone for so long.
const AFTER_PANIC: Duration = Duration::from_secs(3600);

/// Takes certificates over as they are obtained: what ACME needs of a server.
pub trait Install: Send + Sync + 'static {
    /// From now on `certificate` is presented to who asks for one of `wanted`. It may be for some
    /// of them only: one that was there already, while another that is for all is obtained; or
    /// its time may be over, for the same reason.
    ///
    /// Called by who says what is wanted, before that returns, and on the thread
    /// `slimhttp-acme`; it must not wait, nor say what is wanted.
    fn install(&self, wanted: &Names, certificate: Arc<Certificate>);
}

/// What the thread and its handles share.
pub(crate) struct Shared {
    pub(crate) context: Context,
    pub(crate) installer: Arc<dyn Install>,
    pub(crate) state: Mutex<State>,
    /// Wakes the thread: the table has changed.
    pub(crate) changed: Notify,
}

/// The table.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) entries: HashMap<Names, Entry>,
    pub(crate) on_demand: OnDemandTable,
}

/// What is known of one certificate between two looks at it.
#[derive(Default)]
pub(crate) struct Entry {
    /// Whether nobody has written its name down.
    pub(crate) on_demand: bool,
    /// The one that is installed.
    pub(crate) certificate: Option<Arc<Certificate>>,
    /// What the file of it was like.
    pub(crate) identity: Option<FileIdentity>,
    pub(crate) meta: Meta,
    /// When it is to be looked at; `None`: at once.
    pub(crate) due: Option<SystemTime>,
    /// The task that looks at it.
    pub(crate) running: Option<Running>,
    /// Whether that, or another process, is obtaining it.
    pub(crate) obtaining: bool,
}

/// What the thread is asked to do.
pub(crate) enum Command {
    /// Gives the account another key.
    RollOver(oneshot::Sender<Result<(), String>>),
}

impl Entry {
    pub(crate) fn status(&self, context: &Context, names: &Names) -> CertificateStatus {
        let folder = context.store.certificate(names);
        let (certificate, now) = (self.certificate.as_deref(), context.now());
        let mut status =
            CertificateStatus::new(names, &folder, certificate, &self.meta, &context.timing, now);
        status.on_demand = self.on_demand;
        if self.obtaining {
            status.state = CertificateState::Obtaining;
        }
        status
    }
}

/// A task that ends with the entry that it is about.
pub(crate) struct Running(AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs until it is dropped, and all tasks with it.
pub(crate) async fn run(shared: Arc<Shared>, mut commands: mpsc::UnboundedReceiver<Command>) {
    let (tasks, names, decided) = (JoinSet::new(), HashMap::new(), HashMap::new());
    let mut steps = Steps { shared, tasks, names, decided };
    let mut looked = Instant::now();
    loop {
        steps.start_decisions();
        steps.start_due();
        let look = steps.shared.context.timing.look;
        if looked.elapsed() >= look {
            steps.look();
            looked = Instant::now();
        }
        let wait = steps.until_next().min(look.saturating_sub(looked.elapsed()));
        tokio::select! {
            () = steps.shared.changed.notified() => {}
            Some(ended) = steps.tasks.join_next_with_id(), if !steps.tasks.is_empty() => {
                steps.end(ended);
            }
            Some(command) = commands.recv() => steps.command(command),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// The tasks of the thread.
struct Steps {
    shared: Arc<Shared>,
    tasks: JoinSet<Ended>,
    /// Which certificate a task looks at.
    names: HashMap<Id, Names>,
    /// About which name a task decides.
    decided: HashMap<Id, Identifier>,
}

/// What a task has come to.
enum Ended {
    /// A look at a certificate.
    Step(Box<Outcome>),
    /// Whether a name that nobody has written down may have a certificate.
    Decision(Result<(), Refusal>),
    /// Something that was asked for, whose answer has been given.
    Command,
}

impl Steps {
    /// Starts looking at certificates that are due, as many as may be at once: those of which
    /// there is none first, then by how long they have been due. Two that have a name in common
    /// have their turns.
    fn start_due(&mut self) {
        let mut state = self.shared.state.lock();
        let mut places = self.places();
        for entry in state.entries.values().filter(|entry| entry.running.is_some()) {
            let place = &mut places[usize::from(entry.on_demand)];
            *place = place.saturating_sub(1);
        }
        for names in due_now(&state.entries, self.shared.context.now()) {
            let is_free = !self.names.values().any(|other| other.overlaps(&names));
            let Some(entry) = state.entries.get_mut(&names) else { continue };
            let place = &mut places[usize::from(entry.on_demand)];
            if *place > 0 && is_free {
                *place -= 1;
                let (shared, task_names) = (Arc::clone(&self.shared), names.clone());
                let task = self
                    .tasks
                    .spawn(async move { Ended::Step(Box::new(step(&shared, &task_names).await)) });
                self.names.insert(task.id(), names);
                entry.running = Some(Running(task));
            }
        }
    }

    /// How many tasks there may be: for what is written down, and on demand.
    fn places(&self) -> [usize; 2] {
        let on_demand = self.shared.context.options.on_demand.as_ref();
        [STEPS_AT_ONCE, on_demand.map_or(0, |options| options.at_once)]
    }

    /// Starts to decide about names that nobody has written down.
    fn start_decisions(&mut self) {
        let new = self.shared.state.lock().on_demand.take_new();
        for name in new {
            let (shared, task_name) = (Arc::clone(&self.shared), name.clone());
            let task = self.tasks.spawn(async move {
                Ended::Decision(on_demand::decide(&shared, &task_name).await)
            });
            self.decided.insert(task.id(), name);
        }
    }

    /// Looks whether another process has obtained something.
    fn look(&self) {
        let mut state = self.shared.state.lock();
        let idle: Vec<_> = state
            .entries
            .iter()
            .filter(|(_, entry)| entry.running.is_none())
            .map(|(names, entry)| (names.clone(), entry.identity))
            .collect();
        drop(state);
        let store = &self.shared.context.store;
        let is_new = |(names, known): &(Names, Option<FileIdentity>)| {
            store.certificate(names).identity() != *known
        };
        let new: Vec<_> = idle.into_iter().filter(is_new).collect();
        state = self.shared.state.lock();
        for (names, _) in new {
            if let Some(entry) = state.entries.get_mut(&names) {
                entry.due = None;
            }
        }
    }

    /// How long it is until something is due.
    fn until_next(&self) -> Duration {
        let now = self.shared.context.now();
        let state = self.shared.state.lock();
        let idle = state.entries.values().filter(|entry| entry.running.is_none());
        // What is due already waits for a task to end, or for a name to be free.
        let next = idle.filter_map(|entry| entry.due).filter(|due| *due > now).min();
        next.map_or(Duration::MAX, |next| clock::until(now, next))
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::RollOver(reply) => {
                let shared = Arc::clone(&self.shared);
                self.tasks.spawn(async move {
                    let done = account::roll_over(&shared.context).await;
                    // Whoever asked may have left.
                    let _ = reply.send(done.map_err(|failure| failure.to_string()));
                    Ended::Command
                });
            }
        }
    }

    /// Takes over what a task has come to.
    fn end(&mut self, ended: Result<(Id, Ended), JoinError>) {
        match ended {
            Ok((id, Ended::Step(outcome))) => {
                if let Some(names) = self.names.remove(&id) {
                    self.take(&names, *outcome);
                }
            }
            Ok((id, Ended::Decision(decision))) => {
                if let Some(name) = self.decided.remove(&id) {
                    self.take_decision(name, decision);
                }
            }
            Ok((_, Ended::Command)) => {}
            Err(error) => self.end_without(&error),
        }
    }

    /// A task was cancelled, because its certificate is wanted no more, or it has panicked.
    fn end_without(&mut self, error: &JoinError) {
        let (names, name) = (self.names.remove(&error.id()), self.decided.remove(&error.id()));
        if !error.is_panic() {
            return;
        }
        tracing::error!("a task about certificates: {error}");
        if let Some(name) = name {
            self.take_decision(name, Err(Refusal::Failed(error.to_string())));
        }
        let due = clock::after(self.shared.context.now(), AFTER_PANIC);
        let mut state = self.shared.state.lock();
        if let Some(entry) = names.and_then(|names| state.entries.get_mut(&names)) {
            (entry.running, entry.obtaining, entry.due) = (None, false, Some(due));
        }
    }

    fn take(&self, names: &Names, outcome: Outcome) {
        let mut state = self.shared.state.lock();
        let entries = &mut state.entries;
        let Some(entry) = entries.get_mut(names) else { return };
        (entry.running, entry.obtaining) = (None, outcome.elsewhere);
        (entry.due, entry.meta) = (Some(outcome.next), outcome.meta);
        let mut new = None;
        if let Some((certificate, identity)) = outcome.certificate {
            entry.identity = Some(identity);
            let is_same = entry.certificate.as_ref().is_some_and(|it| it.is(&certificate));
            if !is_same {
                let certificate = Arc::new(certificate);
                entry.certificate = Some(Arc::clone(&certificate));
                new = Some(certificate);
            }
        }
        let result = match (&entry.certificate, &entry.meta.last_error) {
            (Some(_), _) => Ok(()),
            (None, Some(why)) => Err(Refusal::Failed(why.clone())),
            (None, None) => Err(Refusal::NotAllowed),
        };
        if outcome.dropped || (entry.on_demand && result.is_err() && !outcome.elsewhere) {
            entries.remove(names);
        }
        drop(state);
        if let Some(certificate) = new {
            self.shared.installer.install(names, certificate);
        }
        // Only now: whoever waited finds it installed.
        if !outcome.elsewhere || result.is_ok() {
            let until = on_demand::refused_until(&self.shared, self.shared.context.now());
            self.shared.state.lock().on_demand.settle(names, &result, until);
        }
    }
}

/// The certificates that are due, in the order in which they are looked at.
fn due_now(entries: &HashMap<Names, Entry>, now: SystemTime) -> Vec<Names> {
    let mut due: Vec<_> = entries
        .iter()
        .filter(|(_, entry)| entry.running.is_none() && entry.due.is_none_or(|due| due <= now))
        .map(|(names, entry)| (entry.certificate.is_some(), entry.due, names.clone()))
        .collect();
    due.sort();
    due.into_iter().map(|(_, _, names)| names).collect()
}
