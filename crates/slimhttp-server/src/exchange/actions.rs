//! A request on its way through the actions of its plan: files, handlers, upstreams. An action
//! that may wait (a handler, an upstream, the disk) is awaited; the I/O thread goes on meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use http::header::EXPECT;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, Uri, Version};
use slimhttp_site::path::{SafePath, Target};
use slimhttp_site::plan::{Action, Actions};
use slimhttp_site::refusal::Refusal;
use slimhttp_site::route::RouteKind;
use slimhttp_site::site::{Proxy, Scope};

use crate::api::handler::{Answer, AnswerFuture, Callee, HandlerFault, Request};
use crate::api::unsent_answers;
use crate::context::connection::ConnectionContext;
use crate::context::failed_start::FailedStart;
use crate::files::{self, FileLookup, FileOutcome, FileRequest, FileScope, FreshnessNote};
use crate::live::snapshot::Snapshot;
use crate::message::body::Body;
use crate::message::content::ContentGuard;
use crate::message::error_page;
use crate::message::limits;
use crate::message::refused::{DebugPage, ErrorResponse};
use crate::message::request_body::{RequestBody, announced_length_fits};
use crate::net::upgraded::OnUpgrade;
use crate::observe::event::Responder;
use crate::proxy::forward;
use crate::upgrade::{switching, takeover, websocket};

/// A request on its way through the actions of its plan. One task's own.
pub(super) struct Exchange<'x> {
    /// When it was made, before anything was looked for.
    pub(super) began: Instant,
    pub(super) connection: &'x Arc<ConnectionContext>,
    pub(super) snapshot: &'x Snapshot,
    /// The scope that answers, and the one around it if that is a mount.
    pub(super) scope: &'x Arc<Scope>,
    pub(super) host: &'x Arc<Scope>,
    pub(super) uri: &'x Uri,
    /// Whether `uri` is that of a rewrite.
    pub(super) is_rewritten: bool,
    pub(super) target: Option<Target<'x>>,
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    /// What the protocol has found wrong with the head.
    pub(super) malformed: Option<Refusal>,
    pub(super) body: Option<RequestBody>,
    /// The hold on a body that a handler reads as it comes in.
    pub(super) content_guard: Option<ContentGuard>,
    /// Whether whoever has answered goes on while the response is sent, and may read on.
    pub(super) is_streaming: bool,
    pub(super) upgrade: Option<OnUpgrade>,
    /// As handlers see it, once one was called; it then holds the method and the fields.
    pub(super) request: Option<Arc<Request>>,
    /// Who has answered, or was tried last.
    pub(super) responder: Responder,
    /// Whether a handler was called and left the answer to whoever is next, who has
    /// not answered yet.
    pub(super) passed_on: bool,
    /// Whether a file was looked for.
    pub(super) from_files: bool,
    /// Whether the response is one that a handler has made.
    pub(super) by_handler: bool,
    /// Whether the answer is a refusal, and not that there is nothing.
    pub(super) has_failed: bool,
    /// Why the program that was to answer has not started, if that is the answer.
    pub(super) failed_start: Option<Arc<FailedStart>>,
    /// Whether the log says all of it, see `request_trace`.
    pub(super) is_traced: bool,
    pub(super) freshness: FreshnessNote,
}

impl<'x> Exchange<'x> {
    /// A request without content, whose URI is the one that was sent.
    pub(super) fn new(
        connection: &'x Arc<ConnectionContext>,
        snapshot: &'x Snapshot,
        (host, scope): (&'x Arc<Scope>, &'x Arc<Scope>),
        uri: &'x Uri,
        target: Option<Target<'x>>,
        parts: &mut Parts,
    ) -> Self {
        Self {
            began: Instant::now(),
            connection,
            snapshot,
            scope,
            host,
            uri,
            is_rewritten: false,
            target,
            method: std::mem::take(&mut parts.method),
            version: parts.version,
            headers: std::mem::take(&mut parts.headers),
            malformed: parts.extensions.remove(),
            body: None,
            content_guard: None,
            is_streaming: false,
            upgrade: None,
            request: None,
            responder: Responder::Server,
            passed_on: false,
            from_files: false,
            by_handler: false,
            has_failed: false,
            failed_start: None,
            is_traced: false,
            freshness: FreshnessNote::default(),
        }
    }
}

