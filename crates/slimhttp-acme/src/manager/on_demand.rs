//! Certificates for names that a client asks for and nobody has written down: who waits for one,
//! which were refused, how many there may be. Handles put names in, on the threads of the server;
//! the thread `slimhttp-acme` decides about them and obtains what is allowed.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::{Duration, SystemTime};

use slimhttp_site::acme::{Identifier, OnDemandOptions};
use tokio::sync::oneshot;

use super::{Entry, Shared, State, Steps};
use crate::clock;
use crate::failure::Failure;
use crate::names::Names;

/// How many refused names are remembered.
const MOST_REFUSED: usize = 10_000;
const HOUR: Duration = Duration::from_secs(3600);

/// Why a name has no certificate on demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `on_demand` is not configured.
    Off,
    /// No certificate can be for such a name.
    Invalid,
    /// Neither the configuration nor the program allows it.
    NotAllowed,
    /// There are as many as there may be, or as many new ones in this hour.
    Limited,
    /// As many others are decided about at the moment as may be.
    Busy,
    /// It could not be obtained: why, in one line.
    Failed(String),
    /// It takes longer than `timeout`; it is obtained all the same.
    Late,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("no certificates are obtained on demand"),
            Self::Invalid => f.write_str("no certificate is for such a name"),
            Self::NotAllowed => f.write_str("it may not have one"),
            Self::Limited => f.write_str("there are as many as there may be"),
            Self::Busy => f.write_str("too many others are being decided about"),
            Self::Failed(why) => f.write_str(why),
            Self::Late => f.write_str("it is not there yet"),
        }
    }
}

/// Who waits for what comes of a name.
type Waiter = oneshot::Sender<Result<(), Refusal>>;

/// Names that are asked for, and those that were refused.
#[derive(Default)]
pub(crate) struct OnDemandTable {
    waiting: HashMap<Identifier, Waiting>,
    refused: HashMap<Identifier, Refused>,
    /// The refused ones by their turns, the first one in front. One that was refused again stands
    /// there more than once.
    order: VecDeque<(u64, Identifier)>,
    turns: u64,
}

/// What is remembered of a refusal.
struct Refused {
    turn: u64,
    until: SystemTime,
    refusal: Refusal,
}

#[derive(Default)]
struct Waiting {
    waiters: Vec<Waiter>,
    /// Whether the thread has begun to decide.
    is_begun: bool,
}

impl OnDemandTable {
    /// Takes the names about which nobody has begun to decide.
    pub(super) fn take_new(&mut self) -> Vec<Identifier> {
        let new = self.waiting.iter_mut().filter(|(_, waiting)| !waiting.is_begun);
        new.map(|(name, waiting)| {
            waiting.is_begun = true;
            name.clone()
        })
        .collect()
    }

    /// Tells those who wait for a name what came of it, and remembers a refusal.
    fn tell(&mut self, name: &Identifier, result: &Result<(), Refusal>, until: SystemTime) {
        if let Err(refusal) = result {
            self.refuse(name.clone(), refusal.clone(), until);
        }
        for waiter in self.waiting.remove(name).map(|it| it.waiters).into_iter().flatten() {
            // Who waited may have left.
            let _ = waiter.send(result.clone());
        }
    }

    fn refuse(&mut self, name: Identifier, refusal: Refusal, until: SystemTime) {
        while self.order.len() >= MOST_REFUSED {
            let Some((turn, first)) = self.order.pop_front() else { break };
            if self.refused.get(&first).is_some_and(|refused| refused.turn == turn) {
                self.refused.remove(&first);
            }
        }
        self.turns += 1;
        let turn = self.turns;
        self.order.push_back((turn, name.clone()));
        self.refused.insert(name, Refused { turn, until, refusal });
    }

    /// The refusal that still holds.
    fn refusal(&self, name: &Identifier, now: SystemTime) -> Option<Refusal> {
        let refused = self.refused.get(name)?;
        (refused.until > now).then(|| refused.refusal.clone())
    }
}

impl State {
    /// Forgets certificates; who waits for one of them is told.
    pub(crate) fn forget(&mut self, is_it: impl Fn(&Names, &Entry) -> bool) {
        let Self { entries, on_demand } = self;
        entries.retain(|names, entry| {
            let is_kept = !is_it(names, entry);
            if !is_kept {
                let gone = Refusal::Failed("it is wanted no more".to_owned());
                on_demand.settle(names, &Err(gone), SystemTime::UNIX_EPOCH);
            }
            is_kept
        });
    }

