//! A response → the socket.

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
use crate::http1::response::{self, Framed};
use crate::http1::response_cache::{self, CachedResponse, Key, LONGEST};
use crate::net::stream::Stream;

/// A head and the content behind it go out in one piece up to this size.
const TOGETHER: usize = 4 * 1024;

/// No more is asked of a stream while so many bytes wait to be sent.
const ENOUGH: usize = 64 * 1024;

thread_local! {
    static HEAD: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(2 * TOGETHER));
}

/// A piece of a body, or its end.
enum Piece {
    Data(Bytes),
    End,
    /// The client has left.
    Left,
}

impl<S: Stream> Http1<S> {
    /// Sends a response; whether another request may follow.
    ///
    /// # Errors
    /// The socket's, or a body that broke off: then nothing more can be said.
    pub(super) async fn send(
        &mut self,
        response: Response<Tracked>,
        is_head: bool,
        close: bool,
        key: Option<Key>,
    ) -> io::Result<bool> {
        let (parts, mut body) = response.into_parts();
        let close = close || response::closes(&parts);
        if let (Some(key), Some(span), false) = (key, body.cacheable_for(), close) {
            keep(key, span, &parts, &body, is_head);
        }
        let mut parts = Some(parts);
        let mut framed = Framed::Nothing;
        std::future::poll_fn(|context| {
            if let Some(parts) = parts.take() {
                framed = self.begin(context, &parts, &mut body, is_head, close)?;
            }
            if framed == Framed::Nothing {
                self.poll_write_queue(context)
            } else {
                Poll::Ready(Ok(()))
            }
        })
        .await?;
        if framed == Framed::Nothing {
            return Ok(!close);
        }
        #[cfg(target_os = "linux")]
        if self.send_file(&mut body, framed).await? {
            return Ok(!close);
        }
        self.send_stream(&mut body, framed).await?;
        Ok(!close)
    }

    /// Sends an answer that was given before.
    pub(super) async fn send_ready(&mut self, ready: CachedResponse) -> io::Result<()> {
        let mut ready = Some(ready);
        std::future::poll_fn(|context| {
            if let Some(CachedResponse { head, content }) = ready.take() {
                HEAD.with_borrow_mut(|out| {
                    out.clear();
                    out.extend_from_slice(&head);
                    response::end_head(out);
                    self.write_together(context, out, content)
                })?;
            }
            self.poll_write_queue(context)
        })
        .await
    }

    /// Sends the head, and the content where it is in memory; what the client
    /// does not take at once waits. Returns how what is left is framed.
    fn begin(
        &mut self,
        context: &mut Context<'_>,
        parts: &Parts,
        body: &mut Tracked,
        is_head: bool,
        close: bool,
    ) -> io::Result<Framed> {
        HEAD.with_borrow_mut(|head| {
            head.clear();
            let framed = response::write_head(head, parts, &body.size_hint(), is_head, close);
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
            self.write_together(context, head, whole)?;
            Ok(Framed::Nothing)
        })
    }

    /// Gives a head and its content to the system, short ones in one piece.
    fn write_together(
        &mut self,
        context: &mut Context<'_>,
        head: &mut Vec<u8>,
        mut content: Bytes,
    ) -> io::Result<()> {
        if content.len() <= TOGETHER {
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
            if self.write_queue.len() >= ENOUGH {
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
                Ok(Piece::Left) => return Err(io::ErrorKind::ConnectionAborted.into()),
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
            // Trailers are left out: nobody has asked for them.
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
                self.poll_leaving(context).map(|()| Ok(Piece::Left))
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

/// Keeps an answer ready, if it is whole and short.
fn keep(key: Key, span: Duration, parts: &Parts, body: &Tracked, is_head: bool) {
    let Some(content) = body.whole().filter(|whole| whole.len() <= LONGEST) else { return };
    let mut head = Vec::new();
    match response::write_fields(&mut head, parts, &body.size_hint(), is_head, false) {
        Framed::Nothing => response_cache::put(
            key,
            span,
            CachedResponse { head: head.into(), content: Bytes::new() },
        ),
        Framed::Length(length) if length == content.len() as u64 => {
            response_cache::put(key, span, CachedResponse { head: head.into(), content });
        }
        _ => {}
    }
}
