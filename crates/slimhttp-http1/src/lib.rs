//! HTTP/1.1 as messages, for servers and for clients (RFC 9112): bytes in, events out.
//!
//! An engine is one side of one connection: [`Server`] reads requests and writes responses,
//! [`Client`] the other way about. It performs no I/O, has no clock, and waits for nothing: its
//! owner reads a socket and hands the bytes to `read`, and writes what `send_…` has put into a
//! buffer. What may come when is one table, see [`state`].

mod client;
mod fault;
mod framing;
mod head;
mod limits;
mod scratch;
mod server;
pub mod state;
mod write;

pub use client::{Client, Request, ResponseEvent};
pub use fault::{Fault, SendError};
pub use framing::Framing;
pub use head::{Field, Fields, RequestHead, ResponseHead};
pub use limits::Limits;
pub use scratch::Scratch;
pub use server::{Received, RequestEvent, Response, Server};
pub use state::State;
pub use write::{DataFrame, PreparedHead};
