//! Pages that the browser loads anew: the files that they are made of are remembered as
//! they are answered ([`crate::fs::watcher`]), looked at while somebody has one open, and
//! who listens gets an event for each change. By looking and not by the system's
//! notifications: the files are few, they may lie on any file system, and nobody pays for
//! it while no page is open. The look is on the blocking pool, for the disk may let wait.
//!
//! A wrapper around what `answer` does with a request, only where a scope says
//! `live_reload`, see [`slimhttp_site::live_reload`]. And wherever the program that was to take over
//! has not started ([`crate::context::failed_start`]): a page says why then, and is loaded anew when
//! it has been mended.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use http::{HeaderValue, Method, Response, Uri};
use http_body::{Body as HttpBody, Frame, SizeHint};
use slimhttp_site::live_reload::{
    PATH, allow_in_policy, is_asked_by_browser, is_navigation, is_page, script_tag,
};
use slimhttp_site::plan::{Action, Actions};
use slimhttp_site::site::Scope;
use tokio::time::Instant;

use crate::context::connection::ConnectionContext;
use crate::context::failed_start::{FailedStart, ShownTo};
use crate::exchange::actions::Exchange;
use crate::message::body::{Body, BodyError};
use crate::message::error_page;
use crate::net::connection_state::CloseMode;

/// How often the files are looked at while somebody listens.
const INTERVAL: Duration = Duration::from_millis(200);

/// After how many looks without news a listener gets a comment: one that has left is found
/// out by it.
const QUIET: u32 = 50;

/// What a page was made of, in short: this run of this server, the options of its
/// scope, the files, and what has failed since. Another version means that the page may be another
/// one too.
fn version(connection: &ConnectionContext, changes: u64) -> String {
    // Both only grow, so that their sum is another one whenever one of them is.
    let changes = changes + connection.shared.failed_start.count();
    format!("{:x}.{changes:x}", connection.shared.id)
}

/// What is done about a request of a browser that loads pages anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LiveReload {
    /// It is the request of who listens for changes.
    Listen,
    /// A page, which is to listen.
    Page,
    /// A part of a page, which the browser is to ask for again.
    Part,
    /// Whatever it is, the answer is why the program has not started.
    FailedStart,
}

impl LiveReload {
    /// Looks at a request, and lets a page be answered whole and as it is. `None` where it is
    /// answered as it would be anyway: the scope loads no page anew, or no browser asks.
    pub(super) fn of(
        exchange: &mut Exchange<'_>,
        actions: &[Action<'_>],
        requested: &Uri,
    ) -> Option<Self> {
        let failed = exchange.connection.shared.failed_start.current();
        let (method, headers) = (&exchange.method, &mut exchange.headers);
        let has_target = *method == Method::GET && exchange.target.is_some();
        // Whatever mount a page is of, it listens to the whole of its host.
        let listens = has_target && requested.path() == PATH;
        if listens && (failed.is_some() || reloads(exchange.host)) {
            return Some(Self::Listen);
        }
        let is_shown = |failed: &Arc<FailedStart>| {
            failed.shown_to == ShownTo::Everybody || is_navigation(method, headers)
        };
        if let Some(failed) = failed.filter(is_shown) {
            exchange.failed_start = Some(failed);
            return Some(Self::FailedStart);
        }
        if !exchange.scope.options.live_reload {
            return None;
        }
        // What an upstream answers is its own.
        if actions.iter().any(|action| matches!(action, Action::Proxy(_))) {
            return None;
        }
        if is_navigation(method, headers) {
            for name in [ACCEPT_ENCODING, IF_NONE_MATCH, IF_MODIFIED_SINCE] {
                headers.remove(name);
            }
            return Some(Self::Page);
        }
        is_asked_by_browser(headers).then_some(Self::Part)
    }

    /// The response, with what makes the browser load it anew.
    pub(super) async fn respond(
        self,
        exchange: &mut Exchange<'_>,
        actions: &mut Actions<'_>,
    ) -> Response<Body> {
        if self == Self::Listen {
            return listen(exchange.connection, exchange.host);
        }
        let response = exchange.respond(actions).await;
        self.inject(response, exchange)
    }

    /// Puts on the response what makes the browser load it anew: the very last step.
    fn inject(self, mut response: Response<Body>, exchange: &Exchange<'_>) -> Response<Body> {
        if exchange.request.is_none() {
            // The browser asks again for what was edited, whatever a rule says of its age.
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        let may_be_page = matches!(self, Self::Page | Self::FailedStart);
        if !may_be_page || !is_page(response.status(), response.headers()) {
            return response;
        }
        let connection = exchange.connection;
        let changes = connection.shared.watcher.changes(exchange.host, exchange.scope);
        let tail = Bytes::from(script_tag(&version(connection, changes)));
        let headers = response.headers_mut();
        for name in [ETAG, LAST_MODIFIED, ACCEPT_RANGES] {
            headers.remove(name);
        }
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        if let Some(length) = length.and_then(|length| length.parse::<usize>().ok()) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length + tail.len()));
        }
        if let http::header::Entry::Occupied(mut policies) = headers.entry(CONTENT_SECURITY_POLICY)
        {
            for policy in policies.iter_mut() {
                let admitted = policy.to_str().ok().map(allow_in_policy);
                if let Some(Ok(admitted)) = admitted.map(HeaderValue::try_from) {
                    *policy = admitted;
                }
            }
        }
        let is_head = *exchange.method() == Method::HEAD;
        response.map(|body| match body {
            // The answer to HEAD says the length of what is there too, see `omit_content`.
            Body::Full(page) => [page, tail].concat().into(),
            page if is_head => page,
            Body::Empty => tail.into(),
            page => Body::stream(AppendedBody { page, tail: Some(tail) }),
        })
    }
}

