//! Where a head is read to.

use crate::fault::Fault;
use crate::limits::Bounds;
use crate::request_line::RequestLine;
use crate::section::{Rules, Section};
use crate::span::FaultAt;
use crate::status_line::StatusLine;

/// The spans of one head, and how far it was read. What an engine needs only while a head comes
/// in: connections that are read on one thread share one, and an engine keeps what it needs of it
/// to itself where a head comes in pieces. So an engine at rest is small.
#[derive(Debug, Default)]
pub struct Scratch {
    /// What holds from the first byte of a head to its last.
    bounds: Bounds,
    start: Start,
    pub(crate) request: RequestLine,
    pub(crate) status: StatusLine,
    pub(crate) section: Section,
}

/// What stands before the fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Start {
    /// A request line.
    #[default]
    Request,
    /// A status line.
    Status,
    /// Nothing: these are trailers, or the line was read.
    Nothing,
}

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Request,
    Response,
    RequestTrailers,
    ResponseTrailers,
}

impl Part {
    pub(crate) fn is_of_response(self) -> bool {
        matches!(self, Self::Response | Self::ResponseTrailers)
    }
}

impl Scratch {
    /// Forgets what was read.
    pub(crate) fn begin(&mut self, part: Part, bounds: Bounds) {
        self.bounds = bounds;
        self.start = match part {
            Part::Request => Start::Request,
            Part::Response => Start::Status,
            Part::RequestTrailers | Part::ResponseTrailers => Start::Nothing,
        };
        self.request = RequestLine::default();
        self.status = StatusLine::default();
        self.section.begin(0);
    }

    /// What was read, in no more memory than it needs: what larger heads took is not kept where a
    /// small one comes in slowly.
    pub(crate) fn take(&mut self) -> Self {
        let mut taken = std::mem::take(self);
        taken.section.lines.shrink_to_fit();
        taken
    }

    /// Reads on: `bytes` are those of before, and more. Returns where the part ends.
    pub(crate) fn read(&mut self, part: Part, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let window = &bytes[..bytes.len().min(self.bounds.head as usize)];
        let end = self.read_within(part, window)?;
        if end.is_none() && window.len() < bytes.len() {
            let in_target = self.start == Start::Request && self.request.in_target();
            return Err(if in_target { Fault::TargetTooLong } else { Fault::HeadTooLong });
        }
        Ok(end)
    }

    fn read_within(&mut self, part: Part, bytes: &[u8]) -> Result<Option<usize>, FaultAt> {
        if self.start != Start::Nothing {
            let line = match self.start {
                Start::Request => self.request.read(bytes, self.bounds.target)?,
                _ => self.status.read(bytes)?,
            };
            let Some(behind) = line else { return Ok(None) };
            self.start = Start::Nothing;
            self.section.begin(behind);
        }
        let rules = match part {
            Part::Request => Rules::Request(&self.request),
            Part::Response => Rules::Response { is_http_1_1: self.status.is_http_1_1() },
            Part::RequestTrailers => Rules::RequestTrailers,
            Part::ResponseTrailers => Rules::ResponseTrailers,
        };
        self.section.read(bytes, rules, self.bounds.fields)
    }
}

#[cfg(test)]
mod tests;
