//! A site, opened: with its certificates and its access logs. What did not
//! change since the snapshot before is carried over by reference.
//!
//! Compiled and opened on the thread that makes a change, which may wait for the disk. Immutable
//! from then on and shared by all threads, until the last request that began with it has ended.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use slimhttp_site::compile::{CompileEnv, PathKind, Routes, compile};
use slimhttp_site::fault::{Fault, Faults, Place};
use slimhttp_site::listener::FirstListener;
use slimhttp_site::site::{AccessLog, Site};

use crate::files::releases::Releases;
use crate::fs::root::OpenMethod;
use crate::fs::root_cache::RootCache;
use crate::live::draft::Draft;
use crate::live::registry::local_site;
use crate::observe::access_log::{AccessLogs, AccessWriter};
use crate::sys::memory;
use crate::sys::privileges::{self, Successor};
use crate::tls::store::TlsStore;
use crate::tls::table::{Outdated, TlsTable};

/// The site in force with what it opens.
#[derive(Debug)]
pub struct Snapshot {
    /// What decides. Shared, so that other instances can follow it.
    pub site: Arc<Site>,
    /// Tells it from every other one of the process.
    pub(crate) number: u64,
    /// What its connections of TLS begin with.
    pub(crate) tls: Option<Arc<TlsTable>>,
    /// The open access logs of every scope.
    pub(crate) access_logs: HashMap<AccessLog, AccessWriter>,
    /// The open roots. None is taken over from one snapshot to the next: what a change
    /// names is opened anew, and what it names no more may be unmounted.
    pub(crate) roots: RootCache,
    /// The releases of the scopes that pin them.
    pub(crate) releases: Releases,
}

impl Snapshot {
    /// Compiles and opens a draft.
    ///
    /// # Errors
    /// Every fault; nothing is opened then.
    pub(crate) fn open(
        draft: &Draft,
        listener: &FirstListener,
        python: bool,
        (logs, tls): (&AccessLogs, &Arc<TlsStore>),
        previous: Option<(&Snapshot, &Routes)>,
    ) -> Result<Self, Faults> {
        let before = previous.map(|(snapshot, routes)| (&*snapshot.site, routes));
        let site = compile_site(draft, listener, python, before)?;
        let tls = match site.service.speaks_tls() {
            true => Some(open_tls(&site, tls, previous.map(|(before, _)| before))?),
            false => None,
        };
        let access_logs = open_access_logs(&site, logs)?;
        for warning in &site.warnings {
            tracing::warn!("{warning}");
        }
        let roots = match previous {
            Some((before, _)) => before.roots.new_empty(),
            None => RootCache::new(OpenMethod::available()),
        };
        let before = previous.map(|(snapshot, _)| (&snapshot.releases, &*snapshot.site));
        let releases = Releases::open(&site, before, Instant::now());
        Ok(Self { site: Arc::new(site), number: next_number(), tls, access_logs, roots, releases })
    }

    /// The same site with what stands in these files of certificates by now.
    pub(crate) fn with_certificates_renewed(&self, outdated: &Outdated) -> Self {
        Self {
            site: self.site.clone(),
            number: next_number(),
            tls: self.tls.as_ref().map(|tls| tls.renewed(&self.site, outdated)),
            access_logs: self.access_logs.clone(),
            roots: self.roots.new_empty(),
            releases: self.releases.clone(),
        }
    }
}

fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Opens the certificates that a site names, or makes one; `before` has those open that it named.
///
/// # Errors
/// Every fault of what is there.
pub(crate) fn open_tls(
    site: &Site,
    store: &Arc<TlsStore>,
    before: Option<&Snapshot>,
) -> Result<Arc<TlsTable>, Faults> {
    let before = before.and_then(|before| Some((before.tls.as_ref()?, &*before.site)));
    TlsTable::open(site, before, store)
}

/// Opens every access log that a scope names; one that is open already, for
/// the site before, is shared.
fn open_access_logs(
    site: &Site,
    logs: &AccessLogs,
) -> Result<HashMap<AccessLog, AccessWriter>, Faults> {
    let mut open = HashMap::new();
    let mut faults = Vec::new();
    let successor = Successor::of(&site.service);
    if !site.has_access_logs {
        return Ok(open);
    }
    for scope in site.scopes() {
        let Some(wanted) = &scope.options.access_log else { continue };
        if open.contains_key(wanted) {
            continue;
        }
        match logs.open_for(wanted, successor.as_ref()) {
            Ok(writer) => {
                open.insert(wanted.clone(), writer);
            }
            Err(error) => {
                let mut place = match &scope.name {
                    Some(name) => Place::default().key("vhosts").key(name),
                    None => Place::default(),
                };
                if let Some(mount) = &scope.mount {
                    place = place.key("mounts").key(&mount.key);
                }
                faults.push(Fault {
                    place: place.key("access_log"),
                    expected: "a file that can be written".into(),
                    found: Some(format!("`{}`: {error}", wanted.file)),
                    hint: None,
                });
            }
        }
    }
    if faults.is_empty() { Ok(open) } else { Err(Faults(faults)) }
}

/// Compiles a draft with the world as it is now.
pub(crate) fn compile_site(
    draft: &Draft,
    listener: &FirstListener,
    python: bool,
    previous: Option<(&Site, &Routes)>,
) -> Result<Site, Faults> {
    let world = CompileEnv {
        base: draft.base.clone(),
        resolve_anew: draft.replaced,
        listener,
        python,
        look: &path_kind,
        local_site: &local_site,
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        memory: memory::of_machine(),
    };
    let site = compile(&draft.config, &draft.routes, &world, previous)?;
    let faults = privileges::faults(&site.service, previous.map(|(site, _)| &*site.service));
    if faults.is_empty() { Ok(site) } else { Err(Faults(faults)) }
}

fn path_kind(path: &Path) -> PathKind {
    match std::fs::metadata(path) {
        Ok(facts) if facts.is_file() => PathKind::File,
        Ok(facts) if facts.is_dir() => PathKind::Folder,
        Ok(_) => PathKind::Other,
        Err(_) => PathKind::Missing,
    }
}

#[cfg(test)]
mod tests;
