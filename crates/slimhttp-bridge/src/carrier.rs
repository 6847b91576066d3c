//! An upgraded connection on its I/O thread: its bytes are carried between the socket and the
//! buffers that Python reads and writes, until either side ends it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use slimhttp_server::{Bytestream, UpgradedConnection};

use crate::bridge::Bridge;
use crate::connection::Guest;
use crate::pipe::MOST_RECEIVED;

/// How long an identity may leave a full buffer alone.
const PATIENCE: Duration = Duration::from_secs(60);

/// Carries the bytes of an upgraded connection to and from Python.
#[derive(Debug)]
pub struct PipeEnd {
    /// The connection.
    pub guest: Arc<Guest>,
    /// Where Python is told of what has come.
    pub bridge: Arc<Bridge>,
}

impl UpgradedConnection for PipeEnd {
    fn run(
        self: Box<Self>,
        connection: Box<dyn Bytestream>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let Self { guest, bridge } = &*self;
            if !guest.pipe.carry(connection, PATIENCE, || bridge.tell(guest)).await {
                tracing::warn!(
                    "{guest}: its identity has taken nothing for {PATIENCE:?}, and \
                     {MOST_RECEIVED} bytes wait: closed"
                );
            }
        })
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        self.guest.pipe.end();
    }
}
