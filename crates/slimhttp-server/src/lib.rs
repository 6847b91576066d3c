//! Answering: sockets, TLS, HTTP, files, proxying, and the change of the site
//! while it runs. No Python. The library that a Rust program embeds.
//!
//! A request runs downhill: [`listener`] → [`worker`] → [`connection`] →
//! { [`http1`] · [`http2`] · the HTTP library } → [`exchange`] → { files · proxy · handler ·
//! upgrade } → [`respond`] → socket.

pub use message::body;
pub use observe::access_log;
pub use sys::clock;
pub use tls::self_signed as certificate;
mod api;
pub use message::content;
pub use observe::event;
mod context;
mod exchange;
mod files;
mod fs;
pub use api::handler;
mod http1;
pub use sys::privileges;
mod hyper_compat;
pub mod live;
mod message;
mod net;
mod observe;
mod proxy;
#[cfg(test)]
mod samples;
mod serve;
pub mod server;
pub use live::snapshot;
mod sys;
pub use api::takeover;
mod tls;
mod upgrade;
mod upstream;
pub mod websocket;
