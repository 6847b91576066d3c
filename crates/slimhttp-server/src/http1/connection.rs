//! One HTTP/1 connection. Every byte read is judged by the strict framing; a
//! request without content is answered here, and what is rarer (content,
//! upgrades, expectations, HTTP/1.0) is left to the HTTP library, which gets the
//! connection from that request's first byte on and gives it back when it rests.
//!
//! It reads a head, asks [`exchange`], sends, and begins anew. Nothing is read
//! ahead while a response is on its way but to see that the client leaves, and a
//! connection between two requests holds no buffer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::request::Parts;
use http::{Method, Request, Response};
use slimhttp_site::framing::{Framing, HeadRead, Phase};
use slimhttp_site::refusal::Refusal;
use tokio::io::ReadBuf;

use crate::context::connection::ConnectionContext;
use crate::exchange;
use crate::exchange::Tracked;
use crate::http1::close::announce_close;
use crate::http1::head;
use crate::http1::response_cache::{self, CachedResponse, Key};
use crate::http1::write_queue::WriteQueue;
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
    /// How many of them the framing has seen.
    judged: usize,
    pub(super) write_queue: WriteQueue,
    /// Whether the client has sent anything.
    pub(crate) read_any: bool,
}

/// How the requests on a connection end, as far as they are answered here.
pub(crate) enum Next {
    /// With the last response, or because the client has left.
    Close {
        /// Whether the client has sent what nobody has read.
        unread: bool,
    },
    /// With a request for the library; these bytes begin with its head.
    Library(Bytes),
    /// With a head that is not HTTP.
    Fault(FramingFault),
}

/// A head, and who answers it.
enum HeadOutcome {
    /// The answer stands ready.
    Again(CachedResponse),
    /// The exchange; the answer may be given again to whoever asks the same.
    Anew(Box<(Parts, Option<Key>)>),
    Elsewhere(Next),
}

impl<S: Stream> Http1<S> {
    pub(crate) fn new(socket: S, context: Arc<ConnectionContext>) -> Self {
        let framing = Framing::new(context.shared.live.cached().site.service.head_limits());
        Self {
            socket,
            context,
            framing,
            unread: BytesMut::new(),
            judged: 0,
            write_queue: WriteQueue::default(),
            read_any: false,
        }
    }

    /// Answers requests until there is one for the library, or no more.
    pub(crate) async fn run(&mut self) -> Next {
        loop {
            let again = match std::future::poll_fn(|context| self.poll_head(context)).await {
                HeadOutcome::Again(ready) => self.send_ready(ready).await.is_ok(),
                // Boxed, so that a connection that rests does not hold the room of it.
                HeadOutcome::Anew(asked) => Box::pin(self.exchange(asked)).await,
                HeadOutcome::Elsewhere(next) => return next,
            };
            if !again {
                return Next::Close { unread: self.has_unread().await };
            }
        }
    }

    /// Answers one request; whether another may follow.
    async fn exchange(&mut self, asked: Box<(Parts, Option<Key>)>) -> bool {
        let (parts, key) = *asked;
        let is_head = parts.method == Method::HEAD;
        let close = head::says_close(&parts.headers);
        let request = Request::from_parts(parts, RequestBody::Collected(Bytes::new()));
        let Some(mut response) = self.answer(request).await else { return false };
        announce_close(&mut response, &self.context.state);
        self.send(response, is_head, close, key).await.unwrap_or(false)
    }

