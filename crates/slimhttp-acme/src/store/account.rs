//! The folder of an account.

use std::path::PathBuf;

use serde_json::json;

use super::file;
use super::json;
use super::lock::{Lock, Sharing};
use crate::failure::Failure;

/// The folder of an account.
#[derive(Clone, Debug)]
pub(crate) struct AccountFolder(PathBuf);

/// What the authority said of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountNote {
    /// Its URL.
    pub(crate) url: String,
    /// The directory of the authority.
    pub(crate) directory: String,
    /// The address that the authority was told.
    pub(crate) email: Option<String>,
}

impl AccountFolder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Takes the lock for whoever makes the account or changes its key. `None`: somebody uses it.
    pub(crate) fn lock(&self) -> Result<Option<Lock>, Failure> {
        self.take(Sharing::Exclusive)
    }

    /// Takes the lock for whoever uses the account: its key stays meanwhile.
    pub(crate) fn share(&self) -> Result<Option<Lock>, Failure> {
        self.take(Sharing::Shared)
    }

    fn take(&self, sharing: Sharing) -> Result<Option<Lock>, Failure> {
        file::make_folder(&self.0, 0o700)?;
        Lock::take(&self.0.join("lock"), sharing)
    }

    /// The key, a PEM file. `None`: there is none.
    pub(crate) fn key(&self) -> Result<Option<Vec<u8>>, Failure> {
        file::read(&self.key_path())
    }

    /// Where the key is.
    pub(crate) fn key_path(&self) -> PathBuf {
        self.0.join("key.pem")
    }

    /// Keeps a key.
    pub(crate) fn write_key(&self, pem: &str) -> Result<(), Failure> {
        file::write(&self.key_path(), pem.as_bytes(), 0o600)
    }

    pub(crate) fn note(&self) -> Result<Option<AccountNote>, Failure> {
        let value = json::read(&self.0.join("account.json"))?;
        let note = |url| {
            let directory = json::text(&value, "directory")?;
            Some(AccountNote { url, directory, email: json::text(&value, "email") })
        };
        Ok(json::text(&value, "url").and_then(note))
    }

    pub(crate) fn write_note(&self, note: &AccountNote) -> Result<(), Failure> {
        let AccountNote { url, directory, email } = note;
        let value = json!({"url": url, "directory": directory, "email": email});
        json::write(&self.0.join("account.json"), &value)
    }

    /// The authority does not know the account any more. Its key stays.
    pub(crate) fn forget_note(&self) -> Result<(), Failure> {
        file::remove(&self.0.join("account.json"))
    }
}
