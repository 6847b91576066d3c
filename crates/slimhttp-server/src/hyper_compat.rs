//! All that names the server of the HTTP library. It answers what `http1` leaves to it
//! (content, upgrades, expectations, HTTP/1.0), and frames HTTP/2.

mod drive;
pub(crate) mod http1;
pub(crate) mod http2;
mod request_body;
mod upgrade;
mod validating_io;
