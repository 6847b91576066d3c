//! Hands a connection that has switched protocols to a handler that carries it on.

use std::sync::Arc;

use crate::api::takeover::UpgradedConnection;
use crate::context::connection::ConnectionContext;
use crate::net::upgraded::OnUpgrade;
use crate::upgrade::switching;

/// Hands the connection over as soon as the 101 is written.
pub(crate) fn begin(
    client: OnUpgrade,
    handler: Box<dyn UpgradedConnection>,
    connection: &Arc<ConnectionContext>,
) {
    let peer = connection.peer;
    switching::carry(connection, async move {
        match client.upgraded().await {
            Ok(client) => handler.run(Box::new(client)).await,
            Err(error) => tracing::debug!("{peer}: no upgrade: {error}"),
        }
    });
}
