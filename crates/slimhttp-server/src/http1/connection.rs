//! One HTTP/1 connection. Every byte read passes the strict framing; a request
//! without content is answered here, and what is rarer (content, upgrades,
//! expectations, HTTP/1.0) is left to hyper, which gets the connection from that
//! request's first byte on and gives it back when it has nothing more to do.
//!
//! It reads a head, calls [`exchange`], sends, and begins anew. Nothing is read
//! ahead while a response is on its way but to see that the client leaves, and a
//! connection between two requests holds no buffer.
//!
//! Called by `serve::connection`, in the connection's task on its I/O thread. Its future is
//! dropped where the connection is to end at once.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::request::Parts;
use http::{Request, Response};
use slimhttp_site::framing::{Framing, HeadRead, Phase};
use slimhttp_site::refusal::Refusal;
use slimhttp_site::site::Site;
use tokio::io::ReadBuf;

use crate::context::connection::ConnectionContext;
use crate::exchange;
use crate::exchange::Tracked;
use crate::http1::close::announce_close;
use crate::http1::head;
use crate::http1::response::Persistence;
use crate::http1::response_cache::{self, CachedResponse, Key};
use crate::http1::write_queue::WriteQueue;
use crate::message::body::Extent;
use crate::message::request_body::RequestBody;
use crate::net::connection_state::{CloseMode, ReadPhase};
use crate::net::framing_fault::FramingFault;
use crate::net::read_buffer;
use crate::net::stream::Stream;

/// Bytes of further requests that are taken while one is being answered, only
/// to see whether the client leaves.
const READ_AHEAD: usize = 64 * 1024;

/// One connection.
pub(crate) struct Http1<S> {
    pub(crate) socket: S,
    pub(super) context: Arc<ConnectionContext>,
    framing: Framing,
    /// Read and not answered yet: the head that is coming in, or what a client
    /// sent ahead.
    pub(super) unread: BytesMut,
    /// How many of them the framing has read.
    parsed: usize,
    pub(super) write_queue: WriteQueue,
    /// Whether the client has sent anything.
    pub(crate) has_received: bool,
}

/// How the requests on a connection end, as far as they are answered here.
pub(crate) enum Next {
    /// With the last response, or because the client has left.
    Close {
        /// Whether the client has sent what nobody has read.
        unread: bool,
    },
    /// With a request for hyper; these bytes begin with its head.
    Hyper(Bytes),
    /// With nothing begun and nothing coming, for a while: the socket is to rest.
    Rest,
    /// With a head that is not HTTP.
    Fault(FramingFault),
}

/// A head, and who answers it.
enum HeadOutcome {
    /// A response that was sent before.
    Cached(CachedResponse),
    /// The exchange; its response may be kept under the key.
    Exchange(Box<(Parts, Option<Key>)>),
    /// Nobody here: the connection goes on elsewhere, or ends.
    Leave(Next),
}

impl<S: Stream> Http1<S> {
    pub(crate) fn new(socket: S, context: Arc<ConnectionContext>) -> Self {
        let framing = Framing::new(context.shared.live.cached().site.service.head_limits());
        Self {
            socket,
            context,
            framing,
            unread: BytesMut::new(),
            parsed: 0,
            write_queue: WriteQueue::default(),
            has_received: false,
        }
    }

    /// Answers requests until there is one for hyper, or none for a while, or no more.
    pub(crate) async fn run(&mut self) -> Next {
        loop {
            let sent = match std::future::poll_fn(|context| self.poll_head(context)).await {
                HeadOutcome::Cached(response) => {
                    self.send_cached(response).await.map(|()| Persistence::KeepAlive)
                }
                // Boxed, so that a connection that rests does not hold the room of it.
                HeadOutcome::Exchange(request) => Box::pin(self.exchange(request)).await,
                HeadOutcome::Leave(next) => return next,
            };
            if !matches!(sent, Ok(Persistence::KeepAlive)) {
                return Next::Close { unread: self.has_unread().await };
            }
        }
    }

