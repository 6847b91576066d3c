//! Hands a connection that has switched protocols to a handler, which has its bytes from then
//! on. The handler's future runs in the connection's task, on its I/O thread, and is dropped
//! when the connection is cut.

use std::sync::Arc;

use crate::api::takeover::UpgradedConnection;
use crate::context::connection::ConnectionContext;
use crate::net::upgraded::OnUpgrade;
use crate::upgrade::switching;

/// Hands the connection over as soon as the 101 is written.
pub(crate) fn hand_over(
    client: OnUpgrade,
    handler: Box<dyn UpgradedConnection>,
    connection: &Arc<ConnectionContext>,
) {
    let peer = connection.peer;
    switching::spawn(connection, async move {
        match client.upgraded().await {
            Ok(client) => handler.run(Box::new(client)).await,
            Err(error) => tracing::debug!("{peer}: no upgrade: {error}"),
        }
    });
}

#[cfg(test)]
mod tests;
