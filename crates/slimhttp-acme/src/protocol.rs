//! The messages of ACME (RFC 8555) are those of `instant-acme`. Here it is given a client that
//! bounds what an authority may do, and that sees every response: when the authority wants to be
//! asked again, and which URL an order has, before anything else about it is looked at. Its errors
//! become a [`Failure`].
//!
//! What an order is for, and what becomes of it, is decided above; nothing here looks at a disk.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use instant_acme::{Account, AccountBuilder, ExternalAccountKey, Key, NewAccount};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::clock::Clock;
use crate::failure::{Failure, Problem, told};
use crate::https::{Https, Url};

mod client;
mod order;
mod renewal;
mod session;
#[cfg(test)]
mod tests;

use client::{Client, DirectoryCache, Seen};
pub(crate) use order::{
    Authorization, AuthorizationStatus, Challenge, ChallengeStatus, Order, OrderStatus, next_poll,
};
pub(crate) use renewal::RenewalInfo;
pub(crate) use session::{NewOrder, Session};

/// How often a request is made anew because the authority has refused its nonces: the library tries
/// three of them each time, and nothing has come of a request whose nonce is refused (RFC 8555
/// section 6.5).
const MOST_NONCES: usize = 10;

/// An authority. All attempts of this process share its connection and its directory; what an
/// attempt sees is its own.
pub(crate) struct Authority {
    url: Url,
    https: Arc<Https>,
    clock: Arc<dyn Clock>,
    directory: DirectoryCache,
}

/// How often, and after which time, something harmless is asked again where the authority does not
/// answer: while it looks for what a challenge demands, that has to stay there.
const PATIENCE: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// Asks again where only a nonce was refused, and for a while where nobody answers.
macro_rules! with_patience {
    ($what:expr, $seen:expr, $asked:expr) => {{
        let mut waits = crate::protocol::PATIENCE.into_iter();
        loop {
            match with_nonces!($what, $seen, $asked) {
                Err(Failure::Unreachable(why)) => match waits.next() {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => break Err(Failure::Unreachable(why)),
                },
                asked => break asked,
            }
        }
    }};
}

/// Asks again where only a nonce was refused.
macro_rules! with_nonces {
    ($what:expr, $seen:expr, $asked:expr) => {{
        let mut left = crate::protocol::MOST_NONCES;
        loop {
            left -= 1;
            match $asked.await {
                Ok(done) => break Ok(done),
                Err(error) => match crate::protocol::failure($what, error, $seen) {
                    failure if left > 0 && failure.is("badNonce") => {}
                    failure => break Err(failure),
                },
            }
        }
    }};
}
use {with_nonces, with_patience};

impl Authority {
    pub(crate) fn new(url: Url, https: Https, clock: Arc<dyn Clock>) -> Self {
        Self { url, https: Arc::new(https), clock, directory: DirectoryCache::default() }
    }

    /// The directory is read anew: something has failed, and it may have changed.
    pub(crate) fn forget_directory(&self) {
        *self.directory.lock() = None;
    }

    /// A client of its own for each use, so that what it has seen last is of that use.
    fn client(&self) -> (AccountBuilder, Seen) {
        let seen = Seen::new(Arc::clone(&self.clock));
        let client = Client {
            https: Arc::clone(&self.https),
            directory_url: self.url.text.clone(),
            directory: Arc::clone(&self.directory),
            seen: seen.clone(),
        };
        (Account::builder_with_http(Box::new(client)), seen)
    }

    /// The account with this URL and this key, a PEM file; the authority is asked for nothing but
    /// its directory.
    pub(crate) async fn open(&self, key: &[u8], account: &str) -> Result<Session, Failure> {
        let (builder, seen) = self.client();
        let (key, directory) = (key_of(key)?, self.url.text.clone());
        let opened = builder.from_parts(account.to_owned(), key, directory).await;
        let account = opened.map_err(|error| failure("the account", error, &seen))?;
        Ok(Session { account, seen })
    }

    /// Makes the account of this key, a PEM file. One that the key has already is found, and stays
    /// as it is (RFC 8555 section 7.3.1): to ask twice is harmless.
    pub(crate) async fn create(&self, key: &[u8]) -> Result<Session, Failure> {
        self.account_of("an account", || async {
            let (builder, seen) = self.client();
            let made = builder.create_from_key(both(key)?, self.url.text.clone()).await;
            Ok((made.map(|(account, _)| account), seen))
        })
        .await
    }

