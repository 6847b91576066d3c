//! Certificates and their keys: made, asked for, read. Nothing here waits; a key of RSA takes a
//! second or more to make.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::digest;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair, RsaKeySize};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use slimhttp_site::acme::{Identifier, KeyType};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::X509Name;

use crate::clock;
use crate::failure::told;
use crate::names::Names;

#[cfg(test)]
pub(crate) mod tests;

/// The longest chain.
const LONGEST_CHAIN: usize = 10;

/// A certificate that was obtained, with its key.
pub struct Certificate {
    /// What to present: the chain, and the key that belongs to it.
    pub certified_key: Arc<CertifiedKey>,
    /// What it is for, as the certificate itself says.
    pub names: Names,
    /// From when on it is valid.
    pub not_before: SystemTime,
    /// Until when.
    pub not_after: SystemTime,
    /// Who has signed it, in words.
    pub issuer: String,
    /// Its serial number, in hexadecimal.
    pub serial: String,
    /// What it is called where the authority says when to renew it; `None`: it has no such name.
    pub(crate) id: Option<String>,
}

/// Not the key.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("names", &self.names)
            .field("serial", &self.serial)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    /// Whether both are the same one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.certified_key.cert.first() == other.certified_key.cert.first()
    }

    /// Reads a chain and a key.
    ///
    /// # Errors
    /// Why they are no certificate with its key.
    pub(crate) fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, String> {
        let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| format!("no certificates: {error}"))?;
        if !(1..=LONGEST_CHAIN).contains(&chain.len()) {
            return Err(format!("a chain of {} certificates", chain.len()));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("no key: {error}"))?;
        let facts = Facts::read(&chain[0]).ok_or("a certificate that is not understood")?;
        let certified_key = CertifiedKey::from_der(chain, key, &default_provider());
        let certified_key = certified_key.map_err(|error| error.to_string())?;
        Ok(Self {
            certified_key: Arc::new(certified_key),
            names: facts.names,
            not_before: facts.not_before,
            not_after: facts.not_after,
            issuer: facts.issuer,
            serial: facts.serial,
            id: facts.id,
        })
    }
}

/// What a certificate is called there (RFC 9773 section 4.1): by the key of whoever signed it, and
/// its serial number as it is encoded.
fn certificate_id(authority_key: &[u8], serial: &[u8]) -> String {
    format!("{}.{}", BASE64URL_NOPAD.encode(authority_key), BASE64URL_NOPAD.encode(serial))
}

/// What a certificate says of itself.
struct Facts {
    names: Names,
    not_before: SystemTime,
    not_after: SystemTime,
    issuer: String,
    serial: String,
    id: Option<String>,
}

impl Facts {
    fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let names = certificate.subject_alternative_name().ok()??;
        let names = names.value.general_names.iter().filter_map(identifier);
        let validity = certificate.validity();
        let serial = certificate.tbs_certificate.raw_serial();
        let authority_key =
            certificate.iter_extensions().find_map(|it| match it.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(it) => {
                    it.key_identifier.as_ref().map(|it| it.0)
                }
                _ => None,
            });
        Some(Self {
            names: Names::new(names)?,
            not_before: clock::seconds(validity.not_before.timestamp())?,
            not_after: clock::seconds(validity.not_after.timestamp())?,
            issuer: name_of(certificate.issuer()),
            serial: HEXLOWER.encode(serial),
            id: authority_key.map(|key| certificate_id(key, serial)),
        })
    }
}

fn identifier(name: &GeneralName<'_>) -> Option<Identifier> {
    match name {
        GeneralName::DNSName(name) => Identifier::parse(name).ok(),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let v6 = || <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| v6()).ok().map(Identifier::Ip)
        }
        _ => None,
    }
}

/// The organization and the common name of an authority.
fn name_of(name: &X509Name<'_>) -> String {
    let organization = name.iter_organization().next().and_then(|it| it.as_str().ok());
    let common = name.iter_common_name().next().and_then(|it| it.as_str().ok());
    let parts: Vec<_> = [organization, common].into_iter().flatten().collect();
    told(&parts.join(" "))
}

/// A PEM file (RFC 7468) of one object.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// A new key, as a PEM file.
pub(crate) fn generate_key(kind: KeyType) -> String {
    let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size);
    let pair = match kind {
        KeyType::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
        KeyType::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
        KeyType::Rsa2048 => rsa(RsaKeySize::_2048),
        KeyType::Rsa4096 => rsa(RsaKeySize::_4096),
    };
    pair.expect("aws-lc-rs makes keys of every one of these kinds").serialize_pem()
}

/// A request for a certificate for `names` with the key of a PEM file (RFC 2986).
///
/// # Errors
/// The key is none.
pub(crate) fn request(key: &[u8], names: &Names) -> Result<Vec<u8>, String> {
    let pem = std::str::from_utf8(key).map_err(|error| error.to_string())?;
    let pair = KeyPair::from_pem(pem).map_err(|error| error.to_string())?;
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).map_err(|error| error.to_string())?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&pair).map_err(|error| error.to_string())?;
    Ok(request.der().to_vec())
}

/// What answers tls-alpn-01 (RFC 8737 section 3): a certificate for nothing but the name, signed
/// by itself, with the digest of the answer in it. It is presented to whoever offers the protocol
/// `acme-tls/1` and nothing else, and a handshake is all that comes of it.
///
/// # Errors
/// The name cannot be in a certificate.
pub(crate) fn for_challenge(name: &Identifier, answer: &str) -> Result<CertifiedKey, String> {
    let failed = |error: rcgen::Error| error.to_string();
    let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let mut params = CertificateParams::new([name.to_string()]).map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    let digest = digest::digest(&digest::SHA256, answer.as_bytes());
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest.as_ref())];
    let certificate = params.self_signed(&pair).map_err(failed)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der()));
    let key = any_supported_type(&key).map_err(|error| error.to_string())?;
    // Not `from_der`: that takes no certificate with the critical extension that this one has.
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}
