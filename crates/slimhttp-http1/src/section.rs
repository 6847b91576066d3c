//! Field lines, of a head and of a trailer section alike: `name ":" OWS value OWS CRLF`, and an
//! empty line (RFC 9112 section 5). What the fields say of framing and of the connection is
//! recorded while they are read, so that nobody looks for it again.
//!
//! Those of requests and of trailers are read strictly. Of a response's head more is accepted, as
//! RFC 9112 has a proxy do: white space before a colon (section 5.1), folded values (5.2), lines
//! that end with a bare LF (2.2). A field of framing or of the connection may not be folded.

use crate::class::{self, TOKEN};
use crate::coding;
use crate::fault::Fault;
use crate::known::Known;
use crate::request_line::RequestLine;
use crate::span::{FaultAt, Span, index};

/// One field line: where it stands in the bytes of its section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) name: Span,
    /// Without the white space around it.
    pub(crate) value: Span,
    /// Whether it stands on several lines.
    pub(crate) is_folded: bool,
}

/// What a section is part of, which decides how it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rules<'r> {
    /// The head of a request, with this line.
    Request(&'r RequestLine),
    /// The head of a response, and whether it is of HTTP/1.1.
    Response { is_http_1_1: bool },
    /// The trailers of a request.
    RequestTrailers,
    /// Those of a response. What frames or routes a message means nothing there, and is passed
    /// over, not refused: the response has begun (RFC 9110 section 6.5.1).
    ResponseTrailers,
}

impl Rules<'_> {
    fn is_lenient(self) -> bool {
        matches!(self, Self::Response { .. })
    }
}

/// What the fields of a head say of framing and of the connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Properties {
    has_host: bool,
    pub(crate) length: Option<u64>,
    pub(crate) is_chunked: bool,
    /// `Connection: close`.
    pub(crate) says_close: bool,
    /// `Connection: keep-alive`.
    pub(crate) says_keep_alive: bool,
    /// `Connection: upgrade`.
    pub(crate) connects_upgrade: bool,
    /// `Upgrade`.
    pub(crate) has_upgrade: bool,
    /// `Expect: 100-continue`.
    pub(crate) expects_continue: bool,
}

/// A section that is being read, or was.
#[derive(Debug, Default)]
pub(crate) struct Section {
    state: FieldState,
    /// The next byte to read.
    at: usize,
    /// The line that is being read.
    name: Span,
    known: Option<Known>,
    value_start: u32,
    /// Where it goes on with the value of the line before, that value.
    folded: Option<Span>,
    pub(crate) lines: Vec<Line>,
    pub(crate) properties: Properties,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default)]
enum FieldState {
    #[default]
    LineStart,
    Name,
    /// White space between a name and its colon.
    NameEnd,
    Value,
    Lf,
    /// The LF of the empty line.
    EndLf,
}

impl Section {
    /// Forgets the last section. The next one begins at `at`.
    pub(crate) fn begin(&mut self, at: usize) {
        self.state = FieldState::LineStart;
        self.at = at;
        self.lines.clear();
        self.properties = Properties::default();
    }

    /// Reads on to the section's end; returns what is behind it.
    pub(crate) fn read(
        &mut self,
        bytes: &[u8],
        rules: Rules<'_>,
        most: u16,
    ) -> Result<Option<usize>, FaultAt> {
        let mut at = self.at;
        while at < bytes.len() {
            at = match (self.state, bytes[at]) {
                (FieldState::LineStart, b'\n') if rules.is_lenient() => {
                    self.check_section(rules).map_err(|why| FaultAt::malformed(at, why))?;
                    return Ok(Some(at + 1));
                }
                (FieldState::LineStart, byte) => self.start_line(byte, at, rules, most)?,
                (FieldState::Name, _) => self.read_name(bytes, at, rules)?,
                (FieldState::NameEnd, byte) => self.read_name_end(bytes, byte, at, rules)?,
                (FieldState::Value, _) => self.read_value(bytes, at, rules)?,
                (FieldState::Lf, b'\n') => {
                    self.state = FieldState::LineStart;
                    at + 1
                }
                (FieldState::EndLf, b'\n') => return Ok(Some(at + 1)),
                (FieldState::Lf | FieldState::EndLf, _) => {
                    return Err(FaultAt::malformed(at, "bare CR in a field"));
                }
            };
        }
        self.at = at;
        Ok(None)
    }

