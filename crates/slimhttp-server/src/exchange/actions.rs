//! A request on its way through the actions of its plan: files, handlers, upstreams.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::EXPECT;
use http::{HeaderMap, HeaderValue, Method, Response, Uri, Version};
use slimhttp_site::path::{SafePath, Target};
use slimhttp_site::plan::Action;
use slimhttp_site::refusal::Refusal;
use slimhttp_site::route::RouteKind;
use slimhttp_site::site::Scope;

use crate::api::handler::{Answer, Callee, HandlerFault, Request};
use crate::api::unsent_answers;
use crate::context::connection::ConnectionContext;
use crate::files::{self, FileLookup, FileRequest, Found, FreshnessNote};
use crate::live::snapshot::Snapshot;
use crate::message::body::Body;
use crate::message::content::{Content, ContentGuard, ContentStream};
use crate::message::error_page;
use crate::message::limits;
use crate::message::refused::ErrorResponse;
use crate::message::request_body::{RequestBody, announced_length_fits};
use crate::net::upgraded::OnUpgrade;
use crate::observe::event::Responder;
use crate::proxy::forward;
use crate::upgrade::{switching, takeover, websocket};

/// A request on its way through the actions of its plan.
pub(super) struct Exchange<'x> {
    pub(super) connection: &'x Arc<ConnectionContext>,
    pub(super) snapshot: &'x Snapshot,
    pub(super) scope: &'x Arc<Scope>,
    pub(super) uri: &'x Uri,
    /// Whether `uri` is that of a rewrite.
    pub(super) rewritten: bool,
    pub(super) path: &'x [u8],
    pub(super) target: Option<&'x Target<'x>>,
    /// As handlers saw it, once one was asked; it then holds the fields.
    pub(super) asked: Option<Arc<Request>>,
    pub(super) seen: FreshnessNote,
    pub(super) body: Option<RequestBody>,
    /// The hold on a body that a handler reads as it comes in.
    pub(super) ongoing: Option<ContentGuard>,
    pub(super) body_timeout: Duration,
    pub(super) upgrade: Option<OnUpgrade>,
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    /// Who has answered, or was asked last.
    pub(super) by: Responder,
    /// Whether a handler was asked and left the answer to whoever is next, who has
    /// not answered yet.
    pub(super) passed_on: bool,
}

