//! Servers behind this one: connections to them that notice silence, what the upstreams of a
//! scope carry at once and who waits, and what is said of those that fail.

pub(crate) mod body;
pub(crate) mod connector;
pub(crate) mod control;
pub(crate) mod failures;
pub(crate) mod group;
pub(crate) mod pool;