impl Exchange<'_> {
    /// Whether the length that is announced is within `max_body`.
    pub(super) fn announced_content_fits(&self) -> Result<(), Refusal> {
        announced_length_fits(&self.headers, self.scope.options.max_body)
    }

    /// Whether the request expects nothing but what RFC 9110 section 10.1.1 knows.
    pub(super) fn expectations_are_known(&self) -> Result<(), Refusal> {
        let known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
        match self.headers.get_all(EXPECT).iter().all(known) {
            true => Ok(()),
            false => Err(Refusal::ExpectationFailed),
        }
    }

    /// Tries the actions in turn: the first that replies ends the request.
    ///
    /// The future of an exchange is moved as a whole, and each connection in work has one, so what
    /// takes much room in it, and comes seldom or waits anyway, is boxed.
    pub(super) async fn perform(
        &mut self,
        actions: &mut Actions<'_>,
    ) -> Result<Response<Body>, ErrorResponse> {
        if !actions.first().is_some_and(is_decided) && self.asks_for_upgrade() {
            let answer = Box::pin(self.ask(Callee::Upgrade, RouteKind::Whole)).await?;
            // No handler of this request, whose answers are compressed.
            self.by_handler = false;
            if !matches!(answer, Answer::Pass) {
                return Box::pin(self.deliver(answer)).await;
            }
        }
        while !actions.is_empty() {
            let answer = match self.begin(actions.remove(0)) {
                Begun::Called(answer) => self.handler_answered(answer.await),
                Begun::Unready(callee, kind) => Box::pin(self.ask(*callee, kind)).await,
                Begun::File(path, wanted) => Box::pin(self.file(path, wanted)).await,
                Begun::Proxy(upstreams) => Box::pin(self.proxy(upstreams)).await,
                Begun::Answered(answer) => *answer,
            };
            match answer? {
                Answer::Pass => self.passed_on = true,
                Answer::Reply(response) => {
                    self.passed_on = false;
                    return Ok(response);
                }
                answer => {
                    self.passed_on = false;
                    return Box::pin(self.deliver(answer)).await;
                }
            }
        }
        Err(Refusal::NotFound.into())
    }

    /// Begins an action, as far as nothing is to be waited for.
    fn begin<'a>(&mut self, action: Action<'a>) -> Begun<'a> {
        self.responder = Responder::of(&action);
        self.add_sources_of(&action);
        let (callee, kind) = match action {
            Action::Call(handler, kind, params) => (Callee::Route(handler, params), kind),
            Action::Application(app, handshake) => {
                (Callee::Application(app, handshake), RouteKind::Streamed)
            }
            Action::Module(module) => (Callee::Module(module.clone()), RouteKind::Whole),
            Action::WebSocket(handler, params, handshake) => {
                (Callee::WebSocket(handler, params, handshake), RouteKind::Whole)
            }
            Action::Proxy(upstreams) => return Begun::Proxy(upstreams),
            Action::File(path) => return Begun::File(path, FileScope::All),
            Action::RegularFile(path) => return Begun::File(path, FileScope::Regular),
            Action::Redirect { location, status } => {
                return Begun::reply(error_page::redirect(location, status));
            }
            Action::Preflight(fields) => return Begun::reply(error_page::preflight(*fields)),
            Action::Options(methods) => return Begun::reply(files::options(&methods)),
            Action::Refuse(Refusal::Forbidden) => return Begun::refuse(self.foreign_origin()),
            Action::Refuse(refusal) => return Begun::refuse(refusal),
        };
        let Some(request) = self.request_at_once(&kind) else {
            return Begun::Unready(Box::new(callee), kind);
        };
        self.call(callee, request).map_or_else(Begun::refuse, Begun::Called)
    }

    /// What a handler says, which is called once the content is there that it takes whole.
    async fn ask(&mut self, callee: Callee, kind: RouteKind) -> Result<Answer, ErrorResponse> {
        let request = match self.request_at_once(&kind) {
            Some(request) => request,
            None => {
                let content = self.collect_content().await?;
                self.make_request(content)
            }
        };
        let answer = self.call(callee, request)?;
        self.handler_answered(answer.await)
    }

    /// What the upstream answers.
    async fn proxy(&mut self, upstreams: &Arc<Proxy>) -> Result<Answer, ErrorResponse> {
        let forwarded = self.forwarded()?;
        let group = self.connection.shared.live.upstream_groups().of(self.scope, upstreams);
        forward::forward(upstreams, &group, forwarded).await.map(Answer::Reply)
    }

    /// What a file answers, or the script that it is. Where regular files alone are wanted, what
    /// is none passes on.
    async fn file(&mut self, path: SafePath, wanted: FileScope) -> Result<Answer, ErrorResponse> {
        match self.send_file(path, wanted).await {
            Err(ErrorResponse { refusal: Refusal::NotFound, .. })
                if wanted == FileScope::Regular =>
            {
                Ok(Answer::Pass)
            }
            Err(error) => Err(error),
            Ok(FileOutcome::Response(response)) => Ok(Answer::Reply(response)),
            Ok(FileOutcome::Script(file, path)) => {
                let options = &self.scope.options;
                let root = options.web_root.as_deref().unwrap_or("/".as_ref());
                let path = root.join(path.as_path());
                let script = Callee::Script { path, file, reload: options.module_reload };
                self.responder = Responder::Module;
                self.ask(script, RouteKind::Whole).await
            }
        }
    }

    /// The response that a handler's answer is.
    async fn deliver(&mut self, answer: Answer) -> Result<Response<Body>, ErrorResponse> {
        match answer {
            Answer::Reply(response) => Ok(response),
            Answer::File(path, fields) => self.send_named(&path, fields, self.file_request()).await,
            Answer::FileAs(status, path, fields) => self.send_named_as(status, &path, fields).await,
            Answer::WebSocket(pending) => {
                Ok(websocket::accept(*pending, self.upgrade.take(), self.connection)?)
            }
            Answer::Switch(response, upgraded) => {
                let Some(client) = self.upgrade.take() else {
                    let cause = "a handler switched protocols, which nobody asked for";
                    tracing::error!("{cause}");
                    return Err(ErrorResponse::because(Refusal::Internal, cause));
                };
                takeover::hand_over(client, upgraded, self.connection);
                Ok(response)
            }
            Answer::Pass => Err(Refusal::NotFound.into()),
        }
    }

    /// Whether the client asks for an upgrade and the handler side takes some.
    /// The handler side has met the connection then.
    fn asks_for_upgrade(&self) -> bool {
        let Some(handler) = &self.connection.shared.handler else { return false };
        let is_asked = self.upgrade.is_some()
            && handler.interests().upgrades
            && switching::is_requested(&self.headers);
        if is_asked {
            self.connection.connected(handler);
        }
        is_asked
    }

    /// A page of another origin opens a WebSocket.
    fn foreign_origin(&self) -> ErrorResponse {
        ErrorResponse::foreign_origin(self.headers(), self.path(), self.scope.options.debug)
    }

    /// The decoded path of the target.
    pub(super) fn path(&self) -> &[u8] {
        self.target.as_ref().map_or(b"/", |target| &target.path)
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.request.as_ref().map_or(&self.headers, |request| &request.headers)
    }

    pub(super) fn method(&self) -> &Method {
        self.request.as_ref().map_or(&self.method, |request| &request.method)
    }

    pub(super) fn file_request(&self) -> FileRequest<'_> {
        FileRequest { method: self.method(), headers: self.headers(), rewritten: self.is_rewritten }
    }

    /// Where the files of the scope are.
    pub(super) fn files(&self) -> Option<FileLookup<'_>> {
        Some(self.files_below(self.scope.options.web_root.as_deref()?))
    }

    pub(super) fn files_below<'b>(&'b self, root: &'b Path) -> FileLookup<'b> {
        let files = self.connection.shared.live.files();
        FileLookup::new(files, &self.snapshot.roots, root, &self.scope.options, &self.freshness)
    }

    async fn send_file(
        &mut self,
        path: SafePath,
        wanted: FileScope,
    ) -> Result<FileOutcome, ErrorResponse> {
        self.from_files = true;
        let (Some(files), Some(target)) = (self.files(), &self.target) else {
            return Err(Refusal::NotFound.into());
        };
        let target = target.below(self.scope.options.web_root_prefix());
        let (releases, request) = (&self.snapshot.releases, self.file_request());
        files::send(files, releases, self.scope, (&target, path), wanted, request).await
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
            if let (Some(handler), Some(request)) = (&self.connection.shared.handler, &self.request)
            {
                handler.unanswered(request);
            }
        }
        let traceback = options.debug && refused.page.is_some();
        let mut response = error_page::refuse(refused, options.debug);
        if !traceback && let Some(root) = &options.error_pages_root {
            let (files, rules) = (self.files_below(root), &options.answers);
            files::error_page(&files, rules, self.file_request(), &mut response).await;
        }
        response
    }

    /// Calls a handler. Whoever waits for the answer does so where it calls, and keeps nothing but
    /// what this gives.
    fn call(&self, callee: Callee, request: Arc<Request>) -> Result<AnswerFuture, ErrorResponse> {
        let Some(handler) = &self.connection.shared.handler else {
            return Err(ErrorResponse::because(
                Refusal::NotFound,
                "no handlers run in this program",
            ));
        };
        let answers = self.connection.state.unsent_answers();
        Ok(unsent_answers::call(handler, answers, callee, request))
    }

    /// Takes in what a handler has answered.
    fn handler_answered(
        &mut self,
        answer: Result<Answer, HandlerFault>,
    ) -> Result<Answer, ErrorResponse> {
        self.by_handler = matches!(answer, Ok(Answer::Reply(_)));
        answer.map_err(|fault| self.handler_failed(fault))
    }

    /// What the client is answered where a handler has no answer.
    fn handler_failed(&self, fault: HandlerFault) -> ErrorResponse {
        match fault {
            HandlerFault::Raised { page } => {
                if let Some(page) = &page {
                    self.add_sources(|| page.sources.iter().cloned());
                }
                ErrorResponse { refusal: Refusal::Internal, page, detail: None }
            }
            HandlerFault::Refused(Refusal::Forbidden, None) => self.foreign_origin(),
            HandlerFault::Refused(refusal, detail) => {
                if let (Refusal::Unavailable, Some(why)) = (&refusal, &detail) {
                    limits::log_no_room(why);
                }
                ErrorResponse { refusal, page: None, detail: detail.map(Into::into) }
            }
            HandlerFault::NotStarted { is_starting, why, page } => {
                // It is kept for every request to come: whoever does not see it copies nothing.
                let page = page.filter(|_| self.scope.options.debug);
                if let Some(page) = &page {
                    self.add_sources(|| page.sources.iter().cloned());
                }
                let page = page.map(|page| DebugPage::clone(&page));
                let refusal = Refusal::NotStarted { is_starting };
                ErrorResponse { page, ..ErrorResponse::because(refusal, why) }
            }
            HandlerFault::QueueFull => limits::queue_full(),
            HandlerFault::NoRoom | HandlerFault::Stopped => Refusal::Unavailable.into(),
        }
    }
}

/// How far an action has come without waiting.
enum Begun<'a> {
    /// A handler is called, and answers so.
    Called(AnswerFuture),
    /// A handler is to be called once the content has come in.
    Unready(Box<Callee>, RouteKind),
    /// A file is to be looked for.
    File(SafePath, FileScope),
    /// An upstream is to be asked.
    Proxy(&'a Arc<Proxy>),
    /// There is nothing to wait for.
    Answered(Box<Result<Answer, ErrorResponse>>),
}

impl Begun<'_> {
    fn reply(response: Response<Body>) -> Self {
        Self::Answered(Box::new(Ok(Answer::Reply(response))))
    }

    fn refuse(error: impl Into<ErrorResponse>) -> Self {
        Self::Answered(Box::new(Err(error.into())))
    }
}

/// Whether an action is what the site itself has decided, whoever would take upgrades.
fn is_decided(action: &Action<'_>) -> bool {
    matches!(
        action,
        Action::Refuse(_) | Action::Redirect { .. } | Action::Preflight(_) | Action::Options(_)
    )
}

#[cfg(test)]
mod tests;
