//! An upgraded connection on its I/O thread: its bytes are moved between the socket and the
//! buffers that Python reads and writes, until either side ends it. The server owns the future and
//! drops it with the connection, which ends the pipe.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use slimhttp_server::{Bytestream, UpgradedConnection};

use crate::bridge::Bridge;
use crate::connection::Connection;
use crate::pipe::MOST_RECEIVED;

/// How long an identity may leave a full buffer alone.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs an upgraded connection: carries its bytes to and from Python.
#[derive(Debug)]
pub struct UpgradedPipe {
    /// The connection.
    pub connection: Arc<Connection>,
    /// Where a job is queued when something has come.
    pub bridge: Arc<Bridge>,
}

impl UpgradedConnection for UpgradedPipe {
    fn run(
        self: Box<Self>,
        stream: Box<dyn Bytestream>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let Self { connection, bridge } = &*self;
            if !connection.pipe.run(stream, PATIENCE, || bridge.announce_data(connection)).await {
                tracing::warn!(
                    "{connection}: its identity has taken nothing for {PATIENCE:?}, and \
                     {MOST_RECEIVED} bytes wait: closed"
                );
            }
        })
    }
}

impl Drop for UpgradedPipe {
    fn drop(&mut self) {
        self.connection.pipe.end();
    }
}
