//! A site, opened: with its certificate and its access logs. What did not
//! change since the snapshot before is carried over by reference.
//!
//! Compiled and opened on the thread that makes a change, which may wait for the disk. Immutable
//! from then on and shared by all threads, until the last request that began with it has ended.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use slimhttp_site::compile::{CompileEnv, PathKind, Routes, compile};
use slimhttp_site::fault::{Fault, Faults, Place};
use slimhttp_site::listener::FirstListener;
use slimhttp_site::site::{AccessLog, Site};
use slimhttp_site::tls::Certificates;

use crate::files::releases::Releases;
use crate::fs::root::OpenMethod;
use crate::fs::root_cache::RootCache;
use crate::live::draft::Draft;
use crate::live::registry::local_site;
use crate::observe::access_log::{AccessLogs, AccessWriter};
use crate::sys::memory;
use crate::sys::privileges::{self, Successor};
use crate::tls::fault::CertificateFault;
use crate::tls::presented::{Named, Presented};

/// The site in force with what it opens.
#[derive(Debug)]
pub struct Snapshot {
    /// What decides. Shared, so that other instances can follow it.
    pub site: Arc<Site>,
    /// What an HTTPS server presents.
    pub(crate) tls: Option<Arc<Presented>>,
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
        logs: &AccessLogs,
        previous: Option<(&Snapshot, &Routes)>,
    ) -> Result<Self, Faults> {
        let before = previous.map(|(snapshot, routes)| (&*snapshot.site, routes));
        let site = compile_site(draft, listener, python, before)?;
        let files = certificate_files(&site);
        let same = |before: &Site| {
            before.tls_of(&before.global).certificates == site.tls_of(&site.global).certificates
        };
        let tls = match previous.and_then(|(before, _)| Some((before, before.tls.as_ref()?))) {
            _ if !site.service.speaks_tls() => None,
            Some((before, presented)) if same(&before.site) => {
                Some(presented.renewed(files.as_ref()))
            }
            _ => Some(open_certificate(&site)?),
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
        Ok(Self { site: Arc::new(site), tls, access_logs, roots, releases })
    }

    /// The same site with what stands in the files of its certificate by now;
    /// None where they are as they were.
    pub(crate) fn with_certificate_renewed(&self) -> Option<Self> {
        let files = certificate_files(&self.site);
        let presented = self.tls.as_ref().filter(|tls| tls.is_outdated(files.as_ref()))?;
        Some(Self {
            site: self.site.clone(),
            tls: Some(presented.renewed(files.as_ref())),
            access_logs: self.access_logs.clone(),
            roots: self.roots.new_empty(),
            releases: self.releases.clone(),
        })
    }
}

/// The files of the certificate of the global level: those that are named, or the usual ones
/// where both are there.
fn certificate_files(site: &Site) -> Option<Named> {
    let (files, is_usual) = match site.tls_of(&site.global).certificates {
        Certificates::Files(files) => (files[0].clone(), false),
        Certificates::Usual(files) => (files, true),
        Certificates::Automatic(_) => return None,
    };
    let is_there = |path| path_kind(path) == PathKind::File;
    if is_usual && !(is_there(&files.certificate) && is_there(&files.key)) {
        return None;
    }
    Some((files.certificate.to_path_buf(), files.key.to_path_buf()))
}

/// Reads the certificate that a site names, or makes one.
///
/// # Errors
/// Every fault of what is there.
pub(crate) fn open_certificate(site: &Site) -> Result<Arc<Presented>, Faults> {
    Presented::open(certificate_files(site).as_ref()).map_err(|faults| {
        let fault = |fault: CertificateFault| {
            let part = fault.part.of(0);
            fault.at(site.place_of_tls(None, part))
        };
        Faults(faults.into_iter().map(fault).collect())
    })
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
