//! The trait [`Handler`], by which a program answers requests that neither files nor upstreams
//! do, and what it is given: the project's one open trait. Python stands behind it in
//! `slimhttp-python`, by way of `slimhttp-bridge`; a Rust program may stand there too.
//!
//! Everything here is called on I/O threads, each of which serves many connections: nothing may
//! block there. A handler that has to wait gives a future that does, or hands the call to a
//! thread of its own.

use std::any::Any;
use std::borrow::Cow;
use std::fs::File;
use std::future::Future;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};

use http::{HeaderMap, Method, Response, StatusCode, Uri, Version};
use slimhttp_site::application::MountedApplication;
use slimhttp_site::refusal::Refusal;
use slimhttp_site::route::{HandlerId, Params};
use slimhttp_site::site::{Module, Scope};
use slimhttp_site::websocket::Handshake;

use crate::api::takeover::UpgradedConnection;
use crate::api::unsent_answers;
use crate::message::body::Body;
use crate::message::content::Content;
use crate::message::refused::DebugPage;
use crate::net::connection_state::{CloseMode, ConnectionState};
use crate::tls::session::TlsSession;
use crate::websocket::PendingWebSocket;

/// A request with its content, as handlers see it. It is shared by every call of
/// one exchange: a route that passes on and the module that is called next get
/// the same one. It may be kept and read on any thread, also when its client has left.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The target as sent.
    pub uri: Uri,
    /// The protocol version.
    pub version: Version,
    /// The header fields.
    pub headers: HeaderMap,
    /// The decoded path, see [`slimhttp_site::path::Target::path`].
    pub path: Vec<u8>,
    /// Its content: streamed where the route asked for that and there is some.
    pub body: Content,
    /// The client's address.
    pub peer: SocketAddr,
    /// Our address on this connection.
    pub local: SocketAddr,
    /// Whether it came by TLS.
    pub tls: bool,
    /// What that has negotiated, and who the client is, if it says so.
    pub tls_session: Option<Arc<TlsSession>>,
    /// The scope that the host picked.
    pub scope: Arc<Scope>,
    /// The connection on which it came.
    pub connection: ConnectionHandle,
    /// What [`Handler::on_connect`] gave for that connection, if it was called.
    pub connection_data: Option<ConnectionData>,
    /// Whatever the handler keeps with the request between its calls; dropped with it.
    pub handler_data: OnceLock<Box<dyn Any + Send + Sync>>,
}

/// What a handler keeps with a connection while it lasts, see [`Handler::on_connect`].
pub type ConnectionData = Arc<dyn Any + Send + Sync>;

/// A connection, as [`Handler::on_connect`] learns of it.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// The client's address.
    pub peer: SocketAddr,
    /// Our address on this connection.
    pub local: SocketAddr,
    /// Whether it is to speak TLS.
    pub tls: bool,
    /// The number of its descriptor, while it is open: a name, and nothing to
    /// read from or to close.
    pub descriptor: RawFd,
    /// The way to end it.
    pub connection: ConnectionHandle,
}

/// A connection, to be asked about and ended from any thread. Holding it keeps nothing open,
/// and on a connection that has ended its methods do nothing.
#[derive(Clone, Debug, Default)]
pub struct ConnectionHandle(pub(crate) Weak<ConnectionState>);

impl ConnectionHandle {
    /// Whether the connection has not ended.
    pub fn is_open(&self) -> bool {
        self.0.strong_count() > 0
    }

    /// Whether a handler may begin to answer one of its requests. It may not while the client
    /// of an HTTP/2 connection has left too much unread of what was answered before. A call
    /// that waits in a queue asks as it begins to run, and ends with [`HandlerFault::NoRoom`]
    /// where it may not; the server calls again when there is room.
    pub fn has_room(&self) -> bool {
        let state = self.0.upgrade();
        state.is_none_or(|state| state.unsent_answers().is_none_or(|answers| answers.has_room()))
    }

    /// Counts what an answer takes in memory, from now on until it is sent or dropped, for
    /// [`Self::has_room`]. A handler passes its answer through this before it begins another
    /// call; what does not pass through it is not bounded.
    pub fn hold(&self, answer: Answer) -> Answer {
        match self.0.upgrade().as_ref().and_then(|state| state.unsent_answers()) {
            Some(answers) => unsent_answers::held(answer, answers),
            None => answer,
        }
    }

