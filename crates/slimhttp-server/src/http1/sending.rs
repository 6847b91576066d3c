//! A response → the socket. Runs in the connection's task, and waits where the client takes no
//! more or the body has no more yet; meanwhile the client is watched, and its content read where
//! somebody asks for it. Dropping it breaks the response off.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body as _;
use slimhttp_http1::{Framing, SendError, Server};
use slimhttp_site::refusal::Refusal;

use crate::exchange::{Repeatable, Tracked};
use crate::http1::Http1;
use crate::http1::client::ClientEvent;
use crate::http1::close::page;
use crate::http1::date::date;
use crate::http1::response_cache::{self, CachedResponse, Key};
use crate::message::body::Extent;
use crate::message::error_page::CloseConnection;
use crate::net::stream::Stream;
use crate::net::time_slice::TimeSlice;

/// Content up to this size is copied behind its head, so that both go out in one piece.
const COALESCED: usize = 4 * 1024;

/// A stream is not polled while so many bytes wait to be sent.
const HIGH_WATER: usize = 64 * 1024;

thread_local! {
    static HEAD: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(2 * COALESCED));
}

/// What a request says of how its response is sent.
pub(super) struct Terms {
    pub(super) extent: Extent,
    /// Under which the response may be kept.
    pub(super) key: Option<Box<Key>>,
    /// Whether the client takes trailers (`TE`, RFC 9110 section 10.1.4).
    pub(super) takes_trailers: bool,
}

/// A response that could not be sent whole, as its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// Its end is missing.
    Visibly,
    /// It would take the end of the connection for that of the content.
    Silently,
    /// It is gone.
    Gone,
}

impl From<io::Error> for Broken {
    /// The socket's error.
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// A piece of a body, or its end.
enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
    /// The client has left.
    Gone,
    /// There is more to do, and others have their turns first.
    Yield,
}

