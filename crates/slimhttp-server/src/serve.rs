//! The threads that serve: accepting, assigning connections to threads, one connection from its
//! first byte on, and the end.

pub(crate) mod accept;
mod admission;
mod connection;
mod drain;
pub(crate) mod io_thread;
pub(crate) mod threads;
