//! `multipart/form-data` (RFC 7578) as it comes in: pieces of any size in, events
//! out. It holds no more than a piece, the header section of one part, or what
//! may be the beginning of a delimiter; whoever takes the events bounds the rest.
//!
//! A delimiter is CRLF, two hyphens and the boundary, and then two more hyphens
//! (the last one) or the end of the line (RFC 2046 section 5.1.1). Every other
//! byte of a part is handed on as it is, a line that only begins like a delimiter
//! too. What stands before the first delimiter and behind the last is passed over.

mod disposition;
mod head;

use std::fmt;
use std::mem;

use memchr::memmem::{self, Finder};

pub use disposition::{Disposition, Name};
pub use head::Part;

/// How much of a piece is looked at at a time, so that a long one is not held
/// twice.
const SLICE: usize = 32 * 1024;

/// The most blanks between a boundary and the end of its line. RFC 2046 has no
/// bound, and nobody writes any.
const MOST_PADDING: usize = 64;

/// What has come of a form.
#[derive(Debug)]
pub enum Event<'e> {
    /// A part begins: its header section.
    Part(Part),
    /// The next bytes of it.
    Data(&'e [u8]),
    /// It is complete.
    End,
}

/// Why a content is no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MultipartError {
    /// The content has ended before the last delimiter.
    Incomplete,
    /// The header section of a part is none; the text says how.
    Header(&'static str),
    /// A part says no name.
    Nameless,
    /// The header section of a part is longer than so many bytes.
    LongHeader(usize),
    /// A part has more header fields than so many.
    ManyFields(usize),
}

impl MultipartError {
    /// Whether it is a bound that was reached, and not the form's grammar.
    pub fn is_bound(self) -> bool {
        matches!(self, Self::LongHeader(_) | Self::ManyFields(_))
    }
}

impl fmt::Display for MultipartError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete => {
                out.write_str("the form is malformed or ends before its last boundary")
            }
            Self::Header(how) => write!(out, "the form is malformed: {how}"),
            Self::Nameless => out.write_str("a part of the form has no name"),
            Self::LongHeader(most) => {
                write!(out, "the header of a part is longer than {most} bytes")
            }
            Self::ManyFields(most) => {
                write!(out, "the header of a part has more than {most} fields")
            }
        }
    }
}

/// A form on its way in.
pub struct Reader {
    /// CRLF, two hyphens, the boundary.
    delimiter: Finder<'static>,
    longest_header: usize,
    /// What has come in and was not yet given out in an event.
    held: Vec<u8>,
    state: ReaderState,
}

#[derive(Clone, Copy)]
enum ReaderState {
    /// Before the first delimiter, or in the content of a part. `begins` where
    /// no event has given out any of it yet.
    Body { in_part: bool, begins: bool },
    /// In a header section, of which so many bytes hold no end of it.
    Header { searched: usize },
    /// BoundaryTail the last delimiter.
    Over,
}

/// What follows a boundary.
enum BoundaryTail {
    /// More has to come before that is known.
    Unknown,
    /// No delimiter.
    Other,
    /// The rest of a delimiter, so many bytes.
    Line { length: usize, last: bool },
}

impl Reader {
    /// One of a form that `boundary` separates, none of whose header sections is
    /// longer than `longest_header` bytes.
    pub fn new(boundary: &str, longest_header: usize) -> Self {
        let delimiter = format!("\r\n--{boundary}");
        Self {
            delimiter: Finder::new(delimiter.as_bytes()).into_owned(),
            longest_header,
            held: Vec::new(),
            state: ReaderState::Body { in_part: false, begins: true },
        }
    }

    /// Takes the next piece, and passes on what has come.
    ///
    /// # Errors
    /// What is wrong with it, and what `take` says; the form is given up then.
    pub fn feed<E: From<MultipartError>>(
        &mut self,
        piece: &[u8],
        mut take: impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for slice in piece.chunks(SLICE) {
            let mut held = mem::take(&mut self.held);
            held.extend_from_slice(slice);
            let mut consumed = 0;
            while let Some(used) = self.step(&held[consumed..], &mut take)? {
                consumed += used;
            }
            held.drain(..consumed);
            self.held = held;
        }
        Ok(())
    }

    /// Ends the form: all has come.
    ///
    /// # Errors
    /// [`MultipartError::Incomplete`] where the last delimiter has not.
    pub fn finish(self) -> Result<(), MultipartError> {
        match self.state {
            ReaderState::Over => Ok(()),
            ReaderState::Body { .. } | ReaderState::Header { .. } => {
                Err(MultipartError::Incomplete)
            }
        }
    }

