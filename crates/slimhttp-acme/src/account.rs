//! The account with the authority: made when it is first needed, found again by its key, given
//! another key. Its folder's lock is shared by all orders that use it.
//!
//! Its key is on disk before the authority hears of it, so that no kill loses an account: whoever
//! comes next asks with the same key, and gets the same account. There are two exceptions, where
//! the library makes the key within the call that tells the authority of it: an account that is
//! bound to one elsewhere, and another key of an account. A kill in that moment, or an answer that
//! is lost, leaves an account at the authority whose key nobody has; another one is made then.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use slimhttp_site::acme::ExternalAccount;

use crate::context::Context;
use crate::failure::Failure;
use crate::protocol::{self, Authority, Session};
use crate::store::{AccountFolder, AccountNote, Lock};

/// How long somebody else may use the account before that is a failure.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);
/// How often is looked whether the lock is free.
const LOCK_LOOK: Duration = Duration::from_millis(100);

/// The account, whose key stays what it is for as long as this lives.
pub(crate) struct Account {
    pub(crate) session: Session,
    _shared: Lock,
}

/// The account; where there is none yet it is made.
pub(crate) async fn of(context: &Context, authority: &Authority) -> Result<Account, Failure> {
    let folder = folder(context);
    for _ in 0..2 {
        let shared = wait_for(|| folder.share()).await?;
        if let Some((key, note)) = usable(context, &folder)? {
            let session = authority.open(&key, &note.url).await?;
            return Ok(Account { session, _shared: shared });
        }
        drop(shared);
        let _alone = wait_for(|| folder.lock()).await?;
        make(context, &folder, authority).await?;
    }
    Err(Failure::Storage("the account changes while it is looked at".to_owned()))
}

/// An order was refused, which may mean that the authority does not know the account by its key
/// any more. Where that is so the account is forgotten, and the next one is made with the same key.
pub(crate) async fn was_lost(
    context: &Context,
    authority: &Authority,
    failure: &Failure,
) -> Result<bool, Failure> {
    let may_mean_it = ["accountDoesNotExist", "unauthorized", "malformed"];
    let is_refusal = matches!(failure, Failure::Refused(_, problem) if problem.status != 0);
    if !is_refusal || !may_mean_it.iter().any(|kind| failure.is(kind)) {
        return Ok(false);
    }
    let folder = folder(context);
    let Some(key) = folder.key()? else { return Ok(false) };
    if authority.find(&key).await?.is_some() {
        return Ok(false);
    }
    tracing::error!(
        "the authority does not know the account in `{}` any more: another one is made",
        folder.key_path().display()
    );
    folder.forget_note()?;
    Ok(true)
}

/// Gives the account another key.
pub(crate) async fn roll_over(context: &Context) -> Result<(), Failure> {
    context.store.prepare()?;
    let authority = context.authority()?;
    let folder = folder(context);
    let _alone = wait_for(|| folder.lock()).await?;
    make(context, &folder, &authority).await?;
    let Some((key, note)) = usable(context, &folder)? else {
        return Err(Failure::Storage("the account that was just made is not there".to_owned()));
    };
    let mut session = authority.open(&key, &note.url).await?;
    match session.update_key().await {
        Ok(key) => folder.write_key(&key),
        Err(failure) => {
            // A refusal is sure; after anything else the authority may have taken it.
            if failure.problem().is_none_or(|problem| problem.status >= 500) {
                tracing::error!(
                    "whether the authority has taken another key of the account is not known; if it \
                     has, the next order makes another account: {failure}"
                );
            }
            Err(failure)
        }
    }
}

fn folder(context: &Context) -> AccountFolder {
    context.store.account(context.options.eab.as_ref().map(|account| &*account.kid))
}

/// The account, where all is known of it, and it is as the options say.
fn usable(
    context: &Context,
    folder: &AccountFolder,
) -> Result<Option<(Vec<u8>, AccountNote)>, Failure> {
    let both = folder.key()?.zip(folder.note()?);
    Ok(both.filter(|(_, note)| {
        note.directory == *context.options.directory
            && note.email.as_deref() == context.options.email.as_deref()
    }))
}

/// Makes the account, or finds the one that the key has, and tells it the address that is
/// configured.
async fn make(
    context: &Context,
    folder: &AccountFolder,
    authority: &Authority,
) -> Result<(), Failure> {
    let options = &context.options;
    let email = options.email.as_deref();
    let key = folder.key()?;
    if key.as_ref().is_some_and(|key| !protocol::is_key(key)) {
        // It may be one of another program: an account may hang on it.
        let path = folder.key_path();
        return Err(Failure::Storage(format!("`{}` is no key of an account", path.display())));
    }
    let known = folder.note()?.filter(|note| note.directory == *options.directory);
    let (session, told) = match (key, known) {
        (Some(key), Some(note)) => (authority.open(&key, &note.url).await?, note.email),
        (key, _) => match &options.eab {
            None => (create(folder, authority, key).await?, None),
            Some(external) => (bind(folder, authority, key, external, email).await?, None),
        },
    };
    if told.as_deref() != email && (options.eab.is_none() || told.is_some()) {
        session.update_contact(email).await?;
    }
    let (url, directory) = (session.url().to_owned(), options.directory.to_string());
    folder.write_note(&AccountNote { url, directory, email: email.map(str::to_owned) })
}

async fn create(
    folder: &AccountFolder,
    authority: &Authority,
    key: Option<Vec<u8>>,
) -> Result<Session, Failure> {
    let key = match key {
        Some(key) => key,
        None => {
            let pem = protocol::generate_key();
            folder.write_key(&pem)?;
            pem.into_bytes()
        }
    };
    authority.create(&key).await
}

async fn bind(
    folder: &AccountFolder,
    authority: &Authority,
    key: Option<Vec<u8>>,
    external: &ExternalAccount,
    email: Option<&str>,
) -> Result<Session, Failure> {
    // One whose note alone is missing.
    if let Some(key) = key
        && let Some(session) = authority.find(&key).await?
    {
        return Ok(session);
    }
    let bare = external.key.0.trim_end_matches('=');
    let secret = BASE64URL_NOPAD.decode(bare.as_bytes());
    let secret = secret
        .map_err(|_| Failure::Configuration("`key` of `acme.eab` is no base64url".to_owned()))?;
    let (session, key) = authority.create_bound(email, &external.kid, &secret).await?;
    folder.write_key(&key)?;
    Ok(session)
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
