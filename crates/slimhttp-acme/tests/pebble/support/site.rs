//! A server as ACME sees it, with everything that it stands among.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use rustls::sign::CertifiedKey;
use slimhttp_acme::{
    Acme, Certificate, CertificateStatus, Challenges, Clock, Install, Names, Setup, Timing,
};
use slimhttp_site::acme::{AcmeOptions, Identifier};
use tempfile::TempDir;

use super::dns::Dns;
use super::front::Front;
use super::pebble::{Pebble, Wishes};
use super::pki::pki;
use super::responder::Responder;
use super::{wait_for, wait_until_or};

/// The authority, the DNS, who answers challenges, and a folder.
pub(crate) struct World {
    pub(crate) pebble: Option<Pebble>,
    pub(crate) front: Front,
    pub(crate) dns: Dns,
    pub(crate) responder: Responder,
    pub(crate) folder: TempDir,
    pub(crate) wishes: Wishes,
    /// Whose challenges are answered, beside what is on disk.
    pub(crate) answered: Arc<Mutex<Option<Challenges>>>,
    /// Whether http-01 and tls-alpn-01 are answered wrongly.
    pub(crate) wrong: Arc<Mutex<[bool; 2]>>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(wish: impl FnOnce(&mut Wishes)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        pki().write(folder.path());
        let answered: Arc<Mutex<Option<Challenges>>> = Arc::default();
        let wrong: Arc<Mutex<[bool; 2]>> = Arc::default();
        // What is on disk alone: a process beside the one that orders.
        let stored = Acme::new(setup(
            Arc::new(AcmeOptions::new(folder.path())),
            Arc::new(Installed::default()),
            Arc::new(TestClock::default()),
        ))
        .challenges();
        let (own, beside, is_wrong) = (Arc::clone(&answered), stored.clone(), Arc::clone(&wrong));
        let answer = move |token: &str| {
            if is_wrong.lock()[0] {
                return Some("wrong".to_owned());
            }
            let own = own.lock().as_ref().and_then(|own| own.http01(token));
            own.map(|answer| answer.to_string()).or_else(|| beside.stored_http01(token))
        };
        let (own, is_wrong) = (Arc::clone(&answered), Arc::clone(&wrong));
        let present = move |name: &str| -> Option<Arc<CertifiedKey>> {
            if is_wrong.lock()[1] {
                return None;
            }
            let own = own.lock().as_ref().and_then(|own| own.tls_alpn01(name));
            own.or_else(|| stored.stored_tls_alpn01(name))
        };
        let responder = Responder::start(Arc::new(answer), Arc::new(present));
        let dns = Dns::start();
        let mut wishes = Wishes {
            http: responder.http,
            tls: responder.tls,
            dns: dns.address,
            refused_nonces: 0,
            reused_proofs: 0,
            external_keys: None,
            at_once: true,
        };
        wish(&mut wishes);
        let (pebble, front) = (Pebble::start(&wishes), Front::start());
        front.state.lock().behind = Some(pebble.address);
        let pebble = Some(pebble);
        Self { pebble, front, dns, responder, folder, wishes, answered, wrong }
    }

    /// The authority forgets everything.
    pub(crate) fn restart_authority(&mut self) {
        self.pebble = None;
        let pebble = Pebble::start(&self.wishes);
        self.front.state.lock().behind = Some(pebble.address);
        self.pebble = Some(pebble);
    }

    pub(crate) fn options(&self) -> AcmeOptions {
        AcmeOptions {
            directory: self.front.directory.clone().into(),
            ca: Some(self.folder.path().join("ca.pem")),
            email: Some("admin@example.com".into()),
            ..AcmeOptions::new(self.folder.path())
        }
    }

    pub(crate) fn site(&self) -> Site {
        self.site_with(self.options())
    }

    pub(crate) fn site_with(&self, options: AcmeOptions) -> Site {
        self.site_at(options, Arc::new(TestClock::default()), timing())
    }

