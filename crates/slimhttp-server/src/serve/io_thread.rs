//! One I/O thread, as the others know it.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::net::admission::ConnectionCount;
use crate::net::connection_state::Connections;

/// One I/O thread.
#[derive(Debug)]
pub(crate) struct IoThread {
    pub(crate) connections: Connections,
    pub(super) handle: Handle,
    pub(super) active: Arc<ConnectionCount>,
}
