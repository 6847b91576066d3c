//! Connections that stop being HTTP (RFC 9110 section 7.8): the switch itself, and the task
//! that carries a WebSocket on from there.

mod handshake;
pub(crate) mod switching;
pub(crate) mod takeover;
pub(crate) mod websocket;
