//! TLS towards upstreams. The certificates of the system are read once in a process, on the I/O
//! thread that is the first to make a client for upstreams; all others share them.

use std::sync::{Arc, OnceLock};

use crate::tls::provider::provider;

/// TLS towards upstreams: verified against the system's certificates
/// (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others).
pub(crate) fn tls() -> Arc<rustls::ClientConfig> {
    static CONFIG: OnceLock<Arc<rustls::ClientConfig>> = OnceLock::new();
    CONFIG
        .get_or_init(|| {
            let found = rustls_native_certs::load_native_certs();
            for error in &found.errors {
                tracing::warn!("a certificate of the system cannot be read: {error}");
            }
            let mut roots = rustls::RootCertStore::empty();
            roots.add_parsable_certificates(found.certs);
            let config = rustls::ClientConfig::builder_with_provider(provider())
                .with_safe_default_protocol_versions()
                .expect("aws-lc-rs supports the default versions of TLS");
            let mut config = config.with_root_certificates(roots).with_no_client_auth();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Arc::new(config)
        })
        .clone()
}
