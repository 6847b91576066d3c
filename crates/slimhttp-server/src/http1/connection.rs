//! One HTTP/1 connection: it reads a head, calls [`exchange`], sends, and begins anew. What the
//! bytes mean, and what may be sent when, the engine says; here they are read and written.
//!
//! Called by `serve::connection`, in the connection's task on its I/O thread. Its future is
//! dropped where the connection is to end at once. A connection between two requests holds no
//! buffer, and what a request alone needs is boxed: there may be thousands that rest.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::Response;
use http::header::TE;
use http::request::Parts;
use slimhttp_http1::{Framing, Received, RequestEvent, RequestHead, Scratch, Server, State};
use slimhttp_site::list_field;
use slimhttp_site::plan::{Security, Transport};
use slimhttp_site::refusal::Refusal;
use tokio::io::ReadBuf;

use crate::context::connection::ConnectionContext;
use crate::context::misdirected;
use crate::exchange::{self, Tracked};
use crate::http1::client::{ClientEvent, SendingSide};
use crate::http1::content::IncomingContent;
use crate::http1::response_cache::{self, CachedResponse, Key};
use crate::http1::sending::{Broken, Terms};
use crate::http1::write_queue::WriteQueue;
use crate::live::Snapshot;
use crate::message::body::Extent;
use crate::message::request_body::RequestBody;
use crate::net::connection_state::{CloseMode, ReadPhase};
use crate::net::peer_watch::PeerWatch;
use crate::net::read_buffer;
use crate::net::stream::Stream;
use crate::net::time_slice::TimeSlice;
use crate::net::upgraded::{self, OnUpgrade, UpgradeSender};

thread_local! {
    /// Boxed, as what threads have of their own is little in a library that is loaded late, as
    /// Python does.
    static SCRATCH: RefCell<Box<Scratch>> = RefCell::default();
}

/// Lends what heads are read to on this I/O thread.
pub(super) fn with_scratch<R>(work: impl FnOnce(&mut Scratch) -> R) -> R {
    SCRATCH.with_borrow_mut(|scratch| work(scratch))
}

/// One connection.
pub(crate) struct Http1<S> {
    pub(super) socket: S,
    pub(super) context: Arc<ConnectionContext>,
    pub(super) engine: Server,
    /// Read, and not consumed by the engine: the head that is coming in, content, or what a client
    /// sent ahead.
    pub(super) unread: BytesMut,
    pub(super) write_queue: WriteQueue,
    /// Of the request in flight, while some is still to come.
    pub(super) content: Option<Box<IncomingContent>>,
    pub(super) client: SendingSide,
    /// Of the client, while nothing is read of it and its request is in work.
    pub(super) watch: PeerWatch,
    /// Whether the client has sent anything.
    pub(crate) has_received: bool,
}

/// How a connection goes on that answers no more requests.
pub(crate) enum Next {
    /// Not at all.
    Close(Ending),
    /// With nothing begun and nothing coming, for a while: the socket is to rest.
    Rest,
    /// With a head that is not HTTP.
    Refuse(HeadFault),
    /// As another protocol, whose 101 is sent.
    Upgrade(UpgradeSender),
}

/// How a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Nothing is left to say or to hear.
    Orderly,
    /// The client has sent, or may be sending, what nobody reads. So much of it, as far as was
    /// announced, is to come.
    Unread { announced: u64 },
    /// The client has left.
    Abrupt,
    /// What was sent breaks off, and the client would take an ordinary end for that of it.
    Reset,
}

/// What is wrong with a head.
#[derive(Debug)]
pub(crate) struct HeadFault {
    /// What to answer.
    pub(crate) refusal: Refusal,
    /// As far as it has come, for the log.
    pub(crate) request_line: String,
}

/// A head, and who answers it.
enum HeadOutcome {
    /// A response that was sent before.
    Cached(CachedResponse),
    /// The exchange.
    Exchange(PendingRequest),
    /// Nobody: the connection goes on otherwise.
    Leave(Next),
}

/// A request that an exchange is to answer.
struct PendingRequest {
    /// Boxed, as the key is: they are handed from future to future.
    parts: Box<Parts>,
    body: RequestBody,
    /// Under which its response may be kept.
    key: Option<Box<Key>>,
    offers_upgrade: bool,
}

