//! What is recorded of an exchange: the connection counts it as in flight until its response is
//! sent or given up; then the access log and the watchers of events get their record of it. A
//! response carries its [`Tracker`] with its body, on the connection's I/O thread.

use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{HOST, REFERER, USER_AGENT};
use http::{HeaderValue, Method, Response, Uri, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use slimhttp_site::client::Arrival;
use slimhttp_site::refusal::Refusal;
use slimhttp_site::site::Scope;

use crate::context::connection::ConnectionContext;
use crate::context::server::ServerContext;
use crate::live::snapshot::Snapshot;
use crate::message::body::{Body, BodyError, SocketBody};
use crate::message::content::ContentGuard;
use crate::net::connection_state::ConnectionState;
use crate::observe::access_log::{AccessWriter, Entry};
use crate::observe::event::{Event, Responder};

/// Counts the exchange as in flight until its response is sent or given up.
pub(super) struct Tracker {
    state: Arc<ConnectionState>,
    record: Option<Box<Record>>,
    /// The content that a handler may read until the response is sent, and whether one may
    /// still read it, as the exchange has decided.
    content: Option<(ContentGuard, bool)>,
}

/// What the access log and the watchers of events get to know of an exchange.
struct Record {
    shared: Arc<ServerContext>,
    log: Option<AccessWriter>,
    started: Instant,
    time: SystemTime,
    peer: SocketAddr,
    /// Whom the access log names.
    client: IpAddr,
    method: Method,
    target: String,
    version: Version,
    vhost: Option<Arc<str>>,
    host: Option<Vec<u8>>,
    referer: Option<Vec<u8>>,
    user_agent: Option<Vec<u8>>,
    responder: Responder,
    status: u16,
    sent: u64,
}

/// The target as HTTP/1 would have it: HTTP/2 sends the scheme and the authority
/// beside it (RFC 9113 section 8.3.1), and only CONNECT has no other.
pub(super) fn target(version: Version, uri: &Uri) -> String {
    match uri.path_and_query().filter(|_| version >= Version::HTTP_2) {
        Some(target) => target.to_string(),
        None => uri.to_string(),
    }
}

/// The client, as far as the scope's `trusted_proxies` are believed.
fn client(
    connection: &ConnectionContext,
    scope: &Scope,
    parts: &http::request::Parts,
    uri: &Uri,
) -> IpAddr {
    let (peer, tls) = (connection.peer.ip(), connection.security.is_tls());
    let trusted = &scope.options.trusted_proxies;
    Arrival { peer, tls, uri, headers: &parts.headers, trusted }.remote()
}

impl Tracker {
    /// Whether the access log or a watcher of events gets a record of it.
    pub(super) fn is_recorded(&self) -> bool {
        self.record.is_some()
    }

    pub(super) fn begin(connection: &ConnectionContext) -> Self {
        connection.state.begin_exchange();
        Self { state: connection.state.clone(), record: None, content: None }
    }

    /// Takes down what is reported once the response is sent, where anybody wants to know.
    pub(super) fn record(
        mut self,
        connection: &ConnectionContext,
        snapshot: &Snapshot,
        scope: &Scope,
        parts: &http::request::Parts,
        uri: &Uri,
    ) -> Self {
        let log = scope.options.access_log.as_ref();
        if log.is_none() && !connection.shared.events.is_watched() {
            return self;
        }
        let text =
            |name| parts.headers.get(name).map(|value: &HeaderValue| value.as_bytes().to_vec());
        self.record = Some(Box::new(Record {
            shared: connection.shared.clone(),
            log: log.and_then(|log| snapshot.access_logs.get(log)).cloned(),
            started: Instant::now(),
            time: SystemTime::now(),
            peer: connection.peer,
            client: client(connection, scope, parts, uri),
            method: parts.method.clone(),
            target: target(parts.version, uri),
            version: parts.version,
            vhost: scope.name.clone(),
            host: text(HOST).or_else(|| Some(uri.authority()?.as_str().into())),
            referer: text(REFERER),
            user_agent: text(USER_AGENT),
            responder: Responder::Server,
            status: 0,
            sent: 0,
        }));
        self
    }

    pub(super) fn finish(
        mut self,
        response: Response<Body>,
        responder: Responder,
        repeatable: Repeatable,
        content: Option<(ContentGuard, bool)>,
    ) -> Response<Tracked> {
        self.content = content;
        if let Some(record) = &mut self.record {
            record.responder = responder;
            record.status = response.status().as_u16();
        }
        response.map(|body| Tracked { body, repeatable, tracker: self })
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.state.end_exchange();
        if let Some(record) = self.record.take() {
            record.report();
        }
    }
}

impl Record {
    fn report(self) {
        // A client that left before there was an answer: nginx's 499.
        let status = if self.status == 0 { 499 } else { self.status };
        if let Some(log) = &self.log {
            log.record(&Entry {
                time: self.time,
                client: self.client,
                method: self.method.as_str(),
                target: &self.target,
                version: self.version,
                status,
                bytes: self.sent,
                referer: self.referer.as_deref(),
                user_agent: self.user_agent.as_deref(),
                host: self.host.as_deref(),
                vhost: self.vhost.as_deref(),
                duration: self.started.elapsed(),
            });
        }
        self.shared.events.push(|| Event::Answered {
            peer: self.peer,
            method: self.method.clone(),
            target: self.target.clone(),
            vhost: self.vhost.clone(),
            by: self.responder,
            status,
        });
    }
}

/// Records a request that was refused before there was an exchange, by its first line as far as
/// that has come.
pub(crate) fn record_malformed(
    connection: &ConnectionContext,
    request_line: &str,
    refusal: &Refusal,
) {
    connection.shared.events.push(|| Event::Malformed { peer: connection.peer });
    let snapshot = connection.shared.live.cached();
    let wanted = snapshot.site.global.options.access_log.as_ref();
    let Some(log) = wanted.and_then(|log| snapshot.access_logs.get(log)) else { return };
    let mut words = request_line.split(' ');
    log.record(&Entry {
        time: SystemTime::now(),
        client: connection.peer.ip(),
        method: words.next().unwrap_or_default(),
        target: words.next().unwrap_or_default(),
        version: Version::HTTP_11,
        status: refusal.status().as_u16(),
        bytes: 0,
        referer: None,
        user_agent: None,
        host: None,
        vhost: None,
        duration: Duration::ZERO,
    });
}

/// A response body that is recorded once it has been sent, or given up.
pub(crate) struct Tracked {
    body: Body,
    repeatable: Repeatable,
    tracker: Tracker,
}

/// Whether a response may be sent again to whoever asks the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeatable {
    /// For so long.
    For(Duration),
    /// Not this one.
    NotThis,
    /// Not this one: a handler was asked, and will be again.
    ByHandler,
}

