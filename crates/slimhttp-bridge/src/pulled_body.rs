//! A response body that a Python iterator fills, pulled by the client: polled on the I/O thread
//! of its connection, it submits a job for a chunk only when the connection can take one, so a slow
//! client holds nothing but its own iterator. Dropped before its end it says that the client has
//! left: the iterator is closed.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use slimhttp_server::{Body as ResponseBody, BodyError};
use tokio::sync::oneshot;

use crate::bridge::Bridge;
use crate::job::Pull;
use crate::job_id::JobId;
use crate::outcome::ChunkOutcome;
use crate::side::Side;
use crate::submission;

/// What polling a body gives.
type NextFrame = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

/// The body.
pub struct PulledBody {
    bridge: Arc<Bridge>,
    side: Side,
    stream: JobId,
    subject: Arc<str>,
    host: Option<Arc<str>>,
    /// The chunk that came with the answer.
    first: Option<Bytes>,
    pending: Option<oneshot::Receiver<ChunkOutcome>>,
    ended: bool,
}

impl PulledBody {
    /// The body that `first` opens and the iterator kept under `stream` goes on
    /// with, on `side`; `subject` names it in messages, `host` is the virtual host.
    pub fn new(
        bridge: Arc<Bridge>,
        side: Side,
        stream: JobId,
        subject: Arc<str>,
        host: Option<Arc<str>>,
        first: Option<Bytes>,
    ) -> Self {
        Self { bridge, side, stream, subject, host, first, pending: None, ended: false }
    }

    /// The same, whose next chunk was asked for already.
    pub fn awaiting(mut self, next: oneshot::Receiver<ChunkOutcome>) -> Self {
        self.pending = Some(next);
        self
    }

    /// As a body of a response that ends where the announced length does: see [`CutBody`].
    pub fn cut_to(self, announced: u64) -> ResponseBody {
        ResponseBody::stream(CutBody { body: Some(self), announced, left: announced })
    }

    /// As a body of a response, of which a length may have been announced.
    pub fn of_length(self, announced: Option<u64>) -> ResponseBody {
        match announced {
            None => ResponseBody::stream(self),
            Some(announced) => ResponseBody::stream(MeasuredBody {
                body: Some(self),
                announced,
                left: announced,
                last: None,
            }),
        }
    }

    fn end_early(&mut self, why: &'static str) -> NextFrame {
        self.ended = true;
        Poll::Ready(Some(Err(why.into())))
    }
}

