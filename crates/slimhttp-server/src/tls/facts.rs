//! What a certificate says, read once when it is opened: for whom it is, how long, by whom, and
//! with which kind of key.

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::SignatureAlgorithm;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};
use x509_parser::public_key::PublicKey;

use crate::tls::distinguished_name::distinguished_name;

/// What a server's own certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateFacts {
    /// The hosts that it is for: names in lower case, wildcards, addresses (RFC 9525 section 2).
    pub(crate) names: Vec<String>,
    /// Who has signed it, as RFC 4514 writes it.
    pub(crate) issuer: String,
    /// Hexadecimal.
    pub(crate) serial: String,
    pub(crate) not_before: OffsetDateTime,
    pub(crate) not_after: OffsetDateTime,
    /// The kind of its key, in words.
    pub(crate) key: String,
    /// SHA-256 of all of it.
    pub(crate) fingerprint: [u8; 32],
}

impl CertificateFacts {
    /// `None` where it is none that can be understood.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        Some(Self {
            names: names(&parsed),
            issuer: distinguished_name(parsed.issuer()),
            serial: hexadecimal(parsed.raw_serial()),
            not_before: parsed.validity().not_before.to_datetime(),
            not_after: parsed.validity().not_after.to_datetime(),
            key: kind_of_key(&parsed),
            fingerprint: sha256(certificate),
        })
    }

    /// Whether it is for `host`, in normal form. A wildcard stands for one label (RFC 9525 section
    /// 6.3).
    pub(crate) fn cover(&self, host: &str) -> bool {
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.names.iter().any(|name| name.parse() == Ok(address));
        }
        let below = host.split_once('.').map(|(_, below)| below);
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(above) => below == Some(above),
            None => name == host,
        })
    }
}

/// The alternative names by which clients know a host.
pub(crate) fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    general_names(certificate)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
            _ => None,
        })
        .collect()
}

/// All alternative names.
pub(crate) fn general_names<'c>(
    certificate: &'c X509Certificate<'c>,
) -> impl Iterator<Item = &'c GeneralName<'c>> {
    certificate.extensions().iter().flat_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => names.general_names.as_slice(),
        _ => &[],
    })
}

/// An address as a certificate has it (RFC 5280 section 4.2.1.6).
pub(crate) fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from);
    v4().or_else(v6)
}

/// The kind of a certificate's key, in words.
pub(crate) fn kind_of_key(certificate: &X509Certificate<'_>) -> String {
    let key = certificate.public_key();
    let algorithm = key.algorithm.algorithm.to_id_string();
    match key.parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA with {} bits", key.key_size()),
        Ok(PublicKey::EC(_)) => {
            // RFC 5480 section 2.1.1.1: the parameters name the curve.
            let curve = key.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
            let curve = curve.map(|curve| curve.to_id_string()).unwrap_or_default();
            let name = match curve.as_str() {
                "1.2.840.10045.3.1.7" => "P-256",
                "1.3.132.0.34" => "P-384",
                "1.3.132.0.35" => "P-521",
                "1.3.132.0.10" => "secp256k1",
                other => other,
            };
            format!("ECDSA on the curve {name}")
        }
        // RFC 8410 section 3.
        _ if algorithm == "1.3.101.112" => "Ed25519".to_owned(),
        _ => format!("the algorithm {algorithm}"),
    }
}

/// Bytes as certificates are shown: two digits each, in upper case.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().expect("it has 32 bytes")
}

/// The same in lower case, as fingerprints are shown.
pub(crate) fn lower_hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How soon a key is offered to a client that could take several: handshakes cost least with
/// ECDSA, and RSA is for those that know nothing else.
pub(crate) fn preference(key: &CertifiedKey) -> u8 {
    match key.key.algorithm() {
        SignatureAlgorithm::ECDSA => 0,
        SignatureAlgorithm::RSA => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