    /// Tells the client early of what the answer will refer to: 103 (RFC 8297), in front of the
    /// answer to the request of HTTP/1.1 that is in flight. Of other requests, and behind the
    /// answer, a handler must not call it.
    pub fn send_early_hints(&self, fields: HeaderMap) {
        if let Some(state) = self.0.upgrade() {
            state.push_interim(StatusCode::EARLY_HINTS, fields);
        }
    }

    /// Ends it after the response in flight, at once where there is none; a WebSocket with a
    /// close frame. A connection that was switched to another protocol is left to what runs it.
    pub fn close(&self) {
        if let Some(state) = self.0.upgrade() {
            state.request_close(CloseMode::Gracefully);
        }
    }

    /// Ends it now, in the middle of whatever is on its way.
    pub fn cut(&self) {
        if let Some(state) = self.0.upgrade() {
            state.request_close(CloseMode::Cut);
        }
    }
}

/// What a handler is called for beside requests. The server looks at it for each
/// connection and for each request that asks for an upgrade, so it may change at any time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interests {
    /// Each connection: [`Handler::on_connect`] and [`Handler::on_disconnect`].
    pub connections: bool,
    /// Whether a connection is served: [`Handler::authorize`].
    pub authorization: bool,
    /// Requests that ask for an upgrade: [`Callee::Upgrade`].
    pub upgrades: bool,
}

/// Which function of a program is called. The site decides this; what a [`HandlerId`] names is
/// known by the program that registered the route.
#[derive(Clone, Debug)]
pub enum Callee {
    /// The handler of a route, with what the pattern took from the path.
    Route(HandlerId, Params),
    /// The handler of a route, to open a WebSocket: it answers with [`Answer::WebSocket`], made
    /// by [`crate::websocket::open`] of the handshake, or refuses.
    WebSocket(HandlerId, Params, Box<Handshake>),
    /// The scope's application; a request that opens a WebSocket comes with its handshake, and
    /// is answered with [`Answer::WebSocket`] or refused.
    Application(Arc<MountedApplication>, Option<Box<Handshake>>),
    /// The scope's module.
    Module(Module),
    /// A script below `web_root`. It is read from the opened file and never by its path again,
    /// which may lead elsewhere by now; that is for messages and `__file__`.
    Script {
        /// Where it was found.
        path: PathBuf,
        /// The opened file.
        file: Arc<File>,
        /// When it is run anew.
        reload: slimhttp_site::site::ModuleReload,
    },
    /// What takes upgrades, before any route is asked. The request asks for one, and
    /// [`Handler::on_connect`] was called for its connection.
    Upgrade,
}

/// What a handler answers.
#[derive(Debug)]
pub enum Answer {
    /// This response. Fields that the site demands are added, and those that are the protocol's
    /// own are set.
    Reply(Response<Body>),
    /// This file: absolute, below the scope's `web_root` or `private_root`, or relative to
    /// `web_root`; the fields are added to the response. Conditions and ranges of the request
    /// are answered as for files of the site.
    File(PathBuf, HeaderMap),
    /// The whole of this file with this status, whatever conditions and ranges the request has;
    /// else as [`Answer::File`].
    FileAs(StatusCode, PathBuf, HeaderMap),
    /// The WebSocket is opened, in answer to [`Callee::WebSocket`].
    WebSocket(Box<PendingWebSocket>),
    /// The connection switches protocols: this is the 101, and the other has the bytes behind
    /// it. In answer to [`Callee::Upgrade`] only.
    Switch(Response<Body>, Box<dyn UpgradedConnection>),
    /// This callee does not answer: what stands behind it in the site is asked, and in the end
    /// the client gets 404.
    Pass,
}

