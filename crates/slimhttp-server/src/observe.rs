//! What is said of requests and connections: the access log, and events for who watches.

pub(crate) mod access_log;
pub(crate) mod event;
