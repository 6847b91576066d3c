//! Certificates that the server obtains by itself. Who obtains them stands above this room: it puts
//! what it was given into [`AutomaticCertificates`], by names, and connections that begin afterwards
//! present it. No snapshot is made for that, for nothing that is configured changes.
//!
//! Read by I/O threads while they shake hands, written by whoever obtains; the locks are held for a
//! look-up.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use slimhttp_site::tls::AutomaticNames;

use crate::tls::key_pair::{self, Presentable};
use crate::tls::provider::provider;

/// The protocol by which an authority looks whether a name leads here (RFC 8737 section 6.2).
pub(crate) const CHALLENGE_PROTOCOL: &[u8] = b"acme-tls/1";

/// A certificate that is obtained, or is to be.
#[derive(Debug)]
pub(crate) struct AutomaticCertificate {
    pub(crate) names: AutomaticNames,
    current: ArcSwapOption<Presentable>,
}

impl AutomaticCertificate {
    /// What was obtained last.
    pub(crate) fn current(&self) -> Option<Arc<Presentable>> {
        self.current.load_full()
    }
}

/// What a handshake waits for.
pub(crate) type Obtained = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Obtains certificates for names that nobody has configured, when they are asked for.
pub(crate) trait OnDemand: Send + Sync {
    /// Ends when there is a certificate for `name`, or there will be none. It has as long as a
    /// handshake may take, and is dropped then.
    fn obtain(&self, name: &str) -> Obtained;
}

/// The certificate that an authority is shown, if there is one.
pub(crate) type ChallengeCertificate =
    Pin<Box<dyn Future<Output = Option<Arc<CertifiedKey>>> + Send>>;

/// Has what authorities are shown who look whether a name leads here, as they ask for it: an
/// address is asked for by its name in the DNS (RFC 8738 section 6).
pub(crate) trait ChallengeCertificates: Send + Sync {
    /// That for `name`. It may have to be read from a disk.
    fn certificate(&self, name: &str) -> ChallengeCertificate;
}

/// All of them.
#[derive(Default)]
pub(crate) struct AutomaticCertificates {
    certificates: Mutex<HashMap<AutomaticNames, Arc<AutomaticCertificate>>>,
    challenges: OnceLock<Arc<dyn ChallengeCertificates>>,
    on_demand: OnceLock<Arc<dyn OnDemand>>,
}

impl AutomaticCertificates {
    /// That for exactly these names, which the configuration asks for.
    pub(crate) fn of(&self, names: &AutomaticNames) -> Arc<AutomaticCertificate> {
        let mut certificates = self.certificates.lock();
        let made = certificates.entry(Arc::clone(names)).or_insert_with(|| {
            Arc::new(AutomaticCertificate {
                names: Arc::clone(names),
                current: ArcSwapOption::empty(),
            })
        });
        Arc::clone(made)
    }

    /// That for this one name, if it was obtained.
    pub(super) fn obtained(&self, name: &str) -> Option<Arc<AutomaticCertificate>> {
        let names: [Arc<str>; 1] = [name.into()];
        let certificates = self.certificates.lock();
        certificates.get(&names[..]).filter(|known| known.current.load().is_some()).cloned()
    }

    /// What authorities are shown for a name.
    pub(super) fn challenge(&self, name: &str) -> Option<ChallengeCertificate> {
        Some(self.challenges.get()?.certificate(name))
    }

    pub(super) fn on_demand(&self) -> Option<&Arc<dyn OnDemand>> {
        self.on_demand.get()
    }

    /// All that are known, obtained or not.
    pub(super) fn all(&self) -> Vec<Arc<AutomaticCertificate>> {
        self.certificates.lock().values().cloned().collect()
    }
}

/// What the part that obtains certificates calls.
impl AutomaticCertificates {
    /// Presents a certificate for these names from now on, in place of the one before.
    ///
    /// # Errors
    /// It cannot be understood.
    pub(crate) fn install(
        &self,
        names: &AutomaticNames,
        certified_key: &Arc<CertifiedKey>,
    ) -> Result<(), &'static str> {
        let presentable = key_pair::of_key(certified_key)?;
        self.of(names).current.store(Some(Arc::new(presentable)));
        Ok(())
    }

    /// Forgets what was obtained for names that are not asked for any more.
    pub(crate) fn forget(&self, names: &AutomaticNames) {
        self.certificates.lock().remove(names);
    }

    /// Has handshakes of authorities answered; once.
    pub(crate) fn set_challenges(&self, challenges: Arc<dyn ChallengeCertificates>) {
        let _ = self.challenges.set(challenges);
    }

    /// Has handshakes wait for names that nobody has configured; once.
    pub(crate) fn set_on_demand(&self, on_demand: Arc<dyn OnDemand>) {
        let _ = self.on_demand.set(on_demand);
    }
}

/// What a handshake with an authority begins with that looks whether a name leads here: this
/// certificate, and its own protocol (RFC 8737 section 3).
pub(crate) fn challenge_config(certificate: Arc<CertifiedKey>) -> Arc<ServerConfig> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs supports the default versions of TLS")
        .with_no_client_auth();
    let mut config = config.with_cert_resolver(Arc::new(Challenge(certificate)));
    config.alpn_protocols = vec![CHALLENGE_PROTOCOL.to_vec()];
    config.send_tls13_tickets = 0;
    Arc::new(config)
}

/// One certificate, whatever the client can take.
#[derive(Debug)]
struct Challenge(Arc<CertifiedKey>);

impl ResolvesServerCert for Challenge {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl std::fmt::Debug for AutomaticCertificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = self.certificates.lock().len();
        f.debug_struct("AutomaticCertificates").field("known", &known).finish_non_exhaustive()
    }
}
