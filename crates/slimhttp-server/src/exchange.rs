//! One request, one response: the only function that sees everything.

mod told;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderMap, HeaderValue, Method, Response, Uri, Version};
use slimhttp_site::file_rules::FileCache;
use slimhttp_site::path::{SafePath, Target};
use slimhttp_site::plan::{Action, Head};
use slimhttp_site::refusal::Refusal;
use slimhttp_site::response_fields::answer_fields;
use slimhttp_site::site::Scope;

use crate::body::Body;
use crate::connection_state::{ConnectionState, Ending};
use crate::files::{self, Asked, Below, Found, Seen};
use crate::guarded::FaultCell;
use crate::handler::{Answer, Callee, HandlerFault, Request};
use crate::incoming::{RequestBody, announced_length_fits};
use crate::jail;
use crate::proxy;
use crate::reload::{self, Showing};
use crate::respond::{self, Refused};
use crate::server::Shared;
use crate::snapshot::Snapshot;
use crate::worker::Seat;

use told::Tracker;
pub(crate) use told::{Tracked, note_refused};

/// What every exchange of one connection knows.
pub(crate) struct ConnectionContext {
    pub(crate) shared: Arc<Shared>,
    pub(crate) state: Arc<ConnectionState>,
    pub(crate) fault: FaultCell,
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) tls: bool,
    /// Held until the last exchange, or the tunnel of an upgrade, has ended.
    pub(crate) _seat: Seat,
}

/// Answers one request, always.
pub(crate) async fn answer(
    connection: Arc<ConnectionContext>,
    request: http::Request<RequestBody>,
) -> Response<Tracked> {
    let began = Instant::now();
    let tracker = Tracker::begin(&connection);
    let snapshot = connection.shared.live.pinned();
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
    let tracker = tracker.note(&connection, &snapshot, scope, &parts, &uri);

    let reloads = scope.options.reload_browser;
    let is_understood = plan.target.is_some() && parts.method == Method::GET;
    if reloads && is_understood && uri.path() == reload::PATH {
        let response = respond::finish(reload::listen(&connection, scope));
        return tracker.finish(response, parts.version, None);
    }
    // What an upstream answers is its own.
    let is_ours = !plan.actions.iter().any(|action| matches!(action, Action::Proxy(_)));
    let showing = match reloads && is_ours {
        true => Showing::of(&parts.method, &mut parts.headers),
        false => Showing::No,
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
        seen: Seen::default(),
        body: Some(body),
        body_timeout: snapshot.site.service.body_timeout,
        upgrade: parts.extensions.remove::<hyper::upgrade::OnUpgrade>(),
        method: std::mem::take(&mut parts.method),
        version: parts.version,
        headers: std::mem::take(&mut parts.headers),
    };
    let version = exchange.version;
    let files_only = matches!(*plan.actions, [Action::File(_)]);
    let outcome = exchange.perform(plan.actions).await;
    let is_trouble = matches!(&outcome, Err(refused) if refused.refusal != Refusal::NotFound);
    let mut response = match outcome {
        Ok(response) => respond::finish(response),
        Err(refused) => respond::finish(exchange.refuse(refused).await),
    };
    // Nobody is given it again where a script ran, where a cookie chooses among
    // releases, where a file may be changing just now, or where somebody is told
    // of each request.
    let same_for_all = files_only
        && !is_trouble
        && exchange.asked.is_none()
        && !reloads
        && exchange.seen.is_settled()
        && !tracker.is_told()
        && scope.options.files.pin_releases.is_zero();
    // What took long to answer was seen long ago.
    let left = |cache: FileCache| cache.step().checked_sub(began.elapsed());
    let repeatable = scope.options.files.cache.filter(|_| same_for_all).and_then(left);
    answer_fields(&scope.options.answers, response.headers_mut(), connection.tls);
    respond::keep_policy(&mut response);
    let leaving = connection.state.ending() != Ending::No;
    if leaving && exchange.version < Version::HTTP_2 && response.status() != 101 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let response =
        showing.dress(response, &connection, scope, exchange.method(), exchange.asked.is_none());
    tracker.finish(response, version, repeatable)
}

