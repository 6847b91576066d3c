//! One look at one certificate: what is on disk, whether anything is to be done about it, and if
//! so, doing it. A task of the thread `slimhttp-acme`; it may be dropped at any `.await`, when its
//! certificate is wanted no more or the server stops, and goes on from the disk when it is started
//! again.

use std::time::{Duration, SystemTime};

use super::Shared;
use crate::certificate::Certificate;
use crate::clock;
use crate::context::Context;
use crate::failure::Failure;
use crate::names::Names;
use crate::obtain::Attempt;
use crate::random;
use crate::renewal::{Due, checked, due, renew_at, retry_at, unchecked};
use crate::store::{CertificateFolder, FileIdentity, Meta};

/// How long is waited before the next look at a certificate that another process looks after.
const LOCK_LOOK: Duration = Duration::from_secs(1);

/// What a look has come to.
pub(super) struct Outcome {
    /// The certificate on disk, and what its file is like.
    pub(super) certificate: Option<(Certificate, FileIdentity)>,
    pub(super) meta: Meta,
    /// When the next look is due.
    pub(super) next: SystemTime,
    /// Whether another process is at it.
    pub(super) elsewhere: bool,
    /// Whether it may not be had any more.
    pub(super) dropped: bool,
}

/// Looks at the certificate for `names`.
pub(super) async fn step(shared: &Shared, names: &Names) -> Outcome {
    match look(shared, names).await {
        Ok(outcome) => outcome,
        Err(failure) => {
            let context = &shared.context;
            tracing::warn!("no certificate for {names}: {failure}");
            let (attempts, mut meta) = {
                let state = shared.state.lock();
                let meta = state.entries.get(names).map(|entry| entry.meta.clone());
                let meta = meta.unwrap_or_default();
                (meta.attempts.saturating_add(1), meta)
            };
            record(context, &mut meta, attempts, &failure);
            let next = meta.next_attempt.unwrap_or_else(|| context.now());
            Outcome { certificate: None, meta, next, elsewhere: false, dropped: false }
        }
    }
}

/// # Errors
/// The storage cannot be used; all other failures are on disk.
async fn look(shared: &Shared, names: &Names) -> Result<Outcome, Failure> {
    let context = &shared.context;
    let folder = context.store.certificate(names);
    if !folder.exists() {
        context.store.prepare()?;
    }
    let Some(_lock) = folder.lock()? else { return elsewhere(context, &folder) };
    folder.repair()?;
    let mut certificate = folder.certificate()?;
    let mut meta = folder.meta()?.for_options(&context.digest);
    meta.names = Some(names.clone());
    meta.on_demand = is_on_demand(shared, names);
    let (mut next, mut dropped, mut is_new) = (None, false, false);
    while next.is_none() {
        let life = certificate.as_ref().map(Certificate::life);
        match due(context.now(), life, &meta, &context.timing) {
            Due::Nothing(at) => next = Some(at),
            todo @ (Due::Check | Due::Obtain) if context.paused().is_some() => {
                next = context.paused().map(spread);
                if todo == Due::Obtain {
                    note_pause(context, &mut meta);
                }
            }
            // One is enough: it is installed before there is another.
            Due::Obtain if is_new => next = Some(context.now()),
            Due::Check => check(context, &folder, &mut meta, certificate.as_ref()).await?,
            Due::Obtain
                if meta.on_demand && !may_still(context, names, certificate.as_ref()).await =>
            {
                (next, dropped) = (Some(context.now()), true);
            }
            Due::Obtain => {
                set_obtaining(shared, names);
                let before = certificate.take();
                match obtain(context, &folder, names, &mut meta, before.as_ref()).await? {
                    Ok(new) => (certificate, is_new) = (Some(new), true),
                    Err(at) => (next, certificate) = (Some(at), before),
                }
            }
        }
    }
    let next = next.expect("the loop ends with one");
    let certificate = certificate.zip(folder.identity());
    Ok(Outcome { certificate, meta, next, elsewhere: false, dropped })
}

/// Another process has the lock: what it obtains is found on disk.
fn elsewhere(context: &Context, folder: &CertificateFolder) -> Result<Outcome, Failure> {
    let certificate = folder.certificate()?.zip(folder.identity());
    let next = clock::after(context.now(), LOCK_LOOK + random::within(LOCK_LOOK));
    Ok(Outcome { certificate, meta: folder.meta()?, next, elsewhere: true, dropped: false })
}

