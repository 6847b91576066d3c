//! The status line: `HTTP-version SP status-code SP [ reason-phrase ] CRLF` (RFC 9112 section 4).
//! Lenient where servers are known to differ and no two recipients could disagree on what follows:
//! the space before an empty reason may be missing, a reason holds bytes beyond ASCII, and a bare
//! LF ends the line (section 2.2).

use http::StatusCode;

use crate::class;
use crate::fault::Fault;
use crate::span::FaultAt;

/// A status line that is being read, or was.
#[derive(Debug, Default)]
pub(crate) struct StatusLine {
    state: LineState,
    /// The next byte to read.
    at: usize,
    minor: u8,
    status: StatusCode,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LineState {
    /// All before the reason, which is of a fixed length.
    #[default]
    Fixed,
    /// The space before the reason, or the line's end.
    ReasonStart,
    Reason,
    Lf,
}

impl StatusLine {
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// Whether the version is 1.1, or a later one of 1 (RFC 9110 section 2.5).
    pub(crate) fn is_http_1_1(&self) -> bool {
        self.minor != b'0'
    }

    /// Reads on to the line's end; returns what is behind it.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<Option<usize>, FaultAt> {
        while self.at < bytes.len() {
            let at = self.at;
            match (self.state, bytes[at]) {
                (LineState::Fixed, byte) => self.read_fixed(bytes, byte)?,
                (LineState::ReasonStart, b' ') => {
                    self.state = LineState::Reason;
                    self.at += 1;
                }
                (LineState::Reason, byte) if class::is(byte, class::VALUE) => {
                    self.at += class::value_run(&bytes[at..]);
                }
                (LineState::ReasonStart | LineState::Reason, b'\r') => {
                    self.state = LineState::Lf;
                    self.at += 1;
                }
                (_, b'\n') => return Ok(Some(at + 1)),
                (LineState::ReasonStart, _) => {
                    return Err(FaultAt::malformed(at, "malformed status"));
                }
                (LineState::Reason, _) => {
                    return Err(FaultAt::malformed(at, "a control byte in the reason"));
                }
                (LineState::Lf, _) => {
                    return Err(FaultAt::malformed(at, "bare CR in the status line"));
                }
            }
        }
        Ok(None)
    }

    /// One byte of `HTTP/1.1 200`.
    fn read_fixed(&mut self, bytes: &[u8], byte: u8) -> Result<(), FaultAt> {
        const SHAPE: &[u8] = b"HTTP/1.1 200";
        let at = self.at;
        let fits = match at {
            5 | 7 | 10 | 11 => byte.is_ascii_digit(),
            9 => matches!(byte, b'1'..=b'9'),
            _ => byte == SHAPE[at],
        };
        match at {
            _ if !fits && at < 9 => {
                return Err(FaultAt::malformed(at, "no version of HTTP in the status line"));
            }
            _ if !fits => return Err(FaultAt::malformed(at, "malformed status")),
            7 => self.minor = byte,
            8 if bytes[5] != b'1' => return Err(FaultAt::new(at, Fault::UnsupportedVersion)),
            11 => {
                self.status = StatusCode::from_bytes(&bytes[9..12])
                    .map_err(|_| FaultAt::malformed(at, "malformed status"))?;
                self.state = LineState::ReasonStart;
            }
            _ => {}
        }
        self.at += 1;
        Ok(())
    }
}
