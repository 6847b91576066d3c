//! Connections that stop being HTTP (RFC 9110 section 7.8): the switch itself (`switching`), and
//! what goes on from there: bytes to an upstream and back (`tunnel`), a handler that has the
//! connection to itself (`takeover`), a WebSocket.

mod handshake;
pub(crate) mod switching;
pub(crate) mod takeover;
pub(crate) mod tunnel;
pub(crate) mod websocket;
