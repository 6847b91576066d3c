//! The messages of ACME (RFC 8555): a request is signed with the account's key and a nonce, a
//! refusal is a problem document. What an order is for, and what becomes of it, is decided
//! above; nothing here looks at a disk.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::failure::{Failure, Problem, retry_after, told};
use crate::https::{Https, Repeat, Reply, Request, Url};
use crate::jws::AccountKey;

mod account;
mod directory;
mod order;
mod renewal;
#[cfg(test)]
mod tests;

pub(crate) use account::{Binding, NewAccount};
pub(crate) use directory::Directory;
pub(crate) use order::{
    Authorization, AuthorizationStatus, Challenge, ChallengeStatus, NewOrder, Order, OrderStatus,
    next_poll,
};
pub(crate) use renewal::RenewalInfo;

/// How often a request is signed anew with a nonce that the authority has just given: it may
/// refuse any, and nothing has come of the request then (RFC 8555 section 6.5).
const MOST_NONCES: usize = 20;
/// How many nonces are kept for later requests.
const KEPT_NONCES: usize = 8;
/// How long a directory is taken as it was read.
const DIRECTORY_AGE: Duration = Duration::from_secs(3600);

const JOSE: &str = "application/jose+json";

/// An authority: its directory, and the nonces that it has given. All orders of this process
/// share it.
pub(crate) struct Authority {
    url: Url,
    https: Https,
    clock: Arc<dyn Clock>,
    directory: Mutex<Option<(Arc<Directory>, Instant)>>,
    nonces: Mutex<Vec<String>>,
}

/// Whose key signs a request (RFC 8555 section 6.2).
#[derive(Clone, Copy)]
pub(crate) struct Signer<'k> {
    pub(crate) key: &'k AccountKey,
    /// The URL of its account; `None` where the authority does not know the key yet.
    pub(crate) account: Option<&'k str>,
}

impl Authority {
    pub(crate) fn new(url: Url, https: Https, clock: Arc<dyn Clock>) -> Self {
        let (directory, nonces) = (Mutex::new(None), Mutex::new(Vec::new()));
        Self { url, https, clock, directory, nonces }
    }

    /// What the authority offers, and where.
    pub(crate) async fn directory(&self) -> Result<Arc<Directory>, Failure> {
        if let Some((directory, since)) = &*self.directory.lock()
            && since.elapsed() < DIRECTORY_AGE
        {
            return Ok(Arc::clone(directory));
        }
        let reply = self.get("its directory", &self.url).await?;
        let directory = Arc::new(Directory::read(&object(&reply, "its directory")?)?);
        *self.directory.lock() = Some((Arc::clone(&directory), Instant::now()));
        Ok(directory)
    }

    /// A request that nobody signs.
    async fn get(&self, what: &'static str, url: &Url) -> Result<Reply, Failure> {
        let repeat = Repeat::Harmless;
        let request = Request { method: Method::GET, url, content: None, repeat };
        let reply = self.https.send(request).await?;
        self.check(what, reply)
    }

    /// A signed request; without a payload it is one that only reads ("POST-as-GET").
    async fn post(
        &self,
        what: &'static str,
        signer: Signer<'_>,
        url: &Url,
        payload: Option<&Value>,
        repeat: Repeat,
    ) -> Result<Reply, Failure> {
        let payload = payload.map(Value::to_string).unwrap_or_default();
        let mut attempts = MOST_NONCES;
        loop {
            let mut header = json!({"nonce": self.nonce().await?, "url": url.text});
            match signer.account {
                Some(account) => header["kid"] = json!(account),
                None => header["jwk"] = signer.key.jwk().clone(),
            }
            let signed = signer.key.sign(header, payload.as_bytes()).to_string();
            let content = Some((JOSE, signed.into_bytes()));
            let request = Request { method: Method::POST, url, content, repeat };
            let reply = self.https.send(request).await?;
            self.keep_nonce(&reply);
            attempts -= 1;
            match self.check(what, reply) {
                Err(failure) if attempts > 0 && failure.is("badNonce") => {}
                checked => return checked,
            }
        }
    }

    async fn nonce(&self) -> Result<String, Failure> {
        let kept = self.nonces.lock().pop();
        if let Some(nonce) = kept {
            return Ok(nonce);
        }
        let directory = self.directory().await?;
        let (url, repeat) = (&directory.new_nonce, Repeat::Harmless);
        let request = Request { method: Method::HEAD, url, content: None, repeat };
        let reply = self.check("a nonce", self.https.send(request).await?)?;
        let nonce = reply.field("replay-nonce").map(str::to_owned);
        nonce.ok_or_else(|| Failure::Unexpected("no nonce where there should be one".to_owned()))
    }

    fn keep_nonce(&self, reply: &Reply) {
        // RFC 8555 section 6.5.1: base64url, and of no use with another byte.
        let is_nonce = |nonce: &&str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            nonce.len() <= 256 && nonce.bytes().all(fits)
        };
        let mut nonces = self.nonces.lock();
        if let Some(nonce) = reply.field("replay-nonce").filter(is_nonce)
            && nonces.len() < KEPT_NONCES
        {
            nonces.push(nonce.to_owned());
        }
    }

    /// A response that is no refusal.
    fn check(&self, what: &'static str, reply: Reply) -> Result<Reply, Failure> {
        if reply.status < 400 {
            return Ok(reply);
        }
        let later = self.retry_after(&reply);
        let document = serde_json::from_slice::<Value>(&reply.content).ok();
        // A proxy in between has its own pages.
        let is_problem = |document: &Value| document.get("type").is_some();
        let problem = document.filter(is_problem).and_then(|document| Problem::read(&document));
        let problem = problem.unwrap_or_else(|| Problem {
            kind: format!("status {}", reply.status),
            ..Problem::default()
        });
        Err(Failure::Refused(what, Box::new(problem.of_response(reply.status, later))))
    }

    /// When a response says that its server may be asked again.
    fn retry_after(&self, reply: &Reply) -> Option<SystemTime> {
        retry_after(reply.field("retry-after")?, self.clock.now())
    }
}

/// The object that a response is.
fn object(reply: &Reply, what: &str) -> Result<Value, Failure> {
    match serde_json::from_slice(&reply.content) {
        Ok(value @ Value::Object(_)) => Ok(value),
        _ => Err(Failure::Unexpected(format!("{what} is no JSON object"))),
    }
}

/// The URL that a response gives to what it has made.
fn location(reply: &Reply, what: &str) -> Result<Url, Failure> {
    match reply.field("location") {
        Some(url) => Url::parse(url),
        None => Err(Failure::Unexpected(format!("{what} has no URL"))),
    }
}

/// A URL within an object.
fn url_in(object: &Value, key: &str) -> Result<Option<Url>, Failure> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Url::parse(text).map(Some),
        Some(other) => {
            let other = told(&other.to_string());
            Err(Failure::Unexpected(format!("`{key}` is `{other}` and no URL")))
        }
    }
}

/// A URL that has to be there.
fn url_of(object: &Value, key: &str, what: &str) -> Result<Url, Failure> {
    url_in(object, key)?.ok_or_else(|| Failure::Unexpected(format!("{what} has no `{key}`")))
}
