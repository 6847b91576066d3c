//! What a configuration comes to without a server: its faults, and how its certificates stand. For
//! programs that ask and serve nothing. Everything here waits for the disk, and
//! [`roll_over_account_key`] for an authority too.

use std::fmt;
use std::io;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::sync::Arc;

use slimhttp_acme::SystemClock;
use slimhttp_site::fault::Faults;
use slimhttp_site::listener::{Endpoint, FirstListener, Listener};
use slimhttp_site::site::Site;
use time::OffsetDateTime;

use crate::acme;
use crate::live::{Draft, snapshot};
use crate::server::ServerConfig;
use crate::sys::privileges;
use crate::tls::status::CertificateStatus;
use crate::tls::store::TlsStore;

/// Checks a configuration as [`Server::bind`](super::Server::bind) would, without a server; the
/// warnings are returned.
///
/// # Errors
/// Every fault at once.
pub fn check(server_config: &ServerConfig) -> Result<Vec<String>, Faults> {
    let site = compile(server_config)?;
    if site.service.speaks_tls() {
        snapshot::open_tls(&site, &Arc::default(), None)?;
    }
    Ok(site.warnings)
}

/// How the certificates of a configuration stand, as
/// [`Server::certificates`](super::Server::certificates) would say, by their files and by the
/// storage of those that are obtained. Behind them stand those that were obtained on demand, which
/// no virtual host presents. Empty where TLS is not spoken.
///
/// # Errors
/// Every fault of the configuration and its files, or that the storage cannot be read.
pub fn certificates(
    server_config: &ServerConfig,
) -> Result<Vec<CertificateStatus>, CertificatesError> {
    let site = compile(server_config).map_err(CertificatesError::Config)?;
    if !site.service.speaks_tls() {
        return Ok(Vec::new());
    }
    let store = Arc::<TlsStore>::default();
    let tls = snapshot::open_tls(&site, &store, None).map_err(CertificatesError::Config)?;
    let (now, options) = (OffsetDateTime::now_utc(), &site.service.acme);
    let wanted = site.automatic_certificates();
    if wanted.is_empty() && !site.obtains_on_demand() {
        return Ok(tls.status(&site, now));
    }
    let stored = acme::load(options, &store, wanted).map_err(|cause| {
        let storage = options.storage.clone();
        CertificatesError::Storage { storage, cause }
    })?;
    let mut all = tls.status(&site, now);
    if site.obtains_on_demand() {
        all.extend(acme::on_demand(&stored, &store, now));
    }
    acme::add_progress(&mut all, &stored);
    Ok(all)
}

/// Gives the account of a configuration with its authority another key. A server that runs takes
/// it with its next order. Where root has started this, the process becomes the `user` of the
/// configuration, whose files those of the account are.
///
/// # Errors
/// The configuration is faulty, or obtains nothing; or why it has not come about.
pub fn roll_over_account_key(server_config: &ServerConfig) -> Result<(), CertificatesError> {
    let site = compile(server_config).map_err(CertificatesError::Config)?;
    let is_used = !site.automatic_certificates().is_empty() || site.obtains_on_demand();
    if !(site.service.speaks_tls() && is_used) {
        return Err(CertificatesError::NoneObtained);
    }
    let failed = |error: io::Error| CertificatesError::Account(error.to_string());
    privileges::apply(&site.service).map_err(failed)?;
    slimhttp_acme::roll_over_account_key(site.service.acme.clone(), Arc::new(SystemClock))
        .map_err(CertificatesError::Account)
}

/// Why nothing is known of certificates, or done about them.
#[derive(Debug)]
#[non_exhaustive]
pub enum CertificatesError {
    /// The configuration is faulty, or one of the files that it names.
    Config(Faults),
    /// The storage of certificates that are obtained cannot be read.
    Storage {
        /// Its folder.
        storage: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// No certificate is obtained.
    NoneObtained,
    /// The account has no other key: why, in one line.
    Account(String),
}

impl fmt::Display for CertificatesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(faults) => faults.fmt(f),
            Self::Storage { storage, cause } => {
                write!(f, "the storage `{}` cannot be read: {cause}", storage.display())
            }
            Self::NoneObtained => f.write_str("no certificate is obtained"),
            Self::Account(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for CertificatesError {}

fn compile(server_config: &ServerConfig) -> Result<Site, Faults> {
    // Where `listen` is wrong, compiling it says so, whatever is open.
    let nowhere = || Listener::new(Endpoint::tcp("", 0), server_config.tls);
    let listener = server_config.first_listener().unwrap_or_else(nowhere);
    let bound = match &listener.endpoint {
        Endpoint::Tcp { address, .. } if address.is_empty() => vec![Ipv6Addr::UNSPECIFIED.into()],
        Endpoint::Tcp { address, .. } => address.parse().ok().into_iter().collect(),
        Endpoint::Unix(_) | Endpoint::Inherited(_) => Vec::new(),
    };
    let listener = FirstListener {
        port: listener.endpoint.port(),
        endpoint: listener.endpoint,
        tls: listener.tls,
        is_listed: server_config.is_listed(),
        bound,
    };
    let draft = Draft::new(server_config.config.clone(), server_config.base.clone());
    snapshot::compile_site(&draft, &listener, server_config.handler.is_some(), None)
}
