//! The cryptography behind TLS: one provider for listeners and for connections to upstreams.

use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;

/// The cryptography behind TLS, on both sides. Named at each use, so that it does not matter
/// what a program that embeds the server has made the default of its process.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(default_provider())).clone()
}
