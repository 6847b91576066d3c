//! The clients of one I/O thread, and with them its idle connections to upstreams. Each thread
//! has its own, so that no thread waits for another.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::sys::clock;
use crate::upstream::client::{IDLE_TIMEOUT, UpstreamClient};
use crate::upstream::connector::UpstreamTimeouts;

thread_local! {
    /// The clients of this thread, by how long an upstream may take, and when each
    /// was last used ([`clock`]).
    static CLIENTS: RefCell<HashMap<UpstreamTimeouts, (UpstreamClient, u64)>> =
        RefCell::new(HashMap::new());
}

/// The thread's client for upstreams that may take so long. One that was not used
/// for as long as its connections are kept is dropped: no configuration has its
/// time-outs any more, or no request comes.
pub(crate) fn client(timeouts: UpstreamTimeouts) -> UpstreamClient {
    let now = clock::milliseconds();
    CLIENTS.with_borrow_mut(|clients| {
        if let Some((client, used_at)) = clients.get_mut(&timeouts) {
            *used_at = now;
            return client.clone();
        }
        clients.retain(|_, (_, used_at)| {
            u128::from(now.saturating_sub(*used_at)) < IDLE_TIMEOUT.as_millis()
        });
        let client = UpstreamClient::new(timeouts);
        clients.insert(timeouts, (client.clone(), now));
        client
    })
}
