//! The request line: `method SP request-target SP HTTP-version CRLF`, with
//! exactly one space each (RFC 9112 section 3).

use super::class::{self, AUTHORITY, PATH, QUERY, TOKEN};
use super::{Fault, Read, authority};
use crate::protocol::refusal::Refusal;

/// How much of a line is kept for the log, bytes.
const LONGEST_TEXT: usize = 256;
/// No method known to anyone is longer; RFC 9112 section 3 answers 501 then.
const LONGEST_METHOD: usize = 64;
/// The longest target that the `http` crate holds.
const LONGEST_TARGET: usize = 65_534;

/// Reads a request line and keeps what the check of the fields needs.
#[derive(Debug, Default)]
pub(super) struct RequestLine {
    state: LineState,
    text: Vec<u8>,
    method_len: usize,
    target_len: usize,
    form: TargetForm,
    /// The authority of a target that has one, as sent.
    authority: Vec<u8>,
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
    /// Forgets the last line.
    pub(super) fn begin(&mut self) {
        self.state = LineState::Method;
        self.text.clear();
        self.method_len = 0;
        self.target_len = 0;
        self.form = TargetForm::Origin;
        self.authority.clear();
    }

    /// The beginning of the line, for the log.
    pub(super) fn text(&self) -> &str {
        // Only bytes that passed are kept, and those are ASCII.
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// Whether what is missing yet is missing of the target.
    pub(super) fn in_target(&self) -> bool {
        use LineState::{Authority, Path, Query, Scheme, Star, TargetStart};
        matches!(self.state, TargetStart | Scheme(_) | Authority | Path | Query | Star)
    }

    /// Whether the version is 1.1.
    pub(super) fn is_http_1_1(&self) -> bool {
        self.version == *b"11"
    }

    /// Whether the method is `CONNECT`.
    pub(super) fn is_connect(&self) -> bool {
        self.form == TargetForm::Authority
    }

    /// Whether a `Host` field may name `host`: an absolute target names the same
    /// one (RFC 9112 section 3.2.2). Other targets have no say.
    pub(super) fn agrees_with(&self, host: &[u8]) -> bool {
        match self.form {
            TargetForm::Absolute(port) => authority::same(&self.authority, host, port),
            _ => true,
        }
    }

    /// Whether an absolute target awaits a `Host` to agree with.
    pub(super) fn is_absolute(&self) -> bool {
        matches!(self.form, TargetForm::Absolute(_))
    }

    /// Reads on to the line's end.
    pub(super) fn read(&mut self, bytes: &[u8], max_uri: usize) -> Read {
        let max_target = max_uri.min(LONGEST_TARGET);
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            at += match self.state {
                LineState::Method => self.read_method(rest, at)?,
                LineState::TargetStart => self.read_target_start(rest[0], at)?,
                LineState::Version(matched) => self.read_version(rest, matched, at)?,
                LineState::Lf if rest[0] == b'\n' => return Ok(Some(at + 1)),
                LineState::Lf => return Err(Fault::bad(at, "bare CR in the request line")),
                LineState::Scheme(matched) => self.read_scheme(rest[0], matched, at, max_target)?,
                LineState::Star => self.read_star(rest[0], at, max_target)?,
                LineState::Authority => self.read_authority(rest, at, max_target)?,
                LineState::Path | LineState::Query => self.read_target(rest, at, max_target)?,
            };
        }
        Ok(None)
    }

    fn read_method(&mut self, rest: &[u8], at: usize) -> Result<usize, Fault> {
        let run = class::run(rest, TOKEN);
        let room = LONGEST_METHOD - self.method_len;
        if run > room {
            self.note(&rest[..room]);
            return Err(Fault::new(at + room, Refusal::NotImplemented));
        }
        self.note(&rest[..run]);
        self.method_len += run;
        match rest.get(run) {
            None => Ok(run),
            Some(b' ') if self.method_len > 0 => {
                self.note(b" ");
                self.state = LineState::TargetStart;
                Ok(run + 1)
            }
            Some(_) => Err(Fault::bad(at + run, "malformed method")),
        }
    }

    /// The first byte of a target tells its form; it is read again as part of it.
    fn read_target_start(&mut self, byte: u8, at: usize) -> Result<usize, Fault> {
        let method = &self.text[..self.method_len];
        (self.form, self.state) = match byte {
            _ if method == b"CONNECT" => (TargetForm::Authority, LineState::Authority),
            b'/' => (TargetForm::Origin, LineState::Path),
            b'*' => (TargetForm::Asterisk, LineState::Star),
            b'h' | b'H' => (TargetForm::Absolute(80), LineState::Scheme(0)),
            b' ' => return Err(Fault::bad(at, "more than one space before the target")),
            _ => return Err(Fault::bad(at, "malformed target")),
        };
        Ok(0)
    }

