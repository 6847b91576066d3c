//! Field lines, of a head and of a trailer section alike: `name ":" OWS value
//! OWS CRLF`, never folded, and an empty line (RFC 9112 section 5).

use super::class::{self, TOKEN};
use super::coding::{content_length, transfer_encoding};
use super::line::RequestLine;
use super::{Fault, Read};
use crate::protocol::refusal::Refusal;

/// The length of the longest name that means something here.
const LONGEST_NAME: usize = b"transfer-encoding".len();

/// Reads a field section and remembers what it says of the body.
#[derive(Debug, Default)]
pub(super) struct Fields {
    section: Section,
    state: FieldState,
    count: usize,
    /// What earlier reads brought of a name, or of a value that is looked at.
    /// Empty when it arrives in one piece.
    held: Vec<u8>,
    has_host: bool,
    length: Option<u64>,
    is_chunked: bool,
}

/// Which section is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Section {
    #[default]
    Head,
    Trailers,
}

/// What follows a head (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// So many bytes, 0 where nothing is said.
    Length(u64),
    /// Chunks and a trailer section.
    Chunked,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default)]
enum FieldState {
    #[default]
    LineStart,
    Name,
    Value(Field),
    Lf,
    /// The LF of the empty line.
    EndLf,
}

#[derive(Clone, Copy, Debug)]
enum Field {
    Host,
    ContentLength,
    TransferEncoding,
    /// One whose value is not looked at.
    Other,
}

impl Field {
    fn named(name: &[u8]) -> Self {
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => Self::Host,
            14 if name.eq_ignore_ascii_case(b"content-length") => Self::ContentLength,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => Self::TransferEncoding,
            _ => Self::Other,
        }
    }
}

impl Fields {
    /// Forgets the last section.
    pub(super) fn begin(&mut self, section: Section) {
        self.section = section;
        self.state = FieldState::LineStart;
        self.count = 0;
        self.has_host = false;
        self.length = None;
        self.is_chunked = false;
    }

    /// What the head that was read says of the body.
    pub(super) fn content(&self) -> BodyLength {
        if self.is_chunked {
            BodyLength::Chunked
        } else {
            BodyLength::Length(self.length.unwrap_or(0))
        }
    }

