//! The threads that serve: accepting, dealing out, and one connection from its first byte on.

pub(crate) mod accept;
mod admission;
mod connection;
pub(crate) mod io_thread;
pub(crate) mod threads;
