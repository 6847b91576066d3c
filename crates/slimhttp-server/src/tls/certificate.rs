//! Making certificates: the self-signed one of an HTTPS server that is given
//! none, and what a program asks for. Keys are ECDSA (FIPS 186-5) unless RSA is asked for:
//! every client of this decade takes them, and a handshake costs least with them. Nothing is
//! written; it takes some milliseconds of the thread that asks, and with RSA up to seconds.

use std::fmt;
use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, RsaKeySize, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use slimhttp_site::host::HostKey;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};

/// What a certificate is to say, and who signs it. Texts that are empty are
/// left out of the certificate.
#[derive(Clone, Debug, Default)]
pub struct CertificateSpec {
    /// Two letters (ISO 3166).
    pub country: String,
    /// The state or province.
    pub state: String,
    /// The city.
    pub city: String,
    /// The organization.
    pub organization: String,
    /// The unit within it.
    pub unit: String,
    /// The name of the server, or of whoever it is for. As a host name or an
    /// address it stands among the alternative names too (RFC 6125: clients look
    /// there and nowhere else).
    pub name: String,
    /// Further host names and addresses.
    pub others: Vec<String>,
    /// An address for mail.
    pub email: String,
    /// For how long it is valid from now on, in seconds.
    pub lifetime: u32,
    /// Which key is made.
    pub key: KeyType,
    /// Who signs it.
    pub signer: Signer,
}

/// The kind of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyType {
    /// ECDSA on the curve P-256: 128 bits of strength.
    #[default]
    P256,
    /// ECDSA on P-384: 192 bits.
    P384,
    /// ECDSA on P-521: 256 bits. Browsers do not take it.
    P521,
    /// RSA with 2048 bits: 112 bits of strength.
    Rsa2048,
    /// RSA with 3072 bits: 128 bits.
    Rsa3072,
    /// RSA with 4096 bits.
    Rsa4096,
}

impl KeyType {
    /// That of a name: `p256`, `p384`, `p521`, `rsa2048`, `rsa3072`, `rsa4096`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "p256" => Some(Self::P256),
            "p384" => Some(Self::P384),
            "p521" => Some(Self::P521),
            "rsa2048" => Some(Self::Rsa2048),
            "rsa3072" => Some(Self::Rsa3072),
            "rsa4096" => Some(Self::Rsa4096),
            _ => None,
        }
    }

    fn generate(self) -> Result<KeyPair, rcgen::Error> {
        let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size);
        match self {
            Self::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Self::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            Self::P521 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512),
            Self::Rsa2048 => rsa(RsaKeySize::_2048),
            Self::Rsa3072 => rsa(RsaKeySize::_3072),
            Self::Rsa4096 => rsa(RsaKeySize::_4096),
        }
    }
}

