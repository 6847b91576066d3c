//! Which certificate and which policy a connection begins with: a table of what the scopes of a
//! site say, opened. It is a part of a snapshot and immutable.
//!
//! It is opened by whoever changes the site, who waits for the disk, and costs what a change
//! changes: scopes that say the same are taken over by reference, and a file that several of them
//! name is read once. I/O threads ask it once for each handshake, by the name that the client asks
//! for ([`TlsTable::choose`]), and again for a request that names another host
//! ([`TlsTable::belongs`]).

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::ServerConfig;
use slimhttp_site::fault::{Fault, Faults, Place};
use slimhttp_site::site::{Scope, Site};
use slimhttp_site::tls::{CertificateFiles, Certificates, TlsRules};
use time::OffsetDateTime;

use crate::tls::authorities::Authorities;
use crate::tls::automatic::{ChallengeCertificate, Obtained};
use crate::tls::pair::Pair;
use crate::tls::policy::Policy;
use crate::tls::presented::{Presented, Source};
use crate::tls::session::{TlsSession, host_of};
use crate::tls::store::TlsStore;

mod opening;

use opening::Opening;
pub(crate) use opening::Outdated;

/// What the scopes of a site present and demand.
#[derive(Clone, Debug)]
pub(crate) struct TlsTable {
    pub(super) store: Arc<TlsStore>,
    /// What holds where no virtual host says anything else, and for clients that ask for no host.
    pub(crate) global: Arc<Entry>,
    /// That of the virtual hosts that say something, by the name of their scope.
    hosts: imbl::HashMap<Arc<str>, Arc<Entry>>,
    pairs: Pool<CertificateFiles, Pair>,
    authorities: Pool<Arc<Path>, Authorities>,
}

/// What connections begin with.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What it was made of.
    rules: TlsRules,
    pub(super) policy: Arc<Policy>,
    pub(crate) presented: Arc<Presented>,
    /// Made when the first connection begins with it.
    config: OnceLock<Arc<ServerConfig>>,
}

impl Entry {
    fn new(rules: TlsRules, policy: Arc<Policy>, presented: Arc<Presented>) -> Arc<Self> {
        Arc::new(Self { rules, policy, presented, config: OnceLock::new() })
    }

    /// What rustls begins a connection with.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let made = || self.policy.config(self.presented.clone());
        Arc::clone(self.config.get_or_init(made))
    }
}

/// Whether a request has come by the right connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belonging {
    /// It has.
    Here,
    /// The client was shown a certificate that is not for the host.
    OtherCertificate,
    /// Something else holds for connections of that host.
    OtherDemands,
}

/// What files hold, and how many entries name each.
type Pool<K, V> = imbl::HashMap<K, (usize, Arc<V>)>;

impl TlsTable {
    /// Opens what a site names. What `previous` has open already is not read again, but for the
    /// certificate of the global level where its files are others by now.
    ///
    /// # Errors
    /// Every fault of what is there.
    pub(crate) fn open(
        site: &Site,
        previous: Option<(&Arc<Self>, &Site)>,
        store: &Arc<TlsStore>,
    ) -> Result<Arc<Self>, Faults> {
        Opening::run(site, previous, store)
    }

    /// The files that are others than those that were read. Looks at the disk.
    pub(crate) fn outdated(&self) -> Outdated {
        Outdated {
            pairs: self
                .pairs
                .values()
                .filter(|(_, pair)| pair.is_outdated())
                .map(|(_, pair)| pair.files.clone())
                .collect(),
            authorities: self
                .authorities
                .iter()
                .filter(|(_, (_, authorities))| authorities.is_outdated())
                .map(|(path, _)| Arc::clone(path))
                .collect(),
        }
    }

    /// The same site with what stands in these files by now.
    pub(crate) fn renewed(self: &Arc<Self>, site: &Site, outdated: &Outdated) -> Arc<Self> {
        Opening::renew(self, site, outdated)
    }

