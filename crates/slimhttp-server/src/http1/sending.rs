//! A response → the socket. Runs in the connection's task, and waits where the client takes no
//! more or the body has no more yet; meanwhile the client is watched. Dropping it breaks the
//! response off.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::response::Parts;
use http_body::Body as _;

use crate::exchange::Tracked;
use crate::http1::Http1;
use crate::http1::response::{self, Framed, Persistence};
use crate::http1::response_cache::{self, CachedResponse, Key, MAX_CONTENT};
use crate::message::body::Extent;
use crate::net::stream::Stream;

/// Content up to this size is copied behind its head, so that both go out in one piece.
const COALESCED: usize = 4 * 1024;

/// A stream is not polled while so many bytes wait to be sent.
const HIGH_WATER: usize = 64 * 1024;

thread_local! {
    static HEAD: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(2 * COALESCED));
}

/// A piece of a body, or its end.
enum Piece {
    Data(Bytes),
    End,
    /// The client has left.
    Disconnected,
}

impl<S: Stream> Http1<S> {
    /// Sends a response, and keeps it under `key` where it may be repeated. Returns whether
    /// another request may follow.
    ///
    /// # Errors
    /// The socket's, or a body that broke off: then nothing more can be said.
    pub(super) async fn send(
        &mut self,
        response: Response<Tracked>,
        extent: Extent,
        persistence: Persistence,
        key: Option<Key>,
    ) -> io::Result<Persistence> {
        let (parts, mut body) = response.into_parts();
        let persistence = if response::closes(&parts) { Persistence::Close } else { persistence };
        if persistence == Persistence::KeepAlive
            && let (Some(key), Some(time)) = (key, body.cacheable_for())
        {
            cache(key, time, &parts, &body, extent);
        }
        let mut parts = Some(parts);
        let mut framed = Framed::Nothing;
        std::future::poll_fn(|context| {
            if let Some(parts) = parts.take() {
                framed = self.send_head(context, &parts, &mut body, extent, persistence)?;
            }
            if framed == Framed::Nothing {
                self.poll_write_queue(context)
            } else {
                Poll::Ready(Ok(()))
            }
        })
        .await?;
        if framed == Framed::Nothing {
            return Ok(persistence);
        }
        #[cfg(target_os = "linux")]
        if self.send_file(&mut body, framed).await? {
            return Ok(persistence);
        }
        self.send_stream(&mut body, framed).await?;
        Ok(persistence)
    }

    /// Sends a response that was sent before.
    pub(super) async fn send_cached(&mut self, cached: CachedResponse) -> io::Result<()> {
        let mut cached = Some(cached);
        std::future::poll_fn(|context| {
            if let Some(CachedResponse { head, content }) = cached.take() {
                HEAD.with_borrow_mut(|out| {
                    out.clear();
                    out.extend_from_slice(&head);
                    response::end_head(out);
                    self.write_coalesced(context, out, content)
                })?;
            }
            self.poll_write_queue(context)
        })
        .await
    }

    /// Sends the head, and the content where it is in memory; what the client
    /// does not take at once waits. Returns how what is left is framed.
    fn send_head(
        &mut self,
        context: &mut Context<'_>,
        parts: &Parts,
        body: &mut Tracked,
        extent: Extent,
        persistence: Persistence,
    ) -> io::Result<Framed> {
        HEAD.with_borrow_mut(|head| {
            head.clear();
            let framed = response::write_head(head, parts, &body.size_hint(), extent, persistence);
            let Framed::Length(length) = framed else {
                if framed == Framed::Nothing {
                    self.write(context, head, Bytes::new())?;
                } else {
                    self.write_queue.push(Bytes::copy_from_slice(head));
                }
                return Ok(framed);
            };
            let Some(mut whole) = body.take_whole().filter(|whole| whole.len() as u64 >= length)
            else {
                self.write_queue.push(Bytes::copy_from_slice(head));
                return Ok(framed);
            };
            whole.truncate(usize::try_from(length).unwrap_or(usize::MAX));
            self.write_coalesced(context, head, whole)?;
            Ok(Framed::Nothing)
        })
    }

    /// Gives a head and its content to the system, short ones in one piece.
    fn write_coalesced(
        &mut self,
        context: &mut Context<'_>,
        head: &mut Vec<u8>,
        mut content: Bytes,
    ) -> io::Result<()> {
        if content.len() <= COALESCED {
            head.extend_from_slice(&content);
            content = Bytes::new();
        }
        self.write(context, head, content)
    }