/// Why an exchange is not polled on.
enum Pause {
    /// The client has left.
    Gone,
    /// There is more to do, and others have their turns first.
    Yield,
}

impl<S: Stream> Http1<S> {
    pub(crate) fn new(socket: S, context: Arc<ConnectionContext>) -> Self {
        let engine = Server::new(context.shared.live.cached().site.service.head_limits());
        Self {
            socket,
            context,
            engine,
            unread: BytesMut::new(),
            write_queue: WriteQueue::default(),
            content: None,
            client: SendingSide::default(),
            watch: PeerWatch::default(),
            has_received: false,
        }
    }

    /// Answers requests until there are no more, or none comes for a while.
    pub(crate) async fn run(&mut self) -> Next {
        // Since when requests are answered of which the next one had come already.
        let mut slice: Option<TimeSlice> = None;
        loop {
            let next = match std::future::poll_fn(|context| self.poll_head(context)).await {
                HeadOutcome::Cached(response) => match self.send_cached(response).await {
                    Ok(()) => None,
                    Err(_) => Some(Next::Close(Ending::Abrupt)),
                },
                // Boxed, so that a connection that rests does not hold the room of it.
                HeadOutcome::Exchange(request) => Box::pin(self.exchange(request)).await,
                HeadOutcome::Leave(next) => Some(next),
            };
            if let Some(next) = next {
                return next;
            }
            if self.unread.is_empty() {
                slice = None;
            } else if slice.get_or_insert_with(TimeSlice::begin).is_over() {
                tokio::task::yield_now().await;
                slice = Some(TimeSlice::begin());
            }
        }
    }

    /// Answers one request; `None` where another may follow.
    async fn exchange(&mut self, request: PendingRequest) -> Option<Next> {
        let PendingRequest { parts, body, key, offers_upgrade } = request;
        self.tell_end();
        let terms = Terms {
            extent: Extent::of(&parts.method),
            key,
            takes_trailers: parts.headers.contains_key(TE)
                && list_field::names(&parts.headers, &TE, "trailers"),
        };
        let (sender, upgrade) = offers_upgrade.then(upgraded::channel).unzip();
        let Some(mut response) = self.answer(parts, body, upgrade).await else {
            return Some(Next::Close(Ending::Abrupt));
        };
        let sent = self.send(&mut response, terms).await;
        // Its end is recorded before anything else of the client is waited for.
        drop(response);
        self.watch = PeerWatch::default();
        match (sent, sender) {
            (Ok(()), Some(sender)) if self.engine.server_state() == State::Switched => {
                return Some(Next::Upgrade(sender));
            }
            (Ok(()), _) | (Err(Broken::Visibly), _) => {}
            (Err(Broken::Silently), _) => return Some(Next::Close(Ending::Reset)),
            (Err(Broken::Gone), _) => return Some(Next::Close(Ending::Abrupt)),
        }
        // The response is complete; the request may not be.
        if self.engine.server_state() == State::Done && self.drop_content().await {
            self.tell_end();
        }
        match self.engine.is_ready_for_next() {
            true => None,
            false => Some(Next::Close(self.ending().await)),
        }
    }

    /// The response to a request; `None` where the client leaves before there is one.
    async fn answer(
        &mut self,
        parts: Box<Parts>,
        body: RequestBody,
        upgrade: Option<OnUpgrade>,
    ) -> Option<Response<Tracked>> {
        let answer = exchange::answer(self.context.clone(), parts, body, upgrade);
        let mut answer = std::pin::pin!(answer);
        loop {
            let answered =
                std::future::poll_fn(|context| self.poll_answer(answer.as_mut(), context));
            // By itself, so that no room for a response is kept while others have their turns.
            let pause = match answered.await {
                Ok(response) => return Some(response),
                Err(pause) => pause,
            };
            match pause {
                Pause::Gone => return None,
                Pause::Yield => tokio::task::yield_now().await,
            }
        }
    }

