//! Host names: the `Host` field of a request, the keys of `vhosts`, and the
//! table that finds one by the other. RFC 9110 section 7.2, RFC 3986 section
//! 3.2.2, RFC 5891 for names beyond ASCII.

use std::borrow::Cow;
use std::net::Ipv6Addr;
use std::sync::Arc;

use idna::AsciiDenyList;
use smallvec::SmallVec;

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
fn canonical_ipv6(text: &str) -> Option<Cow<'_, str>> {
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

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// A key of `vhosts`: `example.com`, `example.com:8443`, `*.example.com`,
/// `[::1]:80`, `bücher.example`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostKey {
    /// Whether it stands for every name below `name`.
    pub wildcard: bool,
    /// The name in normal form (see [`Authority::host`]), without `*.`.
    pub name: Arc<str>,
    /// The port it is for, or any.
    pub port: Option<u16>,
}

impl HostKey {
    /// Reads a key as the user wrote it. An IPv6 address may stand without
    /// brackets where no port follows.
    ///
    /// # Errors
    /// What was expected instead, for the fault's text: "a host name".
    pub fn parse(key: &str) -> Result<Self, &'static str> {
        let (wildcard, named) = match key.strip_prefix("*.") {
            Some(below) => (true, below),
            None => (false, key),
        };
        let Authority { host, port } = match canonical_ipv6(named) {
            Some(host) => Authority { host, port: None },
            None => Authority::parse(named.as_bytes())
                // What a request may leave open or empty is a slip in a key.
                .filter(|authority| authority.port != Some(0) && !named.ends_with(':'))
                .ok_or_else(|| expectation(key))?,
        };
        if wildcard && is_address(&host) {
            return Err("a name behind `*.`, not an address");
        }
        Ok(Self { wildcard, name: host.into(), port })
    }
}

/// Whether a host is an address or looks like the end of one: no top-level
/// domain consists of digits.
fn is_address(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or(host);
    host.contains(':') || last.bytes().all(|byte| byte.is_ascii_digit())
}

/// What should stand in place of a malformed `key`: the first rule that it
/// breaks, in the order in which a person would look.
fn expectation(key: &str) -> &'static str {
    let below = key.strip_prefix("*.").unwrap_or(key);
    let colons = below.bytes().filter(|&byte| byte == b':').count();
    if key.trim().is_empty() {
        "a host name"
    } else if key == "*" {
        "a host name (what answers every other host stands at the global level)"
    } else if key.contains("://") {
        "a host name without a scheme or a path"
    } else if key.contains('/') {
        "a host name without a path"
    } else if key.contains('@') {
        "a host name without a user"
    } else if key.contains(|c: char| c.is_whitespace() || c.is_control()) {
        "a host name without spaces"
    } else if below.contains('*') {
        "a host name, `*` only as its first label: `*.example.com`"
    } else if key.starts_with('.') {
        "a host name, or `*.example.com` for every name below it"
    } else if below.contains(['[', ']']) || colons > 1 {
        "an IPv6 address: `[::1]`, with a port `[::1]:8080`"
    } else if colons == 1 && !below.starts_with(':') {
        "a port from 1 to 65535 behind a host name"
    } else if below.bytes().all(is_name_byte) {
        "a host name of at most 253 characters, 1 to 63 between its dots"
    } else {
        "a host name"
    }
}

/// What stands under the keys of one name: one each for the name itself and the
/// names below it, with every port.
type Entries<T> = SmallVec<[(HostKey, T); 1]>;

/// Finds what belongs to a host. Cloning is cheap, an insertion into a clone
/// shares all the rest.
#[derive(Clone, Debug)]
pub struct HostTable<T: Clone> {
    names: imbl::HashMap<Arc<str>, Entries<T>>,
    keys: usize,
    /// How many of the keys are wildcards: without any, the names above a host
    /// need not be looked up.
    wildcards: usize,
}

impl<T: Clone> Default for HostTable<T> {
    fn default() -> Self {
        Self { names: imbl::HashMap::new(), keys: 0, wildcards: 0 }
    }
}

impl<T: Clone> HostTable<T> {
    /// Puts `value` under `key` and returns what stood there.
    pub fn insert(&mut self, key: HostKey, value: T) -> Option<T> {
        let entries = self.names.entry(Arc::clone(&key.name)).or_default();
        if let Some((_, old)) = entries.iter_mut().find(|(other, _)| *other == key) {
            return Some(std::mem::replace(old, value));
        }
        self.keys += 1;
        self.wildcards += usize::from(key.wildcard);
        entries.push((key, value));
        None
    }

    /// Takes `key` away.
    pub fn remove(&mut self, key: &HostKey) -> Option<T> {
        // Asked first, because `get_mut` unshares what it passes.
        let position = self.names.get(&*key.name)?.iter().position(|(other, _)| other == key)?;
        let entries = self.names.get_mut(&*key.name)?;
        let (_, value) = entries.remove(position);
        if entries.is_empty() {
            self.names.remove(&*key.name);
        }
        self.keys -= 1;
        self.wildcards -= usize::from(key.wildcard);
        Some(value)
    }

    /// What stands under exactly `key`.
    pub fn get(&self, key: &HostKey) -> Option<&T> {
        self.names.get(&*key.name)?.iter().find(|(other, _)| other == key).map(|(_, value)| value)
    }

    /// The most specific entry for a request to `host` at `port`: the exact
    /// name with this port, the exact name, then the longest wildcard with this
    /// port or without. `host` is in normal form (see [`Authority::host`]).
    ///
    /// Costs one look-up, or one for each label where there are wildcards, and
    /// allocates nothing.
    pub fn find(&self, host: &str, port: u16) -> Option<&T> {
        let exact = self.named(host, false, port);
        if exact.is_some() || self.wildcards == 0 {
            return exact;
        }
        let mut name = host;
        while let Some((_, above)) = name.split_once('.') {
            if let Some(value) = self.named(above, true, port) {
                return Some(value);
            }
            name = above;
        }
        None
    }

    /// What stands under `name` for `port`, else for any port.
    fn named(&self, name: &str, wildcard: bool, port: u16) -> Option<&T> {
        let entries = self.names.get(name)?;
        let at = |port: Option<u16>| {
            entries.iter().find(|(key, _)| key.wildcard == wildcard && key.port == port)
        };
        at(Some(port)).or_else(|| at(None)).map(|(_, value)| value)
    }

    /// Every entry, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&HostKey, &T)> {
        self.names.values().flatten().map(|(key, value)| (key, value))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys == 0
    }
}
