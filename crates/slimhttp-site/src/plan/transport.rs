//! How a request has come: the port and the encryption of its connection, and its other end.
//! Whoever has accepted the connection knows all of it before the first byte of a request.

use std::net::IpAddr;

/// What the connection of a request says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// The port that the client has connected to; a `Host` without one is looked up in it.
    pub port: u16,
    /// The address of the other end: the client, or a proxy before it.
    pub peer: IpAddr,
    /// Whether the connection is encrypted.
    pub security: Security,
}

/// Whether a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// It is not, and is not to be.
    Plain,
    /// By TLS.
    Tls,
    /// HTTP without TLS has come to a listener that speaks TLS.
    PlainToTls,
}

impl Security {
    /// Whether what is sent is encrypted.
    pub fn is_tls(self) -> bool {
        self == Self::Tls
    }
}
