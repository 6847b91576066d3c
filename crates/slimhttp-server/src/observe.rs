//! What is said of requests and connections: the access log, and events for who watches.

pub mod access_log;
pub mod event;
