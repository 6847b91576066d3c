//! A body that comes in on a plain socket → a plain socket, without a copy through this process:
//! the large answers of upstreams, see [`net::splice`](crate::net::splice). Called by `sending`,
//! in the connection's task.

use std::io;
use std::task::{Context, Poll};

use crate::exchange::Tracked;
use crate::http1::Http1;
use crate::http1::client::ClientEvent;
use crate::net::splice::{LEAST, Splice};
use crate::net::stream::Stream;

/// Bytes that are moved before others of this thread have their turn.
const TURN: u64 = 1024 * 1024;

/// What has come of one step.
enum Moved {
    /// So many bytes were taken off the one socket.
    In(u64),
    /// So many were given to the other.
    Out(u64),
    /// Nothing more can be moved so: whoever reads the body finds out why.
    Nothing,
    /// The client has left.
    Gone,
}

impl<S: Stream> Http1<S> {
    /// Whether the next `left` bytes of a body, which are all that is left of it, are worth a
    /// pipe, and can go through one.
    pub(super) fn may_splice(&self, body: &mut Tracked, left: u64) -> bool {
        left >= LEAST
            && self.socket.tcp().is_some()
            && body.as_socket().and_then(|body| Some(body.socket()?.1)) == Some(left)
    }

    /// Sends what is left of a body, as far as it can be sent so; how much is left then.
    ///
    /// # Errors
    /// The client's socket.
    pub(super) async fn splice(&mut self, body: &mut Tracked, mut left: u64) -> io::Result<u64> {
        let Some(mut pipe) = Splice::open() else { return Ok(left) };
        std::future::poll_fn(|context| self.poll_write_queue(context)).await?;
        let mut turn = 0;
        while left > 0 {
            let step = |context: &mut Context<'_>| self.poll_splice(&mut pipe, body, context);
            match std::future::poll_fn(step).await? {
                Moved::In(count) => {
                    if let Some(body) = body.as_socket() {
                        body.advance(count);
                    }
                }
                Moved::Out(count) => {
                    self.engine.send_data(count).map_err(io::Error::other)?;
                    body.record_moved(count);
                    left -= count;
                    turn += count;
                }
                Moved::Nothing => break,
                Moved::Gone => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
            if turn >= TURN {
                turn = 0;
                tokio::task::yield_now().await;
            }
        }
        Ok(left)
    }

    fn poll_splice(
        &mut self,
        pipe: &mut Splice,
        body: &mut Tracked,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Moved>> {
        if pipe.held() > 0 {
            let Some(to) = self.socket.tcp() else { return Poll::Ready(Ok(Moved::Nothing)) };
            let given = pipe.poll_drain(context, to);
            self.context.state.set_write_blocked(given.is_pending());
            return given.map_ok(|count| Moved::Out(count as u64));
        }
        let Some(mut source) = body.as_socket() else { return Poll::Ready(Ok(Moved::Nothing)) };
        let Some((from, left)) = source.socket() else { return Poll::Ready(Ok(Moved::Nothing)) };
        match pipe.poll_fill(context, from, left) {
            Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Ok(Moved::Nothing)),
            Poll::Ready(Ok(count)) => return Poll::Ready(Ok(Moved::In(count as u64))),
            Poll::Pending => {}
        }
        if source.as_mut().poll_silence(context).is_ready() {
            return Poll::Ready(Ok(Moved::Nothing));
        }
        match self.poll_client(context) {
            Poll::Ready(ClientEvent::Gone) => Poll::Ready(Ok(Moved::Gone)),
            // No content of the request is left: the upstream has all of it.
            Poll::Ready(ClientEvent::Content) | Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests;
