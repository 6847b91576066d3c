//! Which upstream gets a request, and when it is sent once more: to the next one where none
//! has seen it, to the same one where a kept connection was closed just then, or where this
//! process had no descriptor left. Runs within the request's exchange, on its I/O thread;
//! dropping the future gives the request up.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Response};
use slimhttp_http1::Limits;
use slimhttp_site::refusal::Refusal;
use slimhttp_site::site::{Proxy, Upstream};
use tokio::time::Instant;

use crate::message::refused::ErrorResponse;
use crate::proxy::error;
use crate::sys::descriptors;
use crate::upstream::connection::{Place, UpstreamConnection};
use crate::upstream::error::{Progress, UpstreamError, UpstreamFault};
use crate::upstream::group::UpstreamGroup;
use crate::upstream::pool::{self, Idling};
use crate::upstream::request_body::ForwardedBody;
use crate::upstream::send::{self, Terms, UpstreamContent, UpstreamRequest};
use crate::upstream::{connect, make_room};

/// How soon a request that lacks a descriptor is sent again if no connection to an
/// upstream is given up: clients leave too.
const DESCRIPTOR_RETRY: Duration = Duration::from_millis(100);

/// A request, and whose upstreams it is for.
#[derive(Clone, Copy)]
pub(super) struct Outgoing<'o> {
    pub(super) proxy: &'o Proxy,
    pub(super) group: &'o Arc<UpstreamGroup>,
    pub(super) request: UpstreamRequest<'o>,
}

/// Sends a request to one upstream after the other, from the one whose turn it is on, until one
/// responds. Returns which that is.
///
/// # Errors
/// What the last one has come to, or what the client did wrong in the meantime.
pub(super) async fn send_round_robin(
    outgoing: Outgoing<'_>,
    body: &mut ForwardedBody,
) -> Result<(Response<UpstreamContent>, usize), ErrorResponse> {
    let Outgoing { proxy, group, .. } = outgoing;
    let count = proxy.upstreams.len();
    let first = pool::next_turn(group, count);
    let mut refused = ErrorResponse::from(Refusal::BadGateway);
    for attempt in 0..count {
        let upstream = first.wrapping_add(attempt) % count;
        let fields = with_host(outgoing.request.fields, &proxy.upstreams[upstream]);
        let request = UpstreamRequest { fields: &fields, ..outgoing.request };
        let failure = match send(Outgoing { request, ..outgoing }, upstream, body).await {
            Ok(response) => return Ok((response, upstream)),
            Err(failure) => failure,
        };
        // It broke off for the client's part: no upstream is to blame.
        if let Some(refusal) = body.refusal() {
            return Err(refusal.into());
        }
        refused = error::failed(&failure, upstream, group);
        // Only what surely reached nobody is sent elsewhere.
        if !(failure.progress == Progress::NotConnected && body.rewind()) {
            break;
        }
    }
    Err(refused)
}

/// The fields of a request for an upstream. Where an HTTP/1.0 client has named no host, the
/// upstream's own is the one that it asks for, without the port that its scheme has anyway (RFC
/// 9110 section 4.2.3).
fn with_host<'f>(fields: &'f HeaderMap, upstream: &Upstream) -> Cow<'f, HeaderMap> {
    if fields.contains_key(HOST) {
        return Cow::Borrowed(fields);
    }
    let Upstream { host, port, tls } = upstream;
    let mut own = if host.contains(':') { format!("[{host}]") } else { host.to_string() };
    if *port != if *tls { 443 } else { 80 } {
        own = format!("{own}:{port}");
    }
    let mut fields = fields.clone();
    if let Ok(own) = HeaderValue::try_from(own) {
        fields.insert(HOST, own);
    }
    Cow::Owned(fields)
}

/// Sends a request to one upstream: over an idle connection where there is one, and once more
/// over a new one where that failed.
async fn send(
    outgoing: Outgoing<'_>,
    upstream: usize,
    body: &mut ForwardedBody,
) -> Result<Response<UpstreamContent>, UpstreamError> {
    let Outgoing { proxy, group, request } = outgoing;
    let limits = Limits {
        max_head: proxy.max_response_head,
        max_fields: proxy.max_response_headers,
        max_target: usize::MAX,
    };
    let idling = Idling { max: proxy.max_idle, timeout: proxy.idle_timeout };
    let terms = Terms { limits, silence: proxy.read_timeout, idling };
    // Where it has waited for a descriptor, a connection may have become idle meanwhile.
    let open = || async move {
        match pool::take(group, upstream) {
            Some(idle) => Ok(idle),
            None => open(outgoing, upstream).await,
        }
    };
    let connection = match pool::take(group, upstream) {
        Some(idle) => idle,
        // Boxed, as that below: most requests do without.
        None => Box::pin(with_descriptor(proxy.queue_timeout, open)).await?,
    };
    let is_reused = connection.is_reused();
    let failure = match send::send(connection, request, body, terms).await {
        Err(failure) if is_reused => failure,
        outcome => return outcome,
    };
    if !may_repeat(failure.progress, request.method.is_idempotent(), body.rewind()) {
        return Err(failure);
    }
    tracing::debug!("upstream {}: {failure}: sent once more", group.name(upstream));
    let open = || self::open(outgoing, upstream);
    let connection = Box::pin(with_descriptor(proxy.queue_timeout, open)).await?;
    send::send(connection, request, body, terms).await
}

/// A new connection.
async fn open(
    outgoing: Outgoing<'_>,
    upstream: usize,
) -> Result<Box<UpstreamConnection>, UpstreamError> {
    let Outgoing { proxy, group, .. } = outgoing;
    let place = Place::new(group, upstream);
    connect(&proxy.upstreams[upstream], proxy.connect_timeout, place).await
}

/// Whether a request may be sent once more to an upstream that a kept connection led to. It may
/// have closed that just then, and have seen nothing of the request; but that is certain only
/// where the connection took none of it. Else the request has to mean the same when it comes twice
/// (RFC 9110 section 9.2.2). Either way there has to be all of its content still.
fn may_repeat(progress: Progress, is_idempotent: bool, has_content: bool) -> bool {
    match progress {
        Progress::Unsent => has_content,
        Progress::Unanswered => has_content && is_idempotent,
        Progress::NotConnected | Progress::Unknown => false,
    }
}

/// Tries again for as long as a request waits for its permit where no descriptor is left for a
/// connection: idle connections are closed, and it is tried when one has given its descriptor
/// back.
async fn with_descriptor<T, F>(
    queue_timeout: Duration,
    open: impl Fn() -> F,
) -> Result<T, UpstreamError>
where
    F: Future<Output = Result<T, UpstreamError>>,
{
    let until = Instant::now() + queue_timeout;
    loop {
        let error = match open().await {
            Ok(opened) => return Ok(opened),
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

#[cfg(test)]
mod tests;