    /// Tells what `rest` begins with, and how long that is; `None` where more has
    /// to come first.
    fn step<E: From<MultipartError>>(
        &mut self,
        rest: &[u8],
        take: &mut impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<Option<usize>, E> {
        match self.state {
            ReaderState::Body { in_part, begins: true } => self.first_line(rest, in_part, take),
            ReaderState::Body { in_part, begins: false } => self.body(rest, in_part, take),
            ReaderState::Header { searched } => self.header(rest, searched, take),
            ReaderState::Over => Ok(Some(rest.len()).filter(|length| *length > 0)),
        }
    }

    /// The CRLF of a delimiter may have been given out already, as the end of a header
    /// section; and before the whole form there need be none.
    fn first_line<E>(
        &mut self,
        rest: &[u8],
        in_part: bool,
        take: &mut impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<Option<usize>, E> {
        let bare = &self.delimiter.needle()[2..];
        let length = bare.len();
        if rest.len() < length && bare.starts_with(rest) {
            return Ok(None);
        }
        if let Some(behind) = rest.strip_prefix(bare) {
            match behind_boundary(behind) {
                BoundaryTail::Unknown => return Ok(None),
                BoundaryTail::Line { length: line, last } => {
                    self.delimited(in_part, last, take)?;
                    return Ok(Some(length + line));
                }
                BoundaryTail::Other => {}
            }
        }
        self.state = ReaderState::Body { in_part, begins: false };
        Ok(Some(0))
    }

    fn body<E>(
        &mut self,
        rest: &[u8],
        in_part: bool,
        take: &mut impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<Option<usize>, E> {
        let mut tell = |data: &[u8]| {
            if in_part && !data.is_empty() { take(Event::Data(data)) } else { Ok(()) }
        };
        let needle = self.delimiter.needle();
        let data = match self.delimiter.find(rest) {
            None => rest.len() - beginning_at_end(rest, needle),
            Some(at) => match behind_boundary(&rest[at + needle.len()..]) {
                BoundaryTail::Unknown => at,
                BoundaryTail::Other => at + needle.len(),
                BoundaryTail::Line { length, last } => {
                    let end = at + needle.len() + length;
                    tell(&rest[..at])?;
                    self.delimited(in_part, last, take)?;
                    return Ok(Some(end));
                }
            },
        };
        tell(&rest[..data])?;
        Ok(Some(data).filter(|length| *length > 0))
    }

    fn delimited<E>(
        &mut self,
        in_part: bool,
        last: bool,
        take: &mut impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.state = if last { ReaderState::Over } else { ReaderState::Header { searched: 0 } };
        if in_part { take(Event::End) } else { Ok(()) }
    }

    fn header<E: From<MultipartError>>(
        &mut self,
        rest: &[u8],
        searched: usize,
        take: &mut impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<Option<usize>, E> {
        // A part without any header field begins with the blank line.
        let (fields, end) = if rest.starts_with(b"\r\n") {
            (0, Some(2))
        } else {
            let from = searched.saturating_sub(3);
            match memmem::find(&rest[from..], b"\r\n\r\n") {
                Some(at) => (from + at, Some(from + at + 4)),
                None => (0, None),
            }
        };
        if end.unwrap_or(rest.len()) > self.longest_header {
            return Err(MultipartError::LongHeader(self.longest_header).into());
        }
        let Some(end) = end else {
            self.state = ReaderState::Header { searched: rest.len() };
            return Ok(None);
        };
        take(Event::Part(Part::parse(&rest[..fields])?))?;
        self.state = ReaderState::Body { in_part: true, begins: true };
        Ok(Some(end))
    }
}

/// What a boundary is followed by: the end of its line makes it a delimiter, two
/// hyphens the last one.
fn behind_boundary(behind: &[u8]) -> BoundaryTail {
    if behind.starts_with(b"--") {
        return BoundaryTail::Line { length: 2, last: true };
    }
    let padding = behind.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match &behind[padding..] {
        _ if padding > MOST_PADDING => BoundaryTail::Other,
        [b'\r', b'\n', ..] => BoundaryTail::Line { length: padding + 2, last: false },
        [] | [b'\r'] => BoundaryTail::Unknown,
        [b'-'] if padding == 0 => BoundaryTail::Unknown,
        _ => BoundaryTail::Other,
    }
}

/// How many bytes at the end of `text` are a beginning of `needle`, whose first
/// byte comes in it once.
fn beginning_at_end(text: &[u8], needle: &[u8]) -> usize {
    let tail = &text[text.len().saturating_sub(needle.len() - 1)..];
    match memchr::memrchr(needle[0], tail) {
        Some(at) if needle.starts_with(&tail[at..]) => tail.len() - at,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
