//! How certificates are obtained by ACME (RFC 8555), as plain data: what the option `acme` came
//! to. The crate slimhttp-acme acts by it; nothing here does.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

mod identifier;
#[cfg(test)]
mod tests;

pub use identifier::Identifier;

/// The directories that have a name: what is written, the URL, and whether an account there has
/// to be bound to one that exists elsewhere (`eab`).
pub const DIRECTORIES: &[(&str, &str, bool)] = &[
    ("letsencrypt", "https://acme-v02.api.letsencrypt.org/directory", false),
    ("letsencrypt-staging", "https://acme-staging-v02.api.letsencrypt.org/directory", false),
    ("zerossl", "https://acme.zerossl.com/v2/DV90", true),
];

/// The folder of `storage` where nothing is said, beside the configuration.
pub const STORAGE: &str = "acme";

/// Whom certificates are asked of, in whose name, how, and where they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeOptions {
    /// The URL of the authority's directory (RFC 8555 section 7.1.1).
    pub directory: Arc<str>,
    /// The certificates that the authority's own TLS is verified by; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// Where the authority writes to.
    pub email: Option<Arc<str>>,
    /// The folder of accounts, keys and certificates, absolute. Several processes may share it.
    pub storage: PathBuf,
    /// How control of a name is shown, in order of preference; never empty.
    pub challenges: Vec<ChallengeType>,
    /// How records of dns-01 are set.
    pub dns: DnsOptions,
    /// The account elsewhere that the one with the authority is bound to (RFC 8555 section 7.3.4).
    pub eab: Option<ExternalAccount>,
    /// The kind of certificate that is asked for, in the authority's words.
    pub profile: Option<Arc<str>>,
    /// The keys of certificates.
    pub key_type: KeyType,
    /// The names that get a certificate when a client first asks for one; `None`: no names.
    pub on_demand: Option<OnDemandOptions>,
}

impl AcmeOptions {
    /// What holds where nothing is said, for a configuration in the folder `base`.
    pub fn new(base: &Path) -> Self {
        Self {
            directory: DIRECTORIES[0].1.into(),
            ca: None,
            email: None,
            storage: base.join(STORAGE),
            challenges: vec![ChallengeType::Http01, ChallengeType::TlsAlpn01],
            dns: DnsOptions::default(),
            eab: None,
            profile: None,
            key_type: KeyType::P256,
            on_demand: None,
        }
    }
}

/// How control of a name is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChallengeType {
    /// By an answer over plain HTTP (RFC 8555 section 8.3).
    Http01,
    /// By a certificate in a handshake of TLS (RFC 8737).
    TlsAlpn01,
    /// By a record in the DNS (RFC 8555 section 8.4).
    Dns01,
}

impl ChallengeType {
    /// Every type, in the order in which the docs have them.
    pub const ALL: [Self; 3] = [Self::Http01, Self::TlsAlpn01, Self::Dns01];

    /// Its name in the registry of RFC 8555 section 9.7.8.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::Dns01 => "dns-01",
        }
    }
}

impl fmt::Display for ChallengeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How records of dns-01 are set, and how it is seen that they are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsOptions {
    /// Who sets them; `None`: a function of the program, if there is one.
    pub way: Option<DnsWay>,
    /// How long setting or removing one may take.
    pub timeout: Duration,
    /// How long is waited until a record is seen; zero: nobody looks.
    pub propagation_timeout: Duration,
    /// Who is asked for it; empty: the servers of the zone.
    pub resolvers: Vec<SocketAddr>,
}

impl Default for DnsOptions {
    fn default() -> Self {
        Self {
            way: None,
            timeout: Duration::from_secs(60),
            propagation_timeout: Duration::from_secs(120),
            resolvers: Vec::new(),
        }
    }
}

/// Who sets the records of dns-01.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsWay {
    /// A program, absolute: called with `present` or `cleanup`, the name, and the value.
    Program(PathBuf),
    /// A server of the zone, by updates (RFC 2136).
    Update(DnsUpdate),
}

/// Updates of a zone, signed with a shared key (RFC 8945).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsUpdate {
    /// The server's name or address, an IPv6 address without brackets.
    pub host: Arc<str>,
    /// Its port.
    pub port: u16,
    /// The zone; `None`: the one that the server says the name is in.
    pub zone: Option<Arc<str>>,
    /// The key; `None`: updates are not signed.
    pub key: Option<TsigKey>,
    /// How long others may keep the record, in seconds.
    pub ttl: u32,
}

/// A key that a client and a server of the DNS share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TsigKey {
    /// What both call it.
    pub name: Arc<str>,
    /// How it signs.
    pub algorithm: TsigAlgorithm,
    /// The key, in base64.
    pub secret: Secret,
}

/// The message authentication code of a [`TsigKey`] (RFC 8945 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TsigAlgorithm {
    /// `hmac-sha256`
    HmacSha256,
    /// `hmac-sha384`
    HmacSha384,
    /// `hmac-sha512`
    HmacSha512,
}

/// An account elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalAccount {
    /// What the authority calls its key.
    pub kid: Arc<str>,
    /// The key, in base64url.
    pub key: Secret,
}

/// A key of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// ECDSA on the curve P-256.
    P256,
    /// ECDSA on the curve P-384.
    P384,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 4096 bits.
    Rsa4096,
}

/// The words of `key_type`.
pub const KEY_TYPES: &[(&str, KeyType)] = &[
    ("p256", KeyType::P256),
    ("p384", KeyType::P384),
    ("rsa2048", KeyType::Rsa2048),
    ("rsa4096", KeyType::Rsa4096),
];

/// Certificates for names that a client asks for and nobody has written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDemandOptions {
    /// The names; a wildcard stands for every name below it, however deep. What they do not cover
    /// a function of the program decides, if there is one.
    pub allow: Vec<Identifier>,
    /// New names in an hour.
    pub per_hour: usize,
    /// Names that are decided about or obtained at the same time.
    pub at_once: usize,
    /// Names in all.
    pub max_names: usize,
    /// How long a handshake waits for its certificate, and for what a function decides.
    pub timeout: Duration,
    /// How long a name that was refused, or for which none could be had, is refused again
    /// without asking anybody.
    pub negative_ttl: Duration,
}

impl Default for OnDemandOptions {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            per_hour: 20,
            at_once: 4,
            max_names: 10_000,
            timeout: Duration::from_secs(10),
            negative_ttl: Duration::from_secs(300),
        }
    }
}

impl OnDemandOptions {
    /// Whether `allow` covers a name.
    pub fn allows(&self, name: &Identifier) -> bool {
        self.allow.iter().any(|allowed| allowed == name || allowed.is_above(name))
    }
}

/// A key that no log and no message may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Arc<str>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::secrets::MASK)
    }
}