    /// Gives a head and its content to the system; what it does not take waits.
    fn write(&mut self, context: &mut Context<'_>, head: &[u8], content: Bytes) -> io::Result<()> {
        let socket = Pin::new(&mut self.socket);
        let written = if content.is_empty() {
            socket.poll_write(context, head)
        } else {
            socket.poll_write_vectored(context, &[IoSlice::new(head), IoSlice::new(&content)])
        };
        let written = match written {
            Poll::Ready(written) => written?,
            Poll::Pending => 0,
        };
        if written < head.len() {
            self.write_queue.push(Bytes::copy_from_slice(&head[written..]));
            self.write_queue.push(content);
        } else {
            self.write_queue.push(content.slice(written - head.len()..));
        }
        Ok(())
    }

    /// Sends a body piece by piece, as the client takes it.
    async fn send_stream(&mut self, body: &mut Tracked, mut framed: Framed) -> io::Result<()> {
        loop {
            if self.write_queue.len() >= HIGH_WATER {
                std::future::poll_fn(|context| self.poll_write_queue(context)).await?;
            }
            let broken = match std::future::poll_fn(|context| self.poll_piece(body, context)).await
            {
                Ok(Piece::Data(data)) => {
                    self.push_piece(data, &mut framed);
                    None
                }
                Ok(Piece::End) if framed == Framed::Chunked => {
                    self.write_queue.push(Bytes::from_static(b"0\r\n\r\n"));
                    framed = Framed::Nothing;
                    None
                }
                // Fewer bytes than were promised: all that is left is to break off.
                Ok(Piece::End) => Some(io::ErrorKind::UnexpectedEof.into()),
                Ok(Piece::Disconnected) => return Err(io::ErrorKind::ConnectionAborted.into()),
                Err(error) => Some(error),
            };
            if let Some(error) = broken {
                // What there was is sent: who got nothing at all of an answer may
                // ask once more (RFC 9112 section 9.3.1).
                std::future::poll_fn(|context| self.poll_write_queue(context)).await?;
                return Err(error);
            }
            if framed == Framed::Nothing {
                return std::future::poll_fn(|context| self.poll_write_queue(context)).await;
            }
        }
    }

    /// The next piece of a body. While there is none, what waits is sent, and the
    /// client is watched.
    fn poll_piece(
        &mut self,
        body: &mut Tracked,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Piece>> {
        match Pin::new(body).poll_frame(context) {
            // Trailers are left out: no request has said that it takes them.
            Poll::Ready(Some(Ok(frame))) => {
                Poll::Ready(Ok(Piece::Data(frame.into_data().unwrap_or_default())))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(io::Error::other(error))),
            Poll::Ready(None) => Poll::Ready(Ok(Piece::End)),
            Poll::Pending => {
                if !self.write_queue.is_empty()
                    && let Poll::Ready(sent) = self.poll_write_queue(context)
                {
                    sent?;
                }
                self.poll_disconnect(context).map(|()| Ok(Piece::Disconnected))
            }
        }
    }

    /// Puts a piece behind what waits, in its frame. More than was promised is
    /// not sent.
    fn push_piece(&mut self, mut data: Bytes, framed: &mut Framed) {
        match framed {
            Framed::Length(left) => {
                data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= data.len() as u64;
                if *left == 0 {
                    *framed = Framed::Nothing;
                }
                self.write_queue.push(data);
            }
            // An empty chunk would be the last one.
            Framed::Chunked if !data.is_empty() => {
                self.write_queue.push(format!("{:x}\r\n", data.len()).into());
                self.write_queue.push(data);
                self.write_queue.push(Bytes::from_static(b"\r\n"));
            }
            _ => {}
        }
    }
}

/// Keeps a response to be repeated, if it is whole and short.
fn cache(key: Key, time: Duration, parts: &Parts, body: &Tracked, extent: Extent) {
    let Some(content) = body.whole().filter(|whole| whole.len() <= MAX_CONTENT) else { return };
    let mut head = Vec::new();
    let hint = body.size_hint();
    let content =
        match response::write_fields(&mut head, parts, &hint, extent, Persistence::KeepAlive) {
            Framed::Nothing => Bytes::new(),
            Framed::Length(length) if length == content.len() as u64 => content,
            _ => return,
        };
    response_cache::put(key, time, CachedResponse { head: head.into(), content });
}
