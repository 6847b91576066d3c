//! The reverse proxy: a request goes to an upstream as it comes in, the response comes back as
//! it arrives.

mod error;
pub(crate) mod forward;
mod retry;
