//! A certificate chain and its private key, out of PEM files (RFC 7468). Both may stand in one file.
//! Called by whoever opens a site, and when files have changed; it waits for the disk.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use rustls::InconsistentKeys;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use slimhttp_site::tls::CertificateFiles;

use crate::tls::facts::CertificateFacts;
use crate::tls::fault::{CertificateFault, PairPart};
use crate::tls::provider::provider;

/// What can be presented: a chain, the server's own certificate first, with its key, and what that
/// certificate says.
#[derive(Debug)]
pub(crate) struct Presentable {
    pub(super) key: Arc<CertifiedKey>,
    pub(crate) facts: CertificateFacts,
}

/// How large a file may be.
const MAX_SIZE: u64 = 1024 * 1024;

/// Reads both files.
///
/// # Errors
/// Every fault of each.
pub(super) fn read(files: &CertificateFiles) -> Result<Presentable, Vec<CertificateFault>> {
    let CertificateFiles { certificate, key } = files;
    let chain = contents(certificate, PairPart::Certificate)
        .and_then(|bytes| read_chain(certificate, &bytes))
        .and_then(|chain| facts(certificate, &chain).map(|facts| (chain, facts)));
    let pair_key =
        contents(key, PairPart::Key).and_then(|bytes| read_key(key, &bytes, key == certificate));
    match (chain, pair_key) {
        (Ok((chain, facts)), Ok(key)) => presentable(files, chain, facts, key),
        (chain, key) => Err([chain.err(), key.err()].into_iter().flatten().collect()),
    }
}

/// A certificate that was obtained, with its key.
///
/// # Errors
/// It cannot be understood.
pub(super) fn of_key(certified_key: &Arc<CertifiedKey>) -> Result<Presentable, &'static str> {
    let own = certified_key.cert.first().ok_or("there is no certificate")?;
    let facts = CertificateFacts::of(own).ok_or("the certificate cannot be understood")?;
    Ok(Presentable { key: Arc::clone(certified_key), facts })
}

fn presentable(
    files: &CertificateFiles,
    chain: Vec<CertificateDer<'static>>,
    facts: CertificateFacts,
    key: PrivateKeyDer<'static>,
) -> Result<Presentable, Vec<CertificateFault>> {
    let key = match provider().key_provider.load_private_key(key) {
        Ok(key) => key,
        Err(error) => return Err(vec![unusable(&files.key, &facts, &error)]),
    };
    let key = CertifiedKey::new(chain, key);
    match key.keys_match() {
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) | Ok(()) => {
            Ok(Presentable { key: Arc::new(key), facts })
        }
        Err(_) => Err(vec![mismatch(files)]),
    }
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
fn unusable(path: &Path, facts: &CertificateFacts, error: &rustls::Error) -> CertificateFault {
    tracing::debug!("{}: {error}", path.display());
    CertificateFault {
        part: PairPart::Key,
        expected: "a private key on the curve P-256, P-384 or P-521, of Ed25519, or of RSA with \
                   2048 to 8192 bits"
            .into(),
        found: format!("`{}`, one of {}", path.display(), facts.key),
        hint: Some(
            "make another one, and a certificate for it: `openssl ecparam -name prime256v1 \
             -genkey -noout -out key.pem`"
                .into(),
        ),
    }
}

fn mismatch(files: &CertificateFiles) -> CertificateFault {
    CertificateFault {
        part: PairPart::Key,
        expected: format!("the private key of the certificate in `{files}`"),
        found: format!("`{}`, the key of another one", files.key.display()),
        hint: Some("the server's own certificate stands first in its file".into()),
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

/// What the server's own certificate says, the first of a chain that is not empty. It is presented
/// also where it is not valid now: a server that does not start, or lets nobody in who would look
/// away, is worse than one whose clients warn, and it can be renewed meanwhile.
fn facts(path: &Path, chain: &[CertificateDer<'_>]) -> Result<CertificateFacts, CertificateFault> {
    chain.first().and_then(CertificateFacts::of).ok_or_else(|| CertificateFault {
        part: PairPart::Certificate,
        expected: "a certificate".into(),
        found: format!("`{}`, which is none that can be understood", path.display()),
        hint: Some("make it anew".into()),
    })
}

/// The certificates of a file of authorities, and whether none of them is missing or broken.
///
/// # Errors
/// What was expected and what was found.
pub(super) fn read_authorities(
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, (String, String)> {
    let shown = path.display();
    let bytes = read_bounded(path)
        .map_err(|error| ("a PEM file that can be read".into(), format!("`{shown}`: {error}")))?;
    let found = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| ("a PEM file".into(), format!("`{shown}`: {error}")))?;
    if found.is_empty() {
        let expected = "certificates of authorities in PEM form".into();
        return Err((expected, format!("`{shown}`, which has none")));
    }
    Ok(found)
}