    /// What a connection begins with that asks for a host, or for none.
    pub(crate) fn choose(&self, site: &Site, name: Option<&str>, port: u16) -> Arc<Entry> {
        let Some(name) = name.map(host_of) else { return Arc::clone(&self.global) };
        self.of_name(site, site.scope_for(name, port), name)
    }

    /// What a connection begins with that asks for a name, which leads to this scope.
    fn of_name(&self, site: &Site, scope: &Scope, name: &str) -> Arc<Entry> {
        let own = self.of_host(scope);
        let entry = own.unwrap_or(&self.global);
        if own.is_some_and(|own| own.rules.are_own) {
            return Arc::clone(entry);
        }
        match self.inherited(site, scope, name) {
            None => Arc::clone(entry),
            Some(presented) if Arc::ptr_eq(&presented, &entry.presented) => Arc::clone(entry),
            Some(presented) => {
                Entry::new(entry.rules.clone(), Arc::clone(&entry.policy), presented)
            }
        }
    }

    /// That of a virtual host that says something.
    fn of_host(&self, scope: &Scope) -> Option<&Arc<Entry>> {
        self.hosts.get(scope.name.as_ref()?)
    }

    /// What is presented for a host whose scope names no certificate itself: one that is obtained
    /// for this name, if there is one. `None`: what the global level names.
    fn inherited(&self, site: &Site, scope: &Scope, name: &str) -> Option<Arc<Presented>> {
        if let Some(owner) = site.names_further(name) {
            let owner = self.of_host(owner).unwrap_or(&self.global);
            return Some(Arc::clone(&owner.presented));
        }
        if !self.is_automatic() {
            return None;
        }
        let automatic = &self.store.automatic;
        let TlsRules { certificates, until_issued, .. } = site.tls_of(scope);
        let certificate = match (&scope.name, certificates) {
            // Nobody has configured it; it was obtained on demand.
            (None, _) => automatic.obtained(name)?,
            (Some(_), Certificates::Automatic(names)) => automatic.of(&names),
            (Some(_), _) => return None,
        };
        let stand_in = self.store.stand_in();
        Some(Arc::new(Presented::automatic(certificate, until_issued, stand_in)))
    }

    /// What a handshake has to wait for that asks for a host of which nothing is configured, before
    /// [`Self::choose`]: that a certificate is obtained for it.
    pub(crate) fn awaited(&self, site: &Site, name: Option<&str>, port: u16) -> Option<Obtained> {
        let on_demand = self.store.automatic.on_demand()?;
        let name = host_of(name?);
        let is_configured = site.scope_for(name, port).name.is_some()
            || site.names_further(name).is_some()
            || !self.is_automatic();
        let is_known = || self.store.automatic.obtained(name).is_some();
        (!is_configured && !is_known()).then(|| on_demand.obtain(name))
    }

    /// What an authority is shown that looks whether a name leads here.
    pub(crate) fn challenge(&self, name: Option<&str>) -> Option<ChallengeCertificate> {
        self.store.automatic.challenge(name?)
    }

    /// Whether all hosts have the same certificates and the same policy.
    fn is_uniform(&self, site: &Site) -> bool {
        self.hosts.is_empty() && site.tls.further_names.is_empty() && !self.is_automatic()
    }

    /// Whether virtual hosts that say nothing have automatic certificates of their own.
    fn is_automatic(&self) -> bool {
        matches!(self.global.rules.certificates, Certificates::Automatic(_))
    }

