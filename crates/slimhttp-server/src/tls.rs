//! TLS towards clients and upstreams: which certificate and which policy a connection begins with,
//! the files that certificates are read from, those that are made or obtained, and what a handshake
//! has come to.

mod authorities;
pub(crate) mod automatic;
pub mod certificate;
pub(crate) mod client;
pub(crate) mod client_certificate;
mod distinguished_name;
mod expiry;
mod facts;
mod fault;
mod key_log;
mod key_pair;
mod pair;
mod policy;
mod presented;
mod provider;
pub(crate) mod session;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod table;
#[cfg(test)]
pub(crate) mod testing;