/// Asks the authority when the certificate is to be renewed. That it does not answer is no
/// failure of the certificate.
async fn check(
    context: &Context,
    folder: &CertificateFolder,
    meta: &mut Meta,
    certificate: Option<&Certificate>,
) -> Result<(), Failure> {
    let Some(id) = certificate.and_then(|certificate| certificate.id.as_deref()) else {
        return Ok(());
    };
    let asked = match context.authority() {
        Ok(authority) => authority.renewal_info(id).await,
        Err(failure) => Err(failure),
    };
    let (now, chance) = (context.now(), random::fraction());
    let before = meta.ari.take();
    meta.ari = Some(match asked {
        Ok(window) => checked(id, window, before.as_ref(), now, &context.timing, chance),
        Err(failure) => {
            tracing::debug!("when to renew is not known: {failure}");
            unchecked(id, before.as_ref(), now, &context.timing, chance)
        }
    });
    folder.write_meta(meta)
}

/// One attempt, and what is kept of how it went. `Err` within is when the next one may be.
async fn obtain(
    context: &Context,
    folder: &CertificateFolder,
    names: &Names,
    meta: &mut Meta,
    before: Option<&Certificate>,
) -> Result<Result<Certificate, SystemTime>, Failure> {
    let replaces = before.and_then(|before| before.id.clone());
    let attempt = Attempt { context, folder, names, meta: &mut *meta, replaces };
    match attempt.run().await {
        Ok(certificate) => {
            let fresh = Meta {
                names: Some(names.clone()),
                on_demand: meta.on_demand,
                obtained: Some(clock::whole_seconds(context.now())),
                ..Meta::default()
            };
            *meta = fresh;
            folder.write_meta(meta)?;
            context.record_success()?;
            let end = clock::text(certificate.not_after);
            tracing::info!(
                "obtained a certificate for {names} from {}, valid until {end}",
                certificate.issuer
            );
            let (now, at) = (context.now(), renew_at(certificate.life(), meta, &context.timing));
            if certificate.not_after <= now {
                tracing::error!(
                    "the certificate for {names} has ended already: is the clock of this machine right?"
                );
                return Ok(Err(at.max(clock::after(now, context.timing.between))));
            }
            Ok(Ok(certificate))
        }
        Err(failure) => {
            context.record_failure(&failure)?;
            let attempts = meta.attempts.saturating_add(1);
            record(context, meta, attempts, &failure);
            folder.write_meta(meta)?;
            let next = context.paused().map(spread).into_iter().chain(meta.next_attempt).max();
            let next = next.unwrap_or_else(|| context.now());
            tell(names, &failure, before, next);
            Ok(Err(next))
        }
    }
}

/// Notes a failure. That nobody could be reached says nothing of this certificate: the authority
/// is paused instead, and the first attempt after it is no later one.
fn record(context: &Context, meta: &mut Meta, attempts: u32, failure: &Failure) {
    let now = context.now();
    meta.last_error = Some(failure.to_string());
    meta.last_attempt = Some(clock::whole_seconds(now));
    meta.not_before = failure.retry_after();
    meta.options = Some(context.digest.clone());
    if let (Failure::NotPresented { .. }, Some((_, challenge))) = (failure, failure.challenge()) {
        meta.failed_challenges.retain(|failed| *failed != challenge);
        meta.failed_challenges.push(challenge);
    }
    if matches!(failure, Failure::Unreachable(_)) {
        meta.next_attempt = meta.not_before;
        return;
    }
    meta.attempts = attempts;
    let (allowed, chance) = (failure.retry_after(), random::fraction());
    meta.next_attempt = Some(retry_at(now, attempts, allowed, &context.timing, chance));
}

/// One line for the log.
fn tell(names: &Names, failure: &Failure, before: Option<&Certificate>, next: SystemTime) {
    let next = clock::text(next);
    match before {
        Some(before) => {
            let end = clock::text(before.not_after);
            tracing::warn!(
                "the certificate for {names}, valid until {end}, is not renewed: {failure}; next \
                 attempt at {next}"
            );
        }
        None => tracing::warn!("no certificate for {names}: {failure}; next attempt at {next}"),
    }
}

/// Why nothing is attempted.
fn note_pause(context: &Context, meta: &mut Meta) {
    if let Ok(Some(pause)) = context.store.pause() {
        meta.last_error = Some(pause.reason);
    }
}

/// A little later, so that not everybody asks at the same moment.
fn spread(time: SystemTime) -> SystemTime {
    clock::after(time, random::within(LOCK_LOOK))
}

/// Whether a name that nobody has written down, and that has had a certificate, may have another
/// one. The first time that is asked before it comes here.
async fn may_still(context: &Context, names: &Names, before: Option<&Certificate>) -> bool {
    if before.is_none() {
        return true;
    }
    for name in names.iter() {
        if !context.allows(name).await {
            tracing::info!("the certificate for {names} may not be had any more");
            return false;
        }
    }
    true
}

fn is_on_demand(shared: &Shared, names: &Names) -> bool {
    shared.state.lock().entries.get(names).is_some_and(|entry| entry.on_demand)
}

fn set_obtaining(shared: &Shared, names: &Names) {
    if let Some(entry) = shared.state.lock().entries.get_mut(names) {
        entry.obtaining = true;
    }
}
