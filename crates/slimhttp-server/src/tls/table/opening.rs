//! Opening a table: what a site says more, or otherwise, than the one before it.

use std::hash::Hash;
use std::path::Path;
use std::sync::Arc;

use imbl::ordmap::DiffItem;
use slimhttp_site::fault::{Fault, Faults};
use slimhttp_site::host::HostKey;
use slimhttp_site::site::{Scope, Site};
use slimhttp_site::tls::{CertificateFiles, Certificates, TlsPart, TlsRules};
use smallvec::SmallVec;
use time::OffsetDateTime;

use super::{Entry, Pool, TlsTable, fault};
use crate::tls::authorities::Authorities;
use crate::tls::fault::CertificateFault;
use crate::tls::pair::Pair;
use crate::tls::policy::{Policy, PolicyKey};
use crate::tls::presented::{Presented, Source};
use crate::tls::store::TlsStore;

/// Files that are others than those that were read.
#[derive(Debug, Default)]
pub(crate) struct Outdated {
    pub(super) pairs: Vec<CertificateFiles>,
    pub(super) authorities: Vec<Arc<Path>>,
}

impl Outdated {
    pub(crate) fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.authorities.is_empty()
    }
}

/// A table that is being made.
pub(super) struct Opening<'o> {
    site: &'o Site,
    store: Arc<TlsStore>,
    global: Option<Arc<Entry>>,
    hosts: imbl::HashMap<Arc<str>, Arc<Entry>>,
    pairs: Pool<CertificateFiles, Pair>,
    authorities: Pool<Arc<Path>, Authorities>,
    /// What was read anew.
    read: Vec<Arc<Pair>>,
    faults: Vec<Fault>,
}

impl<'o> Opening<'o> {
    /// Opens the table of a site.
    pub(super) fn run(
        site: &'o Site,
        previous: Option<(&Arc<TlsTable>, &Site)>,
        store: &Arc<TlsStore>,
    ) -> Result<Arc<TlsTable>, Faults> {
        let Some((table, before)) = previous else {
            let mut opening = Self::empty(site, store);
            opening.open_global();
            for name in site.tls.hosts.keys() {
                opening.open_host(name);
            }
            return opening.finish();
        };
        // Whoever has renewed the certificate and then changes something has both at once.
        let table = Opening::renew(table, before, &table.outdated_global());
        let is_same_global = before.global.tls == site.global.tls;
        let mut changed = before.tls.hosts.diff(&site.tls.hosts).peekable();
        if is_same_global && changed.peek().is_none() {
            return Ok(table);
        }
        let mut opening = Self::of(&table, site);
        if is_same_global {
            for item in changed {
                opening.apply(item);
            }
        } else {
            // What the global level says otherwise, every virtual host may inherit.
            opening.open_global();
            for name in before.tls.hosts.keys().filter(|name| !site.tls.hosts.contains_key(*name)) {
                opening.close_host(name);
            }
            for name in site.tls.hosts.keys() {
                opening.open_host(name);
            }
        }
        opening.finish()
    }

    /// A table with what stands in files by now.
    pub(super) fn renew(
        table: &Arc<TlsTable>,
        site: &'o Site,
        outdated: &Outdated,
    ) -> Arc<TlsTable> {
        if outdated.is_empty() {
            return Arc::clone(table);
        }
        let mut opening = Opening::of(table, site);
        for files in &outdated.pairs {
            if let Some((_, pair)) = opening.pairs.get_mut(files) {
                *pair = pair.renewed();
                opening.read.push(Arc::clone(pair));
            }
        }
        for path in &outdated.authorities {
            if let Some((_, authorities)) = opening.authorities.get_mut(path) {
                *authorities = authorities.renewed();
            }
        }
        // What was read is held already, so that nothing can fail any more but random numbers.
        if opening.global.as_ref().is_some_and(|entry| entry.names_any(outdated)) {
            opening.open_global();
        }
        let named: Vec<_> =
            table.hosts.iter().filter(|(_, entry)| entry.names_any(outdated)).collect();
        for (name, _) in named {
            opening.open_host(name);
        }
        opening.finish().unwrap_or_else(|faults| {
            tracing::error!("{faults}");
            Arc::clone(table)
        })
    }