    fn start_line(
        &mut self,
        byte: u8,
        at: usize,
        rules: Rules<'_>,
        most: u16,
    ) -> Result<usize, FaultAt> {
        match byte {
            b'\r' => {
                self.check_section(rules).map_err(|why| FaultAt::malformed(at, why))?;
                self.state = FieldState::EndLf;
                return Ok(at + 1);
            }
            b'\n' => return Err(FaultAt::malformed(at, "bare LF")),
            b' ' | b'\t' if rules.is_lenient() => return self.unfold(at),
            b' ' | b'\t' => {
                return Err(FaultAt::malformed(at, "a folded field, or space before its name"));
            }
            b':' => return Err(FaultAt::malformed(at, "a field without a name")),
            _ if self.lines.len() >= usize::from(most) => {
                return Err(FaultAt::new(at, Fault::TooManyFields));
            }
            _ => {}
        }
        self.name.start = index(at);
        self.folded = None;
        self.state = FieldState::Name;
        Ok(at)
    }

    /// Goes on with the line before, whose value was folded. Only what is new is looked at: folds
    /// are no fields, so that nothing but the head's length bounds how many there are.
    fn unfold(&mut self, at: usize) -> Result<usize, FaultAt> {
        let Some(line) = self.lines.pop() else {
            return Err(FaultAt::malformed(at, "space before the first field"));
        };
        if !matches!(self.known, Some(Known::Other)) {
            return Err(FaultAt::malformed(at, "a folded field of framing or of the connection"));
        }
        self.folded = Some(line.value);
        self.value_start = index(at);
        self.state = FieldState::Value;
        Ok(at)
    }

    fn read_name(&mut self, bytes: &[u8], at: usize, rules: Rules<'_>) -> Result<usize, FaultAt> {
        let end = at + class::run(&bytes[at..], TOKEN);
        self.name.end = index(end);
        match bytes.get(end) {
            None => Ok(end),
            Some(b':') => self.end_name(bytes, end, rules),
            Some(b' ' | b'\t') if rules.is_lenient() && !self.name.is_empty() => {
                self.state = FieldState::NameEnd;
                Ok(end)
            }
            Some(&stray) => Err(FaultAt::malformed(end, stray_in_name(stray))),
        }
    }

    fn read_name_end(
        &mut self,
        bytes: &[u8],
        byte: u8,
        at: usize,
        rules: Rules<'_>,
    ) -> Result<usize, FaultAt> {
        match byte {
            b':' => self.end_name(bytes, at, rules),
            b' ' | b'\t' => Ok(at + 1),
            _ => Err(FaultAt::malformed(at, "a field without a colon")),
        }
    }

    /// Takes the colon behind a name.
    fn end_name(&mut self, bytes: &[u8], colon: usize, rules: Rules<'_>) -> Result<usize, FaultAt> {
        let known = Known::of(self.name.of(bytes));
        if known != Known::Other {
            self.check_name(known, rules).map_err(|why| FaultAt::malformed(colon, why))?;
        }
        self.known = Some(known);
        self.value_start = index(colon + 1);
        self.state = FieldState::Value;
        Ok(colon + 1)
    }

    fn read_value(&mut self, bytes: &[u8], at: usize, rules: Rules<'_>) -> Result<usize, FaultAt> {
        let end = at + class::value_run(&bytes[at..]);
        match bytes.get(end) {
            None => return Ok(end),
            Some(b'\r') => self.state = FieldState::Lf,
            Some(b'\n') if rules.is_lenient() => self.state = FieldState::LineStart,
            Some(&stray) => return Err(FaultAt::malformed(end, stray_in_value(stray))),
        }
        let piece = trim(bytes, self.value_start as usize, end);
        let value = self.folded.map_or(piece, |folded| folded.joined(piece));
        let known = self.known.unwrap_or(Known::Other);
        if known != Known::Other {
            self.record(known, bytes, value.of(bytes), rules)
                .map_err(|fault| FaultAt::new(end, fault))?;
        }
        self.lines.push(Line { name: self.name, value, is_folded: self.folded.is_some() });
        Ok(end + 1)
    }

