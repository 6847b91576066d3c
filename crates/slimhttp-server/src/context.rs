//! What everything above knows: of the connection on which it works, and of the server.

pub(crate) mod connection;
pub(crate) mod server;
#[cfg(test)]
pub(crate) mod testing;
