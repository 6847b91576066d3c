//! Connections that stop being HTTP, whoever carries them on: an upstream, a
//! handler (`takeover`), a WebSocket. RFC 9110 section 7.8.

use std::future::Future;
use std::io;
use std::sync::Arc;

use http::HeaderMap;
use http::header::{CONNECTION, UPGRADE};
use slimhttp_site::list_field;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::context::connection::ConnectionContext;
use crate::net::upgraded::OnUpgrade;
use crate::upstream::group::UpstreamPermit;

/// Whether the client asks to upgrade its connection: `Upgrade` counts only
/// where `Connection` names it.
pub(crate) fn is_asked(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE) && list_field::names(headers, &CONNECTION, "upgrade")
}

/// Lets `carried` have a connection from its 101 on. The exchange counts as in
/// flight until that is done, or dropped because the connection is cut.
pub(crate) fn carry(
    connection: &Arc<ConnectionContext>,
    carried: impl Future<Output = ()> + Send + 'static,
) {
    let connection = connection.clone();
    // Before the 101 is written: the client's next bytes are not HTTP.
    connection.state.set_upgraded();
    connection.state.begin_exchange();
    tokio::spawn(async move {
        tokio::select! {
            // In this order: who sees the cut by itself may end well.
            biased;
            () = carried => {}
            () = connection.state.until_cut() => {}
        }
        connection.state.end_exchange();
    });
}

/// Joins the client's connection to the upstream's once both have switched: the
/// bytes go both ways until one side ends. Until then it has its place among what
/// the upstreams carry.
pub(crate) fn tunnel(
    client: OnUpgrade,
    upstream: impl Future<Output = io::Result<impl AsyncRead + AsyncWrite + Unpin + Send>>
    + Send
    + 'static,
    place: UpstreamPermit,
    connection: &Arc<ConnectionContext>,
) {
    let carried = async {
        let mut client = client.upgraded().await?;
        let mut upstream = upstream.await?;
        tokio::io::copy_bidirectional(&mut client, &mut upstream).await?;
        io::Result::Ok(())
    };
    carry(connection, async move {
        let _place = place;
        if let Err(error) = carried.await {
            tracing::debug!("an upgraded connection ended: {error}");
        }
    });
}
