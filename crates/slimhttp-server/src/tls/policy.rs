//! What holds for connections beside what is presented on them: the versions of TLS, what is asked
//! of clients, and the keys of their tickets.
//!
//! Scopes that demand the same share one policy, over changes too: its ticketer makes and reads the
//! tickets by which clients resume (RFC 8446 section 4.6.1). Each policy has a ticketer of its own,
//! so that a ticket of one is nothing to another: who came without a certificate does not resume
//! where one is asked for. Made by a change; used by every I/O thread.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    NoServerSessionStorage, ProducesTickets, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::{KeyLog, ServerConfig, SupportedProtocolVersion, version};
use slimhttp_site::tls::{ClientAuthMode, TlsVersions};

use crate::tls::authorities::Authorities;
use crate::tls::provider::provider;

/// What HTTP is spoken by (RFC 7301), the preferred first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

static ONLY_12: [&SupportedProtocolVersion; 1] = [&version::TLS12];
static ONLY_13: [&SupportedProtocolVersion; 1] = [&version::TLS13];

/// What tells one policy from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PolicyKey {
    pub(super) versions: TlsVersions,
    /// Whether clients have to say who they are, and the digest of the authorities.
    pub(super) client_auth: Option<(ClientAuthMode, [u8; 32])>,
}

/// What holds for the connections of scopes.
pub(crate) struct Policy {
    pub(super) key: PolicyKey,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    ticketer: Arc<dyn ProducesTickets>,
    key_log: Arc<dyn KeyLog>,
}

impl Policy {
    /// One with tickets of its own.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn new(
        key: PolicyKey,
        authorities: Option<&Authorities>,
        key_log: Arc<dyn KeyLog>,
    ) -> Result<Self, rustls::Error> {
        let mode = key.client_auth.as_ref().map(|(mode, _)| *mode);
        let verifier = authorities.zip(mode).map(|(authorities, mode)| {
            let roots = Arc::clone(&authorities.roots);
            let builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
            let builder = match mode {
                ClientAuthMode::Require => builder,
                ClientAuthMode::Optional => builder.allow_unauthenticated(),
            };
            builder.build().expect("there is an authority, and no list of what is revoked")
        });
        Ok(Self { key, verifier, ticketer: Ticketer::new()?, key_log })
    }

    /// What connections begin with that present what `certificates` finds.
    pub(super) fn config(&self, certificates: Arc<dyn ResolvesServerCert>) -> Arc<ServerConfig> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(self.versions())
            .expect("aws-lc-rs supports these versions of TLS");
        let config = match &self.verifier {
            Some(verifier) => config.with_client_cert_verifier(Arc::clone(verifier)),
            None => config.with_no_client_auth(),
        };
        let mut config = config.with_cert_resolver(certificates);
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        config.ticketer = Arc::clone(&self.ticketer);
        // Tickets hold all that is needed to resume.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.key_log = Arc::clone(&self.key_log);
        Arc::new(config)
    }

    fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        match self.key.versions {
            TlsVersions::All => rustls::ALL_VERSIONS,
            TlsVersions::Only12 => &ONLY_12,
            TlsVersions::Only13 => &ONLY_13,
        }
    }
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy").field("key", &self.key).finish_non_exhaustive()
    }
}
