//! What both engines do to read: heads, content and trailers from the bytes of a peer. The
//! engines decide what may come when.

use std::mem;

use crate::chunks::{Chunk, Chunks};
use crate::fault::Fault;
use crate::framing::Framing;
use crate::limits::{Bounds, Limits};
use crate::scratch::{Part, Scratch};

/// An event, and how many bytes it took.
#[derive(Clone, Copy, Debug)]
pub struct Received<E> {
    /// So many bytes, from the first, are done with: they are not given again. Behind
    /// `Incomplete` the others are given again, with what comes next, unchanged.
    pub consumed: usize,
    /// What they mean.
    pub event: E,
}

/// Reads the messages of one peer.
#[derive(Debug)]
pub(crate) struct Reader {
    bounds: Bounds,
    content: Content,
    kept: Option<Box<Kept>>,
}

/// What is kept between two calls, and seldom.
#[derive(Debug)]
enum Kept {
    /// How far a head, or trailers, were read.
    Part(Scratch),
    /// What is wrong.
    Fault(Fault),
}

/// What is to come of a message's content.
#[derive(Clone, Copy, Debug)]
enum Content {
    /// Nothing: a head is.
    Nothing,
    /// Nothing, and the empty line that may stand before a head was read.
    NothingSkipped,
    /// So many bytes.
    Length(u64),
    Chunks(Chunks),
    Trailers,
    UntilClose,
}

/// How far a head was read.
#[derive(Debug)]
pub(crate) struct HeadRead {
    /// The bytes before it, which belong to nothing.
    pub(crate) skipped: usize,
    /// Where it ends, from its own first byte on; `None` where more is to come.
    pub(crate) end: Option<usize>,
}

/// What was read of content, and how many bytes that took.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    Incomplete(usize),
    Data(usize, &'a [u8]),
    /// The end; the trailers, if there are any, are the last so many of these bytes.
    End(usize, usize),
}

