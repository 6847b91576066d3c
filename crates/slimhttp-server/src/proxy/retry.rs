//! Which upstream gets a request, and when it is sent once more: to the next one where none
//! has seen it, to the same one where a kept connection was closed just then, or where this
//! process had no descriptor left. Runs within the request's exchange, on its I/O thread;
//! dropping the future gives the request up.

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use http::header::{Entry, HOST};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use slimhttp_site::refusal::Refusal;
use slimhttp_site::site::{Proxy, Upstream};
use tokio::time::Instant;

use crate::message::refused::ErrorResponse;
use crate::proxy::error;
use crate::sys::descriptors;
use crate::upstream::body::ForwardedBody;
use crate::upstream::connector::UpstreamTimeouts;
use crate::upstream::error::{Progress, UpstreamError, UpstreamFault};
use crate::upstream::group::UpstreamGroup;
use crate::upstream::response_body::UpstreamBody;
use crate::upstream::{UpstreamClient, make_room, pool};

/// How often a request is sent again because a kept connection had been closed.
const MAX_STALE_RETRIES: usize = 2;

/// How soon a request that lacks a descriptor is sent again if no connection to an
/// upstream is given up: clients leave too.
const DESCRIPTOR_RETRY: Duration = Duration::from_millis(100);

thread_local! {
    /// Counts the requests of this thread: the next upstream is that of the next number.
    static ROUND_ROBIN: Cell<usize> = const { Cell::new(0) };
}

/// A request as an upstream is to get it, but for which one.
pub(super) struct UpstreamRequest {
    pub(super) method: Method,
    /// As the client had it; only the path and the query are sent.
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: ForwardedBody,
}

impl UpstreamRequest {
    /// For the upstream whose URI this is. The body is shared with those made before. Where an
    /// HTTP/1.0 client has named no host, the upstream's own is the one that it asks for.
    fn to(&self, uri: &Uri) -> Request<ForwardedBody> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let (Entry::Vacant(host), Some(own)) = (request.headers_mut().entry(HOST), host_of(uri))
        {
            host.insert(own);
        }
        request
    }

    /// Whether it may be sent again though it may have reached the upstream: it means the same
    /// then (RFC 9110 section 9.2.2), and there is all of it still.
    fn is_repeatable(&self) -> bool {
        self.method.is_idempotent() && self.body.is_untouched()
    }
}

/// Sends a request to one upstream after the other, from the one whose turn it is on, until one
/// responds.
///
/// # Errors
/// What the last one has come to, or what the client did wrong in the meantime.
pub(super) async fn send_round_robin<'p>(
    proxy: &'p Proxy,
    request: &UpstreamRequest,
    group: &UpstreamGroup,
) -> Result<(Response<UpstreamBody>, &'p Upstream), ErrorResponse> {
    let count = proxy.upstreams.len();
    let first = ROUND_ROBIN.with(|number| number.replace(number.get().wrapping_add(1)));
    let mut refused = ErrorResponse::from(Refusal::BadGateway);
    for attempt in 0..count {
        let upstream = &proxy.upstreams[first.wrapping_add(attempt) % count];
        let uri = uri_at(upstream, &request.uri).ok_or(Refusal::BadGateway)?;
        let failure = match send(proxy, request, &uri).await {
            Ok(response) => return Ok((response, upstream)),
            Err(failure) => failure,
        };
        // It broke off for the client's part: no upstream is to blame.
        if let Some(refusal) = request.body.refusal() {
            return Err(refusal.into());
        }
        refused = error::failed(&failure, upstream, group);
        // Only what surely reached nobody is sent elsewhere.
        if !(failure.progress == Progress::NotConnected && request.body.is_untouched()) {
            break;
        }
    }
    Err(refused)
}

/// Sends a request to one upstream.
async fn send(
    proxy: &Proxy,
    request: &UpstreamRequest,
    uri: &Uri,
) -> Result<Response<UpstreamBody>, UpstreamError> {
    let timeouts = UpstreamTimeouts { connect: proxy.connect_timeout, silence: proxy.read_timeout };
    let client: UpstreamClient = pool::client(timeouts);
    let send = || client.send(request.to(uri));
    with_descriptor(proxy.queue_timeout, || retry_stale(send, || request.is_repeatable())).await
}

/// Sends again for as long as a request waits for its permit where no descriptor is left for a
/// connection: idle connections are closed, and it is sent when one has given its descriptor
/// back.
async fn with_descriptor<T, F>(
    queue_timeout: Duration,
    send: impl Fn() -> F,
) -> Result<T, UpstreamError>
where
    F: Future<Output = Result<T, UpstreamError>>,
{
    let until = Instant::now() + queue_timeout;
    loop {
        let error = match send().await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let now = Instant::now();
        if error.fault != UpstreamFault::Exhausted || now >= until {
            return Err(error);
        }
        make_room();
        let soon = until.min(now + DESCRIPTOR_RETRY);
        let _ = tokio::time::timeout_at(soon, descriptors::upstream_freed()).await;
    }
}

/// Sends again where a connection was closed unanswered and the request may be repeated: the
/// upstream may close a kept connection in the very moment in which it is used again.
async fn retry_stale<T, F>(
    send: impl Fn() -> F,
    is_repeatable: impl Fn() -> bool,
) -> Result<T, UpstreamError>
where
    F: Future<Output = Result<T, UpstreamError>>,
{
    let mut retries = 0;
    loop {
        let error = match send().await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let is_stale = error.progress == Progress::ClosedUnanswered;
        if !is_stale || retries == MAX_STALE_RETRIES || !is_repeatable() {
            return Err(error);
        }
        retries += 1;
    }
}

/// The URI of a request at an upstream; `None` where its name is none of a host.
fn uri_at(upstream: &Upstream, uri: &Uri) -> Option<Uri> {
    let host = &upstream.host;
    let authority = if host.contains(':') {
        format!("[{host}]:{}", upstream.port)
    } else {
        format!("{host}:{}", upstream.port)
    };
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if upstream.tls { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Some(Authority::try_from(authority).ok()?);
    parts.path_and_query =
        Some(uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
    Uri::from_parts(parts).ok()
}

/// The `Host` of an upstream by its URI, without the port that its scheme has anyway (RFC 9110
/// section 4.2.3).
fn host_of(uri: &Uri) -> Option<HeaderValue> {
    let authority = uri.authority()?;
    let is_default = matches!(
        (uri.scheme_str(), uri.port_u16()),
        (Some("http"), Some(80)) | (Some("https"), Some(443))
    );
    let host = if is_default { authority.host() } else { authority.as_str() };
    HeaderValue::from_str(host).ok()
}

#[cfg(test)]
mod tests;
