//! The folder `storage`: what is known of authorities, accounts and certificates, so that a
//! person can read it, several processes can share it, and a process that is killed at any
//! moment loses nothing.
//!
//! ```text
//! STORAGE/
//!   challenges/http-01/TOKEN                what is answered; others may read it
//!   challenges/tls-alpn-01/NAME
//!   ca.example-directory/                   an authority, by the URL of its directory
//!     authority.json                        until when it is not asked, and why
//!     on-demand.json                        when names were obtained on demand
//!     account/                              or `account-KID`
//!       lock  key.pem  account.json
//!     certificates/
//!       a.example/                          see `Names::folder`
//!         lock  cert.pem  key.pem  meta.json
//!         next-key.pem                      the key of the order that is under way
//! ```
//!
//! A file is written whole or not at all ([`file::write`]). Folders are 0700 and files 0600, but
//! for `STORAGE` itself (0711) and what is below `challenges` (0755, 0644), so that others who
//! share a machine can answer a challenge and read nothing else.
//!
//! Who changes something of a certificate, or orders it, holds its [`Lock`]. A kill frees it.
//! Everything here waits for the disk: it is called on the thread `slimhttp-acme`, and by who
//! makes a change of the site.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::failure::Failure;
use crate::names::Names;

mod account;
mod authority;
mod certificate;
mod challenge;
pub(crate) mod file;
mod json;
mod lock;
mod meta;
#[cfg(test)]
mod tests;

pub(crate) use account::{AccountFolder, AccountNote};
pub(crate) use authority::Pause;
pub(crate) use certificate::{CertificateFolder, FileIdentity};
pub(crate) use challenge::{PresentedFile, stored};
pub(crate) use lock::Lock;
pub(crate) use meta::{Ari, Meta, OrderNote};

/// The folder of one authority.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: Arc<Path>,
    authority: Arc<Path>,
}

impl Store {
    /// The folder of the authority with this directory.
    pub(crate) fn new(storage: &Path, directory: &str) -> Self {
        Self { root: storage.into(), authority: storage.join(folder_of(directory)).into() }
    }

    /// Makes the folders that are not there yet.
    ///
    /// # Errors
    /// One cannot be made.
    pub(crate) fn prepare(&self) -> Result<(), Failure> {
        file::make_folder(&self.root, 0o711)?;
        file::make_folder(&self.authority, 0o700)?;
        file::make_folder(&self.certificates(), 0o700)?;
        challenge::prepare(&self.root)
    }

    /// The folder of the account, or of the one that is bound to `kid`.
    pub(crate) fn account(&self, kid: Option<&str>) -> AccountFolder {
        let name = match kid {
            None => "account".to_owned(),
            Some(kid) => format!("account-{}", safe(kid)),
        };
        AccountFolder::new(self.authority.join(name))
    }

    /// The folder of a certificate.
    pub(crate) fn certificate(&self, names: &Names) -> CertificateFolder {
        CertificateFolder::new(self.certificates().join(names.folder()))
    }

    /// The folder of every certificate that there is, of this authority.
    pub(crate) fn all_certificates(&self) -> Vec<CertificateFolder> {
        certificates_in(&self.certificates()).unwrap_or_default()
    }

    /// The same, where it is to be said that they cannot be read.
    ///
    /// # Errors
    /// They cannot be read. Where there are none yet, there are none.
    pub(crate) fn try_all_certificates(&self) -> io::Result<Vec<CertificateFolder>> {
        match certificates_in(&self.certificates()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            found => found,
        }
    }

    fn certificates(&self) -> PathBuf {
        self.authority.join("certificates")
    }
}

fn certificates_in(folder: &Path) -> io::Result<Vec<CertificateFolder>> {
    let entries = std::fs::read_dir(folder)?.filter_map(Result::ok);
    let mut found: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    found.sort();
    Ok(found.into_iter().map(CertificateFolder::new).collect())
}

/// What the folder of an authority is called: its URL, as far as a name of a file can be it.
fn folder_of(directory: &str) -> String {
    let bare = directory.strip_prefix("https://").unwrap_or(directory);
    safe(bare.trim_end_matches('/'))
}

/// A text as part of the name of a file.
fn safe(text: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.chars().map(|c| if fits(&c) { c } else { '-' }).take(200).collect()
}
