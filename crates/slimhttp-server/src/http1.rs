//! HTTP/1.1 on a socket, for requests without content: head → exchange → socket. All of it runs
//! in the connection's task, on one I/O thread.

pub(crate) mod close;
mod connection;
mod head;
mod response;
pub(crate) mod response_cache;
#[cfg(target_os = "linux")]
mod sendfile;
mod sending;
mod write_queue;

pub(crate) use connection::{Http1, Next};