/// A request on its way through the actions of its plan.
struct Exchange<'x> {
    connection: &'x Arc<ConnectionContext>,
    snapshot: &'x Snapshot,
    scope: &'x Arc<Scope>,
    uri: &'x Uri,
    /// Whether `uri` is that of a `rewrite`.
    rewritten: bool,
    path: &'x [u8],
    target: Option<&'x Target<'x>>,
    /// As handlers saw it, once one was asked; it then holds the fields.
    asked: Option<Arc<Request>>,
    seen: Seen,
    body: Option<RequestBody>,
    body_timeout: Duration,
    upgrade: Option<hyper::upgrade::OnUpgrade>,
    method: Method,
    version: Version,
    headers: HeaderMap,
}

impl Exchange<'_> {
    /// Tries the actions in turn: the first that replies ends the request.
    async fn perform<'s>(
        &mut self,
        actions: impl IntoIterator<Item = Action<'s>>,
    ) -> Result<Response<Body>, Refused> {
        announced_length_fits(&self.headers, self.scope.options.max_body)?;
        // RFC 9110 section 10.1.1 knows one expectation.
        let known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
        if !self.headers.get_all(EXPECT).iter().all(known) {
            return Err(Refusal::ExpectationFailed.into());
        }
        for action in actions {
            self.note_sources(&action);
            let answer = match action {
                Action::Call(handler, _, params) => {
                    self.call(Callee::Route(handler, params)).await?
                }
                Action::WebSocket(handler, params, handshake) => {
                    self.call(Callee::WebSocket(handler, params, *handshake)).await?
                }
                Action::Module(module) => self.call(Callee::Module(module.clone())).await?,
                Action::Proxy(upstreams) => {
                    let forwarded = self.forwarded();
                    return Box::pin(proxy::forward(upstreams, forwarded)).await;
                }
                Action::File(path) => match self.send_file(path).await? {
                    Found::Reply(response) => return Ok(response),
                    Found::Script(file, path) => {
                        let options = &self.scope.options;
                        let root = options.web_root.as_deref().unwrap_or("/".as_ref());
                        let path = root.join(path.as_path());
                        let script = Callee::Script { path, file, reload: options.reload };
                        self.call(script).await?
                    }
                },
                Action::Redirect { location, status } => {
                    return Ok(respond::redirect(location, status));
                }
                Action::Options => return Ok(files::options()),
                Action::Refuse(refusal) => return Err(refusal.into()),
            };
            match answer {
                Answer::Reply(response) => return Ok(response),
                Answer::File(path, fields) => return self.send_named(&path, fields).await,
                Answer::WebSocket(carriage) => {
                    return Ok(carriage.begin(self.upgrade.take(), self.connection)?);
                }
                Answer::Pass => {}
            }
        }
        Err(Refusal::NotFound.into())
    }

    /// Notes which files an action may answer from, where browsers load pages anew.
    fn note_sources(&self, action: &Action<'_>) {
        let options = &self.scope.options;
        if !options.reload_browser {
            return;
        }
        let files = match action {
            Action::Module(module) => vec![module.path.clone()],
            Action::File(path) => {
                let Some(root) = &options.web_root else { return };
                let named = root.join(path.as_path());
                // A path that names no folder has no index either.
                let indexes = options.index.iter().map(|name| named.join(name));
                indexes.chain([named.clone()]).collect()
            }
            _ => return,
        };
        self.connection.shared.reload.note(self.scope.name.as_ref(), files);
    }

    fn headers(&self) -> &HeaderMap {
        self.asked.as_ref().map_or(&self.headers, |asked| &asked.headers)
    }

    fn method(&self) -> &Method {
        self.asked.as_ref().map_or(&self.method, |asked| &asked.method)
    }

    fn file_asked(&self) -> Asked<'_> {
        Asked { method: self.method(), headers: self.headers(), rewritten: self.rewritten }
    }

    /// Where the files of the scope are.
    fn below(&self) -> Option<Below<'_>> {
        let options = &self.scope.options;
        let files = self.connection.shared.live.files();
        let root = options.web_root.as_deref()?;
        let (roots, seen) = (&self.snapshot.roots, &self.seen);
        Some(Below::new(files, roots, root, options, seen))
    }

    async fn send_file(&self, path: SafePath) -> Result<Found, Refused> {
        let (Some(below), Some(target)) = (self.below(), self.target) else {
            return Err(Refusal::NotFound.into());
        };
        files::send(below, self.snapshot, self.scope, target, path, self.file_asked()).await
    }

    /// The response that says no: with the page that the scope has for it, unless
    /// a traceback is to be shown.
    async fn refuse(&self, refused: Refused) -> Response<Body> {
        let options = &self.scope.options;
        let traceback = options.debug && refused.page.is_some();
        let mut response = respond::refuse(refused, options.debug);
        if !traceback
            && !options.answers.error_pages.is_empty()
            && let Some(below) = self.below()
        {
            let rules = &options.answers;
            files::error_page(&below, rules, self.file_asked(), &mut response).await;
        }
        response
    }

    /// Asks a handler, with the whole body.
    async fn call(&mut self, callee: Callee) -> Result<Answer, Refused> {
        let Some(handler) = &self.connection.shared.handler else {
            return Err(Refused::because(Refusal::NotFound, "no handlers run in this program"));
        };
        let asked = match &self.asked {
            Some(asked) => asked.clone(),
            None => {
                let max_body = self.scope.options.max_body;
                let body = match &mut self.body {
                    Some(body) => {
                        body.collect(max_body, self.body_timeout, &self.connection.fault).await?
                    }
                    None => Bytes::new(),
                };
                let asked = Arc::new(Request {
                    method: std::mem::take(&mut self.method),
                    uri: self.uri.clone(),
                    version: self.version,
                    headers: std::mem::take(&mut self.headers),
                    path: self.path.to_vec(),
                    body,
                    peer: self.connection.peer,
                    local: self.connection.local,
                    tls: self.connection.tls,
                    scope: self.scope.clone(),
                    companion: std::sync::OnceLock::new(),
                });
                self.asked.insert(asked).clone()
            }
        };
        handler.call(callee, asked).await.map_err(|fault| match fault {
            HandlerFault::Raised { page } => {
                if let (true, Some(page)) = (self.scope.options.reload_browser, &page) {
                    let sources = page.sources.iter().cloned();
                    self.connection.shared.reload.note(self.scope.name.as_ref(), sources);
                }
                Refused { refusal: Refusal::Internal, page, detail: None }
            }
            HandlerFault::Refused(refusal, detail) => {
                Refused { refusal, page: None, detail: detail.map(str::to_owned) }
            }
            HandlerFault::QueueFull => Refused::because(
                Refusal::Unavailable,
                "too many calls wait for Python: see `max_queue`",
            ),
            HandlerFault::Stopped => Refusal::Unavailable.into(),
        })
    }

    /// A file that a handler named; it must be below the scope's `web_root`.
    async fn send_named(
        &self,
        file: &std::path::Path,
        fields: HeaderMap,
    ) -> Result<Response<Body>, Refused> {
        let below = self.below();
        let path = below.as_ref().and_then(|below| jail::below(below.root(), file));
        let (Some(below), Some(path)) = (below, path) else {
            tracing::error!(
                "a handler named {}, which is not below the `web_root` of its scope",
                file.display()
            );
            return Err(Refused::because(
                Refusal::Internal,
                format!("{} is not below `web_root`", file.display()),
            ));
        };
        if self.scope.options.reload_browser {
            let named = below.root().join(path.as_path());
            self.connection.shared.reload.note(self.scope.name.as_ref(), [named]);
        }
        files::send_named(&below, &path, self.file_asked(), fields).await
    }

    fn forwarded(&mut self) -> proxy::Forwarded {
        proxy::Forwarded {
            connection: self.connection.clone(),
            scope: self.scope.clone(),
            method: self.method().clone(),
            uri: self.uri.clone(),
            version: self.version,
            headers: match &self.asked {
                Some(asked) => asked.headers.clone(),
                None => std::mem::take(&mut self.headers),
            },
            body: self.body.take().unwrap_or(RequestBody::Collected(Bytes::new())),
            body_timeout: self.body_timeout,
            upgrade: self.upgrade.take(),
        }
    }
}
