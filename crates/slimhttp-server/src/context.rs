//! What everything above knows: of the connection on which it works, and of the server. Data and
//! who hears of it; nothing here reads or writes a socket.

pub(crate) mod connection;
pub(crate) mod failed_start;
pub(crate) mod misdirected;
pub(crate) mod server;
#[cfg(test)]
pub(crate) mod testing;
