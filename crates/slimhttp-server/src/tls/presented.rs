//! TLS towards clients: what an HTTPS server presents. It is read from the files
//! that the configuration names, or made where there are none; a connection
//! that begins later presents what has been renewed on disk meanwhile.
//!
//! A snapshot of the site holds one; every I/O thread reads it there for each new connection.
//! It is opened and renewed by whoever changes the site, and that waits for the disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;

use crate::fs::file_id::{Facts, FileId};
use crate::tls::fault::{CertificateFault, PairPart};
use crate::tls::{certificate, key_pair};

/// The certificate and the key, as a configuration names them.
pub(crate) type Named = (PathBuf, PathBuf);

/// What an HTTPS server presents to its clients.
#[derive(Debug)]
pub(crate) struct Presented {
    /// For the next connections: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN
    /// (RFC 7301).
    pub(crate) config: Arc<ServerConfig>,
    /// The files that it was read from, as they were before they were read.
    files: PairFiles,
    /// Where there are no files: why it is a certificate that was made now.
    self_signed: Option<String>,
}

/// The two files at one moment; None where one is not there.
type PairFiles = [Option<FileId>; 2];

impl Presented {
    /// Opens what the configuration names, or makes a certificate, see [`Self::warn_if_self_signed`].
    ///
    /// # Errors
    /// Every fault of what is there.
    pub(crate) fn open(named: Option<&Named>) -> Result<Arc<Self>, Vec<CertificateFault>> {
        let files = stat_pair(named);
        let (pair, self_signed) = match named {
            Some((certificate, key)) if files != [None, None] => {
                (key_pair::read(certificate, key)?, None)
            }
            _ => {
                let pair = certificate::self_signed();
                (pair.map_err(|error| vec![unusable(named, &error)])?, Some(missing(named)))
            }
        };
        let config = key_pair::config(pair).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => vec![mismatch(named)],
            error => vec![unusable(named, &error)],
        })?;
        Ok(Arc::new(Self { config, files, self_signed }))
    }

    /// Warns of a certificate that nobody has made for this server; before it is
    /// presented to anybody, for the configuration may name one until then.
    pub(crate) fn warn_if_self_signed(&self) {
        if let Some(why) = &self.self_signed {
            tracing::warn!("{why}");
        }
    }

    /// Whether the files are others than those that it was made of.
    pub(crate) fn is_outdated(&self, named: Option<&Named>) -> bool {
        stat_pair(named) != self.files
    }

    /// The same, or what stands in the files by now. Where these cannot be used,
    /// what was presented before still is, and the log says why: a renewal that
    /// went wrong ends no service.
    pub(crate) fn renewed(self: &Arc<Self>, named: Option<&Named>) -> Arc<Self> {
        let (Some((certificate, _)), true) = (named, self.is_outdated(named)) else {
            return self.clone();
        };
        let files = stat_pair(named);
        if files != [None, None] {
            match Self::open(named) {
                Ok(renewed) => {
                    let news = if self.self_signed.is_some() { "is there" } else { "was renewed" };
                    tracing::info!("{} {news}: it is presented now", certificate.display());
                    return renewed;
                }
                Err(faults) => {
                    for fault in faults {
                        let fault = fault.told();
                        tracing::warn!("the certificate read before stays in use: {fault}");
                    }
                }
            }
        } else {
            tracing::warn!(
                "{} is gone: the certificate read before stays in use",
                certificate.display()
            );
        }
        // Not looked at again until the files change again.
        Arc::new(Self { config: self.config.clone(), files, self_signed: None })
    }
}

fn stat_pair(named: Option<&Named>) -> PairFiles {
    let identity =
        |path: &Path| rustix::fs::stat(path).ok().map(|stat| Facts::from(stat).identity());
    match named {
        Some((certificate, key)) => [identity(certificate), identity(key)],
        None => [None, None],
    }
}

fn missing(named: Option<&Named>) -> String {
    match named {
        Some((certificate, _)) => format!(
            "{} does not exist: serving with a self-signed certificate, made now",
            certificate.display()
        ),
        None => "no certificate is configured (`cert`, `key`): serving with a self-signed one, \
                 made now"
            .to_owned(),
    }
}

fn mismatch(named: Option<&Named>) -> CertificateFault {
    let name = |path: fn(&Named) -> &PathBuf| {
        named.map_or_else(String::new, |named| path(named).display().to_string())
    };
    CertificateFault {
        part: PairPart::Key,
        expected: format!("the private key of the certificate in `{}`", name(|named| &named.0)),
        found: format!("`{}`, the key of another one", name(|named| &named.1)),
        hint: Some("the server's own certificate stands first in its file".into()),
    }
}

fn unusable(named: Option<&Named>, error: &dyn std::fmt::Display) -> CertificateFault {
    let file = named.map_or_else(String::new, |(path, _)| format!("`{}`: ", path.display()));
    CertificateFault {
        part: PairPart::Certificate,
        expected: "a certificate and its private key in PEM form".into(),
        found: format!("{file}{error}"),
        hint: None,
    }
}

#[cfg(test)]
mod tests;
