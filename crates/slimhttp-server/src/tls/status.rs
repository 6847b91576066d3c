//! What a server has of certificates, for whoever asks: where each comes from, for whom it is, how
//! long, and what went wrong last. Read from a table, on any thread but those of I/O.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::SystemTime;

use slimhttp_site::site::Site;
use time::OffsetDateTime;

use crate::tls::automatic::AutomaticCertificate;
use crate::tls::expiry::Stage;
use crate::tls::facts::{CertificateFacts, lower_hexadecimal};
use crate::tls::pair::Pair;
use crate::tls::presented::Source;
use crate::tls::table::TlsTable;

/// One certificate, or one that is to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateStatus {
    /// Where it comes from.
    pub source: CertificateSource,
    /// Whether it can be used, and how long.
    pub state: CertificateState,
    /// The hosts for which it is; for one that is to be obtained, those that are asked for.
    pub names: Vec<String>,
    /// The virtual hosts that present it, by their keys; `None` is the global level.
    pub presented_by: Vec<Option<String>>,
    /// What it says, where there is one.
    pub facts: Option<StatusFacts>,
    /// Why what stands in its files, or was asked for, is not what is presented; in one line.
    pub fault: Option<String>,
    /// The attempts to obtain it that have failed since one came about.
    pub attempts: u32,
    /// When it is asked for next, as far as is known now, if it is obtained.
    pub next_attempt: Option<SystemTime>,
}

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatusFacts {
    /// Who has signed it, as RFC 4514 writes it.
    pub issuer: String,
    /// Its number, hexadecimal.
    pub serial: String,
    /// From when on it is valid.
    pub not_before: SystemTime,
    /// Until when.
    pub not_after: SystemTime,
    /// The kind of its key, in words.
    pub key: String,
    /// SHA-256 of all of it, hexadecimal in lower case.
    pub fingerprint: String,
}

/// Where a certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CertificateSource {
    /// PEM files.
    Files {
        /// That of the certificate.
        certificate: PathBuf,
        /// That of its key.
        key: PathBuf,
    },
    /// The server obtains it.
    Automatic,
}

/// Whether a certificate can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateState {
    /// There is none: the server presents one that it has made, or lets nobody in.
    Missing,
    /// It will be valid.
    NotYetValid,
    /// It is valid.
    Valid,
    /// It is valid, and ends so soon that the log says so.
    Expiring,
    /// It has ended.
    Expired,
}

impl CertificateState {
    /// By its name: `missing`, `not yet valid`, `valid`, `expiring`, `expired`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NotYetValid => "not yet valid",
            Self::Valid => "valid",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
        }
    }

    fn of(facts: Option<&CertificateFacts>, now: OffsetDateTime) -> Self {
        let Some(facts) = facts else { return Self::Missing };
        match Stage::of(facts, now) {
            Stage::Over => Self::Expired,
            _ if facts.not_before > now => Self::NotYetValid,
            Stage::Days(_) => Self::Expiring,
            Stage::Far => Self::Valid,
        }
    }
}

impl TlsTable {
    /// Every certificate of a site, each once, in the order of the virtual hosts that present them.
    pub(crate) fn status(&self, site: &Site, now: OffsetDateTime) -> Vec<CertificateStatus> {
        let (mut all, mut known) = (Vec::<CertificateStatus>::new(), HashMap::new());
        for (host, entry) in self.entries(site) {
            let found = match &entry.presented.source {
                Source::Files(pairs) => pairs.iter().map(|pair| of_pair(pair, now)).collect(),
                Source::Automatic(certificate) => vec![of_automatic(certificate, now)],
            };
            for status in found {
                let number = *known.entry(status.key()).or_insert_with(|| {
                    all.push(status);
                    all.len() - 1
                });
                all[number].presented_by.push(host.map(|host| host.to_string()));
            }
        }
        all
    }
}

impl CertificateStatus {
    /// What tells it from others: where it is from, and what is asked for there.
    fn key(&self) -> (CertificateSource, Vec<String>) {
        match &self.source {
            CertificateSource::Automatic => (CertificateSource::Automatic, self.names.clone()),
            files => (files.clone(), Vec::new()),
        }
    }
}

fn of_pair(pair: &Pair, now: OffsetDateTime) -> CertificateStatus {
    let facts = pair.read.as_ref().map(|read| &read.facts);
    CertificateStatus {
        source: CertificateSource::Files {
            certificate: pair.files.certificate.to_path_buf(),
            key: pair.files.key.to_path_buf(),
        },
        state: CertificateState::of(facts, now),
        names: facts.map(|facts| facts.names.clone()).unwrap_or_default(),
        presented_by: Vec::new(),
        facts: facts.map(said),
        fault: pair.fault.as_deref().map(str::to_owned),
        attempts: 0,
        next_attempt: None,
    }
}

/// What is known of a certificate that the server obtains.
pub(crate) fn of_automatic(
    certificate: &AutomaticCertificate,
    now: OffsetDateTime,
) -> CertificateStatus {
    let current = certificate.current();
    let facts = current.as_ref().map(|read| &read.facts);
    CertificateStatus {
        source: CertificateSource::Automatic,
        state: CertificateState::of(facts, now),
        names: certificate.names.iter().map(|name| name.to_string()).collect(),
        presented_by: Vec::new(),
        facts: facts.map(said),
        fault: None,
        attempts: 0,
        next_attempt: None,
    }
}

fn said(facts: &CertificateFacts) -> StatusFacts {
    StatusFacts {
        issuer: facts.issuer.clone(),
        serial: facts.serial.clone(),
        not_before: facts.not_before.into(),
        not_after: facts.not_after.into(),
        key: facts.key.clone(),
        fingerprint: lower_hexadecimal(&facts.fingerprint),
    }
}