    /// Answers one request.
    async fn exchange(&mut self, request: Box<(Parts, Option<Key>)>) -> io::Result<Persistence> {
        let (parts, key) = *request;
        let extent = Extent::of(&parts.method);
        let persistence = match head::says_close(&parts.headers) {
            true => Persistence::Close,
            false => Persistence::KeepAlive,
        };
        let request = Request::from_parts(parts, RequestBody::Collected(Bytes::new()));
        let Some(mut response) = self.answer(request).await else { return Ok(Persistence::Close) };
        announce_close(&mut response, &self.context.state);
        self.send(response, extent, persistence, key).await
    }

    /// Reads a head.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<HeadOutcome> {
        if self.unread.len() > self.parsed {
            let bytes = std::mem::take(&mut self.unread);
            if let Some((outcome, end)) = self.parse_head(&bytes[self.parsed..], &bytes) {
                self.keep_behind(bytes, end);
                return Poll::Ready(outcome);
            }
            self.unread = bytes;
            self.parsed = self.unread.len();
        }
        read_buffer::with(|buffer| {
            loop {
                let mut buffer = ReadBuf::new(buffer);
                let Poll::Ready(read) = Pin::new(&mut self.socket).poll_read(context, &mut buffer)
                else {
                    // Whose request has come in time, or has begun, is answered first.
                    let waits = self.framing.phase() == Phase::Idle;
                    if waits && self.context.state.close_mode() != CloseMode::No {
                        return Poll::Ready(HeadOutcome::Leave(Next::Close { unread: false }));
                    }
                    if waits && self.unread.is_empty() && self.context.state.take_rest_request() {
                        return Poll::Ready(HeadOutcome::Leave(Next::Rest));
                    }
                    return Poll::Pending;
                };
                let bytes = buffer.filled();
                if read.is_err() || bytes.is_empty() {
                    return Poll::Ready(HeadOutcome::Leave(Next::Close { unread: false }));
                }
                self.has_received = true;
                if self.unread.is_empty() {
                    if let Some((outcome, end)) = self.parse_head(bytes, bytes) {
                        self.unread.extend_from_slice(&bytes[end..]);
                        return Poll::Ready(outcome);
                    }
                    self.unread.extend_from_slice(bytes);
                } else {
                    let mut whole = std::mem::take(&mut self.unread);
                    whole.extend_from_slice(bytes);
                    if let Some((outcome, end)) = self.parse_head(bytes, &whole) {
                        self.keep_behind(whole, end);
                        return Poll::Ready(outcome);
                    }
                    self.unread = whole;
                }
                self.parsed = self.unread.len();
            }
        })
    }

    /// Keeps what the client sent behind a head that ends at `end`.
    fn keep_behind(&mut self, mut bytes: BytesMut, end: usize) {
        self.parsed = 0;
        if end < bytes.len() {
            bytes.advance(end);
            self.unread = bytes;
        }
    }

    /// Reads `new`, which ends `whole`, in which the head begins. Once it is complete: who
    /// answers it, and behind how many bytes of `whole` the next one begins.
    fn parse_head(&mut self, new: &[u8], whole: &[u8]) -> Option<(HeadOutcome, usize)> {
        let site = &self.context.shared.live.cached().site;
        if new.len() == whole.len() {
            self.framing.set_limits(site.service.head_limits());
        }
        let (length, has_content) = match self.framing.feed_head(new) {
            HeadRead::Partial => {
                if self.framing.phase() == Phase::Head {
                    self.context.state.record_read(ReadPhase::Head);
                }
                return None;
            }
            HeadRead::Fault(refusal) => return Some((self.fault(refusal), whole.len())),
            HeadRead::Complete { length, has_content } => (length, has_content),
        };
        self.context.state.record_read(ReadPhase::Idle);
        if has_content {
            return Some(Self::for_hyper(whole));
        }
        let end = whole.len() - new.len() + length;
        Some(match self.outcome(&whole[..end], site) {
            Ok(HeadOutcome::Exchange(request)) if head::is_for_hyper(&request.0) => {
                Self::for_hyper(whole)
            }
            Ok(outcome) => (outcome, end),
            Err(refusal) => (self.fault(refusal), whole.len()),
        })
    }

    /// Who answers a complete head.
    fn outcome(&self, head: &[u8], site: &Site) -> Result<HeadOutcome, Refusal> {
        head::read(head, site.service.max_headers, |request| {
            let key = self.key(request, site);
            match key.as_ref().and_then(response_cache::get) {
                Some(response) => Ok(HeadOutcome::Cached(response)),
                None => Ok(HeadOutcome::Exchange(Box::new((head::parts(request, head)?, key)))),
            }
        })?
    }

    /// The key under which the response may be kept. `None` where each exchange counts: watchers
    /// of events are to know of it, the client is to be refused, or the connection is to end.
    fn key(&self, request: &httparse::Request<'_, '_>, site: &Site) -> Option<Key> {
        let ConnectionContext { shared, state, peer, tls, .. } = &*self.context;
        let may_repeat = !shared.events.is_watched()
            && site.admits(peer.ip())
            && state.close_mode() == CloseMode::No;
        if !may_repeat {
            return None;
        }
        let conditions = response_cache::Conditions {
            generation: shared.live.generation(),
            tls: *tls,
            varies_by_origin: site.shares,
        };
        response_cache::key(request, conditions)
    }

    /// All that was read goes to hyper; nothing of it stays here.
    fn for_hyper(whole: &[u8]) -> (HeadOutcome, usize) {
        (HeadOutcome::Leave(Next::Hyper(Bytes::copy_from_slice(whole))), whole.len())
    }

    /// The end that a head makes with which something is wrong.
    fn fault(&self, refusal: Refusal) -> HeadOutcome {
        let request_line = self.framing.request_line().to_string();
        HeadOutcome::Leave(Next::Fault(FramingFault { refusal, request_line, in_head: true }))
    }

    /// The response; `None` where the client leaves before there is one.
    async fn answer(&mut self, request: Request<RequestBody>) -> Option<Response<Tracked>> {
        let mut answer = std::pin::pin!(exchange::answer(self.context.clone(), request, None));
        std::future::poll_fn(|context| match answer.as_mut().poll(context) {
            Poll::Ready(response) => Poll::Ready(Some(response)),
            Poll::Pending => self.poll_disconnect(context).map(|()| None),
        })
        .await
    }

    /// Ready when the client has left. What it sends meanwhile is kept, within a
    /// bound; behind that it is not looked at.
    pub(super) fn poll_disconnect(&mut self, context: &mut Context<'_>) -> Poll<()> {
        read_buffer::with(|buffer| {
            while self.unread.len() < READ_AHEAD {
                let mut buffer = ReadBuf::new(buffer);
                let read = ready!(Pin::new(&mut self.socket).poll_read(context, &mut buffer));
                if read.is_err() || buffer.filled().is_empty() {
                    return Poll::Ready(());
                }
                self.unread.extend_from_slice(buffer.filled());
            }
            Poll::Pending
        })
    }

    /// Whether the client has sent what nobody has read.
    async fn has_unread(&mut self) -> bool {
        std::future::poll_fn(|context| {
            let _ = self.poll_disconnect(context);
            Poll::Ready(!self.unread.is_empty())
        })
        .await
    }

    /// Sends whatever waits.
    pub(super) fn poll_write_queue(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let before = self.write_queue.len();
        let outcome = self.write_queue.poll_send(&mut self.socket, context);
        if self.write_queue.len() < before {
            // A client that takes a little is slow, and has not stalled.
            self.context.state.set_write_blocked(false);
        }
        self.context.state.set_write_blocked(outcome.is_pending());
        outcome
    }
}

#[cfg(test)]
mod tests;
