//! A request on a connection, and the response as far as its head, or all of it where it is
//! there at once.
//!
//! Both directions are served in one poll, so that an upstream may answer while content is still
//! on its way to it. Runs within the request's exchange, on its I/O thread; dropping the future
//! ends the exchange, and closes the connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::response::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use slimhttp_http1::{
    Client, Fault, Framing, Limits, Received, Request, ResponseEvent, Scratch, SendError,
};
use slimhttp_site::forward;
use slimhttp_site::refusal::Refusal;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use crate::net::read_buffer;
use crate::upstream::connection::{UpstreamConnection, with_scratch};
use crate::upstream::error::{Progress, UpstreamError, UpstreamFault};
use crate::upstream::pool::{self, Idling};
use crate::upstream::request_body::ForwardedBody;
use crate::upstream::response_body::UpstreamBody;
use crate::upstream::send_queue::SendQueue;
use crate::upstream::socket::UpstreamSocket;
use crate::upstream::upgrade::UpstreamUpgrade;

/// Pieces of content that are sent in one poll.
const PIECES_PER_POLL: usize = 16;

/// What upstreams may take, and how their connections are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Of heads of responses.
    pub(crate) limits: Limits,
    /// How long nothing may move.
    pub(crate) silence: Duration,
    pub(crate) idling: Idling,
}

/// A request as an upstream gets it, but for its content.
#[derive(Clone, Copy)]
pub(crate) struct UpstreamRequest<'r> {
    pub(crate) method: &'r Method,
    /// As it is to be sent.
    pub(crate) target: &'r str,
    pub(crate) fields: &'r HeaderMap,
    /// What becomes of interim responses, but for 100, which is about the hop. Called while the
    /// thread's read buffer is lent.
    pub(crate) on_interim: &'r (dyn Fn(Parts) + Sync),
}

/// What a response has behind its head.
pub(crate) enum UpstreamContent {
    /// Nothing.
    Empty,
    /// Content of the length that the head has said, all of which is there.
    Whole(Bytes),
    /// Content that comes in, or whose length the head has not said.
    Streamed(Box<UpstreamBody>),
    /// A connection that is not HTTP any more: the status is 101.
    Switched(UpstreamUpgrade),
}

/// Sends a request, and returns the response as soon as its head is there. The connection goes
/// back to the pool when the exchange is complete.
///
/// # Errors
/// [`UpstreamError`]: the connection ended before the head was complete, the upstream was silent,
/// or sent what is no response. Where the client is to blame, `body` knows.
pub(crate) async fn send(
    mut connection: Box<UpstreamConnection>,
    request: UpstreamRequest<'_>,
    body: &mut ForwardedBody,
    terms: Terms,
) -> Result<Response<UpstreamContent>, UpstreamError> {
    connection.client.set_limits(terms.limits);
    let mut sending = Sending::begin(&mut connection, &request, body)?;
    let mut has_received = false;
    let begun = std::future::poll_fn(|context| {
        sending.proceed(&mut connection, body, context)?;
        let begun = poll_head(&mut connection, &request, terms.limits, &mut has_received, context);
        if begun.is_pending() {
            ready!(sending.poll_silence(&mut connection, terms.silence, context))?;
        }
        begun
    });
    let Begun { parts, content } = begun.await?;
    let content = match content {
        Content::Switched => UpstreamContent::Switched(UpstreamUpgrade(connection)),
        Content::Coming { ready, left } => {
            let upload = (!sending.is_complete()).then(|| sending.upload(body));
            UpstreamContent::Streamed(UpstreamBody::new(connection, upload, ready, left, terms))
        }
        Content::Empty | Content::Whole(_) | Content::Ended { .. } => {
            let stays = connection.set_announced(&parts, matches!(content, Content::Empty));
            if stays && sending.is_complete() {
                pool::give_back(connection, terms.idling);
            }
            match content {
                Content::Whole(bytes) => UpstreamContent::Whole(bytes),
                Content::Ended { bytes, trailers } => {
                    UpstreamContent::Streamed(UpstreamBody::ended(bytes, *trailers, terms))
                }
                _ => UpstreamContent::Empty,
            }
        }
    };
    Ok(Response::from_parts(parts, content))
}

