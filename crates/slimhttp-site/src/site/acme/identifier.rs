//! What a certificate is for: a name, all names of one level, or an address.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::routing::host::HostKey;

/// A name or an address in a certificate, in normal form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identifier {
    /// A name in the DNS: small letters, A-labels, no dot at its end.
    Dns(Arc<str>),
    /// All names one label longer than this one (`*.example.com` is `example.com` here).
    Wildcard(Arc<str>),
    /// An address (RFC 8738).
    Ip(IpAddr),
}

impl Identifier {
    /// Reads what a person has written, or a client has sent.
    ///
    /// # Errors
    /// What was expected instead, for a fault's text: "a host name".
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let HostKey { wildcard, name, port } = HostKey::parse(text)?;
        if port.is_some() {
            return Err("a host name without a port");
        }
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse() {
            return Ok(Self::Ip(address));
        }
        if !name.split('.').all(is_label) {
            return Err("a host name of letters, digits and hyphens");
        }
        Ok(if wildcard { Self::Wildcard(name) } else { Self::Dns(name) })
    }

    /// The name without `*.`; `None` for an address.
    pub fn name(&self) -> Option<&Arc<str>> {
        match self {
            Self::Dns(name) | Self::Wildcard(name) => Some(name),
            Self::Ip(_) => None,
        }
    }

    /// Whether a certificate for this is one for `other` (RFC 9525 section 6.3: a wildcard stands
    /// for one label).
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Wildcard(parent), Self::Dns(name)) => {
                name.split_once('.').is_some_and(|(_, rest)| rest == &**parent)
            }
            (one, other) => one == other,
        }
    }

    /// Whether this is a wildcard and `other` anywhere below it.
    pub fn is_above(&self, other: &Self) -> bool {
        let (Self::Wildcard(parent), Some(name)) = (self, other.name()) else { return false };
        let below = name.strip_suffix(&**parent).and_then(|labels| labels.strip_suffix('.'));
        below.is_some_and(|labels| !labels.is_empty())
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Wildcard(name) => write!(f, "*.{name}"),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// Letters, digits, hyphens within (RFC 1123 section 2.1). Their number is checked before.
fn is_label(label: &str) -> bool {
    let is_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !label.is_empty()
        && label.bytes().all(is_byte)
        && !label.starts_with('-')
        && !label.ends_with('-')
}
