//! The switch: from its 101 on a connection belongs to a task of its own, on the same I/O
//! thread. Called within the exchange that answers 101, before that is written.

use std::future::Future;
use std::sync::Arc;

use http::HeaderMap;
use http::header::{CONNECTION, UPGRADE};
use slimhttp_site::list_field;

use crate::context::connection::ConnectionContext;

/// Whether the client asks to upgrade its connection: `Upgrade` counts only
/// where `Connection` names it.
pub(crate) fn is_requested(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE) && list_field::names(headers, &CONNECTION, "upgrade")
}

/// Spawns the task that has the connection from its 101 on. The exchange counts as in flight
/// until `work` is done, or dropped because the connection is cut.
pub(super) fn spawn(
    connection: &Arc<ConnectionContext>,
    work: impl Future<Output = ()> + Send + 'static,
) {
    let connection = connection.clone();
    // Before the 101 is written: the client's next bytes are not HTTP.
    connection.state.set_upgraded();
    connection.state.begin_exchange();
    tokio::spawn(async move {
        tokio::select! {
            // In this order: what sees the cut by itself may end well.
            biased;
            () = work => {}
            () = connection.state.until_upgrade_cut() => {}
        }
        connection.state.end_exchange();
    });
}
