//! Which clients may connect, and how many connections one may have.
//!
//! The server asks with each new connection, before a byte is read, so addresses and
//! networks are kept sorted: a look-up is one binary search.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Addresses and networks of both families. Empty: nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    // Disjoint and in order, so that at most one can contain an address: the
    // last that begins at it or before it.
    v4: Box<[Ipv4Net]>,
    v6: Box<[Ipv6Net]>,
}

impl Networks {
    /// Reads addresses and networks as a person writes them: `10.0.0.1`,
    /// `10.0.0.0/8`, `::1`, `fe80::/10`.
    ///
    /// # Errors
    /// The position of the first that is neither.
    pub fn parse<'w>(written: impl IntoIterator<Item = &'w str>) -> Result<Self, usize> {
        let read = |(position, text): (usize, &str)| network(text).ok_or(position);
        written.into_iter().enumerate().map(read).collect()
    }

    /// Whether the client at `address` is one of them. An IPv4 address that came
    /// by a socket of both families (RFC 4291 section 2.5.5.2) is itself.
    pub fn contain(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let behind = self.v4.partition_point(|network| network.network() <= address);
                behind > 0 && self.v4[behind - 1].contains(&address)
            }
            IpAddr::V6(address) => {
                let behind = self.v6.partition_point(|network| network.network() <= address);
                behind > 0 && self.v6[behind - 1].contains(&address)
            }
        }
    }
}

impl FromIterator<IpNet> for Networks {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match canonical(network) {
                IpNet::V4(network) => v4.push(network),
                IpNet::V6(network) => v6.push(network),
            }
        }
        let (mut v4, mut v6) = (Ipv4Net::aggregate(&v4), Ipv6Net::aggregate(&v6));
        v4.sort_unstable();
        v6.sort_unstable();
        Self { v4: v4.into(), v6: v6.into() }
    }
}

/// How many connections one client may have at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerClient {
    /// The most.
    pub most: usize,
    /// Whether that holds for clients on this machine too.
    pub loopback: bool,
}

impl PerClient {
    /// What was configured, or a tenth of all connections and 50 at the least: few
    /// networks have that many people behind one address. A proxy on this machine
    /// has all of them, so that by default nothing is said of loopback addresses.
    pub(crate) fn new(given: Option<usize>, max_connections: usize) -> Self {
        let usual = (max_connections / 10).max(50);
        Self { most: given.unwrap_or(usual), loopback: given.is_some() }
    }

    /// The most for the client at `address`; `None`: any number.
    pub fn of(self, address: IpAddr, trusted: &[IpNet]) -> Option<usize> {
        let address = address.to_canonical();
        let exempt = (address.is_loopback() && !self.loopback)
            || trusted.iter().any(|network| canonical(*network).contains(&address));
        (!exempt).then_some(self.most)
    }
}

/// Who counts as one client: an IPv4 address, or the 64 bits that an IPv6 network
/// has in common (RFC 6177 section 2), out of which a client takes any address.
pub fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        address => address,
    }
}

/// One address or network.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    let network = match text.parse::<IpNet>() {
        Ok(network) => network.trunc(),
        Err(_) => IpNet::from(text.parse::<IpAddr>().ok()?.to_canonical()),
    };
    Some(network)
}

/// A network of IPv4 addresses written as IPv6 (`::ffff:10.0.0.0/104`) is one of
/// IPv4 addresses.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    match (v6.network().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) {
        (Some(address), Some(length)) => {
            Ipv4Net::new(address, length).map_or(network, |v4| IpNet::V4(v4.trunc()))
        }
        _ => network,
    }
}

#[cfg(test)]
mod tests;