impl Reader {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { bounds: limits.into(), content: Content::Nothing, kept: None }
    }

    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.bounds = limits.into();
    }

    /// The fault that was found.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        match self.kept.as_deref() {
            Some(Kept::Fault(fault)) => Some(fault),
            _ => None,
        }
    }

    /// Keeps a fault, and returns it.
    pub(crate) fn fail(&mut self, fault: Fault) -> Fault {
        self.kept = Some(Box::new(Kept::Fault(fault.clone())));
        fault
    }

    /// Whether a head, or trailers, have begun to come in and are not complete.
    pub(crate) fn is_within(&self) -> bool {
        matches!(self.kept.as_deref(), Some(Kept::Part(_)))
    }

    /// Reads on to the end of a head.
    pub(crate) fn read_head(
        &mut self,
        part: Part,
        bytes: &[u8],
        scratch: &mut Scratch,
    ) -> Result<HeadRead, Fault> {
        let mut skipped = 0;
        if !self.is_within() {
            match self.skip_empty_line(part, bytes)? {
                Some(length) => skipped = length,
                None => return Ok(HeadRead { skipped: 0, end: None }),
            }
            if skipped == bytes.len() {
                return Ok(HeadRead { skipped, end: None });
            }
        }
        let end = self.read_part(part, &bytes[skipped..], scratch)?;
        if end.is_some() {
            self.content = Content::Nothing;
        }
        Ok(HeadRead { skipped, end })
    }

    /// One empty line is allowed before a start line, for the peers of old that end content with
    /// one (RFC 9112 section 2.2). Returns how many bytes it takes; `None` where that is open.
    fn skip_empty_line(&mut self, part: Part, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let may_skip = !matches!(self.content, Content::NothingSkipped);
        let length = match bytes {
            [b'\n', ..] if may_skip && part == Part::Response => 1,
            [b'\r', b'\n', ..] if may_skip => 2,
            [b'\r'] if may_skip => return Ok(None),
            [b'\r', ..] if may_skip => {
                return Err(Fault::Malformed("bare CR before a start line"));
            }
            [b'\n', ..] => return Err(Fault::Malformed("bare LF before a start line")),
            [b'\r', ..] => return Err(Fault::Malformed("empty lines before a start line")),
            _ => return Ok(Some(0)),
        };
        self.content = Content::NothingSkipped;
        match bytes.get(length) {
            Some(b'\n') => Err(Fault::Malformed("bare LF before a start line")),
            Some(b'\r') => Err(Fault::Malformed("empty lines before a start line")),
            _ => Ok(Some(length)),
        }
    }

    /// Reads on to the end of a head or of trailers. Where more is to come, what was read is kept
    /// here, and `scratch` is free for others.
    fn read_part(
        &mut self,
        part: Part,
        bytes: &[u8],
        scratch: &mut Scratch,
    ) -> Result<Option<usize>, Fault> {
        let mut kept = match self.kept.take() {
            Some(mut kept) => {
                if let Kept::Part(part) = &mut *kept {
                    mem::swap(part, scratch);
                }
                Some(kept)
            }
            None => {
                scratch.begin(part, self.bounds);
                None
            }
        };
        let end = scratch.read(part, bytes)?;
        if end.is_none() {
            match kept.as_deref_mut() {
                Some(Kept::Part(part)) => mem::swap(part, scratch),
                _ => kept = Some(Box::new(Kept::Part(scratch.take()))),
            }
            self.kept = kept;
        }
        Ok(end)
    }

    /// Content follows, so framed, which is not [`Framing::None`].
    pub(crate) fn begin_content(&mut self, framing: Framing) {
        self.content = match framing {
            Framing::None => Content::Nothing,
            Framing::Length(length) => Content::Length(length),
            Framing::Chunked => Content::Chunks(Chunks::default()),
            Framing::UntilClose => Content::UntilClose,
        };
    }

    /// Whether the content ends with the connection.
    pub(crate) fn is_until_close(&self) -> bool {
        matches!(self.content, Content::UntilClose)
    }

    /// How many bytes of content are to come, where they come by themselves, without framing.
    pub(crate) fn content_left(&self) -> Option<u64> {
        match self.content {
            Content::Length(left) => Some(left),
            _ => None,
        }
    }

    /// So many of these bytes are not given here.
    pub(crate) fn skip_content(&mut self, length: u64) {
        if let Content::Length(left) = &mut self.content {
            debug_assert!(length <= *left, "no more than are to come");
            *left = left.saturating_sub(length);
        }
    }

    /// Reads on to the next piece of content, or to its end. `trailers` are those of this peer.
    pub(crate) fn read_content<'a>(
        &mut self,
        trailers: Part,
        bytes: &'a [u8],
        scratch: &mut Scratch,
    ) -> Result<Piece<'a>, Fault> {
        match &mut self.content {
            Content::Nothing | Content::NothingSkipped | Content::Length(0) => {
                scratch.begin(trailers, self.bounds);
                Ok(Piece::End(0, 0))
            }
            _ if bytes.is_empty() => Ok(Piece::Incomplete(0)),
            Content::Length(left) => {
                let taken =
                    usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= taken as u64;
                Ok(Piece::Data(taken, &bytes[..taken]))
            }
            Content::UntilClose => Ok(Piece::Data(bytes.len(), bytes)),
            Content::Chunks(chunks) => match chunks.read(bytes, trailers.is_of_response())? {
                Chunk::Incomplete => Ok(Piece::Incomplete(bytes.len())),
                Chunk::Data(range) => Ok(Piece::Data(range.end, &bytes[range])),
                Chunk::Last(end) => {
                    self.content = Content::Trailers;
                    self.read_trailers(trailers, end, &bytes[end..], scratch)
                }
            },
            Content::Trailers => self.read_trailers(trailers, 0, bytes, scratch),
        }
    }

    /// Reads trailers, `before` which so many bytes were read. Until they are complete, their
    /// bytes stay with the owner.
    fn read_trailers<'a>(
        &mut self,
        part: Part,
        before: usize,
        bytes: &[u8],
        scratch: &mut Scratch,
    ) -> Result<Piece<'a>, Fault> {
        if bytes.is_empty() {
            return Ok(Piece::Incomplete(before));
        }
        Ok(match self.read_part(part, bytes, scratch)? {
            Some(end) => Piece::End(before + end, end),
            None => Piece::Incomplete(before),
        })
    }
}
