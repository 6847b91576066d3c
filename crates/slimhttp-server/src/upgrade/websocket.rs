//! Opens a WebSocket: the 101, and the task that has its connection from then on (`task`),
//! until its handler has ended too. When it pings, and when silence ends it, is `keep_alive`.

mod keep_alive;
mod task;

use std::sync::Arc;

use http::Response;
use slimhttp_site::refusal::Refusal;

use crate::context::connection::ConnectionContext;
use crate::message::body::Body;
use crate::net::upgraded::{OnUpgrade, Upgraded};
use crate::upgrade::websocket::task::WebSocketTask;
use crate::upgrade::{handshake, switching};
use crate::websocket::PendingWebSocket;

/// Accepts the handshake: gives the 101, and takes over the connection once that is written.
/// The exchange counts as in flight until the connection and its handler have ended.
///
/// # Errors
/// The connection cannot switch.
pub(crate) fn accept(
    mut pending: PendingWebSocket,
    client: Option<OnUpgrade>,
    connection: &Arc<ConnectionContext>,
) -> Result<Response<Body>, Refusal> {
    let client = client.ok_or(Refusal::UpgradeRequired)?;
    let response = handshake::accepted(&pending.handshake, std::mem::take(&mut pending.fields));
    let context = connection.clone();
    switching::spawn(connection, async move {
        match client.upgraded().await {
            Ok(upgraded) => run(&pending, upgraded, &context).await,
            Err(error) => tracing::debug!("a WebSocket was not opened: {error}"),
        }
        let channel = pending.channel.clone();
        // It tells the handler that the connection is gone, if nothing has yet.
        drop(pending);
        std::future::poll_fn(|context| channel.poll_handler_done(context)).await;
    });
    Ok(response)
}

/// Runs the connection on the bare socket.
async fn run(pending: &PendingWebSocket, upgraded: Upgraded, connection: &ConnectionContext) {
    let (socket, unread) = upgraded.into_socket();
    let mut task = WebSocketTask::new(pending, socket, &connection.state, connection.peer);
    if !unread.is_empty() {
        task.refuse_early_frames();
    }
    drop(unread);
    task.run().await;
}

#[cfg(test)]
mod tests;
