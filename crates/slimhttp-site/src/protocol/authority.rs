//! The host and port that a request names, by its `Host` field or `:authority`. RFC
//! 9110 section 7.2, RFC 3986 section 3.2.2, RFC 5891 for names beyond ASCII.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use idna::AsciiDenyList;

#[cfg(test)]
mod tests;

/// The longest label of a name, in bytes (RFC 1035 section 2.3.4).
const LONGEST_LABEL: usize = 63;

/// The longest name, in bytes of its text without the trailing dot: the 255 of
/// RFC 1035 section 2.3.4 less the first length byte and the root label.
const LONGEST_NAME: usize = 253;

/// The host and port that a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority<'r> {
    /// The host in normal form: lower case, no trailing dot, IDN as A-labels,
    /// an IPv6 address in its canonical text without brackets.
    pub host: Cow<'r, str>,
    /// The port, if the field names one.
    pub port: Option<u16>,
}

impl<'r> Authority<'r> {
    /// Reads the value of a `Host` field or of `:authority`. `None` when it is
    /// malformed (userinfo, spaces, a bad port, an empty name, bad brackets, a
    /// character that no host name has).
    ///
    /// A name that is in normal form already is borrowed. An underscore is
    /// allowed, because names in use have it; a port without digits (`host:`)
    /// is none, as in RFC 3986 section 3.2.3.
    pub fn parse(raw: &'r [u8]) -> Option<Self> {
        let raw = std::str::from_utf8(raw).ok()?;
        let (host, behind) = match raw.strip_prefix('[') {
            Some(bracketed) => {
                let (address, behind) = bracketed.split_once(']')?;
                (canonical_ipv6(address)?, behind)
            }
            None => {
                let (name, behind) = raw.split_at(raw.find(':').unwrap_or(raw.len()));
                (normal_name(name)?, behind)
            }
        };
        Some(Self { host, port: port_behind(behind)? })
    }
}

/// The canonical text (RFC 5952) of an IPv6 address. A zone is malformed here:
/// it means nothing outside of the client's machine.
pub(crate) fn canonical_ipv6(text: &str) -> Option<Cow<'_, str>> {
    let canonical = text.parse::<Ipv6Addr>().ok()?.to_string();
    Some(if canonical == text { Cow::Borrowed(text) } else { Cow::Owned(canonical) })
}

/// What stands behind a host: nothing, `:`, or `:` and a number. `None` when it
/// is anything else, `Some(None)` when it names no port.
fn port_behind(behind: &str) -> Option<Option<u16>> {
    if behind.is_empty() {
        return Some(None);
    }
    let digits = behind.strip_prefix(':')?;
    if digits.is_empty() {
        return Some(None);
    }
    // `str::parse` takes a leading `+`, a port does not.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Some)
}

/// The normal form of a name or an IPv4 address.
fn normal_name(name: &str) -> Option<Cow<'_, str>> {
    // Four bytes encode a character that takes at least one in an A-label. The
    // bound comes first, since Punycode costs the square of its length.
    if name.len() > 4 * (LONGEST_NAME + 1) {
        return None;
    }
    let ascii = if name.is_ascii() {
        Cow::Borrowed(name)
    } else {
        // The mapping can yield any ASCII character (U+FF0F becomes `/`), so
        // what follows checks its result and nothing is denied here.
        idna::domain_to_ascii_cow(name.as_bytes(), AsciiDenyList::EMPTY).ok()?
    };
    let bare = match ascii {
        Cow::Borrowed(name) => Cow::Borrowed(name.strip_suffix('.').unwrap_or(name)),
        Cow::Owned(mut name) => {
            if name.ends_with('.') {
                name.pop();
            }
            Cow::Owned(name)
        }
    };
    if !is_name(&bare) {
        return None;
    }
    if bare.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(Cow::Owned(bare.to_ascii_lowercase()));
    }
    Some(bare)
}

/// Whether `name` consists of labels of letters, digits, `-` and `_`.
fn is_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.split('.').all(|label| (1..=LONGEST_LABEL).contains(&label.len()))
        && name.bytes().all(is_name_byte)
}

pub(crate) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}
