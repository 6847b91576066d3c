//! The body of an upstream's response on its way to the client: received as the client takes it,
//! on the I/O thread of both, with what is left of the request on its way in the other direction.
//! Of each direction no more is held than one read brings. Dropping it before its end closes the
//! upstream's connection.
//!
//! Large content may be moved from socket to socket without being read here ([`SocketBody`]), as
//! long as the next bytes of the connection are content and nothing else.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use slimhttp_site::forward;
use tokio::net::TcpStream;

use crate::message::body::{BodyError, SocketBody};
use crate::upstream::connection::{Piece, UpstreamConnection};
use crate::upstream::error::{Progress, UpstreamError};
use crate::upstream::group::UpstreamPermit;
use crate::upstream::pool;
use crate::upstream::send::{Terms, Upload};
use crate::upstream::socket::UpstreamSocket;

/// A response's body as it arrives.
pub(crate) struct UpstreamBody {
    /// `None` once all has been received.
    connection: Option<Box<UpstreamConnection>>,
    /// What is left of the request, unless all of it was sent before the response.
    upload: Option<Box<Upload>>,
    /// Content that was received already.
    ready: Bytes,
    /// How many bytes are to be taken, those that are ready included; `None` where only the end
    /// will tell.
    left: Option<u64>,
    /// Those that came with the end.
    trailers: HeaderMap,
    terms: Terms,
    permit: Option<UpstreamPermit>,
}

impl UpstreamBody {
    /// One that comes in, of which `ready` was received already.
    pub(super) fn new(
        connection: Box<UpstreamConnection>,
        upload: Option<Box<Upload>>,
        ready: Bytes,
        left: Option<u64>,
        terms: Terms,
    ) -> Box<Self> {
        let (connection, trailers) = (Some(connection), HeaderMap::new());
        Box::new(Self { connection, upload, ready, left, trailers, terms, permit: None })
    }

    /// One that was received to its end.
    pub(super) fn ended(ready: Bytes, trailers: HeaderMap, terms: Terms) -> Box<Self> {
        let trailers = forward::trailers(trailers);
        let (connection, upload, left) = (None, None, None);
        Box::new(Self { connection, upload, ready, left, trailers, terms, permit: None })
    }

    /// Whether all of it was received.
    #[cfg(test)]
    pub(super) fn has_ended(&self) -> bool {
        self.connection.is_none()
    }

    /// Holds the request's permit until all has been received, or is given up.
    pub(crate) fn hold(&mut self, permit: UpstreamPermit) {
        self.permit = self.connection.is_some().then_some(permit);
    }

    /// The next piece, or the trailers, or the end.
    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, UpstreamError>> {
        if !self.ready.is_empty() {
            return Poll::Ready(Ok(Some(self.take_ready())));
        }
        if let (Some(connection), Some(upload)) = (&mut self.connection, &mut self.upload) {
            // Where the client has paused for too long, or has broken off, what it is answered
            // already goes on all the same. As the request was not sent whole, none follows it on
            // this connection.
            let is_over = upload.proceed(connection, context).is_err();
            if is_over || upload.is_complete() {
                // From here on the socket may be read elsewhere.
                self.upload = None;
            }
        }
        let limits = self.terms.limits;
        loop {
            let Some(connection) = &mut self.connection else {
                let trailers = std::mem::take(&mut self.trailers);
                return Poll::Ready(Ok((!trailers.is_empty()).then(|| Frame::trailers(trailers))));
            };
            match connection.read_piece().map_err(|fault| UpstreamError::invalid(&fault, limits))? {
                Piece::Data(data) => {
                    self.ready = data;
                    let frame = self.take_ready();
                    self.read_on();
                    return Poll::Ready(Ok(Some(frame)));
                }
                Piece::End(trailers) => self.finish(trailers),
                Piece::Incomplete => ready!(self.poll_receive(context))?,
            }
        }
    }

    fn take_ready(&mut self) -> Frame<Bytes> {
        let data = std::mem::take(&mut self.ready);
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(data.len() as u64);
        }
        Frame::data(data)
    }

    /// Reads what was received with the last piece, so that the connection is given back before
    /// the client has taken that. What is wrong with it is found again by the next poll.
    fn read_on(&mut self) {
        match self.connection.as_mut().map(|connection| connection.read_piece()) {
            Some(Ok(Piece::Data(data))) => self.ready = data,
            Some(Ok(Piece::End(trailers))) => self.finish(trailers),
            _ => {}
        }
    }

    /// All has been received.
    fn finish(&mut self, trailers: HeaderMap) {
        self.trailers = forward::trailers(trailers);
        let is_sent = self.upload.take().is_none_or(|upload| upload.is_complete());
        if let Some(connection) = self.connection.take()
            && is_sent
        {
            pool::give_back(connection, self.terms.idling);
        }
        self.permit = None;
    }

    /// Receives more, or the end of what the end of the connection ends.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        let Self { connection: Some(connection), upload, terms, .. } = self else {
            return Poll::Ready(Ok(()));
        };
        let Poll::Ready(received) = connection.poll_receive(context) else {
            return match upload {
                Some(upload) => upload.poll_silence(connection, terms.silence, context),
                None => connection.poll_silence(terms.silence, context),
            };
        };
        match received {
            Err(error) => Poll::Ready(Err(UpstreamError::broken(&error, Progress::Unknown))),
            Ok(0) if connection.end().is_ok_and(|is_whole| is_whole) => {
                self.finish(HeaderMap::new());
                Poll::Ready(Ok(()))
            }
            Ok(0) => Poll::Ready(Err(UpstreamError::closed(Progress::Unknown))),
            Ok(_) => Poll::Ready(Ok(())),
        }
    }

    /// Closes the connection, and says what has failed to whoever takes the body.
    fn fail(&mut self, error: &UpstreamError) -> BodyError {
        let upstream = self.connection.take().and_then(|connection| connection.place.name());
        self.upload = None;
        self.permit = None;
        format!("upstream {}: {error}", upstream.unwrap_or_default()).into()
    }
}

impl HttpBody for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let next = ready!(self.poll_next(context));
        Poll::Ready(next.map_err(|error| self.fail(&error)).transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.connection.is_none() && self.ready.is_empty() && self.trailers.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map(SizeHint::with_exact).unwrap_or_default()
    }
}

impl SocketBody for UpstreamBody {
    fn socket(&self) -> Option<(&TcpStream, u64)> {
        let connection = self.connection.as_deref()?;
        let is_bare =
            self.ready.is_empty() && self.upload.is_none() && connection.unread.is_empty();
        let left = connection.client.content_left().filter(|left| is_bare && *left > 0)?;
        match &connection.socket {
            UpstreamSocket::Plain(socket) => Some((socket, left)),
            _ => None,
        }
    }

    fn advance(mut self: Pin<&mut Self>, count: u64) {
        let Self { connection: Some(connection), left, .. } = &mut *self else { return };
        connection.client.skip_content(count);
        connection.silence.end();
        if let Some(left) = left {
            *left = left.saturating_sub(count);
        }
        // The end needs no more bytes.
        if connection.client.content_left() == Some(0) {
            self.read_on();
        }
    }

    fn poll_silence(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let limit = self.terms.silence;
        match &mut self.connection {
            Some(connection) => connection.poll_silence(limit, context).map(|_| ()),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests;
