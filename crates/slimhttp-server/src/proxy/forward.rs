//! Forwarding: the request goes to an upstream as it comes in, the response
//! comes back as it arrives; nothing is held until complete. Each worker has
//! connections of its own to the upstreams, so a slow one delays nobody else; how
//! many requests a scope's upstreams carry is counted for all workers (`group`).

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::header::TRANSFER_ENCODING;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper_util::client::legacy::Error as ClientError;
use hyper_util::rt::TokioIo;
use slimhttp_site::forward::{self, Hop, Via};
use slimhttp_site::path::Target;
use slimhttp_site::refusal::Refusal;
use slimhttp_site::site::{Proxy, Scope, Upstream};
use tokio::time::Instant;

use crate::context::connection::ConnectionContext;
use crate::message::body::Body;
use crate::message::refused::ErrorResponse;
use crate::message::request_body::RequestBody;
use crate::net::upgraded::OnUpgrade;
use crate::proxy::error::{cause, refusal_of, was_closed_unanswered};
use crate::proxy::response_body::UpstreamBody;
use crate::sys::descriptors;
use crate::upgrade::switching;
use crate::upstream::body::ForwardedBody;
use crate::upstream::connector::UpstreamTimeouts;
use crate::upstream::control::{self, Control};
use crate::upstream::group::{NoPermit, UpstreamGroup, UpstreamPermit};
use crate::upstream::pool::{UpstreamClient, client};

/// How often a request is asked anew because a kept connection had been closed.
const STALE_TRIES: usize = 2;

/// How soon a request that lacks a descriptor is asked again if no connection to an
/// upstream is given up: clients leave too.
const NEXT_LOOK: Duration = Duration::from_millis(100);

thread_local! {
    /// Whose turn it is, among several upstreams.
    static TURN: Cell<usize> = const { Cell::new(0) };
}

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
    proxy: &Arc<Proxy>,
    forwarded: Forwarded,
) -> Result<Response<Body>, ErrorResponse> {
    let Forwarded { connection, scope, method, uri, version, headers, body, body_timeout, upgrade } =
        forwarded;
    let group = connection.shared.groups.of(&scope, proxy);
    let mark = connection.shared.mark(&scope);
    if let Some(chain) = forward::loop_chain(&headers, &mark) {
        let what = format!("upstream {}: a request came back", names(proxy));
        if let Some(unsaid) = group.failures.due(&what) {
            tracing::error!("{what}: {chain}{unsaid}");
        }
        return Err(ErrorResponse::because(Refusal::LoopDetected, chain));
    }
    let place = group.enter(proxy).await.map_err(|why| no_place(why, &group, proxy))?;

    // An upgrade is offered only where the client asked for one in HTTP/1.1.
    let upgrade = upgrade.filter(|_| switching::is_asked(&headers));
    let hop = Hop {
        client: connection.peer.ip().to_canonical(),
        tls: connection.tls,
        host: &host_of(&headers, &uri),
        trusted: is_trusted(&scope, &connection),
        received_version: version,
        mark: &mark,
        upgrade: upgrade.is_some(),
    };
    let mut fields = forward::request_headers(&headers, &hop);
    let body = ForwardedBody::new(body, scope.options.max_body, body_timeout);
    if !body.is_end_stream() && body.size_hint().exact().is_none() {
        // Unless told so, the library sends no content of unknown length with a
        // method that usually has none.
        fields.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }

    let request = UpstreamRequest { method, uri, fields, body };
    let (response, upstream) = ask_in_turn(proxy, &request, &connection, &group).await?;
    let joined = Joined { upstream, upgrade, connection: &connection, mark: &mark };
    answer(response, joined, place, &group)
}

/// What is asked of an upstream.
struct UpstreamRequest {
    method: Method,
    uri: Uri,
    fields: HeaderMap,
    body: ForwardedBody,
}

/// Asks the upstreams, from the one whose turn it is on, until one answers.
async fn ask_in_turn<'p>(
    proxy: &'p Proxy,
    request: &UpstreamRequest,
    connection: &ConnectionContext,
    group: &UpstreamGroup,
) -> Result<(Response<Incoming>, &'p Upstream), ErrorResponse> {
    let count = proxy.upstreams.len();
    let first = TURN.with(|turn| turn.replace(turn.get().wrapping_add(1)));
    let mut refused = ErrorResponse::from(Refusal::BadGateway);
    for attempt in 0..count {
        let upstream = &proxy.upstreams[first.wrapping_add(attempt) % count];
        let uri = target(upstream, &request.uri).ok_or(Refusal::BadGateway)?;
        let error = match ask(proxy, request, &uri).await {
            Ok(response) => return Ok((response, upstream)),
            Err(error) => error,
        };
        if let Some(fault) = connection.fault.get() {
            return Err(fault.refusal.clone().into());
        }
        // It broke off for the client's part: no upstream is to blame.
        if let Some(refusal) = request.body.refusal() {
            return Err(refusal.into());
        }
        let failure = format!("{}: {}", name(upstream), cause(&error));
        group.failures.tell(&format!("upstream {failure}"));
        refused = ErrorResponse::because(refusal_of(&error), failure);
        // Only what surely reached nobody is tried elsewhere.
        if !(error.is_connect() && request.body.is_untouched()) {
            break;
        }
    }
    Err(refused)
}

