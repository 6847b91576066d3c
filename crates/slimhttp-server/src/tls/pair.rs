//! The files of one certificate as they are in force: read once, however many scopes name them, and
//! again when they are other files. What has become unreadable leaves what was read before.
//!
//! Immutable, and shared by the tables of several snapshots ([`TlsTable`](super::table::TlsTable)).
//! Opened and renewed by whoever changes the site or watches the files, who waits for the disk.

use std::path::Path;
use std::sync::Arc;

use slimhttp_site::tls::CertificateFiles;

use crate::fs::file_id::{Facts, FileId};
use crate::tls::fault::CertificateFault;
use crate::tls::key_pair::{self, Presentable};

/// One certificate and its key.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) files: CertificateFiles,
    /// The files that were looked at last, as they were before they were read.
    identities: [Option<FileId>; 2],
    /// What they held when it could be read last. `None` where they are the usual ones, and were
    /// never there.
    pub(crate) read: Option<Arc<Presentable>>,
    /// Why what stands in them now is not what is presented.
    pub(crate) fault: Option<Arc<str>>,
    is_usual: bool,
}

impl Pair {
    /// Opens files that a configuration names.
    ///
    /// # Errors
    /// Every fault of what is there.
    pub(super) fn open(files: &CertificateFiles) -> Result<Arc<Self>, Vec<CertificateFault>> {
        Self::opened(files, false)
    }

    /// Opens the files that are looked for where none are named: as long as not both are there,
    /// nothing is read.
    ///
    /// # Errors
    /// Every fault of what is there.
    pub(super) fn open_usual(files: &CertificateFiles) -> Result<Arc<Self>, Vec<CertificateFault>> {
        Self::opened(files, true)
    }

    fn opened(
        files: &CertificateFiles,
        is_usual: bool,
    ) -> Result<Arc<Self>, Vec<CertificateFault>> {
        let identities = look_at(files);
        let read = match is_usual && identities.contains(&None) {
            true => None,
            false => Some(Arc::new(key_pair::read(files)?)),
        };
        Ok(Arc::new(Self { files: files.clone(), identities, read, fault: None, is_usual }))
    }

    /// Whether the files are others than those that were looked at last.
    pub(super) fn is_outdated(&self) -> bool {
        look_at(&self.files) != self.identities
    }

    /// What stands in the files by now. Where that cannot be used, what was read before is
    /// presented on, and the log says why: a renewal that went wrong ends no service. They are not
    /// looked at again until they change again.
    pub(super) fn renewed(&self) -> Arc<Self> {
        let identities = look_at(&self.files);
        let kept = |fault: Option<Arc<str>>| {
            let (files, read) = (self.files.clone(), self.read.clone());
            Arc::new(Self { files, identities, read, fault, is_usual: self.is_usual })
        };
        if self.is_usual && self.read.is_none() && identities.contains(&None) {
            return kept(None);
        }
        if identities == [None, None] {
            tracing::warn!("{} is gone: the certificate read before stays in use", self.files);
            return kept(Some("the files are gone".into()));
        }
        match key_pair::read(&self.files) {
            Ok(read) => {
                let news = if self.read.is_some() { "was renewed" } else { "is there" };
                tracing::info!("{} {news}: it is presented now", self.files);
                let (files, read) = (self.files.clone(), Some(Arc::new(read)));
                Arc::new(Self { files, identities, read, fault: None, is_usual: self.is_usual })
            }
            Err(faults) => {
                let faults = faults.into_iter().map(|fault| fault.told().to_string());
                let faults = faults.collect::<Vec<_>>();
                for fault in &faults {
                    tracing::warn!("the certificate read before stays in use: {fault}");
                }
                kept(Some(faults.join("\n").into()))
            }
        }
    }
}

fn look_at(files: &CertificateFiles) -> [Option<FileId>; 2] {
    [&files.certificate, &files.key].map(|path| identity(path))
}

/// Which regular file stands there, if any does.
pub(super) fn identity(path: &Path) -> Option<FileId> {
    let facts = rustix::fs::stat(path).ok().map(Facts::from)?;
    Some(facts.identity())
}

#[cfg(test)]
mod tests;
