//! The host and port that a request names, by its `Host` field or `:authority`. RFC
//! 9110 section 7.2, RFC 3986 section 3.2.2, RFC 5891 for names beyond ASCII.
//!
//! A request may name whatever RFC 3986 calls a registered name, which need not be one that
//! DNS knows; a configuration is read more strictly, since what no client asks for by its name
//! is a slip there.

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
    /// character that no registered name has).
    ///
    /// A name that is in normal form already is borrowed. A port without digits
    /// (`host:`) is none, as in RFC 3986 section 3.2.3.
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

    /// Reads a host that a configuration names: an address, or labels as DNS has them. An
    /// underscore is allowed, because names in use have it.
    pub(crate) fn parse_configured(raw: &'r [u8]) -> Option<Self> {
        let is_dns_name = |named: &Self| {
            let is_address = named.host.contains(':');
            is_address || (!raw.contains(&b'%') && has_dns_labels(&named.host))
        };
        Self::parse(raw).filter(is_dns_name)
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
    // Mostly it is in normal form, which a look at its bytes tells.
    let is_normal = |byte: u8| is_dns_byte(byte) && !byte.is_ascii_uppercase();
    if matches!(name.len(), 1..=LONGEST_NAME) && !name.ends_with('.') && name.bytes().all(is_normal)
    {
        return Some(Cow::Borrowed(name));
    }
    let decoded = decoded_name(name)?;
    // Four bytes encode a character that takes at least one in an A-label. The
    // bound comes first, since Punycode costs the square of its length.
    if decoded.len() > 4 * (LONGEST_NAME + 1) {
        return None;
    }
    let ascii = if decoded.is_ascii() {
        decoded
    } else {
        // The mapping can yield any ASCII character (U+FF0F becomes `/`), so
        // what follows checks its result and nothing is denied here.
        let mapped = idna::domain_to_ascii_cow(decoded.as_bytes(), AsciiDenyList::EMPTY).ok()?;
        if mapped.contains('%') {
            return None;
        }
        Cow::Owned(mapped.into_owned())
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
    let is_name_byte = |byte| is_registered_name_byte(byte) || byte == b'%';
    if bare.is_empty() || bare.len() > LONGEST_NAME || !bare.bytes().all(is_name_byte) {
        return None;
    }
    if bare.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(Cow::Owned(bare.to_ascii_lowercase()));
    }
    Some(bare)
}

/// A name without its percent-encoding (RFC 3986 section 3.2.2: what is beyond ASCII is
/// encoded by its UTF-8). One that encodes what no name may hold unencoded stays as it is: that is
/// a name, and matches none that a configuration can have. `None` where the encoding is malformed.
fn decoded_name(name: &str) -> Option<Cow<'_, str>> {
    if !name.contains('%') {
        return Some(Cow::Borrowed(name));
    }
    let is_encoded = |behind: &str| {
        let digits = behind.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !name.split('%').skip(1).all(is_encoded) {
        return None;
    }
    let is_name =
        |text: &String| text.bytes().all(|byte| !byte.is_ascii() || is_registered_name_byte(byte));
    let decoded = String::from_utf8(percent_encoding::percent_decode_str(name).collect()).ok();
    Some(decoded.filter(is_name).map_or(Cow::Borrowed(name), Cow::Owned))
}

/// Whether `name`, whose bytes were checked, consists of labels of letters, digits, `-` and `_`.
fn has_dns_labels(name: &str) -> bool {
    name.split('.').all(|label| (1..=LONGEST_LABEL).contains(&label.len()))
        && name.bytes().all(is_dns_byte)
}

/// Whether a host name in DNS has such a byte.
pub(crate) fn is_dns_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// Whether a registered name may hold the byte unencoded: `unreserved` and `sub-delims` of RFC
/// 3986 section 2.
fn is_registered_name_byte(byte: u8) -> bool {
    is_dns_byte(byte) || b"~!$&'()*+,;=".contains(&byte)
}
