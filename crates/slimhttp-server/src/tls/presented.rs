//! What the connections of a scope present: certificates out of files, of several kinds of keys, or
//! one that is obtained. Which of them a client gets is decided by what it can verify, within its
//! handshake and on its I/O thread.

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use slimhttp_site::tls::UntilIssued;
use smallvec::SmallVec;

use crate::tls::automatic::AutomaticCertificate;
use crate::tls::facts::{CertificateFacts, preference};
use crate::tls::pair::Pair;

/// What the connections of a scope present.
#[derive(Debug)]
pub(crate) struct Presented {
    pub(super) source: Source,
    /// What stands in where there is nothing else.
    stand_in: Option<Arc<CertifiedKey>>,
}

/// Where it comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// In the order in which they are offered to clients.
    Files(SmallVec<[Arc<Pair>; 1]>),
    Automatic(Arc<AutomaticCertificate>),
}

impl Presented {
    /// What stands in these files; the stand-in where they are not there.
    pub(super) fn files(
        mut pairs: SmallVec<[Arc<Pair>; 1]>,
        stand_in: Option<&Arc<CertifiedKey>>,
    ) -> Self {
        pairs.sort_by_key(|pair| pair.read.as_ref().map(|read| preference(&read.key)));
        let stand_in = stand_in.filter(|_| pairs.iter().all(|pair| pair.read.is_none()));
        Self { source: Source::Files(pairs), stand_in: stand_in.cloned() }
    }

    /// What is obtained.
    pub(super) fn automatic(
        certificate: Arc<AutomaticCertificate>,
        until_issued: UntilIssued,
        stand_in: Option<&Arc<CertifiedKey>>,
    ) -> Self {
        let stand_in = stand_in.filter(|_| until_issued == UntilIssued::SelfSigned).cloned();
        Self { source: Source::Automatic(certificate), stand_in }
    }

    /// Whether this and another one come from the same place, whatever stands there by now.
    pub(super) fn is_same_source(&self, other: &Self) -> bool {
        if std::ptr::eq(self, other) {
            return true;
        }
        match (&self.source, &other.source) {
            (Source::Files(one), Source::Files(other)) => {
                let same = |(one, other): (&Arc<Pair>, &Arc<Pair>)| one.files == other.files;
                one.len() == other.len() && one.iter().zip(other).all(same)
            }
            (Source::Automatic(one), Source::Automatic(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Whether each certificate that a client may have been given is for `host`.
    pub(super) fn covers(&self, host: &str) -> bool {
        let covers = |facts: &CertificateFacts| facts.cover(host);
        match &self.source {
            Source::Files(pairs) => {
                pairs.iter().all(|pair| pair.read.as_ref().is_some_and(|read| covers(&read.facts)))
            }
            Source::Automatic(certificate) => {
                certificate.current().is_some_and(|read| covers(&read.facts))
            }
        }
    }

    /// Whether it is a certificate that the server has made for want of a better one.
    pub(crate) fn is_stand_in(&self) -> bool {
        match &self.source {
            Source::Files(_) => self.stand_in.is_some(),
            Source::Automatic(certificate) => certificate.current().is_none(),
        }
    }

    /// The first that a client can verify that knows these schemes, or just the first: rustls then
    /// says that there is none.
    fn chosen(&self, schemes: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let found = match &self.source {
            Source::Automatic(certificate) => certificate.current().map(|read| read.key.clone()),
            Source::Files(pairs) => {
                let mut keys = pairs.iter().filter_map(|pair| Some(&pair.read.as_ref()?.key));
                let first = keys.clone().next();
                let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
                keys.find(fits).or(first).cloned()
            }
        };
        found.or_else(|| self.stand_in.clone())
    }
}

impl ResolvesServerCert for Presented {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.chosen(client_hello.signature_schemes())
    }
}
