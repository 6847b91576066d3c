//! Certificates that the server obtains by itself (RFC 8555). What the site in force asks for goes
//! to the crate slimhttp-acme, what that obtains goes to where TLS presents it, and what an
//! authority looks for is answered with what it says.
//!
//! `Live` tells it what is wanted, on the thread that makes a change, which may wait for the disk.
//! I/O threads ask it for the answers to challenges, and wait for certificates that clients ask for
//! first; they block on nothing. The thread `slimhttp-acme` does everything else.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use slimhttp_acme::{
    Acme, Certificate, CertificateStatus as Progress, Challenges, DnsProvider, Install, Judge,
    Names, Setup, StoredCertificate, SystemClock, Timing, stored_certificates,
};
use slimhttp_site::acme::{AcmeOptions, Identifier};
use slimhttp_site::tls::AutomaticNames;
use time::OffsetDateTime;

use crate::tls::automatic::{ChallengeCertificate, ChallengeCertificates, Obtained, OnDemand};
use crate::tls::status::{CertificateSource, CertificateStatus, of_automatic};
use crate::tls::store::TlsStore;

/// What obtains certificates for one server. Made with it, and idle until a site asks for one.
#[derive(Default)]
pub(crate) struct Obtaining {
    /// What runs, with the options by which it does. Locked while a change says what is wanted.
    running: Mutex<Option<Running>>,
    /// The same for I/O threads; they hold no lock.
    current: ArcSwapOption<Acme>,
    dns: Mutex<Option<Arc<dyn DnsProvider>>>,
    judge: Mutex<Option<Arc<dyn Judge>>>,
    has_stopped: AtomicBool,
}

struct Running {
    options: Arc<AcmeOptions>,
    acme: Arc<Acme>,
    installer: Arc<Installer>,
}

impl std::fmt::Debug for Obtaining {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let is_running = self.current.load().is_some();
        f.debug_struct("Obtaining").field("is_running", &is_running).finish_non_exhaustive()
    }
}

impl Obtaining {
    /// One whose certificates `store` presents.
    pub(crate) fn new(store: &TlsStore) -> Arc<Self> {
        let this = Arc::<Self>::default();
        let asked: Weak<Self> = Arc::downgrade(&this);
        store.automatic.set_on_demand(Arc::new(Asked(asked.clone())));
        store.automatic.set_challenges(Arc::new(Asked(asked)));
        this
    }

    /// Says which certificates the site in force asks for, all of them, and by which options. With
    /// other options than before everything begins anew: what is on disk stays.
    ///
    /// What is on disk already is presented when this returns.
    pub(crate) fn want(
        &self,
        options: &Arc<AcmeOptions>,
        store: &Arc<TlsStore>,
        wanted: Vec<AutomaticNames>,
        is_on_demand: bool,
    ) {
        let wanted = by_names(wanted);
        let mut running = self.running.lock();
        if self.has_stopped.load(Ordering::Relaxed) {
            return;
        }
        if running.as_ref().is_some_and(|running| running.options != *options) {
            self.current.store(None);
            // It lets go of its locks before the next one asks for them.
            *running = None;
        }
        if running.is_none() && wanted.is_empty() && !is_on_demand {
            return;
        }
        let running = running.get_or_insert_with(|| self.start(options, store));
        self.current.store(Some(running.acme.clone()));
        if running.installer.expect(&wanted) {
            running.acme.want(wanted.into_keys());
        }
    }

    fn start(&self, options: &Arc<AcmeOptions>, store: &Arc<TlsStore>) -> Running {
        let installer = Arc::new(Installer { store: store.clone(), expected: Mutex::default() });
        let acme = Arc::new(Acme::new(Setup {
            options: options.clone(),
            installer: installer.clone(),
            clock: Arc::new(SystemClock),
            timing: Timing::default(),
        }));
        acme.set_dns_provider(self.dns.lock().clone());
        acme.set_judge(self.judge.lock().clone());
        Running { options: options.clone(), acme, installer }
    }

    /// Obtains nothing any more: the server ends, or another one takes over, which has the locks
    /// then. What is under way is waited for on a thread of its own, for two seconds at most.
    pub(crate) fn stop(&self) {
        let mut running = self.running.lock();
        self.has_stopped.store(true, Ordering::Relaxed);
        self.current.store(None);
        if let Some(running) = running.take() {
            let stopping = std::thread::Builder::new().name("slimhttp-acme-end".to_owned());
            // Without a thread it is waited for here.
            let _ = stopping.spawn(move || drop(running));
        }
    }

    /// The answers to challenges, where certificates are obtained.
    pub(crate) fn challenges(&self) -> Option<Challenges> {
        self.current.load().as_ref().map(|acme| acme.challenges())
    }

    /// Has records of dns-01 set by a function of the program.
    pub(crate) fn set_dns_provider(&self, provider: Option<Arc<dyn DnsProvider>>) {
        self.dns.lock().clone_from(&provider);
        if let Some(acme) = &*self.current.load() {
            acme.set_dns_provider(provider);
        }
    }

    /// Has a function of the program decide which names may have a certificate on demand.
    pub(crate) fn set_judge(&self, judge: Option<Arc<dyn Judge>>) {
        self.judge.lock().clone_from(&judge);
        if let Some(acme) = &*self.current.load() {
            acme.set_judge(judge);
        }
    }

    /// How they stand.
    pub(crate) fn status(&self) -> Vec<Progress> {
        self.current.load().as_ref().map(|acme| acme.status()).unwrap_or_default()
    }
}

