//! What everything above shares: the options, the folder, the authority, the answers to its
//! challenges.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use parking_lot::{Mutex, RwLock};
use slimhttp_site::acme::{AcmeOptions, DnsWay, Identifier};

use crate::challenges::Challenges;
use crate::clock::Clock;
use crate::dns::{self, DnsProvider};
use crate::failure::Failure;
use crate::https::{self, Https, Url};
use crate::protocol::Authority;
use crate::random;
use crate::renewal::{Timing, pause_until};
use crate::store::{Pause, Store};

/// One for each [`Acme`](crate::Acme). Used on the thread `slimhttp-acme`, but for what
/// `Challenges` says of itself, and for what is set by a program.
pub(crate) struct Context {
    pub(crate) options: Arc<AcmeOptions>,
    pub(crate) store: Store,
    pub(crate) challenges: Challenges,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timing: Timing,
    /// What tells these options from others, keys included.
    pub(crate) digest: String,
    /// Made when it is first needed, for that reads files.
    authority: Mutex<Option<Arc<Authority>>>,
    /// What a program has given.
    dns: RwLock<Option<Arc<dyn DnsProvider>>>,
    judge: RwLock<Option<Arc<dyn Judge>>>,
    /// How many orders in turn the authority has refused because there were too many.
    limited: AtomicU32,
}

/// What an implementor of [`Judge`] gives back.
pub type JudgeFuture<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// Decides whether a name that nobody has written down may have a certificate.
///
/// Called on the thread `slimhttp-acme`, which a future must not block. It is dropped where it
/// takes longer than `timeout` of the options, which is as good as no.
pub trait Judge: Send + Sync + 'static {
    /// Whether `name`, a host name in normal form, may have one.
    fn allows<'a>(&'a self, name: &'a str) -> JudgeFuture<'a>;
}

impl Context {
    pub(crate) fn new(options: Arc<AcmeOptions>, clock: Arc<dyn Clock>, timing: Timing) -> Self {
        let store = Store::new(&options.storage, &options.directory);
        let challenges = Challenges::new(&options.storage);
        let digest = digest_of(&options);
        Self {
            options,
            digest,
            store,
            challenges,
            clock,
            timing,
            authority: Mutex::new(None),
            dns: RwLock::new(None),
            judge: RwLock::new(None),
            limited: AtomicU32::new(0),
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// The authority, which is not asked by this.
    ///
    /// # Errors
    /// Its URL, or the certificates that it is verified by, cannot be used.
    pub(crate) fn authority(&self) -> Result<Arc<Authority>, Failure> {
        let mut authority = self.authority.lock();
        if let Some(authority) = &*authority {
            return Ok(Arc::clone(authority));
        }
        let url = Url::parse(&self.options.directory)?;
        let https = Https::new(https::config(self.options.ca.as_deref())?);
        let made = Arc::new(Authority::new(url, https, Arc::clone(&self.clock)));
        *authority = Some(Arc::clone(&made));
        Ok(made)
    }

    /// Who sets records: as the configuration says, else as a program does.
    ///
    /// # Errors
    /// Nobody does, or not as the configuration says.
    pub(crate) fn dns(&self) -> Result<Arc<dyn DnsProvider>, String> {
        let nobody = "nobody sets records: name a program or a server by `acme.dns`, or give a \
                      function to `acme_dns`";
        match dns::configured(&self.options.dns)? {
            Some(provider) => Ok(provider),
            None => self.dns.read().clone().ok_or_else(|| nobody.to_owned()),
        }
    }

    pub(crate) fn set_dns(&self, provider: Option<Arc<dyn DnsProvider>>) {
        *self.dns.write() = provider;
    }

    pub(crate) fn set_judge(&self, judge: Option<Arc<dyn Judge>>) {
        *self.judge.write() = judge;
    }

    /// Whether a name that nobody has written down may have a certificate.
    pub(crate) async fn allows(&self, name: &Identifier) -> bool {
        let Some(options) = &self.options.on_demand else { return false };
        if options.allows(name) {
            return true;
        }
        let judge = self.judge.read().clone();
        let (Some(judge), Some(name)) = (judge, name.name()) else { return false };
        tokio::time::timeout(options.timeout, judge.allows(name)).await.unwrap_or(false)
    }

    /// Until when the authority is not asked, where that is not over.
    pub(crate) fn paused(&self) -> Option<SystemTime> {
        let pause = self.store.pause().ok()??;
        let is_ours = pause.options.is_none_or(|options| options == self.digest);
        (is_ours && pause.until > self.now()).then_some(pause.until)
    }

    /// What an order that came to something says of the authority.
    pub(crate) fn record_success(&self) -> Result<(), Failure> {
        self.limited.store(0, Ordering::Relaxed);
        if self.store.pause()?.is_some() {
            self.store.write_pause(None)?;
        }
        Ok(())
    }

    /// What a failure says of the authority: one that is down, or refuses order after order
    /// because there were too many, is not asked for a while.
    pub(crate) fn record_failure(&self, failure: &Failure) -> Result<(), Failure> {
        const MOST_LIMITED: u32 = 3;
        if let Some(authority) = &*self.authority.lock() {
            authority.forget_directory();
        }
        let is_limited = failure.is("rateLimited");
        let limited = if is_limited { self.limited.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 };
        if !failure.is_of_authority() && limited < MOST_LIMITED {
            return Ok(());
        }
        let failures = self.store.pause()?.map_or(0, |pause| pause.failures).saturating_add(1);
        // A limit may be one of some names alone: each of those waits for itself.
        let allowed = failure.retry_after().filter(|_| failure.is_of_authority());
        let chance = random::fraction();
        let until = pause_until(self.now(), failures, allowed, &self.timing, chance);
        let options = allowed.is_none().then(|| self.digest.clone());
        let reason = failure.to_string();
        self.store.write_pause(Some(&Pause { until, failures, reason, options }))
    }
}

/// What tells options from others, keys included.
pub(crate) fn digest_of(options: &AcmeOptions) -> String {
    let secrets = [
        options.eab.as_ref().map(|account| &account.key),
        match &options.dns.way {
            Some(DnsWay::Update(update)) => update.key.as_ref().map(|key| &key.secret),
            _ => None,
        },
    ];
    let secrets = secrets.map(|secret| secret.map(|secret| Arc::clone(&secret.0)));
    let text = format!("{options:?} {secrets:?}");
    HEXLOWER.encode(&digest::digest(&digest::SHA256, text.as_bytes()).as_ref()[..8])
}