    /// How the connection is closed behind the last response.
    async fn ending(&mut self) -> Ending {
        if let Some(content) = &self.content {
            return Ending::Unread { announced: content.announced() };
        }
        let has_unread = self.has_unread().await;
        // That it has nothing more to say, a client says over TLS by bytes, which may still come
        // (RFC 8446 section 6.1).
        let may_say_so = self.socket.is_encrypted() && matches!(self.client, SendingSide::Open);
        match has_unread || may_say_so {
            true => Ending::Unread { announced: 0 },
            false => Ending::Orderly,
        }
    }

    /// Polls the exchange, and brings it the content that it asks for.
    fn poll_answer(
        &mut self,
        mut answer: Pin<&mut impl Future<Output = Response<Tracked>>>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Response<Tracked>, Pause>> {
        let mut slice = None;
        loop {
            let answered = answer.as_mut().poll(context);
            if self.send_interims(context).is_err() {
                return Poll::Ready(Err(Pause::Gone));
            }
            if let Poll::Ready(response) = answered {
                return Poll::Ready(Ok(response));
            }
            match ready!(self.poll_client(context)) {
                ClientEvent::Gone => return Poll::Ready(Err(Pause::Gone)),
                ClientEvent::Content if slice.get_or_insert_with(TimeSlice::begin).is_over() => {
                    return Poll::Ready(Err(Pause::Yield));
                }
                ClientEvent::Content => {}
            }
        }
    }

    /// Reads a head, and as much of its content as has come with it.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<HeadOutcome> {
        if !self.unread.is_empty() && !self.engine.is_in_head() {
            let unread = std::mem::take(&mut self.unread);
            if let Some(outcome) = self.read_unread(unread) {
                return Poll::Ready(outcome);
            }
        }
        if let SendingSide::Closed = self.client {
            return Poll::Ready(HeadOutcome::Leave(Next::Close(Ending::Orderly)));
        }
        read_buffer::with(|buffer| {
            loop {
                let mut buffer = ReadBuf::new(buffer);
                let Poll::Ready(read) = Pin::new(&mut self.socket).poll_read(context, &mut buffer)
                else {
                    // Whose request has come in time, or has begun, is answered first.
                    let waits = !self.engine.is_in_head();
                    if waits && self.context.state.close_mode().ends_idle() {
                        return Poll::Ready(HeadOutcome::Leave(Next::Close(Ending::Orderly)));
                    }
                    if waits && self.unread.is_empty() && self.context.state.take_rest_request() {
                        return Poll::Ready(HeadOutcome::Leave(Next::Rest));
                    }
                    return Poll::Pending;
                };
                let bytes = buffer.filled();
                if read.is_err() || bytes.is_empty() {
                    let ending = if read.is_err() { Ending::Abrupt } else { Ending::Orderly };
                    return Poll::Ready(HeadOutcome::Leave(Next::Close(ending)));
                }
                self.has_received = true;
                let outcome = if self.unread.is_empty() {
                    self.read_head(bytes)
                } else {
                    let mut unread = std::mem::take(&mut self.unread);
                    unread.extend_from_slice(bytes);
                    self.read_unread(unread)
                };
                if let Some(outcome) = outcome {
                    return Poll::Ready(outcome);
                }
            }
        })
    }

    /// Reads a head of `unread`, and keeps what is not consumed of it.
    fn read_unread(&mut self, mut unread: BytesMut) -> Option<HeadOutcome> {
        let (consumed, head) = self.parse_head(&unread);
        unread.advance(consumed);
        if !unread.is_empty() {
            self.unread = unread;
        }
        head.map(|head| self.outcome(head))
    }

    /// The same of what was just read, with nothing unread before it.
    fn read_head(&mut self, bytes: &[u8]) -> Option<HeadOutcome> {
        let (consumed, head) = self.parse_head(bytes);
        self.unread.extend_from_slice(&bytes[consumed..]);
        head.map(|head| self.outcome(head))
    }
}

/// A head that is complete, or none.
enum ParsedHead {
    Cached(CachedResponse),
    Request { request: PendingRequest, framing: Framing, expects_continue: bool },
    Fault(HeadFault),
}

