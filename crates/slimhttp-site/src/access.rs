//! Which clients may connect: addresses and networks, laid out for one quick
//! question.

use std::net::IpAddr;

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
