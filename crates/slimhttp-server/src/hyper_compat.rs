//! All that names hyper's server: it frames HTTP/2. Called by `serve::connection`; each connection
//! is one task on one I/O thread, and its requests run in that task.

pub(crate) mod http2;
mod request_body;