impl<S: Stream> Http1<S> {
    /// Who answers a head. Its content is begun, of which some may have come.
    fn outcome(&mut self, head: ParsedHead) -> HeadOutcome {
        match head {
            ParsedHead::Cached(response) => {
                self.context.state.record_read(ReadPhase::Idle);
                HeadOutcome::Cached(response)
            }
            ParsedHead::Request { request, framing: Framing::None, .. } => {
                self.context.state.record_read(ReadPhase::Idle);
                HeadOutcome::Exchange(request)
            }
            ParsedHead::Request { mut request, framing, expects_continue } => {
                request.body = self.begin_content(framing, expects_continue);
                // The content belongs to HTTP still, so the connection cannot switch behind a 101.
                request.offers_upgrade &= self.content.is_none();
                HeadOutcome::Exchange(request)
            }
            ParsedHead::Fault(fault) => HeadOutcome::Leave(Next::Refuse(fault)),
        }
    }

    /// Reads `bytes`, which begin with the head that is coming in, if any is. How many of them
    /// are done with, and the head once it is complete.
    fn parse_head(&mut self, bytes: &[u8]) -> (usize, Option<ParsedHead>) {
        let snapshot = self.context.shared.live.cached();
        let site = &snapshot.site;
        if !self.engine.is_in_head() {
            self.engine.set_limits(site.service.head_limits());
        }
        with_scratch(|scratch| match self.engine.read(bytes, scratch) {
            Ok(Received { consumed, event: RequestEvent::Head(head) }) => {
                (consumed, Some(self.request(&head, &snapshot)))
            }
            Ok(Received { consumed, .. }) => {
                if self.engine.is_in_head() {
                    self.context.state.record_read(ReadPhase::Head);
                }
                (consumed, None)
            }
            Err(fault) => {
                let request_line = slimhttp_http1::request_line(bytes);
                let fault = HeadFault { refusal: fault.into(), request_line };
                (0, Some(ParsedHead::Fault(fault)))
            }
        })
    }

    /// What a complete head asks for.
    fn request(&self, head: &RequestHead<'_>, snapshot: &Snapshot) -> ParsedHead {
        let key = self.key(head, snapshot);
        if let Some(response) = key.as_ref().and_then(response_cache::get) {
            return ParsedHead::Cached(response);
        }
        match head.to_parts() {
            Ok(parts) => ParsedHead::Request {
                request: PendingRequest {
                    parts: Box::new(parts),
                    body: RequestBody::Collected(Bytes::new()),
                    key: key.map(Box::new),
                    offers_upgrade: head.offers_upgrade(),
                },
                framing: head.framing(),
                expects_continue: head.expects_continue(),
            },
            Err(fault) => ParsedHead::Fault(HeadFault {
                refusal: fault.into(),
                request_line: slimhttp_http1::request_line(head.bytes()),
            }),
        }
    }

    /// The key under which the response may be kept. `None` where each exchange counts: watchers
    /// of events are to know of it, the client is to be refused, the request may have come by the
    /// wrong connection, or the connection ends or may have to.
    fn key(&self, head: &RequestHead<'_>, snapshot: &Snapshot) -> Option<Key> {
        let ConnectionContext { shared, state, .. } = &*self.context;
        let Transport { port, peer, security } = self.context.transport();
        let site = &snapshot.site;
        let may_repeat = self.engine.may_send_prepared()
            && matches!(self.client, SendingSide::Open)
            && !shared.events.is_watched()
            && security != Security::PlainToTls
            && site.admits(peer)
            && state.close_mode() == CloseMode::No
            && self.is_known_to_belong(head, snapshot);
        if !may_repeat {
            return None;
        }
        let conditions = response_cache::Conditions {
            generation: shared.live.generation(),
            tls: security.is_tls(),
            varies_by_origin: site.shares,
            varies_by_scheme: site.varies_by_scheme,
            port,
            peer,
        };
        response_cache::key(head, conditions)
    }

    /// Whether a request belongs on its connection beyond doubt.
    fn is_known_to_belong(&self, head: &RequestHead<'_>, snapshot: &Snapshot) -> bool {
        if !self.context.security.is_tls() {
            return true;
        }
        // What a target names counts before the field.
        let field = head.fields().iter().find(|field| field.name.eq_ignore_ascii_case("host"));
        let written = field.filter(|_| head.target().starts_with('/'));
        let written = written.as_ref().map(|field| &*field.value);
        misdirected::is_known_to_belong(&self.context, snapshot, written)
    }
}

#[cfg(test)]
mod tests;
