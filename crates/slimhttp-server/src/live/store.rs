//! The one mutable cell of a server's configuration: the site in force, and the only ways to
//! change it.
//!
//! A change runs on the thread that asks for it, which may wait for the change before it and for
//! the disk; I/O threads make none. A request never waits for a change: it takes the snapshot in
//! force, which is exchanged in one atomic step, from a copy that its thread has. A generation
//! number says whether that copy is out of date.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::{Mutex, MutexGuard};
use slimhttp_site::compile::listed;
use slimhttp_site::config::Config;
use slimhttp_site::fault::{Fault, Faults, Place};
use slimhttp_site::listener::{FirstListener, Listener};
use slimhttp_site::site::Site;
use time::OffsetDateTime;

use crate::acme::{self, Obtaining};
use crate::files::FileStore;
use crate::live::draft::Draft;
use crate::live::registry::LocalSite;
use crate::live::snapshot::{self, Snapshot};
use crate::net::listener::hint;
use crate::net::listeners::{CannotListen, ClosingListeners, Listeners, PreparedListeners};
use crate::observe::access_log::AccessLogs;
use crate::tls::status::CertificateStatus;
use crate::tls::store::TlsStore;
use crate::tls::table::TlsTable;
use crate::upstream::groups::UpstreamGroups;

/// How long a change waits for the listeners that it closes: some milliseconds, unless the machine
/// is in trouble.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A snapshot as an exchange holds it. The outer count belongs to one I/O thread, so that taking
/// and leaving a snapshot touches nothing that I/O threads share.
pub(crate) type CachedSnapshot = Arc<Arc<Snapshot>>;

/// The site in force, shared by all threads of the server and by the program that holds it.
///
/// Its fields are nobody else's: what is configured changes by [`Live::update`] and
/// [`Live::try_update`], as a whole or not at all.
#[derive(Debug)]
pub struct Live {
    /// Tells it from every other one of the process.
    id: u64,
    current: ArcSwap<Snapshot>,
    generation: AtomicU64,
    /// What the site in force was made of. Locked while a change is made, so that changes take
    /// turns.
    draft: Mutex<Arc<Draft>>,
    first: FirstListener,
    listeners: Arc<Listeners>,
    python: bool,
    access_logs: AccessLogs,
    tls: Arc<TlsStore>,
    obtaining: Arc<Obtaining>,
    upstream_groups: UpstreamGroups,
    files: Arc<FileStore>,
    /// Whether clients are answered already.
    is_serving: AtomicBool,
}

/// The snapshot that a thread saw last, and of which server.
struct ThreadCache {
    live: u64,
    generation: u64,
    snapshot: CachedSnapshot,
}

thread_local! {
    static CACHED: RefCell<Option<ThreadCache>> = const { RefCell::new(None) };
}