/// Asks one upstream. Where no descriptor is left for a connection to it, those that
/// rest are ended, and it is asked again when one is given back, for as long as a
/// request waits for its place.
async fn ask(
    proxy: &Proxy,
    request: &UpstreamRequest,
    uri: &Uri,
) -> Result<Response<Incoming>, ClientError> {
    let patience = UpstreamTimeouts { connect: proxy.connect_timeout, silence: proxy.read_timeout };
    let client = client(patience);
    let until = Instant::now() + proxy.queue_timeout;
    loop {
        let error = match ask_client(&client, request, uri).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let now = Instant::now();
        if refusal_of(&error) != Refusal::Unavailable || now >= until {
            return Err(error);
        }
        control::make_room();
        let soon = until.min(now + NEXT_LOOK);
        let _ = tokio::time::timeout_at(soon, descriptors::given_back()).await;
    }
}

/// Asks by a client. A kept connection may be closed by the upstream in the
/// very moment in which it is used again; a request that may be repeated (RFC
/// 9110 section 9.2.2) and of which no body was sent is then asked again.
async fn ask_client(
    client: &UpstreamClient,
    asked: &UpstreamRequest,
    uri: &Uri,
) -> Result<Response<Incoming>, ClientError> {
    let UpstreamRequest { method, fields, body, .. } = asked;
    let mut tries = 0;
    loop {
        let mut request = Request::new(body.clone());
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = fields.clone();
        let error = match client.request(request).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        tries += 1;
        let repeatable = method.is_idempotent() && body.is_untouched();
        if tries > STALE_TRIES || !repeatable || !was_closed_unanswered(&error) {
            return Err(error);
        }
    }
}

/// The two ends that a response joins.
struct Joined<'f> {
    upstream: &'f Upstream,
    /// What the client's connection becomes where the upstream switches.
    upgrade: Option<OnUpgrade>,
    connection: &'f Arc<ConnectionContext>,
    mark: &'f str,
}

/// The response on its way back. It keeps its place until it has ended.
fn answer(
    mut response: Response<Incoming>,
    joined: Joined<'_>,
    place: UpstreamPermit,
    group: &UpstreamGroup,
) -> Result<Response<Body>, ErrorResponse> {
    let Joined { upstream, upgrade, connection, mark } = joined;
    let control = response.extensions().get::<Control>().cloned();
    let via = Via { received_version: response.version(), mark };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let Some(client) = upgrade else {
            let cause = "101 Switching Protocols, which nobody asked for";
            group.failures.tell(&format!("upstream {}: {cause}", name(upstream)));
            return Err(ErrorResponse::because(Refusal::BadGateway, cause));
        };
        if let Some(fault) = connection.fault.get() {
            // What came behind the request, before the 101, is no HTTP, and too
            // early to be anything else.
            return Err(fault.refusal.clone().into());
        }
        if let Some(control) = control {
            control.disable_timeout();
        }
        let upstream = hyper::upgrade::on(&mut response);
        let upstream = async { upstream.await.map(TokioIo::new).map_err(io::Error::other) };
        let (mut parts, _) = response.into_parts();
        forward::response_headers(&mut parts.headers, true, &via);
        switching::tunnel(client, upstream, place, connection);
        return Ok(Response::from_parts(parts, Body::Empty));
    }
    let (mut parts, body) = response.into_parts();
    forward::response_headers(&mut parts.headers, false, &via);
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    let is_empty = body.is_end_stream();
    let body = UpstreamBody::new(body, control, place);
    let body = if is_empty { Body::Empty } else { Body::stream(body) };
    Ok(Response::from_parts(parts, body))
}

/// Says no to a request for which there is no place; in the log now and then.
fn no_place(why: NoPermit, group: &UpstreamGroup, proxy: &Proxy) -> ErrorResponse {
    let cause = match why {
        NoPermit::Full => "too many requests wait for the upstreams: see `proxy_max_queue`",
        NoPermit::Late => "the upstreams had no place in time: see `proxy_max_requests`",
    };
    let what = format!("upstream {}: requests are answered 503", names(proxy));
    if let Some(unsaid) = group.failures.due(&what) {
        let (running, waiting) = group.load();
        tracing::warn!(
            "{what}, {running} are there and {waiting} wait: see `proxy_max_requests`{unsaid}"
        );
    }
    ErrorResponse::because(Refusal::Unavailable, cause)
}

/// The target of a request as upstreams are to read it.
///
/// # Errors
/// It cannot be sent to any.
pub(crate) fn sent_on(uri: &Uri, target: Option<&Target<'_>>) -> Result<Uri, Refusal> {
    const NONE: Refusal = Refusal::BadRequest("no target that can be sent on");
    let sent = target.map(Target::sent_on);
    let asked = uri.path_and_query().map(PathAndQuery::as_str);
    let Some(sent) = sent.filter(|sent| asked != Some(&**sent)) else {
        return Ok(uri.clone());
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(sent.parse().map_err(|_| NONE)?);
    Uri::from_parts(parts).map_err(|_| NONE)
}

/// The upstream's URI for a request target.
fn target(upstream: &Upstream, uri: &Uri) -> Option<Uri> {
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

fn name(upstream: &Upstream) -> String {
    format!("{}:{}", upstream.host, upstream.port)
}

fn names(proxy: &Proxy) -> String {
    proxy.upstreams.iter().map(name).collect::<Vec<_>>().join(", ")
}
