//! Servers behind this one: connections to them, requests on these and the responses, what the
//! upstreams of a scope carry at once and who waits, and what is said of those that fail.
//!
//! HTTP/1.1 is that of the crate `slimhttp-http1`. A connection has no task: it is polled by the
//! exchange that uses it, and from the head of the response on by whoever takes the body
//! ([`response_body`]), all on one I/O thread. Between two requests it is in the thread's
//! [`pool`].

mod by_address;
mod connect;
pub(crate) mod connection;
pub(crate) mod error;
pub(crate) mod failures;
pub(crate) mod group;
pub(crate) mod groups;
pub(crate) mod pool;
pub(crate) mod request_body;
pub(crate) mod response_body;
pub(crate) mod send;
mod send_queue;
mod silence;
mod socket;
#[cfg(test)]
mod testing;
pub(crate) mod upgrade;

pub(crate) use connect::connect;
pub(crate) use pool::{drop_expired, make_room};