    /// Reads a head.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<HeadOutcome> {
        if self.unread.len() > self.judged {
            let bytes = std::mem::take(&mut self.unread);
            if let Some((asked, end)) = self.judge(&bytes[self.judged..], &bytes) {
                self.keep_behind(bytes, end);
                return Poll::Ready(asked);
            }
            self.unread = bytes;
            self.judged = self.unread.len();
        }
        read_buffer::with(|buffer| {
            loop {
                let mut buffer = ReadBuf::new(buffer);
                let Poll::Ready(read) = Pin::new(&mut self.socket).poll_read(context, &mut buffer)
                else {
                    // Whose request has come in time, or has begun, is answered first.
                    let waits = self.framing.phase() == Phase::Idle;
                    if waits && self.context.state.close_mode() != CloseMode::No {
                        return Poll::Ready(HeadOutcome::Elsewhere(Next::Close { unread: false }));
                    }
                    return Poll::Pending;
                };
                let bytes = buffer.filled();
                if read.is_err() || bytes.is_empty() {
                    return Poll::Ready(HeadOutcome::Elsewhere(Next::Close { unread: false }));
                }
                self.read_any = true;
                if self.unread.is_empty() {
                    if let Some((asked, end)) = self.judge(bytes, bytes) {
                        self.unread.extend_from_slice(&bytes[end..]);
                        return Poll::Ready(asked);
                    }
                    self.unread.extend_from_slice(bytes);
                } else {
                    let mut whole = std::mem::take(&mut self.unread);
                    whole.extend_from_slice(bytes);
                    if let Some((asked, end)) = self.judge(bytes, &whole) {
                        self.keep_behind(whole, end);
                        return Poll::Ready(asked);
                    }
                    self.unread = whole;
                }
                self.judged = self.unread.len();
            }
        })
    }

    /// Keeps what the client sent behind a head that ends at `end`.
    fn keep_behind(&mut self, mut bytes: BytesMut, end: usize) {
        self.judged = 0;
        if end < bytes.len() {
            bytes.advance(end);
            self.unread = bytes;
        }
    }

    /// Judges `new`, which ends `whole`, in which the head begins. Once it is
    /// complete: who answers it, and behind how many bytes of `whole` what is kept
    /// for the next one begins.
    fn judge(&mut self, new: &[u8], whole: &[u8]) -> Option<(HeadOutcome, usize)> {
        let site = &self.context.shared.live.cached().site;
        let service = &site.service;
        if new.len() == whole.len() {
            self.framing.set_limits(service.head_limits());
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
            return Some(Self::for_library(whole));
        }
        let end = whole.len() - new.len() + length;
        let head = &whole[..end];
        let live = &self.context.shared.live;
        let read = head::read(head, service.max_headers, |request| {
            let mut key = None;
            let state = &self.context.state;
            let is_watched = self.context.shared.events.is_watched();
            let is_admitted = site.admits(self.context.peer.ip());
            if !is_watched && is_admitted && state.close_mode() == CloseMode::No {
                let (generation, tls) = (live.generation(), self.context.tls);
                let setting = response_cache::Setting { generation, tls, by_origin: site.shares };
                key = response_cache::key(request, setting);
                if let Some(ready) = key.as_ref().and_then(response_cache::get) {
                    return Ok(HeadOutcome::Again(ready));
                }
            }
            Ok(HeadOutcome::Anew(Box::new((head::parts(request, head)?, key))))
        });
        let asked = match read.and_then(|asked| asked) {
            Ok(asked) => asked,
            Err(refusal) => return Some((self.fault(refusal), whole.len())),
        };
        if let HeadOutcome::Anew(asked) = &asked
            && head::is_for_library(&asked.0)
        {
            return Some(Self::for_library(whole));
        }
        Some((asked, end))
    }

    /// All that was read goes to the library; nothing of it is kept here.
    fn for_library(whole: &[u8]) -> (HeadOutcome, usize) {
        (HeadOutcome::Elsewhere(Next::Library(Bytes::copy_from_slice(whole))), whole.len())
    }

    /// The end that a head makes with which something is wrong.
    fn fault(&self, refusal: Refusal) -> HeadOutcome {
        let request_line = self.framing.request_line().to_string();
        HeadOutcome::Elsewhere(Next::Fault(FramingFault { refusal, request_line, in_head: true }))
    }

    /// Asks for the response; `None` where the client leaves before there is one.
    async fn answer(&mut self, request: Request<RequestBody>) -> Option<Response<Tracked>> {
        let mut answer = std::pin::pin!(exchange::answer(self.context.clone(), request, None));
        std::future::poll_fn(|context| match answer.as_mut().poll(context) {
            Poll::Ready(response) => Poll::Ready(Some(response)),
            Poll::Pending => self.poll_leaving(context).map(|()| None),
        })
        .await
    }

    /// Ready when the client leaves. What it sends meanwhile is kept, within a
    /// bound; behind that it is not looked at.
    pub(super) fn poll_leaving(&mut self, context: &mut Context<'_>) -> Poll<()> {
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
            let _ = self.poll_leaving(context);
            Poll::Ready(!self.unread.is_empty())
        })
        .await
    }

    /// Sends whatever waits.
    pub(super) fn poll_write_queue(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let before = self.write_queue.len();
        let outcome = self.write_queue.poll_send(&mut self.socket, context);
        if self.write_queue.len() < before {
            // Who takes a little is slow, and not still.
            self.context.state.set_write_blocked(false);
        }
        self.context.state.set_write_blocked(outcome.is_pending());
        outcome
    }
}

#[cfg(test)]
mod tests;
