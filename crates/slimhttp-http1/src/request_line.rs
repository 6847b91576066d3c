//! The request line: `method SP request-target SP HTTP-version CRLF`, with exactly one space each
//! (RFC 9112 section 3). Read strictly, as far as it has come in; the fields behind it are read by
//! `section`.

use crate::authority;
use crate::class::{self, AUTHORITY, PATH, QUERY, TOKEN};
use crate::fault::Fault;
use crate::span::{FaultAt, Span, index};

/// No method known to anyone is longer; RFC 9112 section 3 has 501 answered then.
const LONGEST_METHOD: usize = 64;

/// A request line that is being read, or was.
#[derive(Debug, Default)]
pub(crate) struct RequestLine {
    state: LineState,
    /// The next byte to read.
    at: usize,
    /// Without the space behind it.
    method_end: u32,
    target_start: u32,
    target_end: u32,
    form: TargetForm,
    /// Of a target that has one.
    authority: Span,
    /// The digits of the version, major and minor.
    version: [u8; 2],
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LineState {
    #[default]
    Method,
    TargetStart,
    /// `http://` or `https://`, with so many bytes of the latter matched.
    Scheme(u8),
    Authority,
    Path,
    Query,
    /// `*` and the space behind it.
    Star,
    /// `HTTP/1.1` and its CR, with so many bytes matched.
    Version(u8),
    Lf,
}

/// The form of a request target (RFC 9112 section 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum TargetForm {
    #[default]
    Origin,
    /// With the default port of its scheme.
    Absolute(u16),
    Authority,
    Asterisk,
}