impl<S: Stream> Http1<S> {
    /// Sends a response, and keeps it where it may be repeated.
    ///
    /// # Errors
    /// The socket's, or a body that broke off: then nothing more can be said.
    pub(super) async fn send(
        &mut self,
        response: &mut Response<Tracked>,
        terms: Terms,
    ) -> Result<(), Broken> {
        let Terms { extent, mut key, takes_trailers } = terms;
        let mut framing = None;
        let head = |context: &mut Context<'_>| {
            let framing = match framing {
                Some(framing) => framing,
                None => {
                    *framing.insert(self.begin_response(context, response, extent, key.take())?)
                }
            };
            match framing {
                Framing::None => self.poll_write_queue(context).map_ok(|()| framing),
                _ => Poll::Ready(Ok(framing)),
            }
        };
        match std::future::poll_fn(head).await? {
            Framing::None => Ok(()),
            // Boxed, so that a response that is in memory does not hold the room of it.
            framing => Box::pin(self.send_rest(response.body_mut(), framing, takes_trailers)).await,
        }
    }

    /// Sends the head, and the content where it is in memory; how what is left is framed.
    fn begin_response(
        &mut self,
        context: &mut Context<'_>,
        response: &mut Response<Tracked>,
        extent: Extent,
        key: Option<Box<Key>>,
    ) -> io::Result<Framing> {
        self.close_if_last(context, response);
        match (key, response.body().repeatable()) {
            (Some(key), Repeatable::For(time)) if self.engine.may_send_prepared() => {
                response_cache::keep(*key, time, response, length_of(response), extent);
            }
            (Some(key), Repeatable::ByHandler) => response_cache::note_handled(&key),
            _ => {}
        }
        self.send_head(context, response)
    }

    /// Sends a body that is not in memory.
    async fn send_rest(
        &mut self,
        body: &mut Tracked,
        framing: Framing,
        takes_trailers: bool,
    ) -> Result<(), Broken> {
        #[cfg(target_os = "linux")]
        let framing = self.send_file(body, framing).await?;
        match framing {
            Framing::None => Ok(()),
            framing => self.send_stream(body, framing, takes_trailers).await,
        }
    }

    /// Lets the response be the last one of its connection, where it is: the connection is to
    /// end, or the request is malformed or has content that nobody reads, which leaves no place
    /// for a further request (RFC 9112 section 9.3). It says so then.
    fn close_if_last(&mut self, context: &mut Context<'_>, response: &Response<Tracked>) {
        // After a 101 the connection is no longer HTTP.
        if response.status() != StatusCode::SWITCHING_PROTOCOLS
            && (self.is_to_end()
                || response.extensions().get::<CloseConnection>().is_some()
                || self.ends_with_content(context, response.body()))
        {
            self.engine.close();
        }
    }

    /// Sends a response that was sent before.
    pub(super) async fn send_cached(&mut self, cached: CachedResponse) -> io::Result<()> {
        let mut cached = Some(cached);
        std::future::poll_fn(|context| {
            if let Some(CachedResponse { head, content }) = cached.take() {
                HEAD.with_borrow_mut(|out| {
                    out.clear();
                    let framing =
                        self.engine.send_prepared(out, &head, &date()).map_err(io::Error::other)?;
                    self.send_whole(context, out, framing, content)
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
        response: &mut Response<Tracked>,
    ) -> io::Result<Framing> {
        HEAD.with_borrow_mut(|out| {
            out.clear();
            let (status, length) = (response.status(), length_of(response));
            let framing = match self.write_head(out, status, response.headers(), length) {
                Ok(framing) => framing,
                Err(error) => return self.send_internal_error(context, out, status, error),
            };
            let whole = match framing {
                Framing::None => Some(Bytes::new()),
                Framing::Length(length) => response.body_mut().take_whole(length),
                Framing::Chunked | Framing::UntilClose => None,
            };
            match whole {
                Some(whole) => {
                    self.send_whole(context, out, framing, whole)?;
                    Ok(Framing::None)
                }
                None => {
                    self.write_queue.push(Bytes::copy_from_slice(out));
                    Ok(framing)
                }
            }
        })
    }

    fn write_head(
        &mut self,
        out: &mut Vec<u8>,
        status: StatusCode,
        fields: &HeaderMap,
        length: Option<u64>,
    ) -> Result<Framing, SendError> {
        let response = slimhttp_http1::Response { status, fields, length, date: Some(&date()) };
        self.engine.send_response(out, &response)
    }

    /// In the place of a response that is none: whoever has made it is wrong.
    fn send_internal_error(
        &mut self,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
        status: StatusCode,
        error: SendError,
    ) -> io::Result<Framing> {
        tracing::error!("a response of the status {status} cannot be sent: {error}");
        self.engine.close();
        let (parts, page) = page(&Refusal::Internal, false);
        let framing = self
            .write_head(out, parts.status, &parts.headers, Some(page.len() as u64))
            .map_err(io::Error::other)?;
        self.send_whole(context, out, framing, page)?;
        Ok(Framing::None)
    }

    /// Gives a head and all of its content to the system, short ones in one piece.
    fn send_whole(
        &mut self,
        context: &mut Context<'_>,
        head: &mut Vec<u8>,
        framing: Framing,
        mut content: Bytes,
    ) -> io::Result<()> {
        match framing {
            Framing::None => content = Bytes::new(),
            Framing::Length(length) => {
                content.truncate(usize::try_from(length).unwrap_or(usize::MAX));
                self.engine.send_data(content.len() as u64).map_err(io::Error::other)?;
                self.engine.send_end(head, None).map_err(io::Error::other)?;
            }
            Framing::Chunked | Framing::UntilClose => {
                return Err(io::Error::other("a content in memory has a length"));
            }
        }
        if content.len() <= COALESCED {
            head.extend_from_slice(&content);
            content = Bytes::new();
        }
        self.write(context, head, content)
    }

    /// Gives a head and its content to the system; what it does not take waits.
    fn write(&mut self, context: &mut Context<'_>, head: &[u8], content: Bytes) -> io::Result<()> {
        if !self.write_queue.is_empty() {
            self.write_queue.push(Bytes::copy_from_slice(head));
            self.write_queue.push(content);
            return Ok(());
        }
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
        self.write_queue.set_unflushed();
        if written < head.len() {
            self.write_queue.push(Bytes::copy_from_slice(&head[written..]));
            self.write_queue.push(content);
        } else {
            self.write_queue.push(content.slice(written - head.len()..));
        }
        Ok(())
    }

    /// Sends a body piece by piece, as the client takes it.
    async fn send_stream(
        &mut self,
        body: &mut Tracked,
        framing: Framing,
        takes_trailers: bool,
    ) -> Result<(), Broken> {
        let mut left = match framing {
            Framing::Length(length) => Some(length),
            _ => None,
        };
        let mut slice = None;
        loop {
            if slice.as_ref().is_some_and(TimeSlice::is_over) {
                slice = None;
                self.yield_to_others().await?;
            }
            #[cfg(target_os = "linux")]
            if let Some(rest) = left.filter(|rest| self.may_splice(body, *rest)) {
                left = Some(self.splice(body, rest).await?);
                if left == Some(0) {
                    return self.send_end(None).await;
                }
            }
            if self.write_queue.len() >= HIGH_WATER {
                self.send_queue().await?;
            }
            let piece = std::future::poll_fn(|context| {
                let begun = slice.get_or_insert_with(TimeSlice::begin);
                let piece = self.poll_piece(body, begun, context);
                if piece.is_pending() {
                    // Who waits takes no time.
                    slice = None;
                }
                piece
            });
            let piece = piece.await;
            let trailers = match piece {
                Ok(Piece::Data(data)) => {
                    self.push_piece(data, &mut left)?;
                    if left != Some(0) {
                        continue;
                    }
                    None
                }
                Ok(Piece::Trailers(trailers)) if left.is_none() => {
                    Some(trailers).filter(|_| takes_trailers)
                }
                Ok(Piece::End) if left.is_none() => None,
                Ok(Piece::Gone) => return Err(Broken::Gone),
                Ok(Piece::Yield) => continue,
                // Fewer bytes than were promised among them: all that is left is to break off.
                Ok(Piece::Trailers(_) | Piece::End) | Err(_) => {
                    // What there was is sent: who got nothing at all of an answer may
                    // ask once more (RFC 9112 section 9.3.1).
                    self.send_queue().await?;
                    return Err(match framing {
                        Framing::UntilClose => Broken::Silently,
                        _ => Broken::Visibly,
                    });
                }
            };
            return self.send_end(trailers).await;
        }
    }

    /// Gives others of this thread their turns in the midst of a body that has always more: before
    /// that, what waits is sent, and the client has its own turn.
    async fn yield_to_others(&mut self) -> Result<(), Broken> {
        let client = std::future::poll_fn(|context| Poll::Ready(self.poll_client(context))).await;
        if let Poll::Ready(ClientEvent::Gone) = client {
            return Err(Broken::Gone);
        }
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Ends a body, all of which is in the queue, and sends what waits.
    async fn send_end(&mut self, trailers: Option<HeaderMap>) -> Result<(), Broken> {
        self.queue(|engine, out| engine.send_end(out, trailers.as_ref()))?;
        Ok(self.send_queue().await?)
    }

    /// The next piece of a body. While there is none, what waits is sent, and the client has its
    /// turn.
    fn poll_piece(
        &mut self,
        body: &mut Tracked,
        slice: &TimeSlice,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Piece>> {
        loop {
            match Pin::new(&mut *body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    return Poll::Ready(Ok(match frame.into_data() {
                        Ok(data) => Piece::Data(data),
                        Err(frame) => frame.into_trailers().map_or(Piece::End, Piece::Trailers),
                    }));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(io::Error::other(error))),
                Poll::Ready(None) => return Poll::Ready(Ok(Piece::End)),
                Poll::Pending => {}
            }
            match ready!(self.poll_client(context)) {
                ClientEvent::Gone => return Poll::Ready(Ok(Piece::Gone)),
                ClientEvent::Content if slice.is_over() => return Poll::Ready(Ok(Piece::Yield)),
                ClientEvent::Content => {}
            }
        }
    }

    /// Puts a piece behind what waits, in its frame. More than was promised is not sent.
    fn push_piece(&mut self, mut data: Bytes, left: &mut Option<u64>) -> io::Result<()> {
        if let Some(left) = left {
            data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= data.len() as u64;
        }
        if data.is_empty() {
            return Ok(());
        }
        let frame = self.engine.send_data(data.len() as u64).map_err(io::Error::other)?;
        self.write_queue.push_short(frame.before());
        self.write_queue.push(data);
        self.write_queue.push_short(frame.behind());
        Ok(())
    }

    /// Sends the interim responses that the exchange has given.
    pub(super) fn send_interims(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        for (status, fields) in self.context.state.take_interims() {
            self.send_interim(context, status, &fields)?;
        }
        Ok(())
    }

    /// Sends an interim response (RFC 9110 section 15.2), if one may be sent now.
    pub(super) fn send_interim(
        &mut self,
        context: &mut Context<'_>,
        status: StatusCode,
        fields: &HeaderMap,
    ) -> io::Result<()> {
        let queued = self.queue(|engine, out| engine.send_interim(out, status, fields));
        if let Err(error) = queued {
            tracing::debug!("an interim response of the status {status} is not sent: {error}");
        }
        self.send_now(context)
    }

    /// Sends a byte early with which anything begins that may be sent next, if there is one: a
    /// client that has gone answers it with a reset.
    pub(super) fn send_probe(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.queue(|engine, out| {
            engine.send_probe(out);
            Ok(())
        })?;
        self.send_now(context)
    }

    /// Puts what the engine writes behind what waits.
    fn queue(
        &mut self,
        write: impl FnOnce(&mut Server, &mut Vec<u8>) -> Result<(), SendError>,
    ) -> io::Result<()> {
        HEAD.with_borrow_mut(|out| {
            out.clear();
            write(&mut self.engine, out).map_err(io::Error::other)?;
            self.write_queue.push(Bytes::copy_from_slice(out));
            Ok(())
        })
    }

    /// Sends what waits, as far as the client takes it now.
    fn send_now(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.poll_write_queue(context) {
            Poll::Ready(sent) => sent,
            Poll::Pending => Ok(()),
        }
    }

    async fn send_queue(&mut self) -> io::Result<()> {
        std::future::poll_fn(|context| self.poll_write_queue(context)).await
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

/// How long the content is, where that is known: as the response itself announces it, else as its
/// body says.
fn length_of(response: &Response<Tracked>) -> Option<u64> {
    let announced = response.headers().get(CONTENT_LENGTH);
    let announced = announced.and_then(|value| value.to_str().ok()?.parse().ok());
    // A 304 may say what a 200 would (RFC 9110 section 8.6), and it alone knows.
    announced.or_else(|| response.body().size_hint().exact().filter(|_| response.status() != 304))
}
