//! A certificate chain and its private key, out of PEM files (RFC 7468). Both
//! may stand in one file. Called by whoever opens a site; it waits for the disk.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use crate::tls::fault::{CertificateFault, PairPart};
use crate::tls::provider::provider;

/// The chain, the server's own certificate first, and that one's key.
pub(crate) type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// How long before its end a certificate is named in the log.
const EXPIRY_WARNING: time::Duration = time::Duration::days(14);

/// How large a file may be.
const MAX_SIZE: u64 = 1024 * 1024;

/// Reads both files.
///
/// # Errors
/// Every fault of each.
pub(super) fn read(certificate: &Path, key: &Path) -> Result<Pair, Vec<CertificateFault>> {
    let chain = contents(certificate, PairPart::Certificate)
        .and_then(|bytes| read_chain(certificate, &bytes))
        .and_then(|chain| check_validity(certificate, &chain).map(|()| chain));
    let key_path = key;
    let key =
        contents(key, PairPart::Key).and_then(|bytes| read_key(key, &bytes, key == certificate));
    match (chain, key) {
        (Ok(chain), Ok(pair_key)) => match unusable(key_path, &chain, &pair_key) {
            Some(fault) => Err(vec![fault]),
            None => Ok((chain, pair_key)),
        },
        (chain, key) => Err([chain.err(), key.err()].into_iter().flatten().collect()),
    }
}

/// What a listener needs to present them.
///
/// # Errors
/// The key is another certificate's, or of a kind that TLS does not know.
pub(super) fn config((chain, key): Pair) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn contents(path: &Path, part: PairPart) -> Result<Vec<u8>, CertificateFault> {
    read_bounded(path).map_err(|error| CertificateFault {
        part,
        expected: "a PEM file that can be read".into(),
        found: format!("`{}`: {error}", path.display()),
        hint: None,
    })
}

/// The content of a regular file: a pipe may never have any, and a device may never end.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    // A folder is told by reading it.
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(io::Error::other(format!("more than {MAX_SIZE} bytes")));
    }
    Ok(bytes)
}

fn read_chain(path: &Path, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateFault> {
    let found = CertificateDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| no_pem(path, PairPart::Certificate, &error))?;
    if !found.is_empty() {
        return Ok(found);
    }
    // A sequence of ASN.1 begins with this byte, and no PEM file does.
    let hint = bytes.starts_with(&[0x30]).then_some(
        "this looks like DER; write it as PEM: `openssl x509 -inform der -in FILE -out cert.pem`",
    );
    Err(CertificateFault {
        part: PairPart::Certificate,
        expected: "a certificate in PEM form".into(),
        found: format!("`{}`, which has none", path.display()),
        hint: hint.map(Into::into),
    })
}

fn read_key(
    path: &Path,
    bytes: &[u8],
    same_file: bool,
) -> Result<PrivateKeyDer<'static>, CertificateFault> {
    let error = match PrivateKeyDer::from_pem_slice(bytes) {
        Ok(key) => return Ok(key),
        Err(error) => error,
    };
    let fault = |expected: &str, found: &str, hint: Option<&str>| CertificateFault {
        part: PairPart::Key,
        expected: expected.into(),
        found: format!("`{}`, {found}", path.display()),
        hint: hint.map(Into::into),
    };
    // Both forms: that of PKCS #8 (RFC 5958), and the older one (RFC 1421).
    let contains = |text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    if contains("BEGIN ENCRYPTED PRIVATE KEY") || contains("Proc-Type: 4,ENCRYPTED") {
        return Err(fault(
            "a private key without a passphrase",
            "which is encrypted",
            Some("decrypt it: `openssl pkey -in FILE -out key.pem`, and `chmod 600 key.pem`"),
        ));
    }
    Err(match error {
        pem::Error::NoItemsFound if same_file => fault(
            "a private key in PEM form",
            "which has a certificate only",
            Some("name the file of the key by `key`"),
        ),
        pem::Error::NoItemsFound => fault("a private key in PEM form", "which has none", None),
        error => no_pem(path, PairPart::Key, &error),
    })
}

/// What is wrong with a key that can be read, and cannot sign here. Its kind is that of
/// the certificate.
fn unusable(
    path: &Path,
    chain: &[CertificateDer<'_>],
    key: &PrivateKeyDer<'static>,
) -> Option<CertificateFault> {
    let error = provider().key_provider.load_private_key(key.clone_key()).err()?;
    let kind = chain.first().and_then(kind_of_key);
    Some(CertificateFault {
        part: PairPart::Key,
        expected: "a private key on the curve P-256 or P-384, of Ed25519, or of RSA with 2048 to \
                   4096 bits"
            .into(),
        found: match kind {
            Some(kind) => format!("`{}`, one {kind}", path.display()),
            None => format!("`{}`: {error}", path.display()),
        },
        hint: Some(
            "make another one, and a certificate for it: `openssl ecparam -name prime256v1 \
             -genkey -noout -out key.pem`"
                .into(),
        ),
    })
}

/// The kind of a certificate's key, in words.
fn kind_of_key(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let key = certificate.public_key();
    match key.parsed().ok()? {
        PublicKey::RSA(key) => Some(format!("of RSA with {} bits", key.key_size())),
        PublicKey::EC(_) => {
            // RFC 5480 section 2.1.1.1: the parameters name the curve.
            let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string();
            Some(match curve.as_str() {
                "1.3.132.0.35" => "on the curve P-521".into(),
                "1.3.132.0.10" => "on the curve secp256k1".into(),
                other => format!("on the curve {other}"),
            })
        }
        _ => Some(format!("of the algorithm {}", key.algorithm.algorithm)),
    }
}

fn no_pem(path: &Path, part: PairPart, error: &pem::Error) -> CertificateFault {
    CertificateFault {
        part,
        expected: "a PEM file".into(),
        found: format!("`{}`: {error}", path.display()),
        hint: None,
    }
}

/// Warns of a certificate that is not valid now, or not for long. It is presented
/// all the same: a server that does not start, or lets nobody in who would look
/// away, is worse than one whose clients warn, and it can be renewed meanwhile.
fn check_validity(path: &Path, chain: &[CertificateDer<'_>]) -> Result<(), CertificateFault> {
    // An empty chain is a fault already.
    let Some(own) = chain.first() else { return Ok(()) };
    let Ok((_, own)) = X509Certificate::from_der(own) else {
        return Err(CertificateFault {
            part: PairPart::Certificate,
            expected: "a certificate".into(),
            found: format!("`{}`, which is none that can be understood", path.display()),
            hint: Some("make it anew".into()),
        });
    };
    let now = OffsetDateTime::now_utc();
    let (begin, end) =
        (own.validity().not_before.to_datetime(), own.validity().not_after.to_datetime());
    let path = path.display();
    if end < now {
        tracing::error!("{path} ended on {} (UTC), and clients refuse it: renew it", end.date());
    } else if end < now + EXPIRY_WARNING {
        tracing::warn!("{path} ends on {} (UTC): renew it", end.date());
    }
    if begin > now {
        tracing::warn!("{path} is valid from {} (UTC) on only", begin.date());
    }
    Ok(())
}