impl Body for PulledBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> NextFrame {
        if let Some(first) = self.first.take()
            && !first.is_empty()
        {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        while !self.ended {
            let mut pending = match self.pending.take() {
                Some(pending) => pending,
                None => {
                    let Self { stream, subject, host, .. } = &*self;
                    submission::pull(&self.bridge, self.side, |reply| Pull {
                        stream: *stream,
                        subject: subject.clone(),
                        host: host.clone(),
                        reply,
                    })
                }
            };
            match Pin::new(&mut pending).poll(context) {
                Poll::Pending => {
                    self.pending = Some(pending);
                    return Poll::Pending;
                }
                // An empty chunk would end a chunked body; ask for the next.
                Poll::Ready(Ok(ChunkOutcome::Chunk(chunk))) if chunk.is_empty() => {}
                Poll::Ready(Ok(ChunkOutcome::Chunk(chunk))) => {
                    return Poll::Ready(Some(Ok(Frame::data(chunk))));
                }
                Poll::Ready(Ok(ChunkOutcome::End)) => self.ended = true,
                Poll::Ready(Ok(ChunkOutcome::Fault)) => {
                    return self.end_early("the handler's stream raised an exception");
                }
                Poll::Ready(Err(_)) => {
                    // Where a panic has ended it, the iterator is still kept.
                    self.bridge.abandon(self.side, self.stream);
                    return self
                        .end_early("the handler's stream was given up, or the server closed");
                }
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.first.is_none()
    }
}

impl Drop for PulledBody {
    fn drop(&mut self) {
        if !self.ended {
            // In this order: whoever closes the iterator sees that nobody waits for the chunk.
            self.pending = None;
            self.bridge.abandon(self.side, self.stream);
        }
    }
}

/// A body that has the length that was announced, or breaks off and says so in
/// the log.
///
/// The chunk that completes it is kept back until the iterator has ended. Only
/// then is it known that nothing is too much; and a connection that has sent as
/// much as was announced drops the body, which would end the iterator early.
struct MeasuredBody {
    /// `None` once it has broken off.
    body: Option<PulledBody>,
    announced: u64,
    left: u64,
    last: Option<Bytes>,
}

impl MeasuredBody {
    fn break_off(&mut self, why: &'static str) -> NextFrame {
        self.last = None;
        if let Some(body) = self.body.take() {
            let (subject, announced) = (&body.subject, self.announced);
            tracing::error!("{subject}: {why} its Content-Length of {announced}");
        }
        Poll::Ready(Some(Err(why.into())))
    }
}

impl Body for MeasuredBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> NextFrame {
        while let Some(body) = &mut self.body {
            let Some(frame) = ready!(Pin::new(body).poll_frame(context)?) else {
                if self.left > 0 {
                    return self.break_off("the stream is shorter than");
                }
                return Poll::Ready(self.last.take().map(|last| Ok(Frame::data(last))));
            };
            let Ok(chunk) = frame.into_data() else { continue };
            let Some(left) = self.left.checked_sub(chunk.len() as u64) else {
                return self.break_off("the stream is longer than");
            };
            self.left = left;
            if left > 0 {
                return Poll::Ready(Some(Ok(Frame::data(chunk))));
            }
            self.last = Some(chunk);
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.last.is_none() && self.body.as_ref().is_none_or(PulledBody::is_end_stream)
    }
}

/// For how long an iterator is asked on whose body is whole: it may give empty chunks for ever.
const LONGEST_END: Duration = Duration::from_secs(1);

/// A body of which no more is sent than was announced, whatever the iterator gives, and that
/// breaks off where it gives less; both is said in the log.
///
/// No chunk is kept back, so the response may be whole before the iterator has ended. It is then
/// asked on by a task of its own until it ends, since what stands behind its last chunk is the
/// program's to run; a chunk that has something in it ends it there.
struct CutBody {
    /// `None` once all was given, or it has broken off.
    body: Option<PulledBody>,
    announced: u64,
    left: u64,
}

impl CutBody {
    /// All that was announced has come.
    fn finish(&mut self, excess: bool) {
        let Some(mut body) = self.body.take() else { return };
        let announced = self.announced;
        if excess {
            log_excess(&body, announced);
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
            // What it does meanwhile it does to its end; it is not asked on.
            if let Ok(Some(Ok(_))) = tokio::time::timeout(LONGEST_END, frame).await {
                log_excess(&body, announced);
            }
        });
    }
}

fn log_excess(body: &PulledBody, announced: u64) {
    let subject = &body.subject;
    tracing::error!(
        "{subject}: the body is longer than its Content-Length of {announced}; the rest is not sent"
    );
}

impl Body for CutBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> NextFrame {
        let announced = self.announced;
        while let Some(body) = &mut self.body {
            let Some(frame) = ready!(Pin::new(&mut *body).poll_frame(context)?) else {
                let subject = &body.subject;
                let why = "the body is shorter than its Content-Length";
                tracing::error!("{subject}: {why} of {announced}");
                self.body = None;
                return Poll::Ready(Some(Err(why.into())));
            };
            let Ok(mut chunk) = frame.into_data() else { continue };
            if (chunk.len() as u64) < self.left {
                self.left -= chunk.len() as u64;
            } else {
                let left = usize::try_from(self.left).expect("it is within a chunk");
                let excess = chunk.len() > left;
                chunk.truncate(left);
                self.left = 0;
                self.finish(excess);
            }
            return Poll::Ready((!chunk.is_empty()).then(|| Ok(Frame::data(chunk))));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_none()
    }
}

#[cfg(test)]
mod tests;
