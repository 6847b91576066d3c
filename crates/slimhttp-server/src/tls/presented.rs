//! TLS towards clients: what an HTTPS server presents. It is read from the files
//! that the configuration names, or made where there are none; a connection
//! that begins later presents what has been renewed on disk meanwhile.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use slimhttp_site::fault::{Fault, Place};

use crate::fs::file_id::{Facts, FileId};
use crate::tls::{key_pair, self_signed};

/// The certificate and the key, as a configuration names them.
pub(crate) type Named = (PathBuf, PathBuf);

/// What an HTTPS server presents to its clients.
#[derive(Debug)]
pub(crate) struct Presented {
    /// For the next connections: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN
    /// (RFC 7301).
    pub(crate) config: Arc<ServerConfig>,
    /// The files that it was made of, as they were before they were read.
    seen: Seen,
    /// Where there are no files: why it is a certificate that was made now.
    made: Option<String>,
}

/// The two files at one moment; None where one is not there.
type Seen = [Option<FileId>; 2];

/// Which of the two files, or options, a flaw is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    Certificate,
    Key,
}

/// Why a certificate and its key cannot be presented.
#[derive(Debug)]
pub(crate) struct CertificateFault {
    pub(super) half: Half,
    pub(super) expected: String,
    pub(super) found: String,
    pub(super) hint: Option<String>,
}

impl CertificateFault {
    /// The fault of a configuration. Its options stand in the table `ssl`, or
    /// at the top level.
    pub(crate) fn fault(self, in_table: bool) -> Fault {
        let key = match self.half {
            Half::Certificate => "cert",
            Half::Key => "key",
        };
        let place = if in_table { Place::default().key("ssl") } else { Place::default() };
        Fault {
            place: place.key(key),
            expected: self.expected,
            found: Some(self.found),
            hint: self.hint,
        }
    }
}

impl Presented {
    /// Opens what the configuration names, or makes a certificate, see [`Self::tell`].
    ///
    /// # Errors
    /// Every flaw of what is there.
    pub(crate) fn open(named: Option<&Named>) -> Result<Arc<Self>, Vec<CertificateFault>> {
        let seen = look(named);
        let (pair, made) = match named {
            Some((certificate, key)) if seen != [None, None] => {
                (key_pair::read(certificate, key)?, None)
            }
            _ => {
                let pair = self_signed::self_signed();
                (pair.map_err(|error| vec![unusable(named, &error)])?, Some(missing(named)))
            }
        };
        let config = key_pair::config(pair).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => vec![mismatch(named)],
            error => vec![unusable(named, &error)],
        })?;
        Ok(Arc::new(Self { config, seen, made }))
    }

    /// Warns of a certificate that nobody has made for this server; before it is
    /// presented to anybody, for the configuration may name one until then.
    pub(crate) fn tell(&self) {
        if let Some(made) = &self.made {
            tracing::warn!("{made}");
        }
    }

    /// Whether the files are others than those that it was made of.
    pub(crate) fn is_outdated(&self, named: Option<&Named>) -> bool {
        look(named) != self.seen
    }

    /// The same, or what stands in the files by now. Where these cannot be used,
    /// what was presented before still is, and the log says why: a renewal that
    /// went wrong ends no service.
    pub(crate) fn renewed(self: &Arc<Self>, named: Option<&Named>) -> Arc<Self> {
        let (Some((certificate, _)), true) = (named, self.is_outdated(named)) else {
            return self.clone();
        };
        let seen = look(named);
        if seen != [None, None] {
            match Self::open(named) {
                Ok(renewed) => {
                    let news = if self.made.is_some() { "is there" } else { "was renewed" };
                    tracing::info!("{} {news}: it is presented now", certificate.display());
                    return renewed;
                }
                Err(flaws) => {
                    for flaw in flaws {
                        let fault = flaw.fault(false);
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
        Arc::new(Self { config: self.config.clone(), seen, made: None })
    }
}

fn look(named: Option<&Named>) -> Seen {
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
    let name = |half: fn(&Named) -> &PathBuf| {
        named.map_or_else(String::new, |named| half(named).display().to_string())
    };
    CertificateFault {
        half: Half::Key,
        expected: format!("the private key of the certificate in `{}`", name(|named| &named.0)),
        found: format!("`{}`, the key of another one", name(|named| &named.1)),
        hint: Some("the server's own certificate stands first in its file".into()),
    }
}

fn unusable(named: Option<&Named>, error: &dyn std::fmt::Display) -> CertificateFault {
    let file = named.map_or_else(String::new, |(path, _)| format!("`{}`: ", path.display()));
    CertificateFault {
        half: Half::Certificate,
        expected: "a certificate and its private key in PEM form".into(),
        found: format!("{file}{error}"),
        hint: None,
    }
}

/// The cryptography behind TLS, on both sides.
pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
