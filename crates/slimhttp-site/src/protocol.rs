//! HTTP and its relatives as their RFCs have them: what fields mean, and how a request is refused.
//! How messages are framed over HTTP/1.1 is the crate slimhttp-http1. Nothing here knows of a
//! site, and nothing here reads a socket: bytes and header fields are arguments.

pub mod authority;
pub mod client;
pub mod coding;
pub mod conditions;
pub mod cookie;
pub mod cors;
pub mod forward;
pub mod http2;
pub mod https;
pub mod list_field;
pub(crate) mod max_forwards;
pub mod media_type;
pub mod methods;
pub mod multipart;
pub(crate) mod qvalue;
pub mod range;
pub mod raw_reply;
pub mod refusal;
pub mod vary;
pub mod websocket;