impl Exchange<'_> {
    /// The response that says why the program has not started: a page for whoever asks for one.
    pub(super) fn show(&self, failed: &FailedStart) -> Response<Body> {
        let asks_for_page = is_navigation(&self.method, &self.headers);
        error_page::failed_start(asks_for_page.then_some(&failed.page), &failed.text)
    }

    /// Adds files to those that the pages of the scope are made of, where it loads pages anew.
    /// Before they are read: what is changed afterwards is then found.
    pub(super) fn add_sources<F: IntoIterator<Item = PathBuf>>(&self, files: impl FnOnce() -> F) {
        if self.scope.options.live_reload {
            self.connection.shared.watcher.add(self.scope.name.as_ref(), files());
        }
    }

    /// Adds the files that an action may answer from.
    pub(super) fn add_sources_of(&self, action: &Action<'_>) {
        let options = &self.scope.options;
        match (action, &options.web_root) {
            (Action::Module(module), _) => self.add_sources(|| [module.path.clone()]),
            (Action::File(path) | Action::RegularFile(path), Some(root)) => {
                self.add_sources(|| {
                    let named = root.join(path.as_path());
                    // A path that names no folder has no index either.
                    let indexes = options.index.iter().map(|name| named.join(name));
                    indexes.chain([named.clone()]).collect::<Vec<_>>()
                })
            }
            _ => {}
        }
    }
}

/// Whether a scope or one of its mounts loads pages anew.
fn reloads(host: &Scope) -> bool {
    host.options.live_reload || host.mounts.iter().any(|mount| mount.options.live_reload)
}

/// A page, and what comes at its end. No page has trailers here: those of an
/// upstream are not added to.
struct AppendedBody {
    page: Body,
    tail: Option<Bytes>,
}

impl HttpBody for AppendedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.tail.is_some()
            && let Some(frame) = ready!(Pin::new(&mut self.page).poll_frame(context))
        {
            return Poll::Ready(Some(frame));
        }
        Poll::Ready(self.tail.take().map(|tail| Ok(Frame::data(tail))))
    }

    fn is_end_stream(&self) -> bool {
        self.tail.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.tail.as_ref().map_or(0, |tail| tail.len() as u64);
        match self.page.size_hint().exact() {
            Some(page) => SizeHint::with_exact(page + left),
            None => SizeHint::default(),
        }
    }
}

/// The answer to who listens: an event for each version, the present one at once.
/// It ends with the server, and when the scope loads no page anew any more.
fn listen(connection: &Arc<ConnectionContext>, scope: &Arc<Scope>) -> Response<Body> {
    let events = Events {
        connection: connection.clone(),
        generation: connection.shared.live.generation(),
        scope: Some(scope.clone()),
        sent: None,
        quiet: 0,
        next: Box::pin(tokio::time::sleep(Duration::ZERO)),
        looking: None,
    };
    let mut response = Response::new(Body::stream(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    error_page::finish(&mut response);
    response
}

struct Events {
    connection: Arc<ConnectionContext>,
    /// Of the configuration in which `scope` was found.
    generation: u64,
    /// `None` from the moment it is no more, or loads no page anew any more.
    scope: Option<Arc<Scope>>,
    /// The version that was sent last.
    sent: Option<String>,
    /// Looks since anything was sent.
    quiet: u32,
    next: Pin<Box<tokio::time::Sleep>>,
    looking: Option<tokio::task::JoinHandle<u64>>,
}

impl Events {
    /// Finds the scope of the configuration in force.
    fn follow(&mut self) {
        let live = &self.connection.shared.live;
        let generation = live.generation();
        if generation == self.generation {
            return;
        }
        self.generation = generation;
        let site = &live.current().site;
        self.scope = self.scope.take().and_then(|scope| {
            let now = match &scope.name {
                None => Some(&site.global),
                name => site.hosts.iter().map(|(_, host)| host).find(|host| host.name == *name),
            };
            now.filter(|now| reloads(now)).cloned()
        });
    }

    fn is_leaving(&self) -> bool {
        self.connection.state.close_mode() != CloseMode::No
            || self.connection.shared.shutdown.is_requested()
    }
}

impl HttpBody for Events {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if let Some(looking) = &mut self.looking {
                let changes = ready!(Pin::new(looking).poll(context))?;
                self.looking = None;
                let version = version(&self.connection, changes);
                if self.sent.as_ref() != Some(&version) {
                    let event = format!("retry: 500\ndata: {version}\n\n");
                    (self.sent, self.quiet) = (Some(version), 0);
                    return Poll::Ready(Some(Ok(Frame::data(event.into()))));
                }
                self.quiet += 1;
                if self.quiet >= QUIET {
                    self.quiet = 0;
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b":\n\n")))));
                }
            }
            ready!(self.next.as_mut().poll(context));
            let next = Instant::now() + INTERVAL;
            self.next.as_mut().reset(next);
            if self.is_leaving() {
                return Poll::Ready(None);
            }
            self.follow();
            let Some(scope) = self.scope.clone() else {
                // The page is another one without us: the listener gets to know that, and no more.
                let sent = self.sent.take();
                let last = || Ok(Frame::data(Bytes::from_static(b"data: gone\n\n")));
                return Poll::Ready(sent.map(|_| last()));
            };
            let shared = self.connection.shared.clone();
            let look = move || shared.watcher.check(&scope);
            self.looking = Some(tokio::task::spawn_blocking(look));
        }
    }
}

#[cfg(test)]
mod tests;
