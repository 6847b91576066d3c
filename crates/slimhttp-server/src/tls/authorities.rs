//! The authorities that have signed the certificates of clients: a PEM file of their own
//! certificates, read when a configuration names it and again when it is another file.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use rustls::RootCertStore;

use crate::fs::file_id::FileId;
use crate::tls::key_pair::read_authorities;
use crate::tls::pair::identity;

/// Whose signature is believed.
#[derive(Debug)]
pub(super) struct Authorities {
    path: Arc<Path>,
    /// The file that was looked at last, as it was before it was read.
    identity: Option<FileId>,
    pub(super) roots: Arc<RootCertStore>,
    /// By what the file holds: another file with the same certificates changes nothing.
    pub(super) digest: [u8; 32],
}

/// What was expected of a file, and what was found.
pub(super) type AuthoritiesFault = (String, String);

impl Authorities {
    /// Opens a file.
    ///
    /// # Errors
    /// There is none that can be read, or something in it is no certificate.
    pub(super) fn open(path: &Arc<Path>) -> Result<Arc<Self>, AuthoritiesFault> {
        let identity = identity(path);
        let found = read_authorities(path)?;
        let (mut roots, mut digest) = (RootCertStore::empty(), Context::new(&SHA256));
        for certificate in found {
            digest.update(&certificate);
            roots.add(certificate).map_err(|error| {
                let found = format!("`{}`: {error}", path.display());
                ("certificates of authorities".to_owned(), found)
            })?;
        }
        let digest = digest.finish().as_ref().try_into().expect("it has 32 bytes");
        let path = Arc::clone(path);
        Ok(Arc::new(Self { path, identity, roots: Arc::new(roots), digest }))
    }

    /// Whether it is another file than the one that was looked at last.
    pub(super) fn is_outdated(&self) -> bool {
        identity(&self.path) != self.identity
    }

    /// What stands in the file by now; where that cannot be used, what was read before.
    pub(super) fn renewed(&self) -> Arc<Self> {
        let identity = identity(&self.path);
        match Self::open(&self.path) {
            Ok(renewed) => {
                tracing::info!("{} has changed: clients are asked by it now", self.path.display());
                renewed
            }
            Err((expected, found)) => {
                tracing::warn!(
                    "the authorities of clients read before stay in use: expected {expected}, \
                     found {found}"
                );
                let (path, roots) = (Arc::clone(&self.path), Arc::clone(&self.roots));
                Arc::new(Self { path, identity, roots, digest: self.digest })
            }
        }
    }
}
