//! Sending a request to an upstream over HTTP/1.1, and the response as far as its head. The
//! connections, and what is sent on them, are those of hyper's client; `connector` opens them.
//!
//! A client is made and used on one I/O thread (`pool`). Dropping the future of
//! [`UpstreamClient::send`] ends the exchange: the connection is closed, unless the response
//! had been read to its end.

use std::time::Duration;

use http::header::TRANSFER_ENCODING;
use http::{HeaderValue, Request, Response};
use http_body::Body as HttpBody;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::tls::client::tls;
use crate::upstream::body::ForwardedBody;
use crate::upstream::connector::{Connector, UpstreamTimeouts};
use crate::upstream::control::Control;
use crate::upstream::error::UpstreamError;
use crate::upstream::response_body::UpstreamBody;

/// Idle connections kept to each upstream, by each I/O thread.
const IDLE_PER_UPSTREAM: usize = 64;

/// How long an idle connection to an upstream is kept. Shorter than what most
/// servers allow, so that they rarely close one just as we use it.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What is read ahead of one response, and so the longest head of one.
const READ_AHEAD: usize = 64 * 1024;

/// The client of one I/O thread. A clone uses the same connections.
#[derive(Clone)]
pub(crate) struct UpstreamClient(Client<Connector, ForwardedBody>);

impl UpstreamClient {
    /// One without connections. Which upstream a request is for is in its URI.
    pub(super) fn new(timeouts: UpstreamTimeouts) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_PER_UPSTREAM)
            .http1_max_buf_size(READ_AHEAD)
            .set_host(false)
            .build(Connector::new((*tls()).clone(), timeouts));
        Self(client)
    }

    /// Sends a request with an absolute URI, over an idle connection where there is one. The
    /// response is given as soon as its head is there.
    ///
    /// # Errors
    /// [`UpstreamError`]: there is no connection, or it ended before the head was complete.
    pub(crate) async fn send(
        &self,
        mut request: Request<ForwardedBody>,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        let body = request.body();
        if !body.is_end_stream() && body.size_hint().exact().is_none() {
            // Without this field, hyper sends no content of unknown length with a method
            // that usually has none.
            let chunked = HeaderValue::from_static("chunked");
            request.headers_mut().insert(TRANSFER_ENCODING, chunked);
        }
        let mut response = self.0.request(request).await?;
        let control = response.extensions_mut().remove::<Control>();
        Ok(response.map(|incoming| UpstreamBody::new(incoming, control)))
    }
}