    /// The account that this key has; `None`: it has none.
    pub(crate) async fn find(&self, key: &[u8]) -> Result<Option<Session>, Failure> {
        let found = self.account_of("the account", || async {
            let (builder, seen) = self.client();
            let found = builder.from_key(both(key)?, self.url.text.clone()).await;
            Ok((found.map(|(account, _)| account), seen))
        });
        match found.await {
            Ok(session) => Ok(Some(session)),
            Err(failure) if failure.is("accountDoesNotExist") => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn account_of<F>(
        &self,
        what: &'static str,
        ask: impl Fn() -> F,
    ) -> Result<Session, Failure>
    where
        F: Future<Output = Result<(Result<Account, instant_acme::Error>, Seen), Failure>>,
    {
        let mut left = MOST_NONCES;
        loop {
            left -= 1;
            let (asked, seen) = ask().await?;
            match asked.map_err(|error| failure(what, error, &seen)) {
                Ok(account) => return Ok(Session { account, seen }),
                Err(failure) if left > 0 && failure.is("badNonce") => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Makes an account that is bound to one elsewhere (RFC 8555 section 7.3.4), with a key of the
    /// library's: the account, and the key as a PEM file.
    pub(crate) async fn create_bound(
        &self,
        email: Option<&str>,
        kid: &str,
        secret: &[u8],
    ) -> Result<(Session, String), Failure> {
        let contact: Vec<_> = contact(email);
        let contact: Vec<_> = contact.iter().map(|it| &**it).collect();
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let binding = ExternalAccountKey::new(kid.to_owned(), secret);
        let mut left = MOST_NONCES;
        loop {
            left -= 1;
            let (builder, seen) = self.client();
            let made = builder.create(&new, self.url.text.clone(), Some(&binding)).await;
            match made.map_err(|error| failure("an account", error, &seen)) {
                Ok((account, credentials)) => {
                    let key = pem_of(credentials.private_key());
                    return Ok((Session { account, seen }, key));
                }
                Err(failure) if left > 0 && failure.is("badNonce") => {}
                Err(failure) => return Err(failure),
            }
        }
    }
}

/// A new key of an account, as a PEM file.
pub(crate) fn generate_key() -> String {
    let (_, key) = Key::generate_pkcs8().expect("aws-lc-rs makes keys on P-256");
    pem_of(&key)
}

/// The key in a PEM file.
fn key_of(pem: &[u8]) -> Result<PrivatePkcs8KeyDer<'static>, Failure> {
    let fault = |_| Failure::Storage("the key of the account is none".to_owned());
    PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(fault)
}

fn both(pem: &[u8]) -> Result<(Key, PrivateKeyDer<'static>), Failure> {
    let der = key_of(pem)?;
    let fault = |_| Failure::Storage("the key of the account is of another kind".to_owned());
    Ok((Key::from_pkcs8_der(der.clone_key()).map_err(fault)?, der.into()))
}

/// Whether a file has a key of an account.
pub(crate) fn is_key(pem: &[u8]) -> bool {
    both(pem).is_ok()
}

fn pem_of(key: &PrivatePkcs8KeyDer<'_>) -> String {
    crate::certificate::pem("PRIVATE KEY", key.secret_pkcs8_der())
}

fn contact(email: Option<&str>) -> Vec<String> {
    email.map(|email| format!("mailto:{email}")).into_iter().collect()
}

/// What an error of the library comes to, after a request for `what`.
fn failure(what: &'static str, error: instant_acme::Error, seen: &Seen) -> Failure {
    use instant_acme::Error;
    match error {
        Error::Api(problem) => {
            let (status, later) = seen.refused().unwrap_or_default();
            Failure::Refused(what, Box::new(Problem::from(&problem).of_response(status, later)))
        }
        Error::Other(error) => match error.downcast::<Failure>() {
            Ok(failure) => *failure,
            Err(error) => Failure::Unexpected(format!("{what}: {}", told(&error.to_string()))),
        },
        Error::Unsupported(feature) => {
            Failure::Configuration(format!("the authority does not support {feature}"))
        }
        error => Failure::Unexpected(format!("{what}: {}", told(&error.to_string()))),
    }
}

/// When a response says that its server may be asked again.
type RetryAfter = Option<SystemTime>;
