//! What is answered while the authority looks: by the server, on its own threads, at once. The
//! thread `slimhttp-acme` puts answers in and takes them away; any thread reads them. A process
//! beside this one answers what is on disk, see `store`.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use rustls::sign::CertifiedKey;
use slimhttp_site::acme::{ChallengeType, Identifier};

use crate::certificate::for_challenge;
use crate::failure::Failure;
use crate::store::{PresentedFile, stored};
use crate::token::{is_server_name, is_token};

#[cfg(test)]
mod tests;

/// The answers to the challenges of this process, and of others that share its storage. Cloning is
/// cheap; every method may be called from any thread.
#[derive(Clone)]
pub struct Challenges(Arc<Table>);

struct Table {
    /// What is answered over HTTP, by token.
    http: RwLock<HashMap<String, Arc<str>>>,
    /// What is presented over TLS, by the name that the authority asks for.
    tls: RwLock<HashMap<String, Arc<CertifiedKey>>>,
    /// How many both are, so that a request may find out without a lock that there are none.
    presented: AtomicUsize,
    storage: Arc<Path>,
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let presented = self.0.presented.load(Ordering::Relaxed);
        f.debug_struct("Challenges").field("presented", &presented).finish_non_exhaustive()
    }
}

impl Challenges {
    pub(crate) fn new(storage: &Path) -> Self {
        Self(Arc::new(Table {
            http: RwLock::default(),
            tls: RwLock::default(),
            presented: AtomicUsize::new(0),
            storage: storage.into(),
        }))
    }

    /// Whether this process presents nothing now: one look at a number.
    pub fn is_idle(&self) -> bool {
        self.0.presented.load(Ordering::Acquire) == 0
    }

    /// What is answered to `GET /.well-known/acme-challenge/TOKEN` (RFC 8555 section 8.3), as
    /// `application/octet-stream`. `None`: this process has no such token.
    pub fn http01(&self, token: &str) -> Option<Arc<str>> {
        if self.is_idle() {
            return None;
        }
        self.0.http.read().get(token).cloned()
    }

    /// The same where a process beside this one has presented it. It reads a file: not for a
    /// thread that must not wait. Any text may be asked for.
    pub fn stored_http01(&self, token: &str) -> Option<String> {
        stored(&self.0.storage, ChallengeType::Http01, token)
    }

    /// Whether a text could be the token of a challenge: only then it is worth a look at the disk.
    pub fn is_token(text: &str) -> bool {
        is_token(text)
    }

    /// What is presented to a client that offers the protocol `acme-tls/1` and nothing else, for
    /// the name that it asks for (RFC 8737; an address is asked for by its reverse name, RFC 8738
    /// section 6). `None`: this process presents nothing for it.
    pub fn tls_alpn01(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        if self.is_idle() {
            return None;
        }
        self.0.tls.read().get(&name.to_ascii_lowercase()).cloned()
    }

    /// The same where a process beside this one has presented it. It reads a file, and makes a
    /// key.
    pub fn stored_tls_alpn01(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        let answer = stored(&self.0.storage, ChallengeType::TlsAlpn01, &name)?;
        let identifier = of_server_name(&name)?;
        for_challenge(&identifier, &answer).ok().map(Arc::new)
    }

    /// Answers http-01 until what is returned is dropped.
    pub(crate) fn present_http01(&self, token: &str, answer: &str) -> Result<Presented, Failure> {
        let kind = ChallengeType::Http01;
        let file = PresentedFile::write(&self.0.storage, kind, token, answer)?;
        self.0.http.write().insert(token.to_owned(), answer.into());
        Ok(self.presented(kind, token.to_owned(), file))
    }

    /// Answers tls-alpn-01 until what is returned is dropped.
    pub(crate) fn present_tls_alpn01(
        &self,
        identifier: &Identifier,
        answer: &str,
    ) -> Result<Presented, Failure> {
        let kind = ChallengeType::TlsAlpn01;
        let certificate = for_challenge(identifier, answer).map_err(Failure::Unexpected)?;
        let name = server_name(identifier);
        let file = PresentedFile::write(&self.0.storage, kind, &name, answer)?;
        self.0.tls.write().insert(name.clone(), Arc::new(certificate));
        Ok(self.presented(kind, name, file))
    }

    fn presented(&self, kind: ChallengeType, name: String, file: PresentedFile) -> Presented {
        self.0.presented.fetch_add(1, Ordering::Release);
        Presented { challenges: self.clone(), kind, name, _file: file }
    }
}

/// A challenge that is answered until this is dropped.
#[derive(Debug)]
pub(crate) struct Presented {
    challenges: Challenges,
    kind: ChallengeType,
    name: String,
    _file: PresentedFile,
}

impl Drop for Presented {
    fn drop(&mut self) {
        let table = &self.challenges.0;
        match self.kind {
            ChallengeType::Http01 => take(&table.http, &self.name),
            ChallengeType::TlsAlpn01 => take(&table.tls, &self.name),
            ChallengeType::Dns01 => {}
        }
        table.presented.fetch_sub(1, Ordering::Release);
    }
}

fn take<K: Eq + Hash + std::borrow::Borrow<str>, V>(table: &RwLock<HashMap<K, V>>, name: &str) {
    drop(table.write().remove(name));
}

/// What a client asks for who wants to see the certificate of an identifier. RFC 8738 section 6:
/// an address has a name in the reverse zones (RFC 1034 section 5.2.1, RFC 3596 section 2.5).
fn server_name(identifier: &Identifier) -> String {
    match identifier {
        Identifier::Dns(name) | Identifier::Wildcard(name) => name.to_string(),
        Identifier::Ip(IpAddr::V4(address)) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        Identifier::Ip(IpAddr::V6(address)) => {
            let digits = address.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
            let digits: String = digits.map(|digit| format!("{digit:x}.")).collect();
            format!("{digits}ip6.arpa")
        }
    }
}

/// The identifier that a client asks for so.
fn of_server_name(name: &str) -> Option<Identifier> {
    if !is_server_name(name) {
        return None;
    }
    let address = if let Some(reverse) = name.strip_suffix(".in-addr.arpa") {
        let bytes: Vec<u8> =
            reverse.split('.').rev().map(str::parse).collect::<Result<_, _>>().ok()?;
        IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)
    } else if let Some(reverse) = name.strip_suffix(".ip6.arpa") {
        let digit = |digit: &str| u8::from_str_radix(digit, 16).ok().filter(|_| digit.len() == 1);
        let digits: Vec<u8> = reverse.split('.').rev().map(digit).collect::<Option<_>>()?;
        let bytes: Vec<u8> =
            digits.chunks(2).map(|it| it.iter().fold(0, |a, d| a << 4 | d)).collect();
        IpAddr::from(<[u8; 16]>::try_from(bytes).ok().filter(|_| digits.len() == 32)?)
    } else {
        return Identifier::parse(name).ok();
    };
    Some(Identifier::Ip(address))
}
