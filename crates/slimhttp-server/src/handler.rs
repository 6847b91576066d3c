//! The seam to whoever answers calls: the project's one open trait. Python
//! stands behind it in `slimhttp-python`; a Rust program may stand there too.

use std::any::Any;
use std::fs::File;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, Uri, Version};
use slimhttp_site::refusal::Refusal;
use slimhttp_site::route::{HandlerId, Params};
use slimhttp_site::site::{Module, Scope};
use slimhttp_site::websocket::Handshake;

use crate::body::Body;
use crate::websocket::Carriage;

/// A request with its whole body, as handlers see it. Shared by every call of
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
    /// The whole body.
    pub body: Bytes,
    /// The client's address.
    pub peer: SocketAddr,
    /// Our address on this connection.
    pub local: SocketAddr,
    /// Whether it came by TLS.
    pub tls: bool,
    /// The scope that the host picked.
    pub scope: Arc<Scope>,
    /// Whatever the handler side keeps with the request between calls.
    pub companion: OnceLock<Box<dyn Any + Send + Sync>>,
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
        reload: slimhttp_site::site::Reload,
    },
}

/// What a handler says.
#[derive(Debug)]
pub enum Answer {
    /// This is the response.
    Reply(Response<Body>),
    /// Send this file, absolute or relative to the scope's `web_root`, under
    /// which it must be; the fields are added to the response.
    File(PathBuf, HeaderMap),
    /// Open the WebSocket.
    WebSocket(Box<Carriage>),
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
    /// It says no; the text says why, and is shown with `debug` only.
    Refused(Refusal, Option<&'static str>),
    /// Too many calls wait already.
    QueueFull,
    /// Nobody takes calls any more.
    Stopped,
}

/// What a person who debugs is shown of a failure.
#[derive(Clone, Debug)]
pub struct DebugPage {
    /// The whole page.
    pub html: String,
    /// Its `Content-Security-Policy`: what it holds itself may run, and nothing
    /// that got into it.
    pub policy: String,
    /// The files of which an edit may mend the failure.
    pub sources: Vec<PathBuf>,
}

/// A future that a handler returns.
pub type AnswerFuture = Pin<Box<dyn Future<Output = Result<Answer, HandlerFault>> + Send>>;

/// Answers calls. Dropping the future means that the client has left.
pub trait Handler: Send + Sync + 'static {
    /// Asks `callee` about `request`.
    fn call(&self, callee: Callee, request: Arc<Request>) -> AnswerFuture;
}