    fn empty(site: &'o Site, store: &Arc<TlsStore>) -> Self {
        Self {
            site,
            store: Arc::clone(store),
            global: None,
            hosts: imbl::HashMap::new(),
            pairs: Pool::new(),
            authorities: Pool::new(),
            read: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn of(table: &TlsTable, site: &'o Site) -> Self {
        Self {
            global: Some(Arc::clone(&table.global)),
            hosts: table.hosts.clone(),
            pairs: table.pairs.clone(),
            authorities: table.authorities.clone(),
            ..Self::empty(site, &table.store)
        }
    }

    fn finish(self) -> Result<Arc<TlsTable>, Faults> {
        let Self { store, global, hosts, pairs, authorities, read, mut faults, .. } = self;
        match global.filter(|_| faults.is_empty()) {
            Some(global) => {
                let said =
                    read.iter().filter_map(|pair| Some((&pair.files, &pair.read.as_ref()?.facts)));
                store.expiry.lock().tell(said, OffsetDateTime::now_utc());
                Ok(Arc::new(TlsTable { store, global, hosts, pairs, authorities }))
            }
            None => {
                faults.sort_by(|one, other| one.place.cmp(&other.place));
                // What several scopes inherit is wrong once, where it stands.
                faults.dedup();
                Err(Faults(faults))
            }
        }
    }

    fn apply<T>(&mut self, item: DiffItem<'_, '_, Arc<str>, T>) {
        match item {
            DiffItem::Add(name, _) | DiffItem::Update { new: (name, _), .. } => {
                self.open_host(name)
            }
            DiffItem::Remove(name, _) => self.close_host(name),
        }
    }

    fn open_global(&mut self) {
        let site = self.site;
        if let Some(entry) = self.entry(&site.global)
            && let Some(before) = self.global.replace(entry)
        {
            self.release(&before);
        }
    }

    fn open_host(&mut self, name: &Arc<str>) {
        let site = self.site;
        let scope = HostKey::parse(name).ok().and_then(|key| site.hosts.get(&key));
        if let Some(entry) = scope.and_then(|scope| self.entry(scope))
            && let Some(before) = self.hosts.insert(Arc::clone(name), entry)
        {
            self.release(&before);
        }
    }

    fn close_host(&mut self, name: &Arc<str>) {
        if let Some(before) = self.hosts.remove(name) {
            self.release(&before);
        }
    }

    /// What the connections of a scope begin with; `None` where something is wrong, which is then
    /// among the faults.
    fn entry(&mut self, scope: &Scope) -> Option<Arc<Entry>> {
        let rules = self.site.tls_of(scope);
        let host = scope.name.as_deref();
        let (presented, policy) = (self.presented(&rules, host), self.policy(&rules, host));
        Some(Entry::new(rules, policy?, Arc::new(presented?)))
    }

    fn presented(&mut self, rules: &TlsRules, host: Option<&str>) -> Option<Presented> {
        let store = Arc::clone(&self.store);
        match &rules.certificates {
            Certificates::Files(all) => {
                let pairs: Vec<_> = all
                    .iter()
                    .enumerate()
                    .map(|(number, files)| self.pair(files, number, host, Pair::open))
                    .collect();
                let pairs = pairs.into_iter().collect::<Option<SmallVec<_>>>()?;
                Some(Presented::files(pairs, None))
            }
            Certificates::Usual(files) => {
                let pair = self.pair(files, 0, host, Pair::open_usual)?;
                let stand_in = match pair.read {
                    None => store.stand_in(),
                    Some(_) => None,
                };
                Some(Presented::files(SmallVec::from_elem(pair, 1), stand_in))
            }
            Certificates::Automatic(names) => {
                let certificate = store.automatic.of(names);
                Some(Presented::automatic(certificate, rules.until_issued, store.stand_in()))
            }
        }
    }

    /// What stands in files: as it is open already, or read now.
    fn pair(
        &mut self,
        files: &CertificateFiles,
        number: usize,
        host: Option<&str>,
        open: fn(&CertificateFiles) -> Result<Arc<Pair>, Vec<CertificateFault>>,
    ) -> Option<Arc<Pair>> {
        if let Some((uses, pair)) = self.pairs.get_mut(files) {
            *uses += 1;
            return Some(Arc::clone(pair));
        }
        match open(files) {
            Ok(pair) => {
                self.pairs.insert(files.clone(), (1, Arc::clone(&pair)));
                self.read.push(Arc::clone(&pair));
                Some(pair)
            }
            Err(faults) => {
                let site = self.site;
                self.faults.extend(faults.into_iter().map(|fault| {
                    let place = site.place_of_tls(host, fault.part.of(number));
                    fault.at(place)
                }));
                None
            }
        }
    }

    fn policy(&mut self, rules: &TlsRules, host: Option<&str>) -> Option<Arc<Policy>> {
        let auth = rules.policy.client_auth.as_ref();
        let authorities = match auth {
            Some(auth) => Some(self.authorities(&auth.authorities, host)?),
            None => None,
        };
        let digest = authorities.as_ref().map(|authorities| authorities.digest);
        let key = PolicyKey {
            versions: rules.policy.versions,
            client_auth: auth.map(|auth| auth.mode).zip(digest),
        };
        match self.store.policy(key, authorities.as_deref()) {
            Ok(policy) => Some(policy),
            Err(error) => {
                let place = self.site.place_of_tls(host, TlsPart::Authorities);
                let expected = "random numbers of the system".to_owned();
                self.faults.push(fault(place, expected, error.to_string()));
                None
            }
        }
    }

    fn authorities(&mut self, path: &Arc<Path>, host: Option<&str>) -> Option<Arc<Authorities>> {
        if let Some((uses, authorities)) = self.authorities.get_mut(path) {
            *uses += 1;
            return Some(Arc::clone(authorities));
        }
        match Authorities::open(path) {
            Ok(authorities) => {
                self.authorities.insert(Arc::clone(path), (1, Arc::clone(&authorities)));
                Some(authorities)
            }
            Err((expected, found)) => {
                let place = self.site.place_of_tls(host, TlsPart::Authorities);
                self.faults.push(fault(place, expected, found));
                None
            }
        }
    }

    /// Gives up what an entry has held that is there no more.
    fn release(&mut self, entry: &Entry) {
        for files in entry.files() {
            release(&mut self.pairs, files);
        }
        if let Some(auth) = &entry.rules.policy.client_auth {
            release(&mut self.authorities, &auth.authorities);
        }
    }
}

/// Counts one use less, and drops what has none.
fn release<K: Hash + Eq + Clone, V>(pool: &mut Pool<K, V>, key: &K) {
    match pool.get_mut(key) {
        Some((uses, _)) if *uses > 1 => *uses -= 1,
        _ => {
            pool.remove(key);
        }
    }
}

impl Entry {
    /// The files that it names.
    pub(super) fn files(&self) -> &[CertificateFiles] {
        match &self.rules.certificates {
            Certificates::Files(all) => all,
            Certificates::Usual(files) => std::slice::from_ref(files),
            Certificates::Automatic(_) => &[],
        }
    }

    fn names_any(&self, outdated: &Outdated) -> bool {
        let auth = self.rules.policy.client_auth.as_ref();
        self.files().iter().any(|files| outdated.pairs.contains(files))
            || auth.is_some_and(|auth| outdated.authorities.contains(&auth.authorities))
    }
}

impl TlsTable {
    /// The files of the global level that are others than those that were read.
    fn outdated_global(&self) -> Outdated {
        let Source::Files(pairs) = &self.global.presented.source else {
            return Outdated::default();
        };
        let outdated = pairs.iter().filter(|pair| pair.is_outdated());
        Outdated {
            pairs: outdated.map(|pair| pair.files.clone()).collect(),
            authorities: Vec::new(),
        }
    }
}
