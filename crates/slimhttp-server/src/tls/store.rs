//! What TLS keeps over changes of the site: the policies with their tickets, what is obtained, the
//! certificate that stands in, what the log has said already. One for each server, shared by its
//! snapshots and its I/O threads; the locks are held for a look-up.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use rustls::sign::CertifiedKey;

use crate::tls::authorities::Authorities;
use crate::tls::automatic::AutomaticCertificates;
use crate::tls::certificate;
use crate::tls::expiry::ExpiryLog;
use crate::tls::key_log::SwitchedKeyLog;
use crate::tls::policy::{Policy, PolicyKey};
use crate::tls::provider::provider;

/// What TLS keeps over changes.
#[derive(Debug, Default)]
pub(crate) struct TlsStore {
    pub(crate) automatic: AutomaticCertificates,
    /// Held by those who are under one; who comes back to one finds it.
    policies: Mutex<HashMap<PolicyKey, Weak<Policy>>>,
    stand_in: OnceLock<Option<Arc<CertifiedKey>>>,
    key_log: Arc<SwitchedKeyLog>,
    pub(super) expiry: Mutex<ExpiryLog>,
}

impl TlsStore {
    /// The policy of this key, made if nobody is under it.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn policy(
        &self,
        key: PolicyKey,
        authorities: Option<&Authorities>,
    ) -> Result<Arc<Policy>, rustls::Error> {
        let mut policies = self.policies.lock();
        if let Some(policy) = policies.get(&key).and_then(Weak::upgrade) {
            return Ok(policy);
        }
        policies.retain(|_, policy| policy.strong_count() > 0);
        let policy = Arc::new(Policy::new(key.clone(), authorities, self.key_log.shared())?);
        policies.insert(key, Arc::downgrade(&policy));
        Ok(policy)
    }

    /// The certificate that stands in where there is no other, made when one is first needed:
    /// some milliseconds. `None` where the system cannot.
    pub(super) fn stand_in(&self) -> Option<&Arc<CertifiedKey>> {
        let made = self.stand_in.get_or_init(|| {
            let made = certificate::self_signed().map_err(|error| error.to_string());
            let made = made.and_then(|(chain, key)| {
                CertifiedKey::from_der(chain, key, &provider()).map_err(|error| error.to_string())
            });
            made.map(Arc::new).inspect_err(|error| tracing::error!("{error}")).ok()
        });
        made.as_ref()
    }

    /// What `debug` of the global level says, of a configuration that comes into force.
    pub(crate) fn set_debug(&self, debug: bool) {
        self.key_log.switch(debug);
    }
}
