//! The connections of one I/O thread to upstreams, kept while they rest. Each thread has its
//! own, so that no thread waits for another.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::sys::clock;
use crate::tls::client::tls;
use crate::upstream::body::ForwardedBody;
use crate::upstream::connector::{Connector, UpstreamTimeouts};

/// Idle connections kept to each upstream, by each worker.
const IDLE_PER_UPSTREAM: usize = 64;

/// How long an idle connection to an upstream is kept. Shorter than what most
/// servers allow, so that they rarely close one just as we use it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What is read ahead of one response, and so the longest head of one.
const READ_AHEAD: usize = 64 * 1024;

pub(crate) type UpstreamClient = Client<Connector, ForwardedBody>;

thread_local! {
    /// The clients of this worker, by how long an upstream may take, and when each
    /// was asked last ([`clock`]).
    static CLIENTS: RefCell<HashMap<UpstreamTimeouts, (UpstreamClient, u64)>> =
        RefCell::new(HashMap::new());
}

/// The worker's client for upstreams that may take so long. One that has rested
/// for as long as its connections may is let go: no configuration has its
/// time-outs any more, or nobody asks.
pub(crate) fn client(patience: UpstreamTimeouts) -> UpstreamClient {
    let now = clock::milliseconds();
    CLIENTS.with_borrow_mut(|clients| {
        if let Some((client, asked)) = clients.get_mut(&patience) {
            *asked = now;
            return client.clone();
        }
        clients.retain(|_, (_, asked)| {
            u128::from(now.saturating_sub(*asked)) < IDLE_TIMEOUT.as_millis()
        });
        let client = new_client(patience);
        clients.insert(patience, (client.clone(), now));
        client
    })
}

fn new_client(patience: UpstreamTimeouts) -> UpstreamClient {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_UPSTREAM)
        .http1_max_buf_size(READ_AHEAD)
        .set_host(false)
        .build(Connector::new((*tls()).clone(), patience))
}