impl Exchange<'_> {
    /// Tries the actions in turn: the first that replies ends the request.
    pub(super) async fn perform<'s>(
        &mut self,
        actions: impl IntoIterator<Item = Action<'s>>,
    ) -> Result<Response<Body>, ErrorResponse> {
        announced_length_fits(&self.headers, self.scope.options.max_body)?;
        // RFC 9110 section 10.1.1 knows one expectation.
        let known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
        if !self.headers.get_all(EXPECT).iter().all(known) {
            return Err(Refusal::ExpectationFailed.into());
        }
        let debug = self.scope.options.debug;
        let mut actions = actions.into_iter().peekable();
        let is_stable = matches!(
            actions.peek(),
            Some(
                Action::Refuse(_)
                    | Action::Redirect { .. }
                    | Action::Preflight(_)
                    | Action::Options
            )
        );
        if !is_stable && self.asks_for_upgrade() {
            match self.call(Callee::Upgrade, RouteKind::Whole).await? {
                Answer::Pass => {}
                answer => return self.deliver(answer).await,
            }
        }
        for action in actions {
            self.by = Responder::of(&action);
            self.note_sources(&action);
            let answer = match action {
                Action::Call(handler, kind, params) => {
                    self.call(Callee::Route(handler, params), kind).await?
                }
                Action::Module(module) => {
                    self.call(Callee::Module(module.clone()), RouteKind::Whole).await?
                }
                Action::WebSocket(handler, params, handshake) => {
                    let callee = Callee::WebSocket(handler, params, *handshake);
                    self.call(callee, RouteKind::Whole).await?
                }
                Action::Proxy(upstreams) => {
                    let forwarded = self.forwarded()?;
                    let group = self.snapshot.upstreams.of(upstreams);
                    return Box::pin(forward::forward(upstreams, group, forwarded)).await;
                }
                Action::File(path) => match self.send_file(path).await? {
                    Found::Reply(response) => return Ok(response),
                    Found::Script(file, path) => {
                        let options = &self.scope.options;
                        let root = options.web_root.as_deref().unwrap_or("/".as_ref());
                        let path = root.join(path.as_path());
                        let script = Callee::Script { path, file, reload: options.module_reload };
                        self.by = Responder::Module;
                        self.call(script, RouteKind::Whole).await?
                    }
                },
                Action::Redirect { location, status } => {
                    return Ok(error_page::redirect(location, status));
                }
                Action::Preflight(fields) => return Ok(error_page::preflight(*fields)),
                Action::Options => return Ok(files::options()),
                Action::Refuse(Refusal::Forbidden) => {
                    return Err(ErrorResponse::foreign_origin(self.headers(), self.path, debug));
                }
                Action::Refuse(refusal) => return Err(refusal.into()),
            };
            if !matches!(answer, Answer::Pass) {
                self.passed_on = false;
                return self.deliver(answer).await;
            }
            self.passed_on = true;
        }
        Err(Refusal::NotFound.into())
    }

    /// The response that a handler's answer is.
    async fn deliver(&mut self, answer: Answer) -> Result<Response<Body>, ErrorResponse> {
        match answer {
            Answer::Reply(response) => Ok(response),
            Answer::File(path, fields) => self.send_named(&path, fields).await,
            Answer::WebSocket(pending) => {
                Ok(websocket::begin(*pending, self.upgrade.take(), self.connection)?)
            }
            Answer::Switch(response, carrier) => {
                let Some(client) = self.upgrade.take() else {
                    let cause = "a handler switched protocols, which nobody asked for";
                    tracing::error!("{cause}");
                    return Err(ErrorResponse::because(Refusal::Internal, cause));
                };
                if let Some(fault) = self.connection.fault.get() {
                    // What came behind the request, before the 101, is no HTTP,
                    // and too early to be anything else.
                    return Err(fault.refusal.clone().into());
                }
                takeover::begin(client, carrier, self.connection);
                Ok(response)
            }
            Answer::Pass => Err(Refusal::NotFound.into()),
        }
    }

    /// Whether the client asks for an upgrade and the handler side takes some.
    /// The handler side has met the connection then.
    fn asks_for_upgrade(&self) -> bool {
        let Some(handler) = &self.connection.shared.handler else { return false };
        let asked = self.upgrade.is_some()
            && handler.interests().upgrades
            && switching::is_asked(&self.headers);
        if asked {
            self.connection.connected(handler);
        }
        asked
    }

    /// Notes which files an action may answer from, where browsers load pages anew.
    fn note_sources(&self, action: &Action<'_>) {
        let options = &self.scope.options;
        if !options.live_reload {
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

    pub(super) fn headers(&self) -> &HeaderMap {
        self.asked.as_ref().map_or(&self.headers, |asked| &asked.headers)
    }

    pub(super) fn method(&self) -> &Method {
        self.asked.as_ref().map_or(&self.method, |asked| &asked.method)
    }

    pub(super) fn file_asked(&self) -> FileRequest<'_> {
        FileRequest { method: self.method(), headers: self.headers(), rewritten: self.rewritten }
    }

    /// Where the files of the scope are.
    pub(super) fn below(&self) -> Option<FileLookup<'_>> {
        Some(self.below_root(self.scope.options.web_root.as_deref()?))
    }

    pub(super) fn below_root<'b>(&'b self, root: &'b Path) -> FileLookup<'b> {
        let files = self.connection.shared.live.files();
        FileLookup::new(files, &self.snapshot.roots, root, &self.scope.options, &self.seen)
    }

    async fn send_file(&self, path: SafePath) -> Result<Found, ErrorResponse> {
        let (Some(below), Some(target)) = (self.below(), self.target) else {
            return Err(Refusal::NotFound.into());
        };
        files::send(below, &self.snapshot.releases, self.scope, target, path, self.file_asked())
            .await
    }

    /// The response that says no: with the page that the scope has for it, unless
    /// a traceback is to be shown.
    pub(super) async fn refuse(&self, mut refused: ErrorResponse) -> Response<Body> {
        let options = &self.scope.options;
        let nobody = matches!(refused.refusal, Refusal::NotFound | Refusal::MethodNotAllowed(_));
        if nobody && self.passed_on {
            if options.debug {
                refused.add(error_page::PASSED_ON);
            }
            if let (Some(handler), Some(asked)) = (&self.connection.shared.handler, &self.asked) {
                handler.unanswered(asked);
            }
        }
        let traceback = options.debug && refused.page.is_some();
        let mut response = error_page::refuse(refused, options.debug);
        if !traceback
            && !options.answers.error_pages.is_empty()
            && let Some(below) = self.below()
        {
            let rules = &options.answers;
            files::error_page(&below, rules, self.file_asked(), &mut response).await;
        }
        response
    }

    /// Asks a handler, with the whole body unless `kind` has it streamed.
    async fn call(&mut self, callee: Callee, kind: RouteKind) -> Result<Answer, ErrorResponse> {
        let Some(handler) = &self.connection.shared.handler else {
            return Err(ErrorResponse::because(
                Refusal::NotFound,
                "no handlers run in this program",
            ));
        };
        let asked = match &self.asked {
            Some(asked) => asked.clone(),
            None => {
                let body = self.content(kind).await?;
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
                    connection: self.connection.handle(),
                    connection_data: self.connection.data.get().cloned(),
                    companion: std::sync::OnceLock::new(),
                });
                self.asked.insert(asked).clone()
            }
        };
        let answers = self.connection.state.answers();
        unsent_answers::ask(handler, answers, callee, asked).await.map_err(|fault| match fault {
            HandlerFault::Raised { page } => {
                if let (true, Some(page)) = (self.scope.options.live_reload, &page) {
                    let sources = page.sources.iter().cloned();
                    self.connection.shared.reload.note(self.scope.name.as_ref(), sources);
                }
                ErrorResponse { refusal: Refusal::Internal, page, detail: None }
            }
            HandlerFault::Refused(Refusal::Forbidden, None) => {
                ErrorResponse::foreign_origin(self.headers(), self.path, self.scope.options.debug)
            }
            HandlerFault::Refused(refusal, detail) => {
                if let (Refusal::Unavailable, Some(why)) = (&refusal, &detail) {
                    limits::tell_of_no_room(why);
                }
                ErrorResponse { refusal, page: None, detail: detail.map(Into::into) }
            }
            HandlerFault::QueueFull => limits::queue_full(),
            HandlerFault::NoRoom | HandlerFault::Stopped => Refusal::Unavailable.into(),
        })
    }

    /// The content of the request for a handler.
    async fn content(&mut self, kind: RouteKind) -> Result<Content, Refusal> {
        let max_body = self.scope.options.max_body;
        let max_memory = self.snapshot.site.service.max_body_memory;
        let (patience, connection) = (self.body_timeout, self.connection);
        match self.body.take() {
            Some(RequestBody::Incoming(incoming))
                if kind == RouteKind::Streamed && !http_body::Body::is_end_stream(&incoming) =>
            {
                let (stream, ongoing) = ContentStream::open(
                    incoming,
                    max_body,
                    patience,
                    (connection.state.clone(), connection.fault.clone()),
                );
                self.ongoing = Some(ongoing);
                Ok(Content::Streamed(stream))
            }
            Some(mut body) => {
                let bytes = body.collect(max_body, max_memory, patience, &connection.fault).await?;
                self.body = Some(body);
                Ok(bytes.into())
            }
            None => Ok(Bytes::new().into()),
        }
    }

    /// The body for an upstream.
    fn unread_body(&mut self) -> Result<RequestBody, ErrorResponse> {
        match self.asked.as_deref().map(|asked| &asked.body) {
            Some(Content::Streamed(stream)) => stream.reclaim().ok_or_else(|| {
                let why = "a route has read of the body and passed on to a proxy";
                tracing::error!("{} {}: {why}", self.method(), self.uri.path());
                ErrorResponse::because(Refusal::Internal, why)
            }),
            _ => Ok(self.body.take().unwrap_or(RequestBody::Collected(Bytes::new()))),
        }
    }

    fn forwarded(&mut self) -> Result<forward::Forwarded, ErrorResponse> {
        let body = self.unread_body()?;
        Ok(forward::Forwarded {
            connection: self.connection.clone(),
            scope: self.scope.clone(),
            method: self.method().clone(),
            uri: forward::sent_on(self.uri, self.target)?,
            version: self.version,
            headers: match &self.asked {
                Some(asked) => asked.headers.clone(),
                None => std::mem::take(&mut self.headers),
            },
            body,
            body_timeout: self.body_timeout,
            upgrade: self.upgrade.take(),
        })
    }
}
