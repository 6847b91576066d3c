//! A body that is put in a content coding as it is sent. Polled as any body, on the connection's
//! I/O thread, when the client takes more; the body within is polled only when all that it has
//! given before is compressed.
//!
//! Nothing is held back: when the body within pauses, what it has given so far is flushed, and
//! behind each of its pieces where these are events. And no poll is much work: a long piece
//! is compressed in parts, and between two of them the task has others polled.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};

use crate::message::body::{Body, BodyError};
use crate::message::encoder::{Encoder, EncoderPermit};

/// How much is compressed at a time: less than half a millisecond of work.
const PART: usize = 16 * 1024;

/// What a piece counts for however short it is: that of looking for it.
const PIECE_COST: usize = 256;

/// A body in a coding.
pub(crate) struct CodedBody {
    /// `None` once it has ended.
    coding: Option<Coding>,
    /// How it ends, behind what was compressed.
    ending: Option<Ending>,
}

/// What is under way until the end.
struct Coding {
    source: Body,
    /// How many bytes it has promised and not given.
    left: Option<u64>,
    encoder: Encoder,
    /// What it has given and the encoder has not taken.
    input: Bytes,
    /// Whether the encoder has taken anything since it was flushed.
    is_unflushed: bool,
    /// Whether it is flushed behind each piece.
    by_piece: bool,
    _permit: EncoderPermit,
}

enum Ending {
    Trailers(HeaderMap),
    /// The source was broken off.
    Fault(BodyError),
}

/// What one step of the work has brought.
enum Step {
    /// There is more to do.
    More,
    /// All that there was is to be read from this.
    Flushed(Vec<u8>),
    /// The source is waited for, and all that it has given was flushed.
    Pending,
    /// All was taken in.
    End(Option<Ending>),
}

impl CodedBody {
    /// `source`, whose head has promised `length` bytes, in the coding of `encoder`; flushed
    /// behind each piece if these are events.
    pub(crate) fn new(
        source: Body,
        length: Option<u64>,
        encoder: Encoder,
        by_piece: bool,
        permit: EncoderPermit,
    ) -> Self {
        let coding = Coding {
            source,
            left: length,
            encoder,
            input: Bytes::new(),
            is_unflushed: false,
            by_piece,
            _permit: permit,
        };
        Self { coding: Some(coding), ending: None }
    }

    /// Ends it, behind the last bytes that come out.
    fn end(&mut self, ending: Option<Ending>) -> Poll<Option<Frames>> {
        let (last, ending) = match (self.coding.take().map(|coding| coding.end(&ending)), ending) {
            (Some(Ok(last)), ending) => (last, ending),
            (Some(Err(error)), _) => (Vec::new(), Some(Ending::Fault(error.into()))),
            (None, ending) => (Vec::new(), ending),
        };
        self.ending = ending;
        if last.is_empty() { Poll::Ready(self.take_ending()) } else { data(last) }
    }

    fn take_ending(&mut self) -> Option<Frames> {
        Some(match self.ending.take()? {
            Ending::Trailers(trailers) => Ok(Frame::trailers(trailers)),
            Ending::Fault(fault) => Err(fault),
        })
    }
}

type Frames = Result<Frame<Bytes>, BodyError>;

fn data(bytes: Vec<u8>) -> Poll<Option<Frames>> {
    Poll::Ready(Some(Ok(Frame::data(bytes.into()))))
}

impl HttpBody for CodedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(coding) = &mut self.coding else { return Poll::Ready(self.take_ending()) };
        let mut work = 0;
        while work < PART {
            match coding.step(&mut work, context) {
                Ok(Step::More) => {}
                Ok(Step::Pending) => return Poll::Pending,
                Ok(Step::Flushed(made)) => return data(made),
                Ok(Step::End(ending)) => return self.end(ending),
                Err(error) => return self.end(Some(Ending::Fault(error.into()))),
            }
        }
        let made = coding.encoder.take();
        if !made.is_empty() {
            return data(made);
        }
        // The encoder has taken it all in and given nothing out yet. Polled once, this wakes the
        // task when others have had their turns.
        pin!(tokio::task::yield_now()).poll(context).map(|()| None)
    }

    fn is_end_stream(&self) -> bool {
        self.coding.is_none() && self.ending.is_none()
    }
}

impl Coding {
    /// Compresses a part of what there is, or asks for more; adds to the work that was done.
    fn step(&mut self, work: &mut usize, context: &mut Context<'_>) -> io::Result<Step> {
        if self.input.is_empty() {
            if self.left == Some(0) {
                return Ok(Step::End(None));
            }
            match Pin::new(&mut self.source).poll_frame(context) {
                Poll::Pending => {
                    if !self.is_unflushed {
                        return Ok(Step::Pending);
                    }
                    self.flush()?;
                    return Ok(Step::Flushed(self.encoder.take()));
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(piece) => self.input = self.promised(piece),
                    Err(frame) => {
                        let trailers = frame.into_trailers().ok().map(Ending::Trailers);
                        return Ok(self.all_given(trailers));
                    }
                },
                Poll::Ready(Some(Err(fault))) => return Ok(Step::End(Some(Ending::Fault(fault)))),
                Poll::Ready(None) => return Ok(self.all_given(None)),
            }
            *work += PIECE_COST;
        }
        let part = &self.input[..self.input.len().min(PART)];
        self.encoder.write(part)?;
        let length = part.len();
        self.is_unflushed |= length > 0;
        self.input.advance(length);
        *work += length;
        if !(self.by_piece && self.input.is_empty()) {
            return Ok(Step::More);
        }
        self.flush()?;
        Ok(Step::Flushed(self.encoder.take()))
    }

    fn flush(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_unflushed) { self.encoder.flush() } else { Ok(()) }
    }

    /// As much of a piece as was promised.
    fn promised(&mut self, mut piece: Bytes) -> Bytes {
        if let Some(left) = &mut self.left {
            piece.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= piece.len() as u64;
        }
        piece
    }

    /// The source has ended.
    fn all_given(&self, trailers: Option<Ending>) -> Step {
        match self.left {
            None | Some(0) => Step::End(trailers),
            Some(_) => {
                let fault = "the content is shorter than its head has promised";
                Step::End(Some(Ending::Fault(fault.into())))
            }
        }
    }

    /// The last of what comes out. Where the source was broken off that is no end of the coding,
    /// by which its client sees that something is missing.
    fn end(mut self, ending: &Option<Ending>) -> io::Result<Vec<u8>> {
        if let Some(Ending::Fault(_)) = ending {
            self.flush()?;
            return Ok(self.encoder.take());
        }
        self.encoder.finish()
    }
}

#[cfg(test)]
mod tests;
