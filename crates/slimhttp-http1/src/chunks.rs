//! The chunks of content, up to the trailer section (RFC 9112 section 7.1). Those of a request are
//! read more strictly than the grammar has it: no white space behind a size. Servers of old pad
//! sizes with it, so a response may have some. Every line ends with CRLF. Extensions are checked
//! and ignored.

use std::ops::Range;

use crate::class::{self, HEX, QUOTED, TOKEN, VALUE};
use crate::span::FaultAt;

/// As many digits as 64 bits have.
const LONGEST_SIZE: u8 = 16;
/// The extensions of one chunk, bytes behind its size.
const LONGEST_EXTENSIONS: u16 = 256;
/// The extensions of all chunks of a message.
const MOST_EXTENSIONS: u16 = 16 * 1024 - 1;

const MALFORMED_SIZE: &str = "malformed chunk size";

/// Reads chunks up to the end of the last one's size line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chunks {
    state: ChunkState,
    /// The size of this chunk; within its data, what is left of it.
    size: u64,
    digits: u8,
    extensions: u16,
    all_extensions: u16,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default)]
enum ChunkState {
    #[default]
    Size,
    /// White space behind a size.
    Padding,
    Extension(Extension),
    SizeLf,
    Data,
    DataCr,
    DataLf,
}

/// Where in `*( BWS ";" BWS name [ BWS "=" BWS value ] )` the next byte stands.
#[derive(Clone, Copy, Debug)]
enum Extension {
    NameStart,
    Name,
    NameEnd,
    ValueStart,
    Value,
    Quoted,
    Escaped,
    QuoteEnd,
    ValueEnd,
}

/// What comes next of chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// Nothing that is complete: all bytes were read.
    Incomplete,
    /// These bytes are content, or a part of it. Those before them were read.
    Data(Range<usize>),
    /// The size line of the last chunk ends before this byte.
    Last(usize),
}

impl Chunks {
    /// Reads on to the next piece of content, or to the end of the last chunk's size line.
    /// `is_padded`: white space may stand behind a size.
    pub(crate) fn read(&mut self, bytes: &[u8], is_padded: bool) -> Result<Chunk, FaultAt> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            self.state = match (self.state, byte) {
                (ChunkState::Size, _) => {
                    self.read_size(byte, is_padded).map_err(|why| FaultAt::malformed(at, why))?
                }
                (ChunkState::Padding, _) => {
                    self.end_size(byte, true).map_err(|why| FaultAt::malformed(at, why))?
                }
                (ChunkState::Extension(place), _) => {
                    self.read_extension(place, byte).map_err(|why| FaultAt::malformed(at, why))?
                }
                (ChunkState::SizeLf, b'\n') if self.size == 0 => return Ok(Chunk::Last(at + 1)),
                (ChunkState::SizeLf, b'\n') => ChunkState::Data,
                (ChunkState::SizeLf, _) => {
                    return Err(FaultAt::malformed(at, "bare CR in a chunk size"));
                }
                (ChunkState::Data, _) => return Ok(Chunk::Data(at..self.take_data(at, bytes))),
                (ChunkState::DataCr, b'\r') => ChunkState::DataLf,
                (ChunkState::DataLf, b'\n') => {
                    (self.digits, self.extensions) = (0, 0);
                    ChunkState::Size
                }
                (ChunkState::DataCr | ChunkState::DataLf, _) => {
                    return Err(FaultAt::malformed(at, "chunk data without CRLF behind it"));
                }
            };
            at += 1;
        }
        Ok(Chunk::Incomplete)
    }

    /// Takes as much of the chunk's data as there is from `start` on; returns where it ends.
    fn take_data(&mut self, start: usize, bytes: &[u8]) -> usize {
        let there = bytes.len() - start;
        let taken = usize::try_from(self.size).map_or(there, |size| size.min(there));
        self.size -= taken as u64;
        if self.size == 0 {
            self.state = ChunkState::DataCr;
        }
        start + taken
    }

    fn read_size(&mut self, byte: u8, is_padded: bool) -> Result<ChunkState, &'static str> {
        if class::is(byte, HEX) {
            if self.digits == LONGEST_SIZE {
                return Err("a chunk size of too many digits");
            }
            // The size is 0 here before the first digit: only `Data` leaves it,
            // and that at 0. It is 16 digits at most, so nothing is lost.
            let digit = char::from(byte).to_digit(16).unwrap_or_default();
            self.size = self.size << 4 | u64::from(digit);
            self.digits += 1;
            return Ok(ChunkState::Size);
        }
        if self.digits > 0 { self.end_size(byte, is_padded) } else { Err(MALFORMED_SIZE) }
    }

    /// Takes a byte behind the digits of a size.
    fn end_size(&mut self, byte: u8, is_padded: bool) -> Result<ChunkState, &'static str> {
        let next = match byte {
            b'\r' => return Ok(ChunkState::SizeLf),
            b';' => ChunkState::Extension(Extension::NameStart),
            b' ' | b'\t' if is_padded => ChunkState::Padding,
            _ => return Err(MALFORMED_SIZE),
        };
        self.count_extension()?;
        Ok(next)
    }

    fn read_extension(&mut self, place: Extension, byte: u8) -> Result<ChunkState, &'static str> {
        use Extension::{
            Escaped, Name, NameEnd, NameStart, QuoteEnd, Quoted, Value, ValueEnd, ValueStart,
        };
        let next = match (place, byte) {
            (Name | Value | QuoteEnd, b'\r') => return Ok(ChunkState::SizeLf),
            (Name | NameEnd | Value | QuoteEnd | ValueEnd, b';') => NameStart,
            (Name | NameEnd, b'=') => ValueStart,
            (NameStart | NameEnd | ValueStart | ValueEnd, b' ' | b'\t') => place,
            (Name, b' ' | b'\t') => NameEnd,
            (Value | QuoteEnd, b' ' | b'\t') => ValueEnd,
            (ValueStart, b'"') => Quoted,
            (Quoted, b'"') => QuoteEnd,
            (Quoted, b'\\') => Escaped,
            (NameStart | Name, _) if class::is(byte, TOKEN) => Name,
            (ValueStart | Value, _) if class::is(byte, TOKEN) => Value,
            (Quoted, _) if class::is(byte, QUOTED) => Quoted,
            (Escaped, _) if class::is(byte, VALUE) => Quoted,
            _ => return Err("malformed chunk extension"),
        };
        self.count_extension()?;
        Ok(ChunkState::Extension(next))
    }

    fn count_extension(&mut self) -> Result<(), &'static str> {
        if self.extensions == LONGEST_EXTENSIONS || self.all_extensions == MOST_EXTENSIONS {
            return Err("too long chunk extensions");
        }
        self.extensions += 1;
        self.all_extensions += 1;
        Ok(())
    }
}
