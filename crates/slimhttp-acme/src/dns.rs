//! Records of dns-01 (RFC 8555 section 8.4): who sets them, and how it is seen that they are
//! there. Everything runs on the thread `slimhttp-acme`, takes a bounded time, and may be dropped
//! at any moment: who sets records notes them on disk before, so that they are taken away later.

use std::pin::Pin;
use std::sync::Arc;

use slimhttp_site::acme::{DnsOptions, DnsWay};

mod exchange;
mod lookup;
mod program;
mod propagation;
#[cfg(test)]
mod tests;
mod update;

use program::Program;
pub(crate) use propagation::wait;
use update::Update;

/// What an implementor of [`DnsProvider`] gives back.
pub type DnsFuture<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Sets records in the DNS: TXT, at names that begin with `_acme-challenge.`. A name may have
/// several at once, for a certificate may be for `example.com` and for `*.example.com`.
///
/// Called on the thread `slimhttp-acme`, which a future must not block. It is dropped where it
/// takes longer than `timeout` of the options, and where the server stops.
pub trait DnsProvider: Send + Sync + 'static {
    /// Adds `value` to the records of `name`, which has no dot at its end. To add what is there
    /// already is no fault.
    fn present<'a>(&'a self, name: &'a str, value: &'a str) -> DnsFuture<'a>;

    /// Takes `value` away again. To take away what is not there is no fault.
    fn cleanup<'a>(&'a self, name: &'a str, value: &'a str) -> DnsFuture<'a>;
}

/// A record: the name and the value.
pub(crate) type TxtRecord = (String, String);

/// What sets records as the configuration says; `None`: it does not say.
///
/// # Errors
/// What it says cannot be used.
pub(crate) fn configured(options: &DnsOptions) -> Result<Option<Arc<dyn DnsProvider>>, String> {
    Ok(match &options.way {
        None => None,
        Some(DnsWay::Program(path)) => Some(Arc::new(Program::new(path.clone()))),
        Some(DnsWay::Update(update)) => {
            Some(Arc::new(Update::new(update.clone(), options.resolvers.clone())?))
        }
    })
}
