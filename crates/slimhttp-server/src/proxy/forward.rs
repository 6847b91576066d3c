//! Forwarding: the request goes to an upstream as it comes in, the response
//! comes back as it arrives; nothing is held until complete. Called by the exchange, on the
//! I/O thread of its connection, which has connections of its own to the upstreams: a slow
//! one delays nobody else. How many requests a scope's upstreams carry is counted for all
//! threads (`upstream::group`). Dropping the future gives the request up, and its permit back.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::response::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, Version};
use slimhttp_site::forward::{self, Hop, Pseudonym, Via};
use slimhttp_site::path::Target;
use slimhttp_site::refusal::Refusal;
use slimhttp_site::site::{Proxy, Scope, Upstream};
use slimhttp_site::upstream_prefix::{Origin, PathMap};

use crate::context::connection::ConnectionContext;
use crate::message::body::Body;
use crate::message::refused::ErrorResponse;
use crate::message::request_body::RequestBody;
use crate::net::upgraded::OnUpgrade;
use crate::proxy::error;
use crate::proxy::retry::{self, Outgoing};
use crate::upgrade::{switching, tunnel};
use crate::upstream::group::{UpstreamGroup, UpstreamPermit};
use crate::upstream::request_body::ForwardedBody;
use crate::upstream::send::{UpstreamContent, UpstreamRequest};
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
    let pseudonym = group.pseudonym(|| connection.shared.pseudonym(&scope, proxy));
    if let Some(chain) = forward::loop_chain(&headers, pseudonym.as_str()) {
        return Err(error::loop_detected(chain, group));
    }
    let permit = group.acquire(proxy).await.map_err(|why| error::no_permit(why, group))?;

    // An upgrade is offered only where the client asked for one in HTTP/1.1.
    let upgrade = upgrade.filter(|_| switching::is_requested(&headers));
    let asked = headers.get(HOST).cloned();
    let (target, paths) = on_both_sides(proxy, target_of(&uri));
    let hop = Hop {
        method: &method,
        client: connection.peer.ip().to_canonical(),
        tls: connection.security.is_tls(),
        host: &host_of(asked.as_ref(), &uri),
        prefix: paths.map_or("", |paths| paths.stripped()),
        trusted: is_trusted(&scope, &connection),
        received_version: version,
        pseudonym,
        upgrade: upgrade.is_some(),
    };
    let headers = forward::request_headers(headers, &hop);
    let mut body = ForwardedBody::new(body, scope.options.max_body, body_timeout);
    let on_interim = |interim| forward_interim(interim, version, pseudonym, &connection);
    let request = UpstreamRequest {
        method: &method,
        target: &target,
        fields: &headers,
        on_interim: &on_interim,
    };
    let outgoing = Outgoing { proxy, group, request };
    let (response, upstream) = retry::send_round_robin(outgoing, &mut body).await?;
    let sent = &request;
    let ends = Ends { upstream, sent, upgrade, connection: &connection, pseudonym };
    let mut response = respond(response, ends, permit, group)?;
    if let Some(paths) = paths {
        let Upstream { tls, host, port } = &proxy.upstreams[upstream];
        let asked = &host_of(asked.as_ref(), &uri);
        paths.mend(response.headers_mut(), &Origin { tls: *tls, host, port: *port, asked });
    }
    Ok(response)
}

/// A target as upstreams are to get it, and how the paths of their responses are mended, where
/// upstreams know them by another prefix.
fn on_both_sides<'t>(
    proxy: &'t Proxy,
    target: Cow<'t, str>,
) -> (Cow<'t, str>, Option<PathMap<'t>>) {
    match &proxy.prefix {
        None => (target, None),
        Some(rule) => {
            let (sent, paths) = rule.apply(&target);
            (sent.into_owned().into(), Some(paths))
        }
    }
}

/// An interim response on its way to the client (RFC 9110 section 15.2), which HTTP/1.0 does not
/// know. Over HTTP/2 there is no way to send it.
fn forward_interim(
    mut interim: Parts,
    version: Version,
    pseudonym: &Pseudonym,
    connection: &ConnectionContext,
) {
    if version == Version::HTTP_11 {
        let via = Via { received_version: interim.version, pseudonym };
        forward::response_headers(&mut interim.headers, false, &via);
        connection.state.interims().push(interim.status, interim.headers);
    }
}

/// The two ends between which a response goes.
struct Ends<'f> {
    /// Which of the group's upstreams.
    upstream: usize,
    /// The request as the upstream got it.
    sent: &'f UpstreamRequest<'f>,
    /// What the client's connection becomes where the upstream switches.
    upgrade: Option<OnUpgrade>,
    connection: &'f Arc<ConnectionContext>,
    pseudonym: &'f Pseudonym,
}

/// The response on its way back. It holds its permit until all of it is here.
fn respond(
    response: Response<UpstreamContent>,
    ends: Ends<'_>,
    permit: UpstreamPermit,
    group: &UpstreamGroup,
) -> Result<Response<Body>, ErrorResponse> {
    let (mut parts, content) = response.into_parts();
    let body = match content {
        // There is content, of which the upstream has said how long it is, or has not.
        UpstreamContent::Empty if *ends.sent.method == Method::HEAD => Body::Omitted,
        UpstreamContent::Empty => Body::Empty,
        UpstreamContent::Whole(bytes) => Body::Full(bytes),
        UpstreamContent::Streamed(mut body) => {
            body.hold(permit);
            Body::Socket(Box::into_pin(body))
        }
        UpstreamContent::Switched(upgraded) => return switch(parts, upgraded, ends, permit, group),
    };
    let via = Via { received_version: parts.version, pseudonym: ends.pseudonym };
    let keep_upgrade = parts.status == StatusCode::UPGRADE_REQUIRED;
    forward::response_headers(&mut parts.headers, keep_upgrade, &via);
    parts.version = Version::HTTP_11;
    Ok(Response::from_parts(parts, body))
}

/// The 101, behind which both connections are joined.
fn switch(
    mut parts: Parts,
    upgraded: UpstreamUpgrade,
    ends: Ends<'_>,
    permit: UpstreamPermit,
    group: &UpstreamGroup,
) -> Result<Response<Body>, ErrorResponse> {
    let Ends { upstream, sent, upgrade, connection, pseudonym } = ends;
    // What the client offers is not all offered to the upstream.
    let upgrade = upgrade.filter(|_| forward::is_offered(sent.fields, &parts.headers));
    let Some(client) = upgrade else {
        return Err(error::unasked_switch(upstream, group));
    };
    let via = Via { received_version: parts.version, pseudonym };
    forward::response_headers(&mut parts.headers, true, &via);
    tunnel::open(client, upgraded, permit, connection);
    Ok(Response::from_parts(parts, Body::Empty))
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

/// The target of a request in origin form (RFC 9112 section 3.2.1), or `*`.
fn target_of(uri: &Uri) -> Cow<'_, str> {
    match uri.path_and_query().map_or("/", PathAndQuery::as_str) {
        query if query.starts_with('?') => format!("/{query}").into(),
        target => target.into(),
    }
}

fn host_of<'h>(host: Option<&'h HeaderValue>, uri: &'h Uri) -> Cow<'h, str> {
    match host {
        Some(host) => String::from_utf8_lossy(host.as_bytes()),
        None => uri.authority().map(|authority| authority.as_str().into()).unwrap_or_default(),
    }
}

fn is_trusted(scope: &Scope, connection: &ConnectionContext) -> bool {
    let client = connection.peer.ip().to_canonical();
    scope.options.trusted_proxies.iter().any(|network| network.contains(&client))
}

#[cfg(test)]
mod tests;
