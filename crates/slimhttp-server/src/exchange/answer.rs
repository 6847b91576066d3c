//! One request, one response: the only function that sees everything.

use std::sync::Arc;
use std::time::Instant;

use http::{Method, Response};
use slimhttp_site::file_rules::FileCache;
use slimhttp_site::plan::{Action, Head};
use slimhttp_site::refusal::Refusal;
use slimhttp_site::response_fields::answer_fields;

use crate::context::connection::ConnectionContext;
use crate::exchange::actions::Exchange;
use crate::exchange::event_stream;
use crate::exchange::live_reload::{self, LiveReload};
use crate::exchange::request_trace::RequestTrace;
use crate::exchange::tracking::{Tracked, Tracker};
use crate::files::FreshnessNote;
use crate::message::error_page;
use crate::message::request_body::RequestBody;
use crate::net::connection_state::CloseMode;
use crate::net::upgraded::OnUpgrade;
use crate::observe::event::Responder;

/// Answers one request, always.
pub(crate) async fn answer(
    connection: Arc<ConnectionContext>,
    request: http::Request<RequestBody>,
    upgrade: Option<OnUpgrade>,
) -> Response<Tracked> {
    let began = Instant::now();
    let tracker = Tracker::begin(&connection);
    let snapshot = connection.shared.live.cached();
    let (mut parts, body) = request.into_parts();
    // Taken out, so that the plan may borrow it while the fields move on.
    let uri = std::mem::take(&mut parts.uri);
    let head =
        Head { method: &parts.method, uri: &uri, version: parts.version, headers: &parts.headers };
    // What was rewritten is answered as what it is now; the access log tells
    // what was asked for.
    let rewritten = snapshot.site.rewritten(&head);
    let plan = match &rewritten {
        Some(uri) => snapshot.site.plan_rewritten(&Head { uri, ..head }),
        None => snapshot.site.plan(&head),
    };
    let scope = plan.scope;
    let grant = scope.options.answers.cors.as_ref().map(|cors| cors.grant(head.headers));
    let tracker = tracker.note(&connection, &snapshot, scope, &parts, &uri);

    let reloads = scope.options.live_reload;
    let listens = || plan.target.is_some() && uri.path() == live_reload::PATH;
    if reloads && parts.method == Method::GET && listens() {
        let response = error_page::finish(live_reload::listen(&connection, scope));
        return tracker.finish(response, Responder::Server, None, None);
    }
    // What an upstream answers is its own.
    let is_ours = || !plan.actions.iter().any(|action| matches!(action, Action::Proxy(_)));
    let showing = match reloads && is_ours() {
        true => LiveReload::of(&parts.method, &mut parts.headers),
        false => LiveReload::No,
    };

    let path = plan.target.as_ref().map_or(&b"/"[..], |target| &target.path);
    let mut exchange = Exchange {
        connection: &connection,
        snapshot: &snapshot,
        scope,
        uri: rewritten.as_ref().unwrap_or(&uri),
        rewritten: rewritten.is_some(),
        path,
        target: plan.target.as_ref(),
        asked: None,
        seen: FreshnessNote::default(),
        body: Some(body),
        ongoing: None,
        body_timeout: snapshot.site.service.body_timeout,
        upgrade,
        method: std::mem::take(&mut parts.method),
        version: parts.version,
        headers: std::mem::take(&mut parts.headers),
        by: Responder::Server,
        passed_on: false,
    };
    // What the protocol's room has found wrong with the head.
    let malformed = parts.extensions.remove::<Refusal>();
    let files_only = matches!(*plan.actions, [Action::File(_)]);
    let detail =
        RequestTrace::begin(&snapshot.site, plan.target.as_ref(), &exchange, &plan.actions);
    let outcome = if !snapshot.site.admits(connection.peer.ip()) {
        // It was allowed when it connected; its connection ends with this.
        connection.state.request_close(CloseMode::Gracefully);
        Err(Refusal::Forbidden.into())
    } else if let Some(refusal) = malformed {
        Err(refusal.into())
    } else {
        exchange.perform(plan.actions).await
    };
    let is_trouble = matches!(&outcome, Err(refused) if refused.refusal != Refusal::NotFound);
    let mut response = match outcome {
        Ok(response) => error_page::finish(event_stream::until_stop(response, &connection)),
        Err(refused) => error_page::finish(exchange.refuse(refused).await),
    };
    // Nobody is given it again where a script ran, where a cookie chooses among
    // releases, where a file may be changing just now, or where somebody is told
    // of each request.
    let same_for_all = files_only
        && !is_trouble
        && exchange.asked.is_none()
        && !reloads
        && exchange.seen.is_stable()
        && !tracker.is_told()
        && detail.is_none()
        && scope.options.files.pin_releases.is_zero();
    // What took long to answer was seen long ago.
    let left = |cache: FileCache| cache.step().checked_sub(began.elapsed());
    let repeatable = scope.options.files.cache.filter(|_| same_for_all).and_then(left);
    answer_fields(&scope.options.answers, response.headers_mut(), connection.tls);
    if let Some(grant) = grant {
        grant.apply(response.headers_mut());
    }
    error_page::keep_policy(&mut response);
    if let Some(detail) = detail {
        detail.answered(&response, began.elapsed());
    }
    let mut response =
        showing.inject(response, &connection, scope, exchange.method(), exchange.asked.is_none());
    if *exchange.method() == Method::HEAD {
        error_page::omit_content(&mut response, exchange.by == Responder::Proxy);
    }
    tracker.finish(response, exchange.by, repeatable, exchange.ongoing.take())
}
