//! Where an instance listens: the listener that it is started with, and all that the option
//! `listen` names.
//!
//! [`crate::compile`] makes the list from the configuration. The server crate opens what is new in
//! it before a change holds, and closes behind the change what is not in it any more.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::site::access::Networks;

/// What clients connect to. Two listeners of the same endpoint are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A TCP port.
    Tcp {
        /// In normal form: empty for every interface, IPv4 and IPv6; a name; an address, an IPv6
        /// one without brackets. `::` is every interface by IPv6 alone, `0.0.0.0` by IPv4 alone.
        address: Arc<str>,
        /// The port; 0 takes a free one.
        port: u16,
    },
    /// A socket in the file system, absolute.
    Unix(Arc<Path>),
    /// Sockets that whoever starts the process has opened for it, by the name that it gives them
    /// (`FileDescriptorName=` of systemd).
    Inherited(Arc<str>),
}

impl Endpoint {
    /// A TCP port of an address as a person writes it: with or without brackets, in any case.
    pub fn tcp(address: &str, port: u16) -> Self {
        Self::Tcp { address: normal(address).into(), port }
    }

    /// The port as configured; 0 where there is none, as of a socket in the file system.
    pub fn port(&self) -> u16 {
        match self {
            Self::Tcp { port, .. } => *port,
            Self::Unix(_) | Self::Inherited(_) => 0,
        }
    }
}

/// An address or a name in the one spelling by which it is compared.
fn normal(address: &str) -> String {
    let bare = address.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let bare = bare.unwrap_or(address);
    let bare = bare.strip_suffix('.').unwrap_or(bare);
    match bare.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => bare.to_ascii_lowercase(),
    }
}

/// As messages and the handover to a successor name it: `:80`, `127.0.0.1:80`, `[::1]:80`,
/// `unix:/run/site.sock`, `fd:web`.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { address, port } if address.contains(':') => write!(f, "[{address}]:{port}"),
            Self::Tcp { address, port } => write!(f, "{address}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Inherited(name) => write!(f, "fd:{name}"),
        }
    }
}

/// Who may open a socket of the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketFile {
    /// The bits of its permissions.
    pub mode: u32,
    /// The user whose it is; `None`: whoever has started the server.
    pub owner: Option<Arc<str>>,
    /// The group whose it is; `None`: as the system has it.
    pub group: Option<Arc<str>>,
}

impl Default for SocketFile {
    /// For the owner and the group.
    fn default() -> Self {
        Self { mode: 0o660, owner: None, group: None }
    }
}

/// What becomes of the connections of a listener that is closed while the server goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drain {
    /// They end when nothing is in flight on them: those that are idle at once, others after the
    /// exchange that is, a WebSocket when it ends by itself.
    #[default]
    Finish,
    /// The same, and after this time they are cut.
    Within(Duration),
    /// They go on.
    Leave,
}

/// One place where an instance listens, and how the connections that come there begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What clients connect to.
    pub endpoint: Endpoint,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// From whom each connection begins with a header of the PROXY protocol.
    pub proxy_protocol: Option<Networks>,
    /// Whether HTTP/2 is taken without TLS too, from clients that know of it (RFC 9113 section
    /// 3.3).
    pub h2c: bool,
    /// Whether other processes may listen on the same port (`SO_REUSEPORT`).
    pub reuse_port: bool,
    /// What becomes of its connections when it is closed.
    pub drain: Drain,
    /// Who may open it, of a socket in the file system.
    pub socket_file: SocketFile,
}

impl Listener {
    /// One of which nothing else is said.
    pub fn new(endpoint: Endpoint, tls: bool) -> Self {
        Self {
            endpoint,
            tls,
            proxy_protocol: None,
            h2c: false,
            reuse_port: false,
            drain: Drain::default(),
            socket_file: SocketFile::default(),
        }
    }

    /// Whether a connection to `host` and `port` from this machine arrives here, as far as the
    /// configuration alone tells.
    pub fn is_reached_by(&self, host: &str, port: u16) -> bool {
        let Endpoint::Tcp { address, port: ours } = &self.endpoint else { return false };
        let bound = match address.parse() {
            Ok(address) => vec![address],
            Err(_) if address.is_empty() => {
                vec![Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()]
            }
            Err(_) => Vec::new(),
        };
        *ours == port && leads_to(host, address, &bound)
    }
}

/// As a URL: `https://[::1]:443`; else as its endpoint.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Endpoint::Tcp { .. } = self.endpoint {
            f.write_str(if self.tls { "https://" } else { "http://" })?;
        }
        self.endpoint.fmt(f)
    }
}

/// The listener that a server is started with: open before any configuration is compiled, and
/// fixed afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstListener {
    /// What clients connect to, as configured.
    pub endpoint: Endpoint,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Whether it is the first entry of `listen`, and not said by `addr` and `port`.
    pub is_listed: bool,
    /// The addresses that are bound.
    pub bound: Vec<IpAddr>,
    /// The port that is bound; 0 where there is none.
    pub port: u16,
}

impl FirstListener {
    /// Whether an endpoint of `listen` is this one, by the port that is bound as well. A free port is
    /// another one, unless `listen` names the first listener so.
    pub fn is(&self, endpoint: &Endpoint) -> bool {
        match (&self.endpoint, endpoint) {
            (Endpoint::Tcp { address, .. }, Endpoint::Tcp { address: other, port: 0 }) => {
                address == other && self.is_listed && self.endpoint.port() == 0
            }
            (Endpoint::Tcp { address, port }, Endpoint::Tcp { address: other, port: written }) => {
                address == other && [*port, self.port].contains(written)
            }
            (own, other) => own == other,
        }
    }

    /// Whether a connection to `host` and `port` from this machine arrives here.
    pub fn is_reached_by(&self, host: &str, port: u16) -> bool {
        let address = match &self.endpoint {
            Endpoint::Tcp { address, .. } => address,
            // It may be any socket.
            Endpoint::Inherited(_) => "",
            Endpoint::Unix(_) => return false,
        };
        port == self.port && leads_to(host, address, &self.bound)
    }
}

impl fmt::Display for FirstListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Listener::new(self.endpoint.clone(), self.tls).fmt(f)
    }
}

/// Whether a connection to `host` from this machine arrives where `configured` is listened on,
/// which has come to the addresses `bound`.
fn leads_to(host: &str, configured: &str, bound: &[IpAddr]) -> bool {
    let arrives = |address: IpAddr| {
        // A connection to "any" goes to this machine.
        let address = match address.to_canonical() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        bound.iter().any(|bound| {
            let bound = bound.to_canonical();
            // A socket for every interface, opened for both families, takes either.
            let family = bound.is_ipv4() == address.is_ipv4() || configured.is_empty();
            bound == address || (bound.is_unspecified() && address.is_loopback() && family)
        })
    };
    match host.parse::<IpAddr>() {
        Ok(address) => arrives(address),
        // RFC 6761 section 6.3: these names are the machine's own.
        Err(_) if host == "localhost" || host.ends_with(".localhost") => {
            arrives(Ipv4Addr::LOCALHOST.into()) || arrives(Ipv6Addr::LOCALHOST.into())
        }
        Err(_) => host.eq_ignore_ascii_case(configured),
    }
}

#[cfg(test)]
mod tests;