/// The certificates that are asked for, each with the lists of names that come to it: the order of
/// names does not matter to it, and a name that is none is a fault of the configuration already.
fn by_names(wanted: Vec<AutomaticNames>) -> HashMap<Names, Vec<AutomaticNames>> {
    let mut all: HashMap<Names, Vec<AutomaticNames>> = HashMap::new();
    for written in wanted {
        let read = written.iter().filter_map(|name| Identifier::parse(name).ok());
        let Some(names) = Names::new(read) else { continue };
        let lists = all.entry(names).or_default();
        if !lists.contains(&written) {
            lists.push(written);
        }
    }
    all
}

/// The list of a certificate that nobody has written down.
fn list_of(names: &Names) -> AutomaticNames {
    names.iter().map(|name| Arc::from(name.to_string())).collect()
}

/// Puts what is obtained where it is presented.
struct Installer {
    store: Arc<TlsStore>,
    /// What the site asks for.
    expected: Mutex<HashMap<Names, Vec<AutomaticNames>>>,
}

impl Installer {
    /// From now on these are what the site asks for; others are forgotten. Whether anything is
    /// other than before.
    fn expect(&self, wanted: &HashMap<Names, Vec<AutomaticNames>>) -> bool {
        let mut expected = self.expected.lock();
        if *expected == *wanted {
            return false;
        }
        let before = std::mem::replace(&mut *expected, wanted.clone());
        drop(expected);
        let wanted: HashSet<_> = wanted.values().flatten().collect();
        for names in before.values().flatten().filter(|names| !wanted.contains(names)) {
            self.store.automatic.forget(names);
        }
        true
    }
}

impl Install for Installer {
    fn install(&self, wanted: &Names, certificate: Arc<Certificate>) {
        let lists = self.expected.lock().get(wanted).cloned();
        // Nobody has written the name down: a client has asked for it.
        let lists = lists.unwrap_or_else(|| vec![list_of(wanted)]);
        for names in lists {
            if let Err(why) = self.store.automatic.install(&names, &certificate.certified_key) {
                tracing::error!("the certificate for {wanted} cannot be presented: {why}");
            }
        }
    }
}

/// Asked by handshakes; ends with the server.
struct Asked(Weak<Obtaining>);

impl OnDemand for Asked {
    fn obtain(&self, name: &str) -> Obtained {
        let acme = self.0.upgrade().and_then(|obtaining| obtaining.current.load_full());
        let asked = acme.map(|acme| acme.on_demand(name));
        let name = name.to_owned();
        Box::pin(async move {
            if let Some(asked) = asked
                && let Err(refusal) = asked.await
            {
                tracing::debug!("no certificate on demand for {name}: {refusal}");
            }
        })
    }
}

impl ChallengeCertificates for Asked {
    fn certificate(&self, name: &str) -> ChallengeCertificate {
        let challenges = self.0.upgrade().and_then(|obtaining| obtaining.challenges());
        let name = name.to_owned();
        Box::pin(async move {
            let challenges = challenges?;
            if let Some(presented) = challenges.tls_alpn01(&name) {
                return Some(presented);
            }
            // That of another process with the same storage; it looks at the disk.
            let stored = move || challenges.stored_tls_alpn01(&name);
            tokio::task::spawn_blocking(stored).await.ok().flatten()
        })
    }
}

/// Puts what is stored of the certificates that are asked for where it would be presented, for who
/// asks without a server. Gives how all that are stored stand. Reads files.
///
/// # Errors
/// The storage cannot be read.
pub(crate) fn load(
    options: &AcmeOptions,
    store: &TlsStore,
    wanted: Vec<AutomaticNames>,
) -> io::Result<Vec<Progress>> {
    let wanted = by_names(wanted);
    let mut all = Vec::new();
    for StoredCertificate { mut status, certificate } in stored_certificates(options)? {
        let lists = wanted.get(&status.names);
        status.on_demand &= lists.is_none();
        let lists = match lists {
            Some(lists) => lists.clone(),
            None if status.on_demand => vec![list_of(&status.names)],
            // It was asked for once, and stays on disk.
            None => continue,
        };
        if let Some(certificate) = certificate {
            for names in &lists {
                // What cannot be understood would not be presented either.
                let _ = store.automatic.install(names, &certificate.certified_key);
            }
        }
        all.push(status);
    }
    Ok(all)
}

/// What TLS knows of those that [`load`] has found which nobody has written down.
pub(crate) fn on_demand(
    stored: &[Progress],
    store: &TlsStore,
    now: OffsetDateTime,
) -> Vec<CertificateStatus> {
    let own = stored.iter().filter(|status| status.on_demand);
    own.map(|status| of_automatic(&store.automatic.of(&list_of(&status.names)), now)).collect()
}

/// Adds to what TLS knows of certificates how far those are that are obtained.
pub(crate) fn add_progress(all: &mut [CertificateStatus], progress: &[Progress]) {
    let by_names: HashMap<_, _> = progress.iter().map(|it| (&it.names, it)).collect();
    let obtained = all.iter_mut().filter(|status| status.source == CertificateSource::Automatic);
    for status in obtained {
        let names = status.names.iter().filter_map(|name| Identifier::parse(name).ok());
        let Some(names) = Names::new(names) else { continue };
        let Some(of_names) = by_names.get(&names) else { continue };
        status.fault = of_names.last_error.clone();
        status.attempts = of_names.attempts;
        status.next_attempt = of_names.next_attempt;
    }
}

#[cfg(test)]
mod tests;
