//! Sockets and connections as such, whatever protocol they speak: listening, who is let in,
//! how far a connection is and when it ends.

pub(crate) mod admission;
pub(crate) mod connection_state;
pub(crate) mod connections;
pub(crate) mod inherited;
pub(crate) mod interim;
pub(crate) mod linger;
pub(crate) mod listener;
pub(crate) mod listeners;
pub(crate) mod peer_watch;
pub(crate) mod proxy_header;
pub(crate) mod read_buffer;
pub(crate) mod shutdown;
mod socket_file;
#[cfg(target_os = "linux")]
pub(crate) mod splice;
pub(crate) mod stream;
pub(crate) mod time_slice;
mod unix_listener;
pub(crate) mod unsent_answers;
pub(crate) mod upgraded;