    /// Takes over that a client asks for `name`: what will come of it, or what there is to say at
    /// once.
    pub(crate) fn ask(
        &mut self,
        name: &Identifier,
        options: &OnDemandOptions,
        now: SystemTime,
    ) -> Result<oneshot::Receiver<Result<(), Refusal>>, Result<(), Refusal>> {
        let names = Names::new([name.clone()]).expect("one name is not too many");
        let entry = self.entries.get(&names);
        let is_known = entry.is_some();
        if let Some(entry) = entry {
            if entry.certificate.is_some() {
                return Err(Ok(()));
            }
            let is_late = !entry.obtaining && entry.due.is_some_and(|due| due > now);
            if let Some(why) = entry.meta.last_error.clone().filter(|_| is_late) {
                return Err(Err(Refusal::Failed(why)));
            }
        } else if let Some(refusal) = self.on_demand.refusal(name, now) {
            return Err(Err(refusal));
        }
        let waiting = &mut self.on_demand.waiting;
        if !waiting.contains_key(name) && waiting.len() >= options.at_once {
            return Err(Err(Refusal::Busy));
        }
        let (waiter, receiver) = oneshot::channel();
        let made = || Waiting { waiters: Vec::new(), is_begun: is_known };
        waiting.entry(name.clone()).or_insert_with(made).waiters.push(waiter);
        Ok(receiver)
    }
}

/// Whether a name that nobody has written down may have a certificate.
pub(super) async fn decide(shared: &Shared, name: &Identifier) -> Result<(), Refusal> {
    let context = &shared.context;
    let options = context.options.on_demand.as_ref().ok_or(Refusal::Off)?;
    if !context.allows(name).await {
        return Err(Refusal::NotAllowed);
    }
    let names = Names::new([name.clone()]).ok_or(Refusal::Invalid)?;
    let count = shared.state.lock().entries.values().filter(|entry| entry.on_demand).count();
    if count >= options.max_names {
        return Err(Refusal::Limited);
    }
    // One that was obtained before this server started is no new one.
    let folder = context.store.certificate(&names);
    if folder.identity().is_some() {
        return Ok(());
    }
    let failed = |failure: Failure| Refusal::Failed(failure.to_string());
    let now = context.now();
    let meta = folder.meta().map_err(failed)?.for_options(&context.digest);
    if meta.next_attempt.is_some_and(|next| next > now) {
        return Err(Refusal::Failed(meta.last_error.unwrap_or_default()));
    }
    context.store.prepare().map_err(failed)?;
    let since = now.checked_sub(HOUR).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut obtained = context.store.obtained_on_demand(since).map_err(failed)?;
    if obtained.len() >= options.per_hour {
        return Err(Refusal::Limited);
    }
    obtained.push(now);
    context.store.write_obtained_on_demand(&obtained).map_err(failed)
}

impl Steps {
    /// Takes over a decision: what is allowed is looked at like any other certificate.
    pub(super) fn take_decision(&self, name: Identifier, decision: Result<(), Refusal>) {
        let context = &self.shared.context;
        let mut state = self.shared.state.lock();
        let State { entries, on_demand } = &mut *state;
        let until = refused_until(&self.shared, context.now());
        match (decision, Names::new([name.clone()])) {
            (Ok(()), Some(names)) => {
                let made = || Entry { on_demand: true, ..Entry::default() };
                let entry = entries.entry(names).or_insert_with(made);
                if entry.certificate.is_some() {
                    on_demand.tell(&name, &Ok(()), until);
                }
            }
            (decision, _) => on_demand.tell(&name, &decision.and(Err(Refusal::Invalid)), until),
        }
    }
}

/// Until when what is refused now is refused again.
pub(super) fn refused_until(shared: &Shared, now: SystemTime) -> SystemTime {
    let options = shared.context.options.on_demand.as_ref();
    clock::after(now, options.map_or(Duration::ZERO, |options| options.negative_ttl))
}

impl OnDemandTable {
    /// Tells those who wait for the only name of a certificate what came of a look at it.
    pub(super) fn settle(
        &mut self,
        names: &Names,
        result: &Result<(), Refusal>,
        until: SystemTime,
    ) {
        let mut all = names.iter();
        if let (Some(name), None) = (all.next(), all.next())
            && self.waiting.contains_key(name)
        {
            self.tell(name, result, until);
        }
    }
}