/// A response whose head is there.
struct Begun {
    parts: Parts,
    content: Content,
}

/// What came with the head.
enum Content {
    /// There is none.
    Empty,
    /// What follows is not HTTP.
    Switched,
    /// All of it, as long as the head says.
    Whole(Bytes),
    /// All of it, whose length the head does not say.
    Ended { bytes: Bytes, trailers: Box<HeaderMap> },
    /// Its beginning, and how much is left, where that is known.
    Coming { ready: Bytes, left: Option<u64> },
}

/// Receives until the head is complete.
fn poll_head(
    connection: &mut UpstreamConnection,
    request: &UpstreamRequest<'_>,
    limits: Limits,
    has_received: &mut bool,
    context: &mut Context<'_>,
) -> Poll<Result<Begun, UpstreamError>> {
    read_buffer::with(|buffer| {
        loop {
            let mut buffer = ReadBuf::new(buffer);
            let read = ready!(Pin::new(&mut connection.socket).poll_read(context, &mut buffer));
            let progress = match has_received {
                true => Progress::Unknown,
                false => Progress::Unanswered,
            };
            if let Err(error) = read {
                return Poll::Ready(Err(UpstreamError::broken(&error, progress)));
            }
            if buffer.filled().is_empty() {
                return Poll::Ready(Err(UpstreamError::closed(progress)));
            }
            *has_received = true;
            connection.silence.end();
            let begun = receive_head(connection, request, buffer.filled());
            match begun.map_err(|fault| UpstreamError::invalid(&fault, limits)) {
                Ok(None) => {}
                Ok(Some(begun)) => return Poll::Ready(Ok(begun)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    })
}

/// Reads what has been received now; what is not read stays with the connection.
fn receive_head(
    connection: &mut UpstreamConnection,
    request: &UpstreamRequest<'_>,
    received: &[u8],
) -> Result<Option<Begun>, Fault> {
    let UpstreamConnection { client, unread, .. } = connection;
    with_scratch(|scratch| {
        if unread.is_empty() {
            let (read, begun) = read_head(client, request, received, scratch)?;
            unread.extend_from_slice(&received[read..]);
            return Ok(begun);
        }
        unread.extend_from_slice(received);
        let (read, begun) = read_head(client, request, unread, scratch)?;
        unread.advance(read);
        Ok(begun)
    })
}

/// Reads interim responses and a head, and returns how many bytes these are.
fn read_head(
    client: &mut Client,
    request: &UpstreamRequest<'_>,
    bytes: &[u8],
    scratch: &mut Scratch,
) -> Result<(usize, Option<Begun>), Fault> {
    let mut read = 0;
    loop {
        let Received { consumed, event } = client.read(&bytes[read..], scratch)?;
        read += consumed;
        let (parts, framing) = match event {
            ResponseEvent::Incomplete => return Ok((read, None)),
            ResponseEvent::Interim(head) => {
                if head.status() != StatusCode::CONTINUE {
                    (request.on_interim)(head.to_parts()?);
                }
                continue;
            }
            ResponseEvent::Head(head) => (head.to_parts()?, head.framing()),
            ResponseEvent::Data(_) | ResponseEvent::End(_) | ResponseEvent::Switched => {
                return Err(Fault::Unsolicited);
            }
        };
        let rest = &bytes[read..];
        let content = match framing {
            Framing::None if parts.status == StatusCode::SWITCHING_PROTOCOLS => Content::Switched,
            Framing::None => Content::Empty,
            Framing::Length(length) if length > rest.len() as u64 => {
                Content::Coming { ready: Bytes::new(), left: Some(length) }
            }
            Framing::UntilClose => Content::Coming { ready: Bytes::new(), left: None },
            Framing::Length(_) | Framing::Chunked => {
                let (taken, content) = read_content(client, rest, scratch, framing)?;
                read += taken;
                content
            }
        };
        return Ok((read, Some(Begun { parts, content })));
    }
}

/// Reads as much of the content as there is behind the head, and returns how many bytes that is.
fn read_content(
    client: &mut Client,
    bytes: &[u8],
    scratch: &mut Scratch,
    framing: Framing,
) -> Result<(usize, Content), Fault> {
    let length = match framing {
        Framing::Length(length) => usize::try_from(length).unwrap_or(usize::MAX),
        _ => bytes.len(),
    };
    let mut content = Vec::with_capacity(length.min(bytes.len()));
    let mut read = 0;
    let trailers = loop {
        // What is wrong behind the head breaks its content off, whoever reads that: the engine
        // says the same again.
        let Ok(Received { consumed, event }) = client.read(&bytes[read..], scratch) else {
            break None;
        };
        read += consumed;
        match event {
            ResponseEvent::Data(data) => content.extend_from_slice(data),
            ResponseEvent::End(trailers) => break Some(trailers.to_map()?),
            _ => break None,
        }
    };
    let bytes = Bytes::from(content);
    let content = match (trailers, framing) {
        (Some(_), Framing::Length(_)) => Content::Whole(bytes),
        (Some(trailers), _) => Content::Ended { bytes, trailers: Box::new(trailers) },
        (None, _) => Content::Coming { ready: bytes, left: None },
    };
    Ok((read, content))
}

/// The sending of one request.
pub(super) struct Sending {
    queue: SendQueue,
    step: Step,
    /// Content that is not queued yet, where its length is known.
    left: Option<u64>,
}

/// What is left of a request that is sent beside its response.
pub(super) struct Upload {
    sending: Sending,
    body: ForwardedBody,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// More of its content.
    Content,
    /// All of it is queued.
    Flush,
    /// All of it is written.
    Complete,
    /// The upstream takes no more of it.
    Failed,
}

/// Why no more of a request is sent.
enum SendFault {
    /// The client's doing.
    Client,
    /// The socket's.
    Upstream(io::Error),
}

impl Sending {
    fn begin(
        connection: &mut UpstreamConnection,
        request: &UpstreamRequest<'_>,
        body: &mut ForwardedBody,
    ) -> Result<Self, UpstreamError> {
        let UpstreamRequest { method, target, fields, .. } = *request;
        let framing = body.framing();
        let head = Request { method, target, fields, framing };
        let queue = SendQueue::begin(|out| connection.client.send_request(out, &head));
        let queue = queue.map_err(|error| {
            // No upstream is to blame, nor would another one take it.
            body.refuse(Refusal::BadRequest("a request that cannot be sent on"));
            let cause = format!("the request cannot be sent: {error}");
            UpstreamError::new(UpstreamFault::Failed, Progress::Unknown, cause)
        })?;
        let (step, left) = match framing {
            Framing::None => (Step::Flush, None),
            Framing::Length(length) => (Step::Content, Some(length)),
            Framing::Chunked | Framing::UntilClose => (Step::Content, None),
        };
        Ok(Self { queue, step, left })
    }

    fn is_complete(&self) -> bool {
        self.step == Step::Complete
    }

    /// With what is left of the content; `body` is empty from then on.
    fn upload(self, body: &mut ForwardedBody) -> Box<Upload> {
        Box::new(Upload { sending: self, body: body.take() })
    }

    /// Sends what can be sent now. That the upstream takes no more is no error once it has had
    /// some: it may answer all the same (RFC 9112 section 9.3.1).
    fn proceed(
        &mut self,
        connection: &mut UpstreamConnection,
        body: &mut ForwardedBody,
        context: &mut Context<'_>,
    ) -> Result<(), UpstreamError> {
        let error = match self.poll(connection, body, context) {
            Poll::Pending | Poll::Ready(Ok(())) => return Ok(()),
            Poll::Ready(Err(SendFault::Client)) => {
                let cause = "the content of the request broke off";
                return Err(UpstreamError::new(UpstreamFault::Failed, Progress::Unknown, cause));
            }
            Poll::Ready(Err(SendFault::Upstream(error))) => error,
        };
        self.step = Step::Failed;
        let piece = self.queue.take_piece();
        if self.queue.has_sent() {
            return Ok(());
        }
        body.put_back(piece);
        // Over TLS a write that fails may have sent records before.
        let progress = match connection.socket {
            UpstreamSocket::Tls(_) => Progress::Unanswered,
            _ => Progress::Unsent,
        };
        Err(UpstreamError::broken(&error, progress))
    }

    fn poll(
        &mut self,
        connection: &mut UpstreamConnection,
        body: &mut ForwardedBody,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), SendFault>> {
        for _ in 0..PIECES_PER_POLL {
            if matches!(self.step, Step::Complete | Step::Failed) {
                return Poll::Ready(Ok(()));
            }
            let mut queued = Poll::Ready(());
            if self.step == Step::Content && self.queue.takes_piece() {
                queued = self.poll_piece(&mut connection.client, body, context)?;
            }
            let UpstreamConnection { socket, silence, .. } = connection;
            ready!(self.queue.poll_write(socket, silence, context)).map_err(SendFault::Upstream)?;
            if self.step == Step::Flush || queued.is_pending() {
                ready!(Pin::new(socket).poll_flush(context)).map_err(SendFault::Upstream)?;
                ready!(queued);
                self.step = Step::Complete;
            }
        }
        // Others of this thread have their turn.
        let _ = std::pin::pin!(tokio::task::yield_now()).poll(context);
        Poll::Pending
    }

    /// Puts the next piece of the content into the queue.
    fn poll_piece(
        &mut self,
        client: &mut Client,
        body: &mut ForwardedBody,
        context: &mut Context<'_>,
    ) -> Result<Poll<()>, SendFault> {
        let Poll::Ready(frame) = body.poll_frame(context) else { return Ok(Poll::Pending) };
        let queued = match frame.transpose() {
            Err(_) => return Err(SendFault::Client),
            Ok(None) => self.queue_end(client, None),
            Ok(Some(frame)) => match frame.into_data() {
                Ok(data) => self.queue_data(client, data, body.has_ended()),
                Err(trailers) => self.queue_end(client, trailers.into_trailers().ok()),
            },
        };
        queued.map(Poll::Ready).map_err(|error| {
            body.refuse(match error {
                SendError::TooMuch => Refusal::BadRequest("the body is longer than announced"),
                _ => Refusal::BadRequest("the body ended early"),
            });
            SendFault::Client
        })
    }

    fn queue_data(
        &mut self,
        client: &mut Client,
        data: Bytes,
        is_last: bool,
    ) -> Result<(), SendError> {
        let length = data.len() as u64;
        let frame = client.send_data(length)?;
        self.queue.push(&frame, data);
        // Nobody has to wait for the end of what has a length.
        let is_all = self.left.as_mut().is_some_and(|left| {
            *left -= length;
            *left == 0
        });
        if is_last || is_all { self.queue_end(client, None) } else { Ok(()) }
    }

    fn queue_end(
        &mut self,
        client: &mut Client,
        trailers: Option<HeaderMap>,
    ) -> Result<(), SendError> {
        self.step = Step::Flush;
        let trailers = trailers.map(forward::trailers);
        client.send_end(self.queue.end(), trailers.as_ref())
    }

    /// Fails when nothing has moved for `limit`. While more of the content is waited for, it is
    /// the client's turn.
    fn poll_silence(
        &self,
        connection: &mut UpstreamConnection,
        limit: Duration,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), UpstreamError>> {
        if self.step == Step::Content && self.queue.is_empty() {
            connection.silence.end();
            return Poll::Pending;
        }
        connection.poll_silence(limit, context)
    }
}

impl Upload {
    /// See [`Sending::proceed`].
    pub(super) fn proceed(
        &mut self,
        connection: &mut UpstreamConnection,
        context: &mut Context<'_>,
    ) -> Result<(), UpstreamError> {
        self.sending.proceed(connection, &mut self.body, context)
    }

    /// Whether all of the request is written.
    pub(super) fn is_complete(&self) -> bool {
        self.sending.is_complete()
    }

    /// See [`Sending::poll_silence`].
    pub(super) fn poll_silence(
        &self,
        connection: &mut UpstreamConnection,
        limit: Duration,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), UpstreamError>> {
        self.sending.poll_silence(connection, limit, context)
    }
}

#[cfg(test)]
mod tests;
