//! The story of one request, from its head to the response that a protocol sends. Called by
//! every protocol on the I/O thread of the connection; nothing here blocks, and the future may
//! be dropped at any moment, which means that the client has left.

use std::sync::Arc;

use http::request::Parts;
use http::{Method, Response};
use slimhttp_site::client::Arrival;
use slimhttp_site::https::Hsts;
use slimhttp_site::plan::{Action, Actions, Head, Plan, Security, Transport};
use slimhttp_site::refusal::Refusal;
use slimhttp_site::response_fields::{answer_fields, hsts_field};
use slimhttp_site::site::Site;
use smallvec::smallvec;

use crate::context::connection::ConnectionContext;
use crate::context::misdirected;
use crate::exchange::acme_challenge;
use crate::exchange::actions::Exchange;
use crate::exchange::event_stream;
use crate::exchange::live_reload::LiveReload;
use crate::exchange::request_trace::RequestTrace;
use crate::exchange::tracking::{Repeatable, Tracked, Tracker};
use crate::message::body::Body;
use crate::message::error_page;
use crate::message::request_body::RequestBody;
use crate::net::connection_state::CloseMode;
use crate::net::upgraded::OnUpgrade;

/// Answers one request, always. Its head is boxed: what this future takes with it lies in it from
/// its first moment to its last, and it is moved as a whole.
pub(crate) async fn answer(
    connection: Arc<ConnectionContext>,
    mut parts: Box<Parts>,
    body: RequestBody,
    upgrade: Option<OnUpgrade>,
) -> Response<Tracked> {
    let tracker = Tracker::begin(&connection);
    let snapshot = connection.shared.live.cached();

    // Taken out, so that the plan may borrow it while the fields move on.
    let requested = std::mem::take(&mut parts.uri);
    let head = Head {
        method: &parts.method,
        uri: &requested,
        version: parts.version,
        headers: &parts.headers,
        transport: connection.transport(),
    };
    let is_misdirected = misdirected::is_misdirected(&connection, &snapshot, &head);
    // What was rewritten is answered as what it is now; the access log says what was asked for.
    let rewritten = snapshot.site.rewritten(&head).filter(|_| !is_misdirected).map(Box::new);
    let plan = match &rewritten {
        _ if is_misdirected => misdirected_plan(&snapshot.site),
        Some(uri) => snapshot.site.plan_rewritten(&Head { uri, ..head }, &requested),
        None => snapshot.site.plan(&head),
    };
    let Plan { host, scope, target, mut actions } = plan;
    let tracker = tracker.record(&connection, &snapshot, scope, &parts, &requested);

    let uri = rewritten.as_deref().unwrap_or(&requested);
    let mut exchange =
        Exchange::new(&connection, &snapshot, (host, scope), uri, target, &mut parts);
    exchange.is_rewritten = rewritten.is_some();
    exchange.body = Some(body);
    exchange.upgrade = upgrade;
    let challenge = match acme_challenge::token(&connection, exchange.method(), &requested) {
        Some(token) => Box::pin(acme_challenge::answer(&connection, token)).await,
        None => None,
    };
    let reload = LiveReload::of(&mut exchange, &actions, &requested);
    let mut response = match (challenge, reload) {
        (Some(answer), _) => answer,
        (None, None) => exchange.respond(&mut actions).await,
        (None, Some(reload)) => Box::pin(reload.respond(&mut exchange, &mut actions)).await,
    };

    if *exchange.method() == Method::HEAD {
        error_page::omit_content(&mut response);
    }
    let repeatable = repeatable(&exchange, &tracker);
    let content = exchange.content_guard.take().map(|guard| (guard, exchange.is_streaming));
    tracker.finish(response, exchange.responder, repeatable, content)
}

/// That of a request whose connection was made for another host. What is said of its own host is
/// nothing for this client.
fn misdirected_plan<'s, 'r>(site: &'s Site) -> Plan<'s, 'r> {
    let actions = smallvec![Action::Refuse(Refusal::Misdirected)];
    Plan { host: &site.global, scope: &site.global, target: None, actions }
}

