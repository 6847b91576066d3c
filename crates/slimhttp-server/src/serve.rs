//! The threads that serve: accepting, assigning connections to threads, one connection from its
//! first byte on, those that rest, and the end.

pub(crate) mod accept;
mod admission;
mod connection;
pub(crate) mod drain;
mod handshake;
pub(crate) mod heartbeat;
pub(crate) mod io_thread;
mod proxied;
mod resting;
pub(crate) mod threads;