/// Who signs a certificate.
#[derive(Clone, Debug, Default)]
pub enum Signer {
    /// Its own key; it is the certificate of a server.
    #[default]
    Itself,
    /// Its own key; it is an authority, which signs others.
    ItselfAsAuthority,
    /// An authority.
    Authority {
        /// Its key, PEM.
        key: String,
        /// Its certificate, PEM.
        certificate: String,
    },
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct GeneratedCertificate {
    /// The private key: PKCS #8, PEM.
    pub key: String,
    /// The certificate, PEM.
    pub certificate: String,
    /// Why clients may refuse it.
    pub warning: Option<String>,
}

/// Why no certificate was made.
#[derive(Debug)]
pub struct GenerateError(String);

impl fmt::Display for GenerateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for GenerateError {}

/// Makes a key and its certificate.
///
/// # Errors
/// A name that no certificate can bear, a signer that is none.
pub fn generate(spec: &CertificateSpec) -> Result<GeneratedCertificate, GenerateError> {
    let key = spec
        .key
        .generate()
        .map_err(|error| GenerateError(format!("no key could be made: {error}")))?;
    let params = params(spec)?;
    let failed =
        |error: rcgen::Error| GenerateError(format!("no certificate could be made: {error}"));
    let mut warning = None;
    let certificate = match &spec.signer {
        Signer::Itself | Signer::ItselfAsAuthority => params.self_signed(&key).map_err(failed)?,
        Signer::Authority { key: signing, certificate } => {
            let signing = KeyPair::from_pem(signing).map_err(|error| {
                GenerateError(format!("ca: no private key in it is usable: {error}"))
            })?;
            let authority = authority(certificate)?;
            warning = signer_warning(&authority, &signing)?;
            let issuer = Issuer::from_ca_cert_der(&authority, signing).map_err(failed)?;
            params.signed_by(&key, &issuer).map_err(failed)?
        }
    };
    Ok(GeneratedCertificate { key: key.serialize_pem(), certificate: certificate.pem(), warning })
}

fn params(spec: &CertificateSpec) -> Result<CertificateParams, GenerateError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for (kind, text) in [
        (DnType::CountryName, &spec.country),
        (DnType::StateOrProvinceName, &spec.state),
        (DnType::LocalityName, &spec.city),
        (DnType::OrganizationName, &spec.organization),
        (DnType::OrganizationalUnitName, &spec.unit),
        (DnType::CommonName, &spec.name),
        // emailAddress of PKCS #9 (RFC 2985 section 5.2.1).
        (DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]), &spec.email),
    ] {
        if !text.is_empty() {
            params.distinguished_name.push(kind, text.as_str());
        }
    }
    let authority = matches!(spec.signer, Signer::ItselfAsAuthority);
    if !authority {
        // A common name may be that of a person.
        params.subject_alt_names.extend(alternative(&spec.name));
    }
    for name in &spec.others {
        params.subject_alt_names.push(alternative(name).ok_or_else(|| {
            GenerateError(format!("expected a host name or an address, found `{name}`"))
        })?);
    }
    // A clock that is a little behind ours takes it too.
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::hours(1);
    params.not_after = now + Duration::seconds(spec.lifetime.into());
    if authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    } else {
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    }
    params.use_authority_key_identifier_extension = matches!(spec.signer, Signer::Authority { .. });
    Ok(params)
}

/// The alternative name of a host name or an address; `None` where it is neither.
fn alternative(name: &str) -> Option<SanType> {
    let host = HostKey::parse(name).ok().filter(|host| host.port.is_none())?;
    if let Ok(address) = host.name.parse::<IpAddr>() {
        return Some(SanType::IpAddress(address));
    }
    let name = if host.wildcard { format!("*.{}", host.name) } else { host.name.to_string() };
    name.try_into().ok().map(SanType::DnsName)
}

fn authority(pem: &str) -> Result<CertificateDer<'static>, GenerateError> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| GenerateError(format!("ca: no certificate in it is usable: {error}")))
}

/// What clients will not accept of a signer.
///
/// # Errors
/// The key is not that of the certificate: nothing would ever fit.
fn signer_warning(
    authority: &CertificateDer<'_>,
    key: &KeyPair,
) -> Result<Option<String>, GenerateError> {
    let (_, read) = X509Certificate::from_der(authority)
        .map_err(|error| GenerateError(format!("ca: no certificate in it is usable: {error}")))?;
    if read.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
        return Err(GenerateError(
            "ca: expected a certificate and its own key, found another's".into(),
        ));
    }
    let subject = read.subject().to_string();
    if read.validity().not_after.to_datetime() < OffsetDateTime::now_utc() {
        return Ok(Some(format!("the authority `{subject}` has expired: clients refuse it")));
    }
    Ok((!read.is_ca()).then(|| {
        format!(
            "`{subject}` is not the certificate of an authority: clients refuse what it signs; \
             make one with `ca=True`"
        )
    }))
}

/// For `localhost` and the loopback addresses; valid for a year, though it is
/// gone with this run.
pub(crate) fn self_signed()
-> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), GenerateError> {
    let made = generate(&CertificateSpec {
        name: "localhost".into(),
        others: ["*.localhost", "127.0.0.1", "::1"].map(String::from).to_vec(),
        organization: "slimHTTP, self-signed".into(),
        lifetime: 365 * 24 * 60 * 60,
        ..CertificateSpec::default()
    })?;
    let unreadable =
        |error| GenerateError(format!("no self-signed certificate could be made: {error}"));
    let chain = CertificateDer::from_pem_slice(made.certificate.as_bytes()).map_err(unreadable)?;
    let key = PrivateKeyDer::from_pem_slice(made.key.as_bytes()).map_err(unreadable)?;
    Ok((vec![chain], key))
}

#[cfg(test)]
mod tests;