/// Why a handler gives no answer.
#[derive(Debug)]
pub enum HandlerFault {
    /// It failed: 500. The handler has logged why.
    Raised {
        /// What shows the failure in place of an error page; only with `debug`.
        page: Option<DebugPage>,
    },
    /// It refuses, with that status. The text says why, in a line; the client sees it with
    /// `debug` only, but where it is about a content that the client can mend.
    Refused(Refusal, Option<Cow<'static, str>>),
    /// It has not started, and has logged why: 503.
    NotStarted {
        /// Whether it may start yet, or what is asked in its place: the client is to try again.
        is_starting: bool,
        /// Why, in a line; the client sees it with `debug` only.
        why: &'static str,
        /// What shows the failure in place of an error page; only with `debug`.
        page: Option<Arc<DebugPage>>,
    },
    /// It has not begun, for the connection holds too much that is not sent. It is called
    /// again, see [`ConnectionHandle::has_room`].
    NoRoom,
    /// Too many calls wait already: 503.
    QueueFull,
    /// Nobody takes calls any more: 503.
    Stopped,
}

/// What [`Handler::call`] returns. It is polled on the I/O thread of the connection. Dropping it
/// cancels the call: the client has left, or the server's time to stop is over.
pub type AnswerFuture = Pin<Box<dyn Future<Output = Result<Answer, HandlerFault>> + Send>>;

/// What [`Handler::authorize`] returns. Dropping it cancels the question: the connection has
/// ended, or `header_timeout` is over.
pub type AuthorizeFuture = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Answers the requests that a site leaves to its program. One handler serves all I/O threads
/// of a server at once; each method returns soon, and what takes time is in the future that it
/// gives.
///
/// ```
/// use std::sync::Arc;
///
/// use http::Response;
/// use slimhttp_server::{Answer, AnswerFuture, Body, Callee, Handler, HandlerFault, Request};
/// use slimhttp_site::refusal::Refusal;
/// use slimhttp_site::route::HandlerId;
///
/// /// What the routes of this program name.
/// const GREET: HandlerId = HandlerId(1);
/// const COUNT: HandlerId = HandlerId(2);
///
/// struct Program;
///
/// impl Handler for Program {
///     fn call(&self, callee: Callee, request: Arc<Request>) -> AnswerFuture {
///         Box::pin(async move {
///             let text = match callee {
///                 Callee::Route(GREET, _) => format!("Hello, {}!\n", request.peer),
///                 // Work that blocks has a thread of its own; the client's leaving drops this
///                 // future, and not that work.
///                 Callee::Route(COUNT, _) => {
///                     let count = move || request.path.iter().map(|&byte| u64::from(byte)).sum();
///                     let counting = tokio::task::spawn_blocking(count);
///                     let sum: u64 = counting
///                         .await
///                         .map_err(|_| HandlerFault::Refused(Refusal::Internal, None))?;
///                     format!("{sum}\n")
///                 }
///                 // Files, or 404.
///                 _ => return Ok(Answer::Pass),
///             };
///             Ok(Answer::Reply(Response::new(Body::from(text))))
///         })
///     }
/// }
/// ```
pub trait Handler: Send + Sync + 'static {
    /// Calls `callee` about `request`. The client has sent its whole content, unless the route
    /// has it streamed ([`Content`]).
    ///
    /// # Errors
    /// The future gives a [`HandlerFault`], and the client an error page. A panic in the future
    /// ends the exchange and its connection, and no other.
    fn call(&self, callee: Callee, request: Arc<Request>) -> AnswerFuture;

    /// A callee passed on and nothing else answered `request`: the client gets 404.
    fn unanswered(&self, _request: &Request) {}

    /// What it is called for beside requests. It is asked often, and so should only read.
    fn interests(&self) -> Interests {
        Interests::default()
    }

    /// A connection was accepted, or is to be upgraded; only with [`Interests::connections`],
    /// [`Interests::authorization`] or [`Interests::upgrades`]. What this gives comes with
    /// every request of that connection.
    fn on_connect(&self, _connection: ConnectionInfo) -> ConnectionData {
        Arc::new(())
    }

    /// Whether a connection is served; before that nothing of it is read. One that is not, or
    /// not within `header_timeout`, is closed without an answer.
    fn authorize(&self, _data: &ConnectionData) -> AuthorizeFuture {
        Box::pin(std::future::ready(true))
    }

    /// A connection has ended for which [`Self::on_connect`] was called.
    fn on_disconnect(&self, _data: ConnectionData) {}
}
