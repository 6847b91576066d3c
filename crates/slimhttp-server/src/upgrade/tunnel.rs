//! A tunnel: the client's connection and the upstream's, joined once both have switched. Its
//! task runs on the client's I/O thread. Silence has no time-out; a client that takes no byte of
//! what is sent to it has `send_timeout`, as before the upgrade, and the upstream's end has none.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::context::connection::ConnectionContext;
use crate::net::upgraded::OnUpgrade;
use crate::upgrade::switching;
use crate::upstream::group::UpstreamPermit;

/// Copies bytes both ways until both sides have ended, or one fails. An end of one side is
/// passed on to the other, which may go on sending. The permit is held for as long.
pub(crate) fn open(
    client: OnUpgrade,
    mut upstream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    permit: UpstreamPermit,
    connection: &Arc<ConnectionContext>,
) {
    let copied = async move {
        let mut client = client.upgraded().await?;
        tokio::io::copy_bidirectional(&mut client, &mut upstream).await?;
        io::Result::Ok(())
    };
    switching::spawn(connection, async move {
        let _permit = permit;
        if let Err(error) = copied.await {
            tracing::debug!("an upgraded connection ended: {error}");
        }
    });
}

#[cfg(test)]
mod tests;
