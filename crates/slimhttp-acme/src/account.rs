//! The account with the authority: made when it is first needed, found again by its key, given
//! another key. Its folder's lock is shared by all orders that use it.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use slimhttp_site::acme::ExternalAccount;

use crate::context::Context;
use crate::failure::Failure;
use crate::https::Url;
use crate::jws::AccountKey;
use crate::protocol::{Authority, Binding, NewAccount, Signer};
use crate::store::{AccountFolder, AccountNote, Lock};

/// How long somebody else may use the account before that is a failure.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);
/// How often is looked whether the lock is free.
const LOCK_LOOK: Duration = Duration::from_millis(100);

/// The account, whose key stays what it is for as long as this lives.
pub(crate) struct Account {
    key: AccountKey,
    url: Url,
    _shared: Lock,
}

impl Account {
    pub(crate) fn signer(&self) -> Signer<'_> {
        Signer { key: &self.key, account: Some(&self.url.text) }
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// What answers a challenge with this token.
    pub(crate) fn authorization(&self, token: &str) -> String {
        self.key.authorization(token)
    }
}

/// The account; where there is none yet it is made.
pub(crate) async fn of(context: &Context, authority: &Authority) -> Result<Account, Failure> {
    let folder = folder(context);
    for _ in 0..2 {
        let shared = wait_for(|| folder.share()).await?;
        if let Some((key, url)) = usable(context, &folder)? {
            return Ok(Account { key, url, _shared: shared });
        }
        drop(shared);
        let _alone = wait_for(|| folder.lock()).await?;
        settle(&folder, authority).await?;
        make(context, &folder, authority).await?;
    }
    Err(Failure::Storage("the account changes while it is looked at".to_owned()))
}

/// The authority does not know the account: it is to be made anew, with the same key.
pub(crate) fn forget(context: &Context) -> Result<(), Failure> {
    folder(context).forget_note()
}

/// Gives the account another key. Both keys are on disk until the authority is known to have
/// taken the new one or not, also after a kill.
pub(crate) async fn roll_over(context: &Context) -> Result<(), Failure> {
    context.store.prepare()?;
    let authority = context.authority()?;
    let folder = folder(context);
    let _alone = wait_for(|| folder.lock()).await?;
    settle(&folder, &authority).await?;
    make(context, &folder, &authority).await?;
    let Some((key, url)) = usable(context, &folder)? else {
        return Err(Failure::Storage("the account that was just made is not there".to_owned()));
    };
    let pem = AccountKey::generate();
    let new = AccountKey::from_pem(pem.as_bytes()).expect("a key that was just made is one");
    folder.write_new_key(&pem)?;
    let signer = Signer { key: &key, account: Some(&url.text) };
    match authority.change_key(signer, &url, &new).await {
        Ok(()) => folder.take_new_key(),
        Err(failure) => {
            // A refusal is sure; after anything else the authority may have taken it.
            let is_sure = failure.problem().is_some_and(|problem| problem.status < 500)
                || matches!(failure, Failure::Configuration(_));
            if is_sure {
                folder.drop_new_key()?;
            }
            Err(failure)
        }
    }
}

fn folder(context: &Context) -> AccountFolder {
    context.store.account(context.options.eab.as_ref().map(|account| &*account.kid))
}

/// The account, where all is known of it.
fn usable(context: &Context, folder: &AccountFolder) -> Result<Option<(AccountKey, Url)>, Failure> {
    let (Some(note), Some(key)) = (folder.note()?, folder.key()?) else { return Ok(None) };
    let is_same = note.directory == *context.options.directory
        && note.email.as_deref() == context.options.email.as_deref();
    if !is_same || folder.new_key()?.is_some() {
        return Ok(None);
    }
    Ok(Url::parse(&note.url).ok().map(|url| (key, url)))
}

/// Finds out which of two keys the authority knows.
async fn settle(folder: &AccountFolder, authority: &Authority) -> Result<(), Failure> {
    let Some(new) = folder.new_key()? else { return Ok(()) };
    match authority.find_account(&new).await? {
        Some(_) => folder.take_new_key(),
        None => folder.drop_new_key(),
    }
}

/// Makes the account, or finds the one that the key has, and tells it the address that is
/// configured.
async fn make(
    context: &Context,
    folder: &AccountFolder,
    authority: &Authority,
) -> Result<(), Failure> {
    let options = &context.options;
    let key = match folder.key()? {
        Some(key) => key,
        None => {
            let pem = AccountKey::generate();
            folder.write_key(&pem)?;
            AccountKey::from_pem(pem.as_bytes()).expect("a key that was just made is one")
        }
    };
    let email = options.email.as_deref();
    let known = folder.note()?.filter(|note| note.directory == *options.directory);
    let url = match &known {
        Some(note) => Url::parse(&note.url)?,
        None => {
            let secret = options.eab.as_ref().map(secret).transpose()?;
            let binding = options.eab.as_ref().zip(secret.as_deref());
            let binding = binding.map(|(account, key)| Binding { kid: &account.kid, key });
            authority.new_account(&key, &NewAccount { email, binding }).await?
        }
    };
    let signer = Signer { key: &key, account: Some(&url.text) };
    if known.is_some_and(|note| note.email.as_deref() != email) {
        authority.update_contact(signer, &url, email).await?;
    }
    let directory = options.directory.to_string();
    folder.write_note(&AccountNote { url: url.text, directory, email: email.map(str::to_owned) })
}

fn secret(account: &ExternalAccount) -> Result<Vec<u8>, Failure> {
    let bare = account.key.0.trim_end_matches('=');
    let secret = BASE64URL_NOPAD.decode(bare.as_bytes());
    secret.map_err(|_| Failure::Configuration("`key` of `acme.eab` is no base64url".to_owned()))
}

/// Waits until a lock is free.
async fn wait_for(
    mut take: impl FnMut() -> Result<Option<Lock>, Failure>,
) -> Result<Lock, Failure> {
    let mut looks = LOCK_PATIENCE.as_millis() / LOCK_LOOK.as_millis();
    loop {
        if let Some(lock) = take()? {
            return Ok(lock);
        }
        if looks == 0 {
            return Err(Failure::Late("who else uses the account"));
        }
        looks -= 1;
        tokio::time::sleep(LOCK_LOOK).await;
    }
}
