//! TLS towards clients: certificate and key → a configuration for rustls, and
//! a self-signed certificate where none is there.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use slimhttp_site::site::Service;

/// Opens what an HTTPS server presents to its clients: TLS 1.2 and 1.3, HTTP/2
/// and HTTP/1.1 by ALPN (RFC 7301).
///
/// # Errors
/// A text that names the file and what is wrong with it.
pub(crate) fn open(service: &Service) -> Result<Arc<ServerConfig>, String> {
    let (chain, key) = match &service.certificate {
        Some((certificate, key)) if certificate.exists() || key.exists() => read(certificate, key)?,
        configured => {
            match configured {
                Some((certificate, _)) => tracing::warn!(
                    "{} does not exist: serving with a self-signed certificate, made now",
                    certificate.display()
                ),
                None => tracing::warn!(
                    "no certificate is configured (`cert`, `key`): serving with a self-signed one, made now"
                ),
            }
            self_signed()?
        }
    };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| format!("the certificate and its key cannot be used: {error}"))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The cryptography behind TLS, on both sides.
pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read(certificate: &Path, key: &Path) -> Result<Identity, String> {
    let wrong = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(certificate, &error))?;
    if chain.is_empty() {
        return Err(wrong(certificate, &"expected a certificate in PEM form, found none"));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    Ok((chain, key))
}

/// For `localhost` and the loopback addresses, valid for this run.
fn self_signed() -> Result<Identity, String> {
    let names = ["localhost", "*.localhost", "127.0.0.1", "::1"].map(String::from);
    let made = rcgen::generate_simple_self_signed(names)
        .map_err(|error| format!("no self-signed certificate could be made: {error}"))?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())
        .map_err(|error| format!("no self-signed certificate could be made: {error}"))?;
    Ok((vec![made.cert.der().clone()], key))
}
