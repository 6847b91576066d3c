//! HTTP/1.1 on a socket: the engine (`slimhttp_http1::Server`), driven for one connection. All of
//! it runs in the connection's task, on one I/O thread; only the content of a request may be read
//! by another thread (`content_pipe`).
//!
//! `connection` is the story: a head, the exchange, the response, and what becomes of the
//! connection. `content` reads what comes behind a head, `client` watches a client whose request
//! is in work, `sending` writes the response (`sendfile` files, `splice` large answers of
//! upstreams, both past this process), `close` ends the connection.

mod client;
mod close;
mod connection;
mod content;
mod content_pipe;
mod date;
pub(crate) mod response_cache;
#[cfg(target_os = "linux")]
mod sendfile;
mod sending;
#[cfg(target_os = "linux")]
mod splice;
mod write_queue;

pub(crate) use connection::Http1;
