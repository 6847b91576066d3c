//! Certificates in files for tests, and handshakes in memory.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use tempfile::TempDir;

use crate::tls::certificate::{CertificateSpec, GeneratedCertificate, KeyType, Signer, generate};
use crate::tls::provider::provider;

/// A certificate with its key, as it is presented.
pub(crate) fn certified_key(made: &GeneratedCertificate) -> Arc<CertifiedKey> {
    let chain = CertificateDer::from_pem_slice(made.certificate.as_bytes()).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(made.key.as_bytes()).expect("PEM");
    Arc::new(CertifiedKey::from_der(vec![chain], key, &provider()).expect("a pair"))
}

/// An authority, and a folder for what it signs.
pub(crate) struct Issuer {
    folder: TempDir,
    made: GeneratedCertificate,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        let made = generate(&CertificateSpec {
            name: "Our CA".into(),
            lifetime: 3600,
            signer: Signer::ItselfAsAuthority,
            ..CertificateSpec::default()
        });
        Self { folder: TempDir::new().expect("a folder"), made: made.expect("an authority") }
    }

    /// A certificate for these names.
    pub(crate) fn sign(&self, names: &[&str], key: KeyType) -> GeneratedCertificate {
        let made = generate(&CertificateSpec {
            name: names[0].into(),
            others: names[1..].iter().map(|name| (*name).to_owned()).collect(),
            lifetime: 3600,
            key,
            signer: Signer::Authority {
                key: self.made.key.clone(),
                certificate: self.made.certificate.clone(),
            },
            ..CertificateSpec::default()
        });
        made.expect("a certificate")
    }

    /// Puts a certificate and its key into a file, as a renewal does; the path.
    pub(crate) fn put(&self, file: &str, made: &GeneratedCertificate) -> PathBuf {
        self.write(file, &format!("{}{}", made.certificate, made.key))
    }

    /// One of the kind that costs least, in a file.
    pub(crate) fn issue(&self, file: &str, names: &[&str]) -> PathBuf {
        self.put(file, &self.sign(names, KeyType::P256))
    }

    /// The certificate of the authority, in a file.
    pub(crate) fn authority(&self) -> PathBuf {
        self.write("ca.pem", &self.made.certificate)
    }

    pub(crate) fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(file);
        let new = path.with_extension("new");
        fs::write(&new, text).expect("written");
        fs::rename(&new, &path).expect("moved");
        path
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&self.made)).expect("an authority");
        roots
    }

    /// A client that trusts this authority, and shows a certificate of another one if it has one.
    pub(crate) fn client(&self, own: Option<&GeneratedCertificate>) -> ClientConfig {
        self.client_of(rustls::ALL_VERSIONS, own)
    }

    pub(crate) fn client_of(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        own: Option<&GeneratedCertificate>,
    ) -> ClientConfig {
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .expect("these are spoken")
            .with_root_certificates(self.roots());
        let mut config = match own {
            None => config.with_no_client_auth(),
            Some(own) => {
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).expect("a key");
                config.with_client_auth_cert(vec![certificate(own)], key).expect("a pair")
            }
        };
        config.resumption = Resumption::in_memory_sessions(8);
        config
    }
}

/// A certificate that was made.
pub(crate) fn certificate(made: &GeneratedCertificate) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(made.certificate.as_bytes()).expect("PEM")
}

/// Shakes hands in memory, with a first message of the server behind them, so that the tickets of
/// TLS 1.3 have come. The error of whoever has found one first.
pub(crate) fn shake_hands(
    client: &Arc<ClientConfig>,
    name: &str,
    server: Arc<ServerConfig>,
) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let mut client = ClientConnection::new(client.clone(), name)?;
    let mut server = ServerConnection::new(server)?;
    while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).expect("memory");
        }
        feed(&bytes, |bytes| {
            server.read_tls(bytes).expect("memory");
            server.process_new_packets().map(drop)
        })?;
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).expect("memory");
        }
        feed(&bytes, |bytes| {
            client.read_tls(bytes).expect("memory");
            client.process_new_packets().map(drop)
        })?;
    }
    Ok((client, server))
}

fn feed(
    mut bytes: &[u8],
    mut take: impl FnMut(&mut &[u8]) -> Result<(), rustls::Error>,
) -> Result<(), rustls::Error> {
    while !bytes.is_empty() {
        take(&mut bytes)?;
    }
    Ok(())
}
