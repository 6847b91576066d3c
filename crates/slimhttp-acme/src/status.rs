//! How certificates stand, for a person: of a running server, or of a folder alone.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use slimhttp_site::acme::AcmeOptions;

use crate::certificate::Certificate;
use crate::context::digest_of;
use crate::names::Names;
use crate::renewal::{Due, Timing, due, renew_at};
use crate::store::{CertificateFolder, Meta, Store};

/// How one certificate stands.
#[derive(Clone, Debug, PartialEq)]
pub struct CertificateStatus {
    /// What it is wanted for.
    pub names: Names,
    /// The folder in which it is kept.
    pub folder: PathBuf,
    /// What there is.
    pub state: CertificateState,
    /// From when on the one that is there is valid.
    pub not_before: Option<SystemTime>,
    /// Until when.
    pub not_after: Option<SystemTime>,
    /// Who has signed it, in words.
    pub issuer: Option<String>,
    /// Its serial number, in hexadecimal.
    pub serial: Option<String>,
    /// Whether nobody has written its name down.
    pub on_demand: bool,
    /// When it was obtained.
    pub obtained: Option<SystemTime>,
    /// When it is ordered next, as far as is known now.
    pub next_attempt: Option<SystemTime>,
    /// The attempts that have failed since it was obtained.
    pub attempts: u32,
    /// When the last of them was.
    pub last_attempt: Option<SystemTime>,
    /// Why the last of them failed, in one line, with what the authority said.
    pub last_error: Option<String>,
    /// Within which time the authority wants it renewed (RFC 9773).
    pub renewal_window: Option<(SystemTime, SystemTime)>,
    /// A page of the authority that says why.
    pub renewal_explanation: Option<String>,
}

/// What there is of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateState {
    /// It is being ordered, whether there is one already or not.
    Obtaining,
    /// There is one, and it is valid now.
    Valid,
    /// There is one, and its time is over, or has not begun.
    Expired,
    /// There is none.
    Missing,
}

impl fmt::Display for CertificateState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Obtaining => "obtaining",
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Missing => "missing",
        })
    }
}

impl CertificateStatus {
    pub(crate) fn new(
        names: &Names,
        folder: &CertificateFolder,
        certificate: Option<&Certificate>,
        meta: &Meta,
        timing: &Timing,
        now: SystemTime,
    ) -> Self {
        let life = certificate.map(Certificate::life);
        let next_attempt = match (life, meta.next_attempt) {
            (Some(life), retry) => {
                let renewal = renew_at(life, meta, timing);
                Some(retry.map_or(renewal, |retry| retry.max(renewal)))
            }
            (None, retry) => retry,
        };
        let is_valid = |it: &Certificate| (it.not_before..it.not_after).contains(&now);
        let ari = meta.ari.as_ref().filter(|ari| {
            certificate.is_some_and(|certificate| certificate.id.as_ref() == Some(&ari.id))
        });
        Self {
            names: names.clone(),
            folder: folder.path().to_owned(),
            state: match certificate {
                Some(certificate) if is_valid(certificate) => CertificateState::Valid,
                Some(_) => CertificateState::Expired,
                None => CertificateState::Missing,
            },
            not_before: certificate.map(|it| it.not_before),
            not_after: certificate.map(|it| it.not_after),
            issuer: certificate.map(|it| it.issuer.clone()),
            serial: certificate.map(|it| it.serial.clone()),
            on_demand: meta.on_demand,
            obtained: meta.obtained,
            next_attempt,
            attempts: meta.attempts,
            last_attempt: meta.last_attempt,
            last_error: meta.last_error.clone(),
            renewal_window: ari.and_then(|ari| ari.window),
            renewal_explanation: ari.and_then(|ari| ari.explanation.clone()),
        }
    }
}

/// A certificate as it is in the storage.
#[derive(Debug)]
pub struct StoredCertificate {
    /// How it stands.
    pub status: CertificateStatus,
    /// What there is.
    pub certificate: Option<Certificate>,
}

/// The certificates of the authority that `options` name, by their folders, without a server that
/// runs and in the order of their names. One that is being ordered at the moment says so.
///
/// # Errors
/// The storage cannot be read. One that is not there yet has no certificates.
pub fn stored_certificates(options: &AcmeOptions) -> io::Result<Vec<StoredCertificate>> {
    let (now, timing, digest) = (SystemTime::now(), Timing::default(), digest_of(options));
    let mut found = Vec::new();
    for folder in Store::new(&options.storage, &options.directory).try_all_certificates()? {
        let certificate = folder.certificate().ok().flatten();
        let meta = folder.meta().unwrap_or_default().for_options(&digest);
        // A folder that was made by hand has no names of its own.
        let names = meta.names.clone().or_else(|| certificate.as_ref().map(|it| it.names.clone()));
        let Some(names) = names else { continue };
        let mut status =
            CertificateStatus::new(&names, &folder, certificate.as_ref(), &meta, &timing, now);
        let life = certificate.as_ref().map(Certificate::life);
        let is_due = due(now, life, &meta, &timing) == Due::Obtain;
        if meta.order.is_some() && is_due {
            status.state = CertificateState::Obtaining;
        }
        found.push(StoredCertificate { status, certificate });
    }
    found.sort_by(|one, other| one.status.names.cmp(&other.status.names));
    Ok(found)
}