    /// Reads on to the section's end.
    pub(super) fn read(&mut self, bytes: &[u8], line: &RequestLine, max_count: usize) -> Read {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            at += match self.state {
                FieldState::LineStart => self.start_line(rest[0], at, line, max_count)?,
                FieldState::Name => self.read_name(rest, at, line)?,
                FieldState::Value(field) => self.read_value(rest, at, field, line)?,
                FieldState::Lf | FieldState::EndLf if rest[0] != b'\n' => {
                    return Err(Fault::bad(at, "bare CR in a field"));
                }
                FieldState::Lf => {
                    self.state = FieldState::LineStart;
                    1
                }
                FieldState::EndLf => return Ok(Some(at + 1)),
            };
        }
        Ok(None)
    }

    fn start_line(
        &mut self,
        byte: u8,
        at: usize,
        line: &RequestLine,
        max_count: usize,
    ) -> Result<usize, Fault> {
        match byte {
            b'\r' => {
                self.check_section(line).map_err(|why| Fault::bad(at, why))?;
                self.state = FieldState::EndLf;
                return Ok(1);
            }
            b'\n' => return Err(Fault::bad(at, "bare LF")),
            b' ' | b'\t' => return Err(Fault::bad(at, "a folded field, or space before its name")),
            b':' => return Err(Fault::bad(at, "a field without a name")),
            _ if self.count == max_count => return Err(Fault::new(at, Refusal::HeaderTooLarge)),
            _ => {}
        }
        self.count += 1;
        self.state = FieldState::Name;
        Ok(0)
    }

    fn read_name(&mut self, rest: &[u8], at: usize, line: &RequestLine) -> Result<usize, Fault> {
        let run = class::run(rest, TOKEN);
        let Some(&next) = rest.get(run) else {
            // One byte more than the longest name tells a longer one from it.
            let room = (LONGEST_NAME + 1).saturating_sub(self.held.len());
            self.held.extend_from_slice(&rest[..run.min(room)]);
            return Ok(run);
        };
        if next != b':' {
            return Err(Fault::bad(at + run, stray_in_name(next)));
        }
        let field = if self.held.is_empty() {
            Field::named(&rest[..run])
        } else {
            self.held.extend_from_slice(&rest[..run]);
            let field = Field::named(&self.held);
            self.held.clear();
            field
        };
        self.check_name(field, line).map_err(|why| Fault::bad(at + run, why))?;
        self.state = FieldState::Value(field);
        Ok(run + 1)
    }

    fn read_value(
        &mut self,
        rest: &[u8],
        at: usize,
        field: Field,
        line: &RequestLine,
    ) -> Result<usize, Fault> {
        let run = class::value_run(rest);
        let is_read = match field {
            Field::ContentLength | Field::TransferEncoding => true,
            Field::Host => line.is_absolute(),
            Field::Other => false,
        };
        let next = rest.get(run);
        if next.is_some_and(|&next| next != b'\r') {
            return Err(Fault::bad(at + run, stray_in_value(rest[run])));
        }
        if is_read && (next.is_none() || !self.held.is_empty()) {
            self.held.extend_from_slice(&rest[..run]);
        }
        if next.is_none() {
            return Ok(run);
        }
        if is_read {
            let held = std::mem::take(&mut self.held);
            let value = class::trim(if held.is_empty() { &rest[..run] } else { &held });
            self.check_value(field, value, line)
                .map_err(|refusal| Fault::new(at + run, refusal))?;
            self.held = held;
            self.held.clear();
            // An idle connection does not keep what one long value took.
            self.held.shrink_to(64);
        }
        self.state = FieldState::Lf;
        Ok(run + 1)
    }

    /// Whether this field may stand here, as far as its name tells.
    fn check_name(&mut self, field: Field, line: &RequestLine) -> Result<(), &'static str> {
        if self.section == Section::Trailers {
            // RFC 9110 section 6.5.1: framing and routing are no trailers.
            return match field {
                Field::Other => Ok(()),
                _ => Err("Host, Content-Length or Transfer-Encoding in trailers"),
            };
        }
        match field {
            Field::Host if self.has_host => return Err("more than one Host"),
            Field::Host => self.has_host = true,
            // RFC 9112 section 6.1: a message with both is likely an attack.
            Field::ContentLength if self.is_chunked => {
                return Err("Content-Length with Transfer-Encoding");
            }
            Field::TransferEncoding if self.length.is_some() => {
                return Err("Content-Length with Transfer-Encoding");
            }
            Field::ContentLength if self.length.is_some() => {
                return Err("more than one Content-Length");
            }
            Field::TransferEncoding if self.is_chunked => {
                return Err("more than one Transfer-Encoding");
            }
            Field::TransferEncoding if !line.is_http_1_1() => {
                return Err("Transfer-Encoding in HTTP/1.0");
            }
            _ => {}
        }
        Ok(())
    }

    fn check_value(
        &mut self,
        field: Field,
        value: &[u8],
        line: &RequestLine,
    ) -> Result<(), Refusal> {
        match field {
            Field::Host if !line.agrees_with(value) => {
                return Err(Refusal::BadRequest("the target disagrees with Host"));
            }
            Field::ContentLength => self.length = Some(content_length(value)?),
            Field::TransferEncoding => {
                transfer_encoding(value)?;
                self.is_chunked = true;
            }
            Field::Host | Field::Other => {}
        }
        Ok(())
    }

    /// Checks the section as a whole.
    fn check_section(&self, line: &RequestLine) -> Result<(), &'static str> {
        if self.section == Section::Trailers {
            return Ok(());
        }
        if !self.has_host && line.is_http_1_1() {
            return Err("no Host");
        }
        // RFC 9110 section 9.3.6: it has none, and recipients differ on one
        // that is declared.
        if line.is_connect() && self.content() != BodyLength::Length(0) {
            return Err("CONNECT with content");
        }
        Ok(())
    }
}

fn stray_in_name(byte: u8) -> &'static str {
    match byte {
        b' ' | b'\t' => "space before the colon of a field",
        b'\r' | b'\n' => "a field without a colon",
        _ => "a byte that no field name has",
    }
}

fn stray_in_value(byte: u8) -> &'static str {
    match byte {
        b'\n' => "bare LF",
        _ => "a control byte in a field value",
    }
}