    /// What the connections begin with of the global level and of each virtual host that has
    /// certificates or a policy of its own, with its key.
    pub(super) fn entries<'s>(&self, site: &'s Site) -> Vec<(Option<&'s Arc<str>>, Arc<Entry>)> {
        let hosts = site.hosts.iter().map(|(_, scope)| scope);
        let differing = hosts.filter(|scope| scope.tls.is_some() || self.is_automatic());
        let named = differing.filter_map(|scope| {
            let entry = self.of_name(site, scope, &scope.certificate_name()?);
            Some((scope.name.as_ref(), entry))
        });
        let mut entries: Vec<_> = named.collect();
        entries.sort_by_key(|(name, _)| *name);
        entries.insert(0, (None, Arc::clone(&self.global)));
        entries
    }

    /// Whether a request for the host that the client has asked for as it connected belongs on its
    /// connection, as far as that is known without a look at any host.
    pub(crate) fn is_known_to_belong(
        &self,
        site: &Site,
        session: &TlsSession,
        snapshot: u64,
        is_asked_for: impl FnOnce(&str) -> bool,
    ) -> bool {
        if self.is_uniform(site) {
            return self.global.policy.key == session.entry.policy.key;
        }
        session.is_verified_in(snapshot) && session.server_name.as_deref().is_some_and(is_asked_for)
    }

    /// Whether a request for `host` (in normal form) at `port` belongs on a connection that has
    /// `arrived_at` a port: one that had asked for this host would have the same policy, and the
    /// same certificates, or this one has a certificate that is for this host too (RFC 9110 section
    /// 15.5.20, RFC 9113 section 9.1.1).
    pub(crate) fn belongs(
        &self,
        site: &Site,
        session: &TlsSession,
        (host, port): (Option<&str>, u16),
        (arrived_at, snapshot): (u16, u64),
    ) -> Belonging {
        let (wanted, begun) = (self.choose(site, host, port), &session.entry);
        if wanted.policy.key != begun.policy.key {
            return Belonging::OtherDemands;
        }
        let server_name = session.server_name.as_deref();
        let Some(host) = host else { return Belonging::Here };
        if Some(host) == server_name {
            session.set_verified_in(snapshot);
            return Belonging::Here;
        }
        let is_same = |entry: &Entry| wanted.presented.is_same_source(&entry.presented);
        // A certificate that was exchanged meanwhile parts no hosts that have it in common.
        match is_same(begun)
            || is_same(&self.choose(site, server_name, arrived_at))
            || begun.presented.covers(host)
        {
            true => Belonging::Here,
            false => Belonging::OtherCertificate,
        }
    }

    /// Says in the log which certificates end soon, or have.
    pub(crate) fn look_at_expiry(&self, now: OffsetDateTime) -> Vec<String> {
        let obtained = self.store.automatic.all().into_iter().filter_map(|certificate| {
            let read = certificate.current()?;
            Some((certificate.names.join(", "), read))
        });
        let obtained: Vec<_> = obtained.collect();
        let obtained = || obtained.iter().map(|(names, read)| (names, &read.facts));
        let read = || {
            let pairs = self.pairs.values().map(|(_, pair)| pair);
            pairs.filter_map(|pair| Some((&pair.files, &pair.read.as_ref()?.facts)))
        };
        let mut log = self.store.expiry.lock();
        let mut lines = log.tell(read(), now);
        lines.extend(log.tell(obtained(), now));
        let all = read().map(|(_, facts)| facts).chain(obtained().map(|(_, facts)| facts));
        log.retain(all);
        lines
    }

    /// Why the certificate of the global level is one that the server has made, if it is. Where
    /// virtual hosts have certificates of their own, it is for clients that ask for none of them,
    /// and nothing is to be said.
    pub(crate) fn stand_in_reason(&self, site: &Site) -> Option<String> {
        let presented = &self.global.presented;
        if !presented.is_stand_in() || site.tls.hosts.values().any(|own| own.certificates.is_some())
        {
            return None;
        }
        Some(match &presented.source {
            Source::Files(_) => {
                "no certificate is configured (`cert`, `key`), or it is not there: \
                                 serving with a self-signed one, made now"
                    .to_owned()
            }
            // Nothing is asked for: it is for clients that ask for no host.
            Source::Automatic(certificate) if certificate.names.is_empty() => return None,
            Source::Automatic(_) => "there is no certificate yet: a self-signed one stands in, \
                                     made now"
                .to_owned(),
        })
    }
}

/// A fault of what a scope says.
fn fault(place: Place, expected: String, found: String) -> Fault {
    Fault { place, expected, found: Some(found), hint: None }
}

#[cfg(test)]
mod tests;
