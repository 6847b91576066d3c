//! The chunks of a body, up to the trailer section (RFC 9112 section 7.1). Stricter than
//! the grammar: no space around sizes, every line ends with CRLF. Extensions are checked and
//! ignored.

use super::class::{self, HEX, QUOTED, TOKEN, VALUE};
use super::{Fault, Read};

/// As many digits as 64 bits have.
const LONGEST_SIZE: u8 = 16;
/// The extensions of one chunk, bytes from the first `;` on.
const LONGEST_EXTENSIONS: u16 = 256;
/// The extensions of a whole body: what the HTTP library bears.
const MOST_EXTENSIONS: u16 = 16 * 1024 - 1;

/// Reads chunks up to the end of the last one's size line.
#[derive(Debug, Default)]
pub(super) struct Chunks {
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

impl Chunks {
    /// Reads on to the end of the last chunk's size line.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Read {
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            let mut taken = 1;
            self.state = match (self.state, byte) {
                (ChunkState::Size, _) => self.read_size(byte).map_err(|why| Fault::bad(at, why))?,
                (ChunkState::Extension(place), _) => {
                    self.read_extension(place, byte).map_err(|why| Fault::bad(at, why))?
                }
                (ChunkState::SizeLf, b'\n') if self.size == 0 => return Ok(Some(at + 1)),
                (ChunkState::SizeLf, b'\n') => ChunkState::Data,
                (ChunkState::SizeLf, _) => return Err(Fault::bad(at, "bare CR in a chunk size")),
                (ChunkState::Data, _) => {
                    let left = bytes.len() - at;
                    taken = usize::try_from(self.size).map_or(left, |size| size.min(left));
                    self.size -= taken as u64;
                    if self.size == 0 { ChunkState::DataCr } else { ChunkState::Data }
                }
                (ChunkState::DataCr, b'\r') => ChunkState::DataLf,
                (ChunkState::DataLf, b'\n') => {
                    (self.digits, self.extensions) = (0, 0);
                    ChunkState::Size
                }
                (ChunkState::DataCr | ChunkState::DataLf, _) => {
                    return Err(Fault::bad(at, "chunk data without CRLF behind it"));
                }
            };
            at += taken;
        }
        Ok(None)
    }

    fn read_size(&mut self, byte: u8) -> Result<ChunkState, &'static str> {
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
        match byte {
            b'\r' if self.digits > 0 => Ok(ChunkState::SizeLf),
            b';' if self.digits > 0 => {
                self.count_extension()?;
                Ok(ChunkState::Extension(Extension::NameStart))
            }
            _ => Err("malformed chunk size"),
        }
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