impl Tracked {
    /// Whether the response may be sent again to whoever asks the same.
    pub(crate) fn repeatable(&self) -> Repeatable {
        self.repeatable
    }

    /// Whether it is sent while content of the request may still come in that nobody will
    /// read: a response that streams is made by a handler that may read on meanwhile.
    pub(crate) fn leaves_content_unread(&self) -> bool {
        let content = self.tracker.content.as_ref();
        content.is_some_and(|(guard, is_read_on)| !is_read_on && guard.is_unread())
    }

    /// The content, where all of it is in memory.
    pub(crate) fn whole(&self) -> Option<Bytes> {
        match &self.body {
            Body::Empty | Body::Omitted => Some(Bytes::new()),
            Body::Full(whole) => Some(whole.clone()),
            Body::File(_) | Body::Stream(_) | Body::Socket(_) => None,
        }
    }

    /// All of the content, where it is in memory and not shorter than it is announced: it counts
    /// as sent.
    pub(crate) fn take_whole(&mut self, announced: u64) -> Option<Bytes> {
        let Body::Full(whole) = &mut self.body else { return None };
        if (whole.len() as u64) < announced {
            return None;
        }
        let whole = std::mem::take(whole);
        self.body = Body::Empty;
        if let Some(record) = &mut self.tracker.record {
            record.sent += whole.len() as u64;
        }
        Some(whole)
    }

    /// No more than so many bytes of a file are read at a time from now on.
    pub(crate) fn read_at_most(&mut self, most: usize) {
        if let Body::File(file) = &mut self.body {
            file.read_at_most(most);
        }
    }

    /// What is left of the file that is sent, if it is one: the open file, where
    /// in it the next byte stands, and how many are left.
    pub(crate) fn file(&self) -> Option<(&Arc<File>, u64, u64)> {
        match &self.body {
            Body::File(file) => file.unread().filter(|(.., left)| *left > 0),
            _ => None,
        }
    }

    /// The body, where its bytes may be moved from socket to socket.
    pub(crate) fn as_socket(&mut self) -> Option<Pin<&mut (dyn SocketBody + 'static)>> {
        match &mut self.body {
            Body::Socket(body) => Some(body.as_mut()),
            _ => None,
        }
    }

    /// So many of these bytes were sent without being read through this body.
    pub(crate) fn record_moved(&mut self, sent: u64) {
        if let Some(record) = &mut self.tracker.record {
            record.sent += sent;
        }
    }

    /// So many bytes of the file were sent without being read through this body.
    pub(crate) fn file_sent(&mut self, sent: u64) {
        if let Body::File(file) = &mut self.body {
            file.advance(sent);
        }
        if let Some(record) = &mut self.tracker.record {
            record.sent += sent;
        }
    }
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let (Some(Ok(frame)), Some(record)) = (&frame, &mut self.tracker.record) {
            record.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        if let Some(Err(error)) = &frame {
            tracing::warn!("a response was broken off: {error}");
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
