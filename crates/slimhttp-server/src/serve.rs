//! The threads that serve: accepting, dealing out, and one connection from its first byte on.

mod connection;
pub(crate) mod threads;
