//! All that names hyper's server. It answers what `http1` leaves to it (content, upgrades,
//! expectations, HTTP/1.0), and frames HTTP/2. Called by `serve::connection`; each connection is
//! one task on one I/O thread, and its requests run in that task.

mod drive;
pub(crate) mod http1;
pub(crate) mod http2;
mod request_body;
mod upgrade;
mod validating_io;
