//! Servers behind this one: connections to them that notice silence, what the upstreams of a
//! scope carry at once and who waits, and what is said of those that fail. No other room names
//! hyper's client.

pub(crate) mod body;
mod client;
pub(crate) mod connector;
mod control;
pub(crate) mod error;
pub(crate) mod failures;
pub(crate) mod group;
pub(crate) mod groups;
pub(crate) mod pool;
pub(crate) mod response_body;
pub(crate) mod upgrade;

pub(crate) use client::UpstreamClient;
pub(crate) use control::make_room;
