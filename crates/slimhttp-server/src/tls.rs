//! TLS: what is presented to clients, the files that it is read from, and the certificate that
//! is made where there are none.

pub mod certificate;
pub(crate) mod client;
pub(crate) mod fault;
mod key_pair;
pub(crate) mod presented;
mod provider;