    /// Whether this field may stand here, as far as its name tells.
    fn check_name(&mut self, known: Known, rules: Rules<'_>) -> Result<(), &'static str> {
        let properties = &mut self.properties;
        match (rules, known) {
            // RFC 9110 section 6.5.1: framing and routing are no trailers.
            (
                Rules::RequestTrailers,
                Known::Host | Known::ContentLength | Known::TransferEncoding,
            ) => Err("Host, Content-Length or Transfer-Encoding in trailers"),
            (Rules::Request(_), Known::Host) if properties.has_host => Err("more than one Host"),
            (Rules::Request(_), Known::Host) => {
                properties.has_host = true;
                Ok(())
            }
            // RFC 9112 section 6.1: a message with both is likely an attack.
            (Rules::Request(_), Known::ContentLength) if properties.is_chunked => {
                Err("Content-Length with Transfer-Encoding")
            }
            (Rules::Request(_), Known::TransferEncoding) if properties.length.is_some() => {
                Err("Content-Length with Transfer-Encoding")
            }
            (Rules::Request(_), Known::ContentLength) if properties.length.is_some() => {
                Err("more than one Content-Length")
            }
            (Rules::Request(_) | Rules::Response { .. }, Known::TransferEncoding)
                if properties.is_chunked =>
            {
                Err("more than one Transfer-Encoding")
            }
            (Rules::Request(line), Known::TransferEncoding) if !line.is_http_1_1() => {
                Err("Transfer-Encoding in HTTP/1.0")
            }
            (Rules::Response { is_http_1_1: false }, Known::TransferEncoding) => {
                Err("Transfer-Encoding in HTTP/1.0")
            }
            _ => Ok(()),
        }
    }

    /// Records what a field means.
    fn record(
        &mut self,
        known: Known,
        bytes: &[u8],
        value: &[u8],
        rules: Rules<'_>,
    ) -> Result<(), Fault> {
        let properties = &mut self.properties;
        match (known, rules) {
            (_, Rules::RequestTrailers | Rules::ResponseTrailers) => {}
            (Known::Host, Rules::Request(line)) if !line.agrees_with(bytes, value) => {
                return Err(Fault::Malformed("the target disagrees with Host"));
            }
            (Known::ContentLength, Rules::Request(_)) => {
                properties.length = Some(coding::content_length(value)?);
            }
            (Known::ContentLength, _) => {
                let length = coding::content_length_list(value)?;
                if properties.length.is_some_and(|other| other != length) {
                    return Err(Fault::Malformed("Content-Length says different lengths"));
                }
                properties.length = Some(length);
            }
            (Known::TransferEncoding, _) => {
                coding::transfer_encoding(value)?;
                properties.is_chunked = true;
            }
            (Known::Connection, _) => properties.record_options(value),
            (Known::Upgrade, _) => properties.has_upgrade = true,
            (Known::Expect, _) => properties.expects_continue |= names(value, b"100-continue"),
            (Known::Host | Known::Other, _) => {}
        }
        Ok(())
    }

    /// Checks the section as a whole.
    fn check_section(&self, rules: Rules<'_>) -> Result<(), &'static str> {
        let Rules::Request(line) = rules else { return Ok(()) };
        if !self.properties.has_host && line.is_http_1_1() {
            return Err("no Host");
        }
        // RFC 9110 section 9.3.6: it has none, and recipients differ on one that is declared.
        let has_content = self.properties.is_chunked || self.properties.length.unwrap_or(0) > 0;
        if line.is_connect() && has_content {
            return Err("CONNECT with content");
        }
        Ok(())
    }
}

impl Properties {
    /// Records the options of a `Connection` field (RFC 9110 section 7.6.1).
    fn record_options(&mut self, value: &[u8]) {
        for option in members(value) {
            match option.len() {
                5 if option.eq_ignore_ascii_case(b"close") => self.says_close = true,
                7 if option.eq_ignore_ascii_case(b"upgrade") => self.connects_upgrade = true,
                10 if option.eq_ignore_ascii_case(b"keep-alive") => self.says_keep_alive = true,
                _ => {}
            }
        }
    }
}

/// The members of a list (RFC 9110 section 5.6.1).
pub(crate) fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(class::trim)
}

/// Whether a list has this member, in whatever case.
pub(crate) fn names(value: &[u8], member: &[u8]) -> bool {
    members(value).any(|other| other.eq_ignore_ascii_case(member))
}

/// The bytes from `start` to `end` without the white space around them.
fn trim(bytes: &[u8], mut start: usize, mut end: usize) -> Span {
    let is_blank = |at: usize| matches!(bytes[at], b' ' | b'\t');
    while start < end && is_blank(start) {
        start += 1;
    }
    while start < end && is_blank(end - 1) {
        end -= 1;
    }
    Span::new(start, end)
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