    /// Takes as much of the target as is of the current part, and goes on to the
    /// next part.
    fn read_target(&mut self, rest: &[u8], at: usize, max: usize) -> Result<usize, Fault> {
        let run = class::run(rest, if self.state == LineState::Path { PATH } else { QUERY });
        self.grow_target(&rest[..run], at, max)?;
        match rest.get(run) {
            None => Ok(run),
            Some(b' ') => {
                self.end_target();
                Ok(run + 1)
            }
            Some(b'?') => {
                self.state = LineState::Query;
                Ok(run)
            }
            Some(&stray) => Err(Fault::bad(at + run, stray_in_target(stray))),
        }
    }

    /// One byte of `http://` or `https://`.
    fn read_scheme(
        &mut self,
        byte: u8,
        matched: u8,
        at: usize,
        max: usize,
    ) -> Result<usize, Fault> {
        let next = match (matched, byte.to_ascii_lowercase()) {
            (0, b'h') | (1 | 2, b't') | (3, b'p') | (4, b's') | (6, b'/') => {
                LineState::Scheme(matched + 1)
            }
            (4 | 5, b':') => LineState::Scheme(6),
            (7, b'/') => LineState::Authority,
            _ => return Err(Fault::bad(at, "malformed target")),
        };
        self.grow_target(&[byte], at, max)?;
        if next == LineState::Scheme(5) {
            self.form = TargetForm::Absolute(443);
        }
        self.state = next;
        Ok(1)
    }

    fn read_star(&mut self, byte: u8, at: usize, max: usize) -> Result<usize, Fault> {
        if self.target_len == 0 {
            self.grow_target(b"*", at, max)?;
        } else if byte == b' ' {
            self.end_target();
        } else {
            return Err(Fault::bad(at, "malformed target"));
        }
        Ok(1)
    }

    fn read_authority(&mut self, rest: &[u8], at: usize, max: usize) -> Result<usize, Fault> {
        let run = class::run(rest, AUTHORITY);
        self.grow_target(&rest[..run], at, max)?;
        self.authority.extend_from_slice(&rest[..run]);
        let Some(&next) = rest.get(run) else { return Ok(run) };
        let is_valid = match self.form {
            TargetForm::Authority => next == b' ' && authority::has_port(&self.authority),
            _ => matches!(next, b'/' | b'?' | b' ') && authority::is_valid(&self.authority),
        };
        if !is_valid {
            return Err(Fault::bad(at + run, "malformed authority in the target"));
        }
        match next {
            b'/' => self.state = LineState::Path,
            b'?' => self.state = LineState::Query,
            _ => {
                self.end_target();
                return Ok(run + 1);
            }
        }
        Ok(run)
    }

    fn grow_target(&mut self, part: &[u8], at: usize, max: usize) -> Result<(), Fault> {
        let fits = part.len().min(max.saturating_sub(self.target_len));
        self.note(&part[..fits]);
        self.target_len += fits;
        if fits < part.len() {
            return Err(Fault::new(at + fits, Refusal::UriTooLong));
        }
        Ok(())
    }

    /// Takes the space behind the target.
    fn end_target(&mut self) {
        self.note(b" ");
        self.state = LineState::Version(0);
    }

    fn read_version(&mut self, rest: &[u8], matched: u8, at: usize) -> Result<usize, Fault> {
        const VERSION: &[u8] = b"HTTP/1.1\r";
        if matched == 0 && rest.starts_with(VERSION) {
            self.note(&VERSION[..8]);
            self.version = *b"11";
            return self.end_version(at + 8).map(|()| VERSION.len());
        }
        let byte = rest[0];
        let fits = match matched {
            5 | 7 => byte.is_ascii_digit(),
            _ => byte == VERSION[usize::from(matched)],
        };
        if !fits {
            return Err(Fault::bad(at, "malformed HTTP version"));
        }
        match matched {
            5 => self.version[0] = byte,
            7 => self.version[1] = byte,
            8 => return self.end_version(at).map(|()| 1),
            _ => {}
        }
        self.note(&[byte]);
        self.state = LineState::Version(matched + 1);
        Ok(1)
    }

    /// Validates the line as a whole. The version comes first: the preface of
    /// HTTP/2 is a matter of version (RFC 9113 section 3.4).
    fn end_version(&mut self, at: usize) -> Result<(), Fault> {
        if !matches!(&self.version, b"10" | b"11") {
            return Err(Fault::new(at, Refusal::VersionNotSupported));
        }
        if self.form == TargetForm::Asterisk && &self.text[..self.method_len] != b"OPTIONS" {
            return Err(Fault::bad(at, "the target * is for OPTIONS"));
        }
        self.state = LineState::Lf;
        Ok(())
    }

    fn note(&mut self, bytes: &[u8]) {
        let room = LONGEST_TEXT - self.text.len();
        self.text.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
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
