//! Host names: the keys of `vhosts`, and the table that finds what belongs to the
//! host of a request.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::protocol::authority::{Authority, canonical_ipv6, is_dns_byte};

#[cfg(test)]
mod tests;

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
            None => Authority::parse_configured(named.as_bytes())
                // What a request may leave open or empty is a mistake in a key.
                .filter(|authority| authority.port != Some(0) && !named.ends_with(':'))
                .ok_or_else(|| expectation(key))?,
        };
        if wildcard && is_address(&host) {
            return Err("a name behind `*.`, not an address");
        }
        Ok(Self { wildcard, name: host.into(), port })
    }

    /// Whether it is an address, and no name.
    pub fn is_address(&self) -> bool {
        is_address(&self.name)
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
    } else if below.bytes().all(is_dns_byte) {
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
