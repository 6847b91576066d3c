//! Forwarding: the request goes to an upstream as it comes in, the response
//! comes back as it arrives; nothing is held until complete. Called by the exchange, on the
//! I/O thread of its connection, which has connections of its own to the upstreams: a slow
//! one delays nobody else. How many requests a scope's upstreams carry is counted for all
//! threads (`upstream::group`). Dropping the future gives the request up, and its permit back.

use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Response, StatusCode, Uri, Version};
use http_body::Body as HttpBody;
use slimhttp_site::forward::{self, Hop, Via};
use slimhttp_site::path::Target;
use slimhttp_site::refusal::Refusal;
use slimhttp_site::site::{Proxy, Scope, Upstream};

use crate::context::connection::ConnectionContext;
use crate::message::body::Body;
use crate::message::refused::ErrorResponse;
use crate::message::request_body::RequestBody;
use crate::net::upgraded::OnUpgrade;
use crate::proxy::error;
use crate::proxy::retry::{self, UpstreamRequest};
use crate::proxy::trailers::WithTrailers;
use crate::upgrade::{switching, tunnel};
use crate::upstream::body::ForwardedBody;
use crate::upstream::group::{UpstreamGroup, UpstreamPermit};
use crate::upstream::response_body::UpstreamBody;
use crate::upstream::upgrade::UpstreamUpgrade;

/// A request on its way upstream.
pub(crate) struct Forwarded {
    pub(crate) connection: Arc<ConnectionContext>,
    pub(crate) scope: Arc<Scope>,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: RequestBody,
    pub(crate) body_timeout: Duration,
    pub(crate) upgrade: Option<OnUpgrade>,
}

/// Forwards a request to the first upstream that takes it.
///
/// # Errors
/// 502 where none can be reached or the answer is nonsense, 503 where they have
/// enough to do, 504 where the answer is late, 508 where the request has been in
/// this scope before.
pub(crate) async fn forward(
    proxy: &Proxy,
    group: &Arc<UpstreamGroup>,
    forwarded: Forwarded,
) -> Result<Response<Body>, ErrorResponse> {
    let Forwarded { connection, scope, method, uri, version, headers, body, body_timeout, upgrade } =
        forwarded;
    let pseudonym = connection.shared.pseudonym(&scope);
    if let Some(chain) = forward::loop_chain(&headers, &pseudonym) {
        return Err(error::loop_detected(chain, proxy, group));
    }
    let permit = group.acquire(proxy).await.map_err(|why| error::no_permit(why, proxy, group))?;

    // An upgrade is offered only where the client asked for one in HTTP/1.1.
    let upgrade = upgrade.filter(|_| switching::is_requested(&headers));
    let hop = Hop {
        method: &method,
        client: connection.peer.ip().to_canonical(),
        tls: connection.tls,
        host: &host_of(&headers, &uri),
        trusted: is_trusted(&scope, &connection),
        received_version: version,
        pseudonym: &pseudonym,
        upgrade: upgrade.is_some(),
    };
    let headers = forward::request_headers(headers, &hop);
    let body = match body {
        RequestBody::Incoming(body) => RequestBody::Incoming(Box::pin(WithTrailers(body))),
        collected @ RequestBody::Collected(_) => collected,
    };
    let body = ForwardedBody::new(body, scope.options.max_body, body_timeout);
    let request = UpstreamRequest { method, uri, headers, body };
    let (response, upstream) = retry::send_round_robin(proxy, &request, group).await?;
    let ends =
        Ends { upstream, sent: &request, upgrade, connection: &connection, pseudonym: &pseudonym };
    respond(response, ends, permit, group)
}

/// The two ends between which a response goes.
struct Ends<'f> {
    upstream: &'f Upstream,
    /// The request as the upstream got it.
    sent: &'f UpstreamRequest,
    /// What the client's connection becomes where the upstream switches.
    upgrade: Option<OnUpgrade>,
    connection: &'f Arc<ConnectionContext>,
    pseudonym: &'f str,
}

/// The response on its way back. It holds its permit until it has ended.
fn respond(
    mut response: Response<UpstreamBody>,
    ends: Ends<'_>,
    permit: UpstreamPermit,
    group: &UpstreamGroup,
) -> Result<Response<Body>, ErrorResponse> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return switch(response, ends, permit, group);
    }
    let via = Via { received_version: response.version(), pseudonym: ends.pseudonym };
    let keep_upgrade = response.status() == Refusal::UpgradeRequired.status();
    forward::response_headers(response.headers_mut(), keep_upgrade, &via);
    *response.version_mut() = Version::HTTP_11;
    response.extensions_mut().clear();
    response.body_mut().hold(permit);
    Ok(response.map(|body| match body.is_end_stream() {
        // There is content, of which the upstream has said how long it is, or has not.
        _ if ends.sent.method == Method::HEAD => Body::Omitted,
        true => Body::Empty,
        false => Body::stream(WithTrailers(body)),
    }))
}

/// The 101, behind which both connections are joined.
fn switch(
    mut response: Response<UpstreamBody>,
    ends: Ends<'_>,
    permit: UpstreamPermit,
    group: &UpstreamGroup,
) -> Result<Response<Body>, ErrorResponse> {
    let Ends { upstream, sent, upgrade, connection, pseudonym } = ends;
    // What the client offers is not all offered to the upstream.
    let upgrade = upgrade.filter(|_| forward::is_offered(&sent.headers, response.headers()));
    let Some(client) = upgrade else {
        return Err(error::unasked_switch(upstream, group));
    };
    let via = Via { received_version: response.version(), pseudonym };
    let upstream = UpstreamUpgrade::of(&mut response);
    forward::response_headers(response.headers_mut(), true, &via);
    tunnel::open(client, upstream.upgraded(), permit, connection);
    Ok(response.map(|_| Body::Empty))
}

/// The target of a request as upstreams are to read it.
///
/// # Errors
/// It cannot be sent to any.
pub(crate) fn sent_on(uri: &Uri, target: Option<&Target<'_>>) -> Result<Uri, Refusal> {
    const NONE: Refusal = Refusal::BadRequest("no target that can be sent on");
    let sent = target.map(Target::sent_on);
    let received = uri.path_and_query().map(PathAndQuery::as_str);
    let Some(sent) = sent.filter(|sent| received != Some(&**sent)) else {
        return Ok(uri.clone());
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(sent.parse().map_err(|_| NONE)?);
    Uri::from_parts(parts).map_err(|_| NONE)
}

fn host_of(headers: &HeaderMap, uri: &Uri) -> String {
    match headers.get(http::header::HOST) {
        Some(host) => String::from_utf8_lossy(host.as_bytes()).into_owned(),
        None => uri.authority().map(ToString::to_string).unwrap_or_default(),
    }
}

fn is_trusted(scope: &Scope, connection: &ConnectionContext) -> bool {
    let client = connection.peer.ip().to_canonical();
    scope.options.trusted_proxies.iter().any(|network| network.contains(&client))
}
