//! The seam to whoever answers calls: the project's one open trait. Python
//! stands behind it in `slimhttp-python`; a Rust program may stand there too.

use std::any::Any;
use std::borrow::Cow;
use std::fs::File;
use std::future::Future;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};

use http::{HeaderMap, Method, Response, Uri, Version};
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
use crate::websocket::PendingWebSocket;

/// A request with its content, as handlers see it. Shared by every call of
/// one exchange: a route that passes on and the module that is asked next get
/// the same one.
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
    /// The scope that the host picked.
    pub scope: Arc<Scope>,
    /// The connection on which it came.
    pub connection: ConnectionHandle,
    /// What the handler side keeps with that connection, if it met it.
    pub connection_data: Option<ConnectionData>,
    /// Whatever the handler side keeps with the request between calls.
    pub companion: OnceLock<Box<dyn Any + Send + Sync>>,
}

/// What the handler side keeps with a connection while it lasts.
pub type ConnectionData = Arc<dyn Any + Send + Sync>;

/// A connection as the handler side meets it.
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

/// A connection as those see it who may end it. Holding it keeps nothing open.
#[derive(Clone, Debug, Default)]
pub struct ConnectionHandle(pub(crate) Weak<ConnectionState>);

impl ConnectionHandle {
    /// Whether the connection has not ended.
    pub fn is_open(&self) -> bool {
        self.0.strong_count() > 0
    }

    /// Whether a handler may begin to answer one of its requests: beyond a bound what
    /// was answered is to be sent first. Where it may not, the verdict is
    /// [`HandlerFault::NoRoom`].
    pub fn has_room(&self) -> bool {
        let state = self.0.upgrade();
        state.is_none_or(|state| state.unsent_answers().is_none_or(|answers| answers.has_room()))
    }

    /// Counts what an answer holds in memory from now on, until it is sent or given up.
    pub fn hold(&self, answer: Answer) -> Answer {
        match self.0.upgrade().as_ref().and_then(|state| state.unsent_answers()) {
            Some(answers) => unsent_answers::held(answer, answers),
            None => answer,
        }
    }

    /// Ends it after the response in flight, at once where there is none. An
    /// upgraded connection is not ended by this: whoever carries it ends it.
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

/// What the handler side wants to be asked beside calls. Looked at for each
/// connection and each request that asks for an upgrade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interests {
    /// To meet each connection, and to be told of its end.
    pub connections: bool,
    /// To say whether a connection is served.
    pub verdicts: bool,
    /// To be asked about upgrades, by [`Callee::Upgrade`].
    pub upgrades: bool,
}

/// Whom to ask.
#[derive(Clone, Debug)]
pub enum Callee {
    /// The handler of a route, with what the pattern took from the path.
    Route(HandlerId, Params),
    /// The handler of a route, to open a WebSocket.
    WebSocket(HandlerId, Params, Handshake),
    /// The scope's module.
    Module(Module),
    /// A script below `web_root`: `file` is the opened file, read from there
    /// and never by its path again; `path` is for messages and `__file__`.
    Script {
        /// Where it was found.
        path: PathBuf,
        /// The opened file.
        file: Arc<File>,
        /// When it is run anew.
        reload: slimhttp_site::site::ModuleReload,
    },
    /// Whoever takes upgrades. The request asks for one, and its connection has
    /// been met.
    Upgrade,
}

/// What a handler says.
#[derive(Debug)]
pub enum Answer {
    /// This is the response.
    Reply(Response<Body>),
    /// Send this file: absolute, below the scope's `web_root` or `private_root`,
    /// or relative to `web_root`; the fields are added to the response.
    File(PathBuf, HeaderMap),
    /// Open the WebSocket.
    WebSocket(Box<PendingWebSocket>),
    /// The connection stops being HTTP: this is the 101, and the carrier goes on.
    /// In answer to [`Callee::Upgrade`] only.
    Switch(Response<Body>, Box<dyn UpgradedConnection>),
    /// Somebody else may answer.
    Pass,
}

/// Why a handler has no answer.
#[derive(Debug)]
pub enum HandlerFault {
    /// It raised or returned nonsense. The handler side has logged why; `page`
    /// shows the traceback, present only with `debug`.
    Raised {
        /// The debug page.
        page: Option<DebugPage>,
    },
    /// It says no; the text says why, in a line. It is shown with `debug` only, but
    /// for a content that the client can mend.
    Refused(Refusal, Option<Cow<'static, str>>),
    /// It has not begun: the connection holds too much that is not sent. It is asked
    /// again, see [`ConnectionHandle::has_room`].
    NoRoom,
    /// Too many calls wait already.
    QueueFull,
    /// Nobody takes calls any more.
    Stopped,
}

/// A future that a handler returns.
pub type AnswerFuture = Pin<Box<dyn Future<Output = Result<Answer, HandlerFault>> + Send>>;

/// A future that says whether a connection is served.
pub type AuthorizeFuture = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Answers calls. Dropping the future means that the client has left.
pub trait Handler: Send + Sync + 'static {
    /// Asks `callee` about `request`. What waits before it runs asks
    /// [`ConnectionHandle::has_room`] as it begins, and whatever answers tells
    /// [`ConnectionHandle::hold`] of it before it begins another.
    fn call(&self, callee: Callee, request: Arc<Request>) -> AnswerFuture;

    /// Hears that a callee passed on and that nobody else answered `request`.
    fn unanswered(&self, _request: &Request) {}

    /// What it wants to be asked beside calls.
    fn interests(&self) -> Interests {
        Interests::default()
    }

    /// Meets a connection that was accepted, or that is to be upgraded. What it
    /// gives comes with every request of that connection.
    fn on_connect(&self, _visitor: ConnectionInfo) -> ConnectionData {
        Arc::new(())
    }

    /// Says whether a connection is served; before that nothing of it is read.
    /// Dropping the future means that the connection has ended.
    fn authorize(&self, _data: &ConnectionData) -> AuthorizeFuture {
        Box::pin(std::future::ready(true))
    }

    /// Hears that a connection which it met has ended.
    fn on_disconnect(&self, _data: ConnectionData) {}
}