    pub(crate) fn site_at(
        &self,
        options: AcmeOptions,
        clock: Arc<TestClock>,
        timing: Timing,
    ) -> Site {
        let installed = Arc::new(Installed::default());
        let mut setup = setup(Arc::new(options), Arc::clone(&installed), clock);
        setup.timing = timing;
        let acme = Acme::new(setup);
        *self.answered.lock() = Some(acme.challenges());
        Site { acme, installed }
    }

    /// The folder of the only authority.
    pub(crate) fn authority(&self) -> PathBuf {
        let storage = self.folder.path().join("acme");
        let mut folders = std::fs::read_dir(&storage).unwrap().map(|entry| entry.unwrap().path());
        folders.find(|path| !path.ends_with("challenges")).unwrap()
    }

    /// A file of a certificate.
    pub(crate) fn file(&self, certificate: &str, name: &str) -> PathBuf {
        self.authority().join("certificates").join(certificate).join(name)
    }
}

pub(crate) fn setup(
    options: Arc<AcmeOptions>,
    installer: Arc<Installed>,
    clock: Arc<TestClock>,
) -> Setup {
    Setup { options, installer, clock, timing: timing() }
}

/// Times for tests: what is hours takes seconds, and less.
pub(crate) fn timing() -> Timing {
    Timing {
        retry: Duration::from_millis(200),
        longest_retry: Duration::from_secs(2),
        pause: Duration::from_millis(200),
        longest_pause: Duration::from_secs(1),
        between: Duration::from_millis(10),
        shortest_check: Duration::from_secs(1),
        look: Duration::from_millis(200),
        attempt: Duration::from_secs(60),
    }
}

/// A server.
pub(crate) struct Site {
    pub(crate) acme: Acme,
    pub(crate) installed: Arc<Installed>,
}

impl Site {
    /// Waits for the certificate for these names.
    #[track_caller]
    pub(crate) fn certificate(&self, wanted: &str) -> Arc<Certificate> {
        let names = names(wanted);
        let found = || self.installed.latest(&names);
        wait_until_or(
            || found().filter(|it| it.names == names),
            || format!("a certificate for {names}: {:#?}", self.acme.status()),
        )
    }

    #[track_caller]
    pub(crate) fn status(&self, wanted: &str) -> CertificateStatus {
        let names = names(wanted);
        self.acme.status().into_iter().find(|status| status.names == names).unwrap()
    }

    /// Waits until a certificate has failed; why.
    #[track_caller]
    pub(crate) fn failure(&self, wanted: &str) -> CertificateStatus {
        wait_for("a failure", || Some(self.status(wanted)).filter(|it| it.last_error.is_some()))
    }
}

/// What was installed, in order.
#[derive(Default)]
pub(crate) struct Installed {
    all: Mutex<HashMap<Names, Vec<Arc<Certificate>>>>,
}

impl Installed {
    pub(crate) fn latest(&self, names: &Names) -> Option<Arc<Certificate>> {
        self.all.lock().get(names)?.last().cloned()
    }

    pub(crate) fn count(&self, wanted: &str) -> usize {
        self.all.lock().get(&names(wanted)).map_or(0, Vec::len)
    }
}

impl Install for Installed {
    fn install(&self, wanted: &Names, certificate: Arc<Certificate>) {
        self.all.lock().entry(wanted.clone()).or_default().push(certificate);
    }
}

/// The system's clock, moved.
#[derive(Default)]
pub(crate) struct TestClock {
    ahead: Mutex<Duration>,
}

impl TestClock {
    pub(crate) fn set_ahead(&self, ahead: Duration) {
        *self.ahead.lock() = ahead;
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        SystemTime::now() + *self.ahead.lock()
    }
}

/// The names of a text with blanks between.
pub(crate) fn names(text: &str) -> Names {
    Names::new(text.split(' ').map(|name| Identifier::parse(name).unwrap())).unwrap()
}
