//! The folder of an account. Its key is on disk before the authority hears of it, so that no kill
//! loses an account: whoever comes next asks with the same key, and gets the same account.

use std::path::PathBuf;

use serde_json::json;

use super::file;
use super::json;
use super::lock::{Lock, Sharing};
use crate::failure::Failure;
use crate::jws::AccountKey;

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

    /// The key. `None`: there is none.
    ///
    /// # Errors
    /// The file cannot be read, or is no such key: it is not written over, for an account may
    /// hang on it.
    pub(crate) fn key(&self) -> Result<Option<AccountKey>, Failure> {
        self.key_in("key.pem")
    }

    /// The key that is to take the place of the other; while there is one, the authority may know
    /// either.
    pub(crate) fn new_key(&self) -> Result<Option<AccountKey>, Failure> {
        self.key_in("new-key.pem")
    }

    fn key_in(&self, name: &str) -> Result<Option<AccountKey>, Failure> {
        let path = self.0.join(name);
        let Some(pem) = file::read(&path)? else { return Ok(None) };
        let key = AccountKey::from_pem(&pem);
        let fault = || Failure::Storage(format!("`{}` is no key of an account", path.display()));
        key.map(Some).ok_or_else(fault)
    }

    /// Keeps a key that the authority is to hear of.
    pub(crate) fn write_key(&self, pem: &str) -> Result<(), Failure> {
        file::write(&self.0.join("key.pem"), pem.as_bytes(), 0o600)
    }

    /// Keeps the key that is to take the place of the other.
    pub(crate) fn write_new_key(&self, pem: &str) -> Result<(), Failure> {
        file::write(&self.0.join("new-key.pem"), pem.as_bytes(), 0o600)
    }

    /// The authority knows the new key.
    pub(crate) fn take_new_key(&self) -> Result<(), Failure> {
        file::rename(&self.0.join("new-key.pem"), &self.0.join("key.pem"))
    }

    /// The authority does not know the new key.
    pub(crate) fn drop_new_key(&self) -> Result<(), Failure> {
        file::remove(&self.0.join("new-key.pem"))
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