impl RequestLine {
    pub(crate) fn method<'a>(&self, head: &'a [u8]) -> &'a [u8] {
        &head[..self.method_end as usize]
    }

    pub(crate) fn target(&self) -> Span {
        Span { start: self.target_start, end: self.target_end }
    }

    /// Whether what is missing yet is missing of the target.
    pub(crate) fn in_target(&self) -> bool {
        use LineState::{Authority, Path, Query, Scheme, Star, TargetStart};
        matches!(self.state, TargetStart | Scheme(_) | Authority | Path | Query | Star)
    }

    /// Whether the version is 1.1, or a later one of 1 (RFC 9110 section 2.5).
    pub(crate) fn is_http_1_1(&self) -> bool {
        self.version[1] != b'0'
    }

    /// Whether the method is `CONNECT`.
    pub(crate) fn is_connect(&self) -> bool {
        self.form == TargetForm::Authority
    }

    /// Whether a `Host` field may name `host`: an absolute target names the same one (RFC 9112
    /// section 3.2.2). Other targets have no say.
    pub(crate) fn agrees_with(&self, head: &[u8], host: &[u8]) -> bool {
        match self.form {
            TargetForm::Absolute(port) => authority::same(self.authority.of(head), host, port),
            _ => true,
        }
    }

    /// Reads on to the line's end; returns what is behind it.
    pub(crate) fn read(&mut self, bytes: &[u8], longest: u16) -> Result<Option<usize>, FaultAt> {
        let mut at = self.at;
        while at < bytes.len() {
            at = match self.state {
                LineState::Method => self.read_method(bytes, at)?,
                LineState::TargetStart => self.read_target_start(bytes, at)?,
                LineState::Version(matched) => self.read_version(bytes, matched, at)?,
                LineState::Lf if bytes[at] == b'\n' => return Ok(Some(at + 1)),
                LineState::Lf => return Err(FaultAt::malformed(at, "bare CR in the request line")),
                LineState::Scheme(matched) => self.read_scheme(bytes[at], matched, at, longest)?,
                LineState::Star => self.read_star(bytes[at], at, longest)?,
                LineState::Authority => self.read_authority(bytes, at, longest)?,
                LineState::Path | LineState::Query => self.read_target(bytes, at, longest)?,
            };
        }
        self.at = at;
        Ok(None)
    }

    fn read_method(&mut self, bytes: &[u8], at: usize) -> Result<usize, FaultAt> {
        let end = at + class::run(&bytes[at..], TOKEN);
        if end > LONGEST_METHOD {
            return Err(FaultAt::new(LONGEST_METHOD, Fault::MethodTooLong));
        }
        match bytes.get(end) {
            None => Ok(end),
            Some(b' ') if end > 0 => {
                self.method_end = index(end);
                self.target_start = index(end + 1);
                self.state = LineState::TargetStart;
                Ok(end + 1)
            }
            Some(_) => Err(FaultAt::malformed(end, "malformed method")),
        }
    }

    /// The first byte of a target tells its form; it is read again as part of it.
    fn read_target_start(&mut self, bytes: &[u8], at: usize) -> Result<usize, FaultAt> {
        let method = self.method(bytes);
        (self.form, self.state) = match bytes[at] {
            _ if method == b"CONNECT" => (TargetForm::Authority, LineState::Authority),
            b'/' => (TargetForm::Origin, LineState::Path),
            b'*' => (TargetForm::Asterisk, LineState::Star),
            b'h' | b'H' => (TargetForm::Absolute(80), LineState::Scheme(0)),
            b' ' => return Err(FaultAt::malformed(at, "more than one space before the target")),
            _ => return Err(FaultAt::malformed(at, "malformed target")),
        };
        // Where it has one, it begins here.
        self.authority = Span::new(at, at);
        Ok(at)
    }

    /// Takes as much of the target as is of the current part, and goes on to the next part.
    fn read_target(&mut self, bytes: &[u8], at: usize, longest: u16) -> Result<usize, FaultAt> {
        let class = if self.state == LineState::Path { PATH } else { QUERY };
        let end = at + class::run(&bytes[at..], class);
        self.check_length(end, longest)?;
        match bytes.get(end) {
            None => Ok(end),
            Some(b' ') => Ok(self.end_target(end)),
            Some(b'?') => {
                self.state = LineState::Query;
                Ok(end)
            }
            Some(&stray) => Err(FaultAt::malformed(end, stray_in_target(stray))),
        }
    }

    /// One byte of `http://` or `https://`.
    fn read_scheme(
        &mut self,
        byte: u8,
        matched: u8,
        at: usize,
        longest: u16,
    ) -> Result<usize, FaultAt> {
        let next = match (matched, byte.to_ascii_lowercase()) {
            (0, b'h') | (1 | 2, b't') | (3, b'p') | (4, b's') | (6, b'/') => {
                LineState::Scheme(matched + 1)
            }
            (4 | 5, b':') => LineState::Scheme(6),
            (7, b'/') => LineState::Authority,
            _ => return Err(FaultAt::malformed(at, "malformed target")),
        };
        self.check_length(at + 1, longest)?;
        if next == LineState::Scheme(5) {
            self.form = TargetForm::Absolute(443);
        }
        self.authority = Span::new(at + 1, at + 1);
        self.state = next;
        Ok(at + 1)
    }

    fn read_star(&mut self, byte: u8, at: usize, longest: u16) -> Result<usize, FaultAt> {
        if at == self.target_start as usize {
            self.check_length(at + 1, longest)?;
            Ok(at + 1)
        } else if byte == b' ' {
            Ok(self.end_target(at))
        } else {
            Err(FaultAt::malformed(at, "malformed target"))
        }
    }

    fn read_authority(&mut self, bytes: &[u8], at: usize, longest: u16) -> Result<usize, FaultAt> {
        let end = at + class::run(&bytes[at..], AUTHORITY);
        self.check_length(end, longest)?;
        self.authority.end = index(end);
        let Some(&next) = bytes.get(end) else { return Ok(end) };
        let authority = self.authority.of(bytes);
        let is_valid = match self.form {
            TargetForm::Authority => next == b' ' && authority::has_port(authority),
            _ => matches!(next, b'/' | b'?' | b' ') && authority::is_valid(authority),
        };
        if !is_valid {
            return Err(FaultAt::malformed(end, "malformed authority in the target"));
        }
        match next {
            b'/' => self.state = LineState::Path,
            b'?' => self.state = LineState::Query,
            _ => return Ok(self.end_target(end)),
        }
        Ok(end)
    }

    /// Whether the target may reach to `end`.
    fn check_length(&self, end: usize, longest: u16) -> Result<(), FaultAt> {
        let furthest = self.target_start as usize + usize::from(longest);
        if end > furthest { Err(FaultAt::new(furthest, Fault::TargetTooLong)) } else { Ok(()) }
    }

    /// Takes the space behind the target.
    fn end_target(&mut self, end: usize) -> usize {
        self.target_end = index(end);
        self.state = LineState::Version(0);
        end + 1
    }

    fn read_version(&mut self, bytes: &[u8], matched: u8, at: usize) -> Result<usize, FaultAt> {
        const VERSION: &[u8] = b"HTTP/1.1\r";
        if matched == 0 && bytes[at..].starts_with(VERSION) {
            self.version = *b"11";
            return self.end_version(bytes, at + 8);
        }
        let byte = bytes[at];
        let fits = match matched {
            5 | 7 => byte.is_ascii_digit(),
            _ => byte == VERSION[usize::from(matched)],
        };
        if !fits {
            return Err(FaultAt::malformed(at, "malformed HTTP version"));
        }
        match matched {
            5 => self.version[0] = byte,
            7 => self.version[1] = byte,
            8 => return self.end_version(bytes, at),
            _ => {}
        }
        self.state = LineState::Version(matched + 1);
        Ok(at + 1)
    }

    /// Validates the line as a whole, at its CR. The version comes first: the preface of HTTP/2
    /// is a matter of version (RFC 9113 section 3.4).
    fn end_version(&mut self, bytes: &[u8], at: usize) -> Result<usize, FaultAt> {
        if self.version[0] != b'1' {
            return Err(FaultAt::new(at, Fault::UnsupportedVersion));
        }
        if self.form == TargetForm::Asterisk && self.method(bytes) != b"OPTIONS" {
            return Err(FaultAt::malformed(at, "the target * is for OPTIONS"));
        }
        self.state = LineState::Lf;
        Ok(at + 1)
    }
}

/// How much of a line is shown.
const LONGEST_SHOWN: usize = 256;

/// The request line with which `bytes` begin, or what of it is valid, for a log: at most its
/// first 256 bytes, all of them visible ASCII or single spaces. For heads that were refused.
pub fn request_line(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    let end = match RequestLine::default().read(bytes, u16::MAX) {
        Ok(Some(behind)) => behind - b"\r\n".len(),
        Ok(None) => bytes.strip_suffix(b"\r").unwrap_or(bytes).len(),
        Err(found) => bytes[..found.at].strip_suffix(b"\r").unwrap_or(&bytes[..found.at]).len(),
    };
    bytes[..end.min(LONGEST_SHOWN)].iter().copied().map(char::from).collect()
}

fn stray_in_target(byte: u8) -> &'static str {
    match byte {
        b'\r' | b'\n' => "no HTTP version in the request line",
        b'#' => "a fragment in the target",
        0..=b' ' | 0x7f => "a control byte in the target",
        0x80.. => "a byte beyond ASCII in the target",
        _ => "a byte in the target that must be percent-encoded",
    }
}

#[cfg(test)]
mod tests;
