//! Who a client is, by the certificate that it has shown. Read once, when its handshake is over.

use std::net::IpAddr;
use std::time::SystemTime;

use pem::{EncodeConfig, LineEnding, Pem, encode_config};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::tls::distinguished_name::{attributes, distinguished_name};
use crate::tls::facts::{address, general_names, hexadecimal, lower_hexadecimal, sha256};

/// The certificate of a client, which an authority of the configuration has signed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientCertificate {
    /// For whom it is, as RFC 4514 writes it.
    pub subject: String,
    /// The parts of that: `CN`, `O`, … with their values, in the order of the certificate.
    pub subject_attributes: Vec<(String, String)>,
    /// Who has signed it.
    pub issuer: String,
    /// The parts of that.
    pub issuer_attributes: Vec<(String, String)>,
    /// Its number, hexadecimal.
    pub serial: String,
    /// The version of its format, from 1.
    pub version: u32,
    /// Its alternative names.
    pub names: Vec<AlternativeName>,
    /// From when on it is valid.
    pub not_before: SystemTime,
    /// Until when.
    pub not_after: SystemTime,
    /// SHA-256 of all of it, hexadecimal in lower case.
    pub fingerprint: String,
    chain: Vec<CertificateDer<'static>>,
}

/// One of the names for which a certificate is (RFC 5280 section 4.2.1.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlternativeName {
    /// A host.
    Dns(String),
    /// An address.
    Address(IpAddr),
    /// A mailbox.
    Email(String),
    /// A URI, such as one of SPIFFE.
    Uri(String),
}

impl AlternativeName {
    /// The name itself.
    pub fn text(&self) -> String {
        match self {
            Self::Address(address) => address.to_string(),
            Self::Dns(text) | Self::Email(text) | Self::Uri(text) => text.clone(),
        }
    }
}

impl ClientCertificate {
    /// Reads a chain, the client's own certificate first. `None` where that cannot be understood,
    /// though it was verified.
    pub(super) fn of(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let own = chain.first()?;
        let (_, parsed) = X509Certificate::from_der(own).ok()?;
        Some(Self {
            subject: distinguished_name(parsed.subject()),
            subject_attributes: attributes(parsed.subject()).collect(),
            issuer: distinguished_name(parsed.issuer()),
            issuer_attributes: attributes(parsed.issuer()).collect(),
            serial: hexadecimal(parsed.raw_serial()),
            version: parsed.version().0.saturating_add(1),
            names: general_names(&parsed).filter_map(alternative_name).collect(),
            not_before: parsed.validity().not_before.to_datetime().into(),
            not_after: parsed.validity().not_after.to_datetime().into(),
            fingerprint: lower_hexadecimal(&sha256(own)),
            chain: chain.iter().map(|certificate| certificate.clone().into_owned()).collect(),
        })
    }

    /// All that the client has sent, as PEM: its own certificate first.
    pub fn chain_pem(&self) -> Vec<String> {
        self.chain.iter().map(pem).collect()
    }

    /// From when on and until when it is valid, as OpenSSL prints it: `Nov 29 20:24:00 2026 GMT`.
    pub fn validity_text(&self) -> (String, String) {
        (openssl_time(self.not_before), openssl_time(self.not_after))
    }

    /// Its own certificate, as PEM.
    pub fn pem(&self) -> String {
        self.chain.first().map(pem).unwrap_or_default()
    }
}

fn alternative_name(name: &GeneralName<'_>) -> Option<AlternativeName> {
    match name {
        GeneralName::DNSName(name) => Some(AlternativeName::Dns((*name).to_owned())),
        GeneralName::RFC822Name(name) => Some(AlternativeName::Email((*name).to_owned())),
        GeneralName::URI(uri) => Some(AlternativeName::Uri((*uri).to_owned())),
        GeneralName::IPAddress(bytes) => address(bytes).map(AlternativeName::Address),
        _ => None,
    }
}

fn openssl_time(time: SystemTime) -> String {
    const FORMAT: &[BorrowedFormatItem<'_>] = format_description!(
        "[month repr:short] [day padding:space] [hour]:[minute]:[second] [year] GMT"
    );
    OffsetDateTime::from(time).format(FORMAT).unwrap_or_default()
}

/// A certificate as PEM (RFC 7468).
fn pem(certificate: &CertificateDer<'_>) -> String {
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    encode_config(&Pem::new("CERTIFICATE", certificate.as_ref()), config)
}

#[cfg(test)]
mod tests;
