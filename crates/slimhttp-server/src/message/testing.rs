//! Bodies of requests for unit tests: what comes in is sent by the test. And what clients read
//! of contents in a coding.

use std::io::Read;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use slimhttp_site::coding::Coding;
use slimhttp_site::refusal::Refusal;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::message::body::BodyError;
use crate::message::request_body::{IncomingBody, MalformedBody, RequestBody};

/// The client's end of a body. Dropping it ends the body.
pub(crate) struct BodySender(UnboundedSender<Result<Frame<Bytes>, BodyError>>);

impl BodySender {
    pub(crate) fn send(&self, bytes: &'static str) {
        self.push(Ok(Frame::data(Bytes::from_static(bytes.as_bytes()))));
    }

    pub(crate) fn send_trailers(&self) {
        self.push(Ok(Frame::trailers(HeaderMap::new())));
    }

    /// Ends it with these.
    pub(crate) fn end_with(self, trailers: HeaderMap) {
        self.push(Ok(Frame::trailers(trailers)));
    }

    pub(crate) fn break_off(&self) {
        self.push(Err("the connection was reset".into()));
    }

    /// Breaks it off, as malformed.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.push(Err(MalformedBody(refusal).into()));
    }

    /// Whether nobody will read more of it.
    pub(crate) fn is_given_up(&self) -> bool {
        self.0.is_closed()
    }

    fn push(&self, frame: Result<Frame<Bytes>, BodyError>) {
        // One that is given up takes no more.
        let _ = self.0.send(frame);
    }
}

struct Receiving {
    frames: UnboundedReceiver<Result<Frame<Bytes>, BodyError>>,
    /// What is left of the length.
    length: Option<u64>,
    has_ended: bool,
}

impl HttpBody for Receiving {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(self.frames.poll_recv(context));
        if let (Some(Ok(frame)), Some(left)) = (&frame, &mut self.length) {
            *left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
        }
        self.has_ended = frame.is_none() || self.length == Some(0);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map(SizeHint::with_exact).unwrap_or_default()
    }
}

/// A body whose head has announced this length.
pub(crate) fn body(length: Option<u64>) -> (BodySender, IncomingBody) {
    let (sender, frames) = unbounded_channel();
    let RequestBody::Incoming(body) =
        RequestBody::incoming(Receiving { frames, length, has_ended: false })
    else {
        unreachable!("no end was announced")
    };
    (BodySender(sender), body)
}

/// What can be read of a content in a coding so far, and whether that is all of it.
pub(crate) fn decoded(coding: Coding, coded: &[u8]) -> (Vec<u8>, bool) {
    let mut decoder: Box<dyn Read + '_> = match coding {
        Coding::Gzip => Box::new(flate2::read::GzDecoder::new(coded)),
        Coding::Brotli => Box::new(brotli::Decompressor::new(coded, 4096)),
        Coding::Zstd => Box::new(zstd::Decoder::new(coded).expect("memory")),
    };
    let (mut content, mut buffer) = (Vec::new(), [0; 1000]);
    loop {
        match decoder.read(&mut buffer) {
            Ok(0) => return (content, true),
            Ok(length) => content.extend_from_slice(&buffer[..length]),
            Err(_) => return (content, false),
        }
    }
}
