//! The folder of one certificate.
//!
//! At every moment, and so after every kill, `cert.pem` has its key beside it: a new certificate
//! takes the place of the old one first, while its key still is `next-key.pem`, and that becomes
//! `key.pem` afterwards. A reader takes the key that belongs to the certificate.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::file;
use super::json;
use super::lock::{Lock, Sharing};
use super::meta::Meta;
use crate::certificate::Certificate;
use crate::failure::Failure;

/// The folder of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateFolder(PathBuf);

/// What tells one content of `cert.pem` from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
    modified: (i64, i64),
}

impl CertificateFolder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Whether there is anything.
    pub(crate) fn exists(&self) -> bool {
        self.0.is_dir()
    }

    /// Takes the lock, for whoever orders the certificate or writes here. `None`: somebody else
    /// has it.
    pub(crate) fn lock(&self) -> Result<Option<Lock>, Failure> {
        file::make_folder(&self.0, 0o700)?;
        Lock::take(&self.0.join("lock"), Sharing::Exclusive)
    }

    /// The certificate with its key; `None`: there is none that is whole.
    pub(crate) fn certificate(&self) -> Result<Option<Certificate>, Failure> {
        // A writer may rename both files between our looks at them, once.
        for _ in 0..3 {
            let Some(chain) = file::read(&self.cert())? else { return Ok(None) };
            for key in [self.key(), self.next_key_path()] {
                if let Some(key) = file::read(&key)?
                    && let Ok(certificate) = Certificate::from_pem(&chain, &key)
                {
                    return Ok(Some(certificate));
                }
            }
        }
        Ok(None)
    }

    /// What tells the certificate from another one; `None`: there is none.
    pub(crate) fn identity(&self) -> Option<FileIdentity> {
        let metadata = std::fs::metadata(self.cert()).ok()?;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Some(FileIdentity { device: metadata.dev(), inode: metadata.ino(), modified })
    }

    pub(crate) fn meta(&self) -> Result<Meta, Failure> {
        Ok(Meta::read(&json::read(&self.0.join("meta.json"))?))
    }

    pub(crate) fn write_meta(&self, meta: &Meta) -> Result<(), Failure> {
        json::write(&self.0.join("meta.json"), &meta.value())
    }

    /// The key of the order that is under way.
    pub(crate) fn next_key(&self) -> Result<Option<Vec<u8>>, Failure> {
        file::read(&self.next_key_path())
    }

    /// Keeps the key of an order that is to be made.
    pub(crate) fn write_next_key(&self, key: &[u8]) -> Result<(), Failure> {
        file::write(&self.next_key_path(), key, 0o600)
    }

    /// Ends what a kill has interrupted within [`replace`](Self::replace). A key that is of no
    /// order is taken away by the next one.
    pub(crate) fn repair(&self) -> Result<(), Failure> {
        let Some(chain) = file::read(&self.cert())? else { return Ok(()) };
        let belongs = |key: &Path| -> Result<bool, Failure> {
            let key = file::read(key)?;
            Ok(key.is_some_and(|key| Certificate::from_pem(&chain, &key).is_ok()))
        };
        if !belongs(&self.key())? && belongs(&self.next_key_path())? {
            file::rename(&self.next_key_path(), &self.key())?;
        }
        Ok(())
    }

    /// Puts a certificate whose key is [`next_key`](Self::next_key) in the place of the one that is
    /// there.
    pub(crate) fn replace(&self, chain: &[u8]) -> Result<(), Failure> {
        file::write(&self.cert(), chain, 0o600)?;
        file::rename(&self.next_key_path(), &self.key())
    }

    fn cert(&self) -> PathBuf {
        self.0.join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.0.join("key.pem")
    }

    fn next_key_path(&self) -> PathBuf {
        self.0.join("next-key.pem")
    }
}