impl Live {
    /// Puts the first site in force.
    ///
    /// # Errors
    /// Every fault of the draft.
    pub(crate) fn new(
        first_listener: FirstListener,
        listeners: Arc<Listeners>,
        python: bool,
        draft: Draft,
    ) -> Result<Self, Faults> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        let (access_logs, tls) = (AccessLogs::default(), Arc::<TlsStore>::default());
        let obtaining = Obtaining::new(&tls);
        let opens = (&access_logs, &tls);
        let first = Snapshot::open(&draft, &first_listener, python, opens, None)?;
        let prepared = prepare(&listeners, &first, &draft)?;
        // Nothing that was open is closed.
        let _none = listeners.replace(prepared);
        let files = Arc::new(FileStore::new(&first.site.global.options.files));
        Ok(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            current: ArcSwap::from_pointee(first),
            generation: AtomicU64::new(0),
            draft: Mutex::new(Arc::new(draft)),
            first: first_listener,
            listeners,
            python,
            access_logs,
            tls,
            obtaining,
            upstream_groups: UpstreamGroups::default(),
            files,
            is_serving: AtomicBool::new(false),
        })
    }

    /// The snapshot in force now.
    pub fn current(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// A number that grows with each change. A snapshot that is taken after it was read belongs
    /// to this change or a later one.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The snapshot in force now, for an exchange on this I/O thread. Costs an atomic load and a
    /// count of this thread's own, unless there was a change since.
    pub(crate) fn cached(&self) -> CachedSnapshot {
        let generation = self.generation.load(Ordering::Acquire);
        CACHED.with_borrow_mut(|cached| match cached {
            Some(cached) if cached.live == self.id && cached.generation == generation => {
                cached.snapshot.clone()
            }
            _ => {
                let snapshot = CachedSnapshot::new(self.current.load_full());
                *cached =
                    Some(ThreadCache { live: self.id, generation, snapshot: snapshot.clone() });
                snapshot
            }
        })
    }

    /// What the site in force was made of.
    pub fn draft(&self) -> Arc<Draft> {
        self.lock().clone()
    }

    /// The files that this server has in memory.
    pub(crate) fn files(&self) -> &Arc<FileStore> {
        &self.files
    }

    /// What the upstreams of each scope carry.
    pub(crate) fn upstream_groups(&self) -> &UpstreamGroups {
        &self.upstream_groups
    }

    /// Waits until every line of the access logs is written, at most `timeout`.
    pub(crate) fn flush_access_logs(&self, timeout: Duration) {
        self.access_logs.flush(timeout);
    }

    /// Opens the files of the access logs anew, as after a rotation.
    pub(crate) fn reopen_access_logs(&self) {
        self.access_logs.reopen();
    }

    /// What is listened on from the start.
    pub fn first_listener(&self) -> &FirstListener {
        &self.first
    }

    /// Edits a draft of the site in force and puts it in force, whole or not at
    /// all. When this returns `Ok`, every request that begins afterwards sees
    /// the new site. Changes are made one after the other, so `change` makes no other one.
    ///
    /// # Errors
    /// Every fault of the draft; the site in force is then untouched.
    pub fn update<R>(&self, change: impl FnOnce(&mut Draft) -> R) -> Result<R, Faults> {
        self.try_update(|draft| Ok(change(draft)))
    }

    /// As [`Self::update`], for a change that can fail before anything is
    /// checked: then nothing happens.
    ///
    /// # Errors
    /// That of `change`, and every fault of the draft.
    pub fn try_update<R, E: From<Faults>>(
        &self,
        change: impl FnOnce(&mut Draft) -> Result<R, E>,
    ) -> Result<R, E> {
        let (outcome, closing) = self.make(change)?;
        // An I/O thread cannot wait for what it is to do itself.
        if tokio::runtime::Handle::try_current().is_err() {
            closing.wait(CLOSE_TIMEOUT);
        }
        Ok(outcome)
    }

    /// Makes a change; gives the listeners that it closes.
    fn make<R, E: From<Faults>>(
        &self,
        change: impl FnOnce(&mut Draft) -> Result<R, E>,
    ) -> Result<(R, ClosingListeners), E> {
        let mut draft = self.lock();
        let mut next = draft.copy();
        let outcome = change(&mut next)?;
        // Only where it matters: a whole replacement costs what it changes.
        next.replaced &= next.base != draft.base;
        let before = self.current.load_full();
        let previous = Some((&*before, &draft.routes));
        let opens = (&self.access_logs, &self.tls);
        let snapshot = Snapshot::open(&next, &self.first, self.python, opens, previous)?;
        let listeners = prepare(&self.listeners, &snapshot, &next)?;
        self.files.resize(&snapshot.site.global.options.files);
        let (site, tls) = (snapshot.site.clone(), snapshot.tls.clone());
        self.publish(snapshot);
        let closing = self.listeners.replace(listeners);
        if self.is_serving.load(Ordering::Relaxed) {
            self.obtain(&site);
            self.begin_to_present(&site, tls.as_deref(), before.tls.as_deref());
        }
        next.replaced = false;
        *draft = Arc::new(next);
        Ok((outcome, closing))
    }

    /// Clients are answered from now on: logs what they are presented where that is a
    /// certificate that was made now.
    pub(crate) fn start_serving(&self) {
        let _no_change = self.lock();
        self.is_serving.store(true, Ordering::Relaxed);
        let current = self.current.load();
        self.obtain(&current.site);
        self.begin_to_present(&current.site, current.tls.as_deref(), None);
    }

    /// Says which certificates are to be obtained. What was obtained before is presented when this
    /// returns.
    fn obtain(&self, site: &Site) {
        let is_spoken = site.service.speaks_tls();
        let wanted = if is_spoken { site.automatic_certificates() } else { Vec::new() };
        let is_on_demand = is_spoken && site.obtains_on_demand();
        self.obtaining.want(&site.service.acme, &self.tls, wanted, is_on_demand);
    }

    /// What obtains certificates.
    pub(crate) fn obtaining(&self) -> &Arc<Obtaining> {
        &self.obtaining
    }

    /// Says what clients are presented that nobody has made for this server, where that is so from
    /// now on. Not before they are: the configuration may name another one until then.
    fn begin_to_present(&self, site: &Site, tls: Option<&TlsTable>, before: Option<&TlsTable>) {
        self.tls.set_debug(tls.is_some() && site.global.options.debug);
        let Some(tls) = tls else { return };
        let is_same = |before: &TlsTable| Arc::ptr_eq(&before.global, &tls.global);
        if let Some(why) = tls.stand_in_reason(site).filter(|_| !before.is_some_and(is_same)) {
            tracing::warn!("{why}");
        }
    }

    /// Presents what stands in the files of certificates by now, to the connections that begin
    /// afterwards, and says which certificates end soon. Looks at the disk.
    pub(crate) fn renew_certificates(&self) {
        let Some(tls) = self.current.load().tls.clone() else { return };
        // Not while a change waits: there may be many files, and a slow disk.
        let outdated = tls.outdated();
        let renewed = if outdated.is_empty() {
            tls
        } else {
            let _no_change = self.lock();
            let snapshot = self.current.load().with_certificates_renewed(&outdated);
            let Some(tls) = snapshot.tls.clone() else { return };
            self.publish(snapshot);
            tls
        };
        renewed.look_at_expiry(OffsetDateTime::now_utc());
    }

    /// What is known of the certificates of the site in force.
    pub(crate) fn certificates(&self) -> Vec<CertificateStatus> {
        let snapshot = self.current.load();
        let status = |tls: &Arc<TlsTable>| tls.status(&snapshot.site, OffsetDateTime::now_utc());
        let mut all = snapshot.tls.as_ref().map(status).unwrap_or_default();
        acme::add_progress(&mut all, &self.obtaining.status());
        all
    }

    /// Puts a snapshot in force. Only while the draft is locked.
    fn publish(&self, snapshot: Snapshot) {
        self.current.store(Arc::new(snapshot));
        // After the store: who sees the new number finds the new snapshot.
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Checks a configuration as [`Self::update`] would, and changes nothing.
    ///
    /// # Errors
    /// Every fault.
    pub fn check(&self, config: &Config) -> Result<Vec<String>, Faults> {
        let draft = self.draft();
        let before = self.current();
        let next = Draft { config: config.clone(), ..draft.copy() };
        let previous = Some((&*before.site, &draft.routes));
        let site = snapshot::compile_site(&next, &self.first, self.python, previous)?;
        Ok(site.warnings)
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Draft>> {
        // A panic in a change leaves the draft as it was: it is edited as a copy.
        self.draft.lock()
    }
}

/// Opens the listeners of a site that is not in force yet.
///
/// # Errors
/// Every one that cannot be opened, at its place in the configuration.
fn prepare(
    listeners: &Listeners,
    snapshot: &Snapshot,
    draft: &Draft,
) -> Result<PreparedListeners, Faults> {
    listeners.prepare(&snapshot.site.service.listeners).map_err(|all| {
        let written = listed(&draft.config, &draft.base);
        let fault = |CannotListen { listener, cause }: CannotListen| {
            let is_it = |written: &Option<Listener>| {
                written.as_ref().is_some_and(|written| written.endpoint == listener.endpoint)
            };
            let place = Place::default().key("listen");
            let place = written.iter().position(is_it).map_or(place.clone(), |at| place.index(at));
            Fault {
                place,
                expected: "what can be listened on".into(),
                found: Some(format!("`{listener}`: {cause}")),
                hint: hint(&listener.endpoint, &cause),
            }
        };
        Faults(all.into_iter().map(fault).collect())
    })
}

impl LocalSite for Live {
    fn site_at(&self, host: &str, port: u16) -> Option<Arc<Site>> {
        let site = self.current().site.clone();
        let others = || site.service.listeners.iter().skip(1);
        let is_reached = self.first.is_reached_by(host, port)
            || others().any(|other| other.is_reached_by(host, port));
        is_reached.then_some(site)
    }
}

#[cfg(test)]
mod tests;
