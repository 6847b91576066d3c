//! What a server is started with, and why it does not start.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use slimhttp_site::compile::{first_listed, listed};
use slimhttp_site::config::Config;
use slimhttp_site::fault::Faults;
use slimhttp_site::listener::{Endpoint, Listener};

use crate::api::handler::Handler;
use crate::net::inherited::InheritedSocket;
use crate::net::listener;
use crate::net::listeners::CannotListen;

/// What a server is started with.
pub struct ServerConfig {
    /// Whether the listener that `address` and `port` name speaks TLS.
    pub tls: bool,
    /// Where it listens first: `''` for every interface, a name, an IPv4 or IPv6 address, with or
    /// without brackets. Without this and `port`, it is the first entry of `listen` in `config`.
    pub address: Option<String>,
    /// The port; 0 takes a free one. Unless given, 443 with TLS and 80 without.
    pub port: Option<u16>,
    /// The first configuration.
    pub config: Config,
    /// The folder against which relative paths are resolved.
    pub base: PathBuf,
    /// Who answers calls; without one, a `module` in the configuration is a fault.
    pub handler: Option<Arc<dyn Handler>>,
    /// Sockets that listen already, of systemd or a predecessor: listeners take those that are
    /// theirs in place of binding.
    pub inherited: Vec<InheritedSocket>,
}

impl ServerConfig {
    /// The listener that is fixed, and open before anything is compiled. `None` where `listen` is
    /// to name it, and is wrong.
    pub fn first_listener(&self) -> Option<Listener> {
        if self.is_listed() {
            return first_listed(&self.config, &self.base);
        }
        let port = self.port.unwrap_or(if self.tls { 443 } else { 80 });
        let endpoint = Endpoint::tcp(self.address.as_deref().unwrap_or_default(), port);
        Some(Listener::new(endpoint, self.tls))
    }

    /// Whether `listen` names the first listener.
    pub(super) fn is_listed(&self) -> bool {
        let Self { address, port, config, base, .. } = self;
        address.is_none() && port.is_none() && !listed(config, base).is_empty()
    }
}

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// The configuration is wrong.
    Config(Faults),
    /// A listener cannot be opened.
    Listen {
        /// As configured.
        listener: Arc<Listener>,
        /// The system's reason.
        cause: std::io::Error,
    },
}

impl From<CannotListen> for StartError {
    fn from(CannotListen { listener, cause }: CannotListen) -> Self {
        Self::Listen { listener, cause }
    }
}

/// Address, port and the system's reason, and what to do about it.
impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(faults) => faults.fmt(f),
            Self::Listen { listener, cause } => {
                let place = match &listener.endpoint {
                    Endpoint::Tcp { address, port } if address.is_empty() => {
                        format!("every interface, port {port}")
                    }
                    Endpoint::Tcp { address, port } => format!("`{address}`, port {port}"),
                    other => format!("`{other}`"),
                };
                write!(f, "cannot listen on {place}: {cause}")?;
                match listener::hint(&listener.endpoint, cause) {
                    Some(hint) => write!(f, "\n  hint: {hint}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for StartError {}
