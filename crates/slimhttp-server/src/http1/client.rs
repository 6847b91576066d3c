//! The client while its request is in work, or its response on the way: its content is read as
//! that is asked for, what it sends of further requests is kept, and that it leaves is noticed.
//!
//! A client that closes its sending side behind a whole request is answered: it may only have no
//! more to ask. Whether it has left altogether shows by a reset, by a write that fails, or by a
//! probe: one byte with which anything that may be sent next begins, which a client that has gone
//! answers with a reset. It may have read that byte and have gone then, so further ones follow,
//! less and less often. Where nothing is read of it, the socket is looked at now and then.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use slimhttp_http1::State;
use tokio::io::ReadBuf;

use crate::http1::Http1;
use crate::http1::content_pipe::Reader;
use crate::net::peer_watch::PeerEvent;
use crate::net::read_buffer;
use crate::net::stream::Stream;

/// Bytes of further requests that are kept while one is in work. They are judged once it is
/// answered; where the answer is 101, they are none of HTTP.
const READ_AHEAD: usize = 64 * 1024;

/// The client's sending side.
#[derive(Default)]
pub(super) enum SendingSide {
    #[default]
    Open,
    /// Closed: nothing more is read.
    Closed,
}

/// What comes of a client whose request is in work.
pub(super) enum ClientEvent {
    /// Content, for a reader in this task.
    Content,
    /// It has left.
    Gone,
}

impl<S: Stream> Http1<S> {
    /// Does what is due for the client's side while a response is made or sent.
    pub(super) fn poll_client(&mut self, context: &mut Context<'_>) -> Poll<ClientEvent> {
        if !self.write_queue.is_empty()
            && let Poll::Ready(Err(_)) = self.poll_write_queue(context)
        {
            return Poll::Ready(ClientEvent::Gone);
        }
        while let Some(content) = &self.content {
            if content.is_dropped() {
                match ready!(self.poll_dropped(context)) {
                    Ok(()) => break,
                    Err(_) => return Poll::Ready(ClientEvent::Gone),
                }
            }
            match ready!(self.poll_content(context)) {
                Ok(Reader::Here) => return Poll::Ready(ClientEvent::Content),
                Ok(Reader::Elsewhere) => {}
                Err(_) => return Poll::Ready(ClientEvent::Gone),
            }
        }
        self.poll_gone(context).map(|()| ClientEvent::Gone)
    }

    /// Reads content that nobody reads, within a bound; behind that it is not looked at. Ready when
    /// nothing more of it comes.
    ///
    /// # Errors
    /// The client has left.
    fn poll_dropped(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let was_open = matches!(self.client, SendingSide::Open);
        if ready!(self.poll_drop_content(context))? {
            return Poll::Ready(Ok(()));
        }
        match self.client {
            // Behind the bound nothing is read: the client is only looked at.
            SendingSide::Open => return self.poll_reset(context).map(Err),
            SendingSide::Closed if was_open => self.send_probe(context)?,
            SendingSide::Closed => {}
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when a client whose request is complete has left. What it sends meanwhile is kept,
    /// within a bound.
    fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let SendingSide::Open = self.client {
            match self.poll_read_ahead(context) {
                // The socket wakes the task.
                Poll::Pending if self.unread.len() < READ_AHEAD => return Poll::Pending,
                Poll::Pending => {}
                Poll::Ready(Ok(())) => {
                    self.client_has_ended();
                    if self.send_probe(context).is_err() {
                        return Poll::Ready(());
                    }
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
            }
        }
        self.poll_reset(context).map(|_| ())
    }

    /// Ready when a client of which nothing is read has left. One that has closed its sending side
    /// is probed.
    pub(super) fn poll_reset(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            match ready!(self.watch.poll(self.socket.bare(), context)) {
                PeerEvent::Ended | PeerEvent::ProbeDue => {
                    if let Err(error) = self.send_probe(context) {
                        return Poll::Ready(error);
                    }
                }
                PeerEvent::Gone => return Poll::Ready(io::ErrorKind::ConnectionReset.into()),
            }
        }
    }

    /// Keeps what the client sends ahead, as long as that is not too much; ready when it has closed
    /// its sending side.
    ///
    /// # Errors
    /// It has left.
    fn poll_read_ahead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        read_buffer::with(|buffer| {
            while self.unread.len() < READ_AHEAD {
                let mut buffer = ReadBuf::new(buffer);
                match ready!(Pin::new(&mut self.socket).poll_read(context, &mut buffer)) {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        return Poll::Ready(Ok(()));
                    }
                    read => read?,
                }
                if buffer.filled().is_empty() {
                    return Poll::Ready(Ok(()));
                }
                self.unread.extend_from_slice(buffer.filled());
            }
            Poll::Pending
        })
    }

    /// Whether the client has sent what nobody has read, so that the connection must not just be
    /// closed.
    pub(super) async fn has_unread(&mut self) -> bool {
        if let SendingSide::Open = self.client {
            let look = std::future::poll_fn(|context| {
                if let Poll::Ready(Ok(())) = self.poll_read_ahead(context) {
                    self.client = SendingSide::Closed;
                }
                Poll::Ready(())
            });
            // Even where the task has done so much that the runtime would have it yield first.
            tokio::task::unconstrained(look).await;
        }
        !self.unread.is_empty()
    }

    /// The client has closed its sending side.
    pub(super) fn client_has_ended(&mut self) {
        self.client = SendingSide::Closed;
        self.watch.set_ended();
        self.tell_end();
    }

    /// Tells the engine that no more comes, if it is so. The response to the last request then
    /// says that it is the last one.
    pub(super) fn tell_end(&mut self) {
        let is_closed = matches!(self.client, SendingSide::Closed);
        // Where the answer may be 101, what has ended may be another protocol's side.
        if is_closed && self.engine.client_state() != State::MightSwitch {
            // Whoever reads the content learns that it has ended early; what is left of a further
            // request is no request.
            let _ = self.engine.read_end(&self.unread);
        }
    }
}
