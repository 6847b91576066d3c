//! What a handshake has come to: for handlers that ask, and for the question whether a request
//! belongs on its connection. Made when the handshake is over, on the I/O thread of the connection,
//! and never changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use rustls::{CipherSuite, HandshakeKind, ServerConnection};

use crate::tls::client_certificate::ClientCertificate;
use crate::tls::table::Entry;

/// What the TLS of a connection has negotiated.
#[derive(Debug)]
#[non_exhaustive]
pub struct TlsSession {
    /// The version, by its number: 0x0304 is TLS 1.3.
    pub version: u16,
    /// The cipher suite, by its number.
    pub cipher_suite: u16,
    /// The name of the cipher suite in its registry: `TLS_AES_128_GCM_SHA256`.
    pub cipher: &'static str,
    /// The host that the client has asked for (SNI), in lower case.
    pub server_name: Option<Box<str>>,
    /// What the connection speaks by ALPN: `h2` or `http/1.1`.
    pub protocol: Option<&'static str>,
    /// Who the client is, where it has said so.
    pub client_certificate: Option<Box<ClientCertificate>>,
    /// What the connection has begun with.
    pub(super) entry: Arc<Entry>,
    /// The snapshot in which a request for `server_name` was last found to belong here.
    pub(super) verified_in: AtomicU64,
}

impl TlsSession {
    /// What a handshake has come to, or why the connection cannot be served: a client that resumes
    /// is not asked for its certificate again, which may have ended meanwhile.
    pub(crate) fn of(
        connection: &ServerConnection,
        entry: Arc<Entry>,
        snapshot: u64,
        now: SystemTime,
    ) -> Result<Self, &'static str> {
        let version = connection.protocol_version().map_or(0, u16::from);
        let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
        let chain = connection.peer_certificates();
        let client_certificate = chain.and_then(ClientCertificate::of).map(Box::new);
        if connection.handshake_kind() == Some(HandshakeKind::Resumed)
            && let Some(certificate) = &client_certificate
            && certificate.not_after < now
        {
            return Err("the certificate of the client has ended since it came first");
        }
        Ok(Self {
            version,
            cipher_suite: suite.map_or(0, u16::from),
            cipher: suite.map(name_of_suite).unwrap_or_default(),
            server_name: connection.server_name().map(|name| host_of(name).into()),
            protocol: match connection.alpn_protocol() {
                Some(b"h2") => Some("h2"),
                Some(b"http/1.1") => Some("http/1.1"),
                _ => None,
            },
            client_certificate,
            entry,
            verified_in: AtomicU64::new(snapshot),
        })
    }

    /// The version by the name that most programs have for it: `TLSv1.3`.
    pub fn version_name(&self) -> &'static str {
        match self.version {
            0x0303 => "TLSv1.2",
            0x0304 => "TLSv1.3",
            _ => "unknown",
        }
    }

    /// Whether a request for the host that the client has asked for was found to belong here under
    /// this snapshot.
    pub(super) fn is_verified_in(&self, snapshot: u64) -> bool {
        self.verified_in.load(Ordering::Relaxed) == snapshot
    }

    pub(super) fn set_verified_in(&self, snapshot: u64) {
        self.verified_in.store(snapshot, Ordering::Relaxed);
    }
}

/// The name in the registry. What is of TLS 1.3 the crate names in its own way.
fn name_of_suite(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        suite => suite.as_str().unwrap_or_default(),
    }
}

/// The host that a client asks for, as hosts of requests are compared: rustls has it in lower case.
pub(super) fn host_of(server_name: &str) -> &str {
    server_name.strip_suffix('.').unwrap_or(server_name)
}