/// Whether the response may be sent again to whoever asks the same: what the same is says
/// `http1::response_cache`.
fn repeatable(exchange: &Exchange<'_>, tracker: &Tracker) -> Repeatable {
    // Handlers were given it: of a route, of a script, or who takes upgrades.
    if exchange.request.is_some() {
        return Repeatable::ByHandler;
    }
    let options = &exchange.scope.options;
    // Files have answered, or that there is none.
    let from_files = exchange.from_files && !exchange.has_failed;
    // None of the files was changed just now: a further change may follow at once.
    let is_stable = exchange.freshness.is_stable();
    // No cookie chooses among releases, and no page is to be made for live reload.
    let same_for_all = options.files.pin_releases.is_zero() && !options.live_reload;
    // Each request is to be logged, or reported to who watches.
    let is_observed = tracker.is_recorded() || exchange.is_traced;
    let may = from_files && is_stable && same_for_all && !is_observed;
    let cache = options.files.cache.filter(|_| may);
    // What took long to answer was looked at long ago.
    let time = cache.and_then(|cache| cache.step().checked_sub(exchange.began.elapsed()));
    time.map_or(Repeatable::NotThis, Repeatable::For)
}

impl Exchange<'_> {
    /// The response, with all that is said in every response of the scope. What is of one
    /// protocol is added by that.
    pub(super) async fn respond(&mut self, actions: &mut Actions<'_>) -> Response<Body> {
        let trace = RequestTrace::begin(self, actions);
        self.is_traced = trace.is_some();
        let rules = &self.scope.options.answers;
        // Before the fields of the request are handed on.
        let grant = rules.cors.as_ref().map(|cors| cors.grant(self.headers()));
        let scheme = self.scheme();
        let outcome = match self.admit() {
            Ok(()) => match self.failed_start.take() {
                Some(failed) => Ok(self.show(&failed)),
                None => self.perform(actions).await,
            },
            Err(refusal) => Err(refusal.into()),
        };
        let mut response = match outcome {
            Ok(response) => event_stream::until_stop(response, self.connection),
            Err(refused) => {
                self.has_failed = refused.refusal != Refusal::NotFound;
                Box::pin(self.refuse(refused)).await
            }
        };
        // Of the response to HEAD no stream is sent: it is dropped, and its handler reads no more.
        self.is_streaming =
            matches!(response.body(), Body::Stream(_)) && *self.method() != Method::HEAD;
        if self.by_handler {
            self.put_in_coding(&mut response);
        }
        error_page::finish(&mut response);
        answer_fields(rules, response.headers_mut(), self.connection.security.is_tls());
        hsts_field(rules, response.headers_mut(), scheme);
        if let Some(grant) = grant {
            grant.apply(response.headers_mut());
        }
        error_page::keep_policy(&mut response);
        if let Some(trace) = &trace {
            trace.answered(&response, self.began.elapsed());
        }
        response
    }

    /// The scheme by which the client has come, to us or to a proxy that is trusted, where the
    /// response depends on it.
    fn scheme(&self) -> &'static str {
        let options = &self.scope.options;
        if !matches!(options.answers.hsts, Hsts::On(_)) {
            return "http";
        }
        let Transport { peer, security, .. } = self.connection.transport();
        let (uri, headers, trusted) = (self.uri, self.headers(), &options.trusted_proxies);
        Arrival { peer, tls: security.is_tls(), uri, headers, trusted }.scheme()
    }

    /// Whether the request may be answered at all, whatever its plan says: by who asks, by what
    /// the protocol has found in its head, and by what it announces.
    fn admit(&mut self) -> Result<(), Refusal> {
        if self.connection.security == Security::PlainToTls {
            // Whatever is to follow is to come by TLS.
            self.connection.state.request_close(CloseMode::Gracefully);
        }
        if !self.snapshot.site.admits(self.connection.peer.ip()) {
            // It was allowed when it connected; its connection ends with this.
            self.connection.state.request_close(CloseMode::Gracefully);
            return Err(Refusal::Forbidden);
        }
        if let Some(refusal) = self.malformed.take() {
            return Err(refusal);
        }
        self.announced_content_fits()?;
        self.expectations_are_known()
    }
}

#[cfg(test)]
mod tests;
