//! Hands a connection that has switched protocols to a handler that carries it on.

use std::sync::Arc;

use crate::api::takeover::Carrier;
use crate::context::connection::ConnectionContext;
use crate::net::upgraded::OnUpgrade;
use crate::upgrade::switching;

/// Hands the connection over as soon as the 101 is written.
pub(crate) fn begin(
    client: OnUpgrade,
    carrier: Box<dyn Carrier>,
    connection: &Arc<ConnectionContext>,
) {
    let peer = connection.peer;
    switching::carry(connection, async move {
        match client.upgraded().await {
            Ok(client) => carrier.carry(Box::new(client)).await,
            Err(error) => tracing::debug!("{peer}: no upgrade: {error}"),
        }
    });
}
