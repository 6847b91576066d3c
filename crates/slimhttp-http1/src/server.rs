//! The server's side of a connection: reads requests, writes responses.

use http::header::DATE;
use http::{HeaderMap, HeaderValue, StatusCode, Version};

use crate::fault::{Fault, SendError};
use crate::framing::Framing;
use crate::head::{Fields, RequestHead};
use crate::limits::Limits;
use crate::reader::{Piece, Reader, Received};
use crate::scratch::{Part, Scratch};
use crate::state::{Event, OutOfTurn, Side, Sides, State};
use crate::write::{self, DataFrame, Outgoing, PreparedHead};

/// How many bytes of a message are sent before they are due, see [`Server::send_probe`].
const MOST_PROBES: u8 = 16;

/// How many zeros are sent before the size of one chunk. Whoever reads it may take few digits.
const MOST_ZEROS: u8 = 4;

const OUT_OF_TURN: Fault = Fault::Malformed("out of turn");

/// The server's side of a connection.
///
/// Between two requests it holds no memory but its own few words.
#[derive(Debug)]
pub struct Server {
    reader: Reader,
    sides: Sides,
    outgoing: Outgoing,
    /// The request that is being answered, or was.
    request: RequestKind,
    /// How many bytes of the next line were sent ahead.
    ahead: u8,
    /// How many bytes of this message were sent ahead.
    probes: u8,
}

/// What of a request decides how it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RequestKind {
    is_http_1_1: bool,
    is_head: bool,
    is_connect: bool,
}

impl RequestKind {
    /// What is assumed where a request could not be read.
    const UNKNOWN: Self = Self { is_http_1_1: true, is_head: false, is_connect: false };
}

/// What a client has sent.
#[derive(Clone, Copy, Debug)]
pub enum RequestEvent<'a> {
    /// Nothing that is complete: more bytes are needed.
    Incomplete,
    /// A head. One whose framing is [`Framing::None`] is all of its request, and no `End` follows.
    Head(RequestHead<'a>),
    /// A piece of content, without its framing.
    Data(&'a [u8]),
    /// The end of the content, with the trailers (RFC 9112 section 7.1.2), if it was chunked.
    End(Fields<'a>),
    /// A further request, or its beginning (RFC 9112 section 9.3.2): it is read once the response
    /// to the one before is complete, or never, where that response is the last one (section 9.6).
    /// Takes no byte.
    Paused,
    /// Not HTTP: the response was 101 (RFC 9110 section 7.8), or 2xx to CONNECT (section 9.3.6).
    /// Takes no byte.
    Switched,
}

/// A final response that is to be sent, but for its content.
#[derive(Clone, Copy, Debug)]
pub struct Response<'r> {
    /// A final one, or 101 where the request has offered to switch.
    pub status: StatusCode,
    /// Its fields. `Content-Length`, `Transfer-Encoding`, `Keep-Alive`, `Proxy-Connection` and, but
    /// for 101 and 426, `Connection` and `Upgrade` among them are not sent: `close` in `Connection`
    /// means [`Server::close`].
    pub fields: &'r HeaderMap,
    /// How long its content is, where that is known. Of a response to HEAD, and of 304, what a
    /// GET would have; said only where it is known (RFC 9110 section 8.6).
    pub length: Option<u64>,
    /// The time of the response, where `fields` have none (RFC 9110 section 6.6.1).
    pub date: Option<&'r HeaderValue>,
}

impl Server {
    /// The beginning of a connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            reader: Reader::new(limits),
            sides: Sides::new(),
            outgoing: Outgoing::Length(0),
            request: RequestKind::UNKNOWN,
            ahead: 0,
            probes: 0,
        }
    }

    /// Sets new limits, from the next head or trailer section on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.reader.set_limits(limits);
    }

    /// Reads the next event from `bytes`: what was received and not consumed, in order.
    ///
    /// # Errors
    /// The client has sent what is no request. Every further call returns the same fault. A
    /// response may still be sent, and is the last one.
    pub fn read<'a>(
        &mut self,
        bytes: &'a [u8],
        scratch: &'a mut Scratch,
    ) -> Result<Received<RequestEvent<'a>>, Fault> {
        if let Some(fault) = self.reader.fault() {
            return Err(fault.clone());
        }
        let read = match self.sides.client {
            State::Idle => self.read_head(bytes, scratch),
            State::SendBody => self.read_content(bytes, scratch),
            State::Switched => Ok(Received { consumed: 0, event: RequestEvent::Switched }),
            _ if bytes.is_empty() => Ok(Received { consumed: 0, event: RequestEvent::Incomplete }),
            _ => Ok(Received { consumed: 0, event: RequestEvent::Paused }),
        };
        read.map_err(|fault| {
            self.sides.fail(Side::Client);
            self.reader.fail(fault)
        })
    }

    fn read_head<'a>(
        &mut self,
        bytes: &'a [u8],
        scratch: &'a mut Scratch,
    ) -> Result<Received<RequestEvent<'a>>, Fault> {
        let read = self.reader.read_head(Part::Request, bytes, scratch)?;
        let skipped = read.skipped;
        let Some(end) = read.end else {
            return Ok(Received { consumed: skipped, event: RequestEvent::Incomplete });
        };
        let head = RequestHead::new(&bytes[skipped..skipped + end], scratch);
        self.request = RequestKind {
            is_http_1_1: head.version() == Version::HTTP_11,
            is_head: head.method() == "HEAD",
            is_connect: scratch.request.is_connect(),
        };
        let offers = self.request.is_connect || head.offers_upgrade();
        self.sides.request(head.keeps_alive(), offers).map_err(|OutOfTurn| OUT_OF_TURN)?;
        (self.ahead, self.probes) = (0, 0);
        match head.framing() {
            Framing::None => self.apply(Side::Client, Event::End)?,
            framing => self.reader.begin_content(framing),
        }
        Ok(Received { consumed: skipped + end, event: RequestEvent::Head(head) })
    }

    fn read_content<'a>(
        &mut self,
        bytes: &'a [u8],
        scratch: &'a mut Scratch,
    ) -> Result<Received<RequestEvent<'a>>, Fault> {
        Ok(match self.reader.read_content(Part::RequestTrailers, bytes, scratch)? {
            Piece::Incomplete(consumed) => Received { consumed, event: RequestEvent::Incomplete },
            Piece::Data(consumed, data) => {
                self.apply(Side::Client, Event::Data)?;
                Received { consumed, event: RequestEvent::Data(data) }
            }
            Piece::End(consumed, trailers) => {
                self.apply(Side::Client, Event::End)?;
                let fields = Fields::new(&bytes[consumed - trailers..consumed], scratch);
                Received { consumed, event: RequestEvent::End(fields) }
            }
        })
    }

    /// The client has closed its side; all of its bytes were given to [`Server::read`], and those
    /// that were not consumed are `left`. Where these are a further request, nothing changes
    /// until it is read: then call this again. What it has asked for is answered all the same (RFC
    /// 9112 section 9.6), but an offer to switch protocols is taken back.
    ///
    /// # Errors
    /// [`Fault::Incomplete`]: it closed within a request (RFC 9112 section 8).
    pub fn read_end(&mut self, left: &[u8]) -> Result<(), Fault> {
        if let Some(fault) = self.reader.fault() {
            return Err(fault.clone());
        }
        let is_within = match self.sides.client {
            State::Switched => return Ok(()),
            State::Idle => !matches!(left, b"" | b"\r" | b"\r\n") || self.reader.is_within(),
            State::Done | State::MightSwitch if !left.is_empty() => return Ok(()),
            _ => false,
        };
        if is_within || self.sides.apply(Side::Client, Event::Close).is_err() {
            self.sides.fail(Side::Client);
            return Err(self.reader.fail(Fault::Incomplete));
        }
        Ok(())
    }

    /// Where the client stands.
    pub fn client_state(&self) -> State {
        self.sides.client
    }

    /// Where the server stands.
    pub fn server_state(&self) -> State {
        self.sides.server
    }

    /// Whether a head has begun to come in.
    pub fn is_in_head(&self) -> bool {
        self.sides.client == State::Idle && self.reader.is_within()
    }

    /// The next final response, or the one that is being sent, is the last one of the
    /// connection (RFC 9112 section 9.6). It says so if its head is not sent yet.
    pub fn close(&mut self) {
        self.sides.end_with_exchange();
    }

    /// Writes an interim response. To a client of HTTP/1.0 nothing is written (RFC 9110 section
    /// 15.2).
    ///
    /// # Errors
    /// Out of turn, or no interim status; 101 is none of these.
    pub fn send_interim(
        &mut self,
        out: &mut Vec<u8>,
        status: StatusCode,
        fields: &HeaderMap,
    ) -> Result<(), SendError> {
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(SendError::InvalidStatus);
        }
        self.sides.apply(Side::Server, Event::Interim)?;
        if !self.request.is_http_1_1 {
            return Ok(());
        }
        let start = out.len();
        write::status_line(out, status);
        for (name, value) in fields {
            if write::may_say(name, false) {
                write::field(out, name.as_str(), value.as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
        self.end_probe(out, start);
        Ok(())
    }

    /// Writes the head of a final response, or of 101, and returns how its content is framed (RFC
    /// 9112 section 6.3): to HEAD, and of 204, 205, 304 and 101, there is none. What has none is
    /// complete.
    ///
    /// # Errors
    /// Out of turn; an interim status.
    pub fn send_response(
        &mut self,
        out: &mut Vec<u8>,
        response: &Response<'_>,
    ) -> Result<Framing, SendError> {
        let Response { status, fields, length, date } = *response;
        let is_switch = self.is_switch(status);
        if status.is_informational() && !is_switch {
            return Err(SendError::InvalidStatus);
        }
        self.begin_response(if is_switch { Event::Switch } else { Event::Head })?;
        if write::connection_says(fields, b"close") {
            self.sides.end_with_exchange();
        }
        let framing = self.framing(status, length, is_switch);
        if framing == Framing::UntilClose {
            self.sides.end_with_exchange();
        }

        let start = out.len();
        write::status_line(out, status);
        let says_connection =
            matches!(status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::UPGRADE_REQUIRED);
        for (name, value) in fields {
            if write::may_say(name, says_connection) {
                write::field(out, name.as_str(), value.as_bytes());
            }
        }
        if framing == Framing::Chunked {
            write::field(out, "transfer-encoding", b"chunked");
        }
        if !is_switch {
            if let Some(length) = write::said_length(status, length) {
                write::content_length(out, length);
            }
            self.write_connection(out, says_connection && write::connection_says(fields, b"close"));
        }
        if let Some(value) = date.filter(|_| !fields.contains_key(DATE)) {
            write::date(out, value);
        }
        out.extend_from_slice(b"\r\n");
        self.end_probe(out, start);
        self.begin_content(framing, is_switch)?;
        Ok(framing)
    }

    /// The same with a head that was prepared. Whether it may be sent on this connection, see
    /// [`Server::may_send_prepared`].
    ///
    /// # Errors
    /// Out of turn.
    pub fn send_prepared(
        &mut self,
        out: &mut Vec<u8>,
        head: &PreparedHead,
        date: &HeaderValue,
    ) -> Result<Framing, SendError> {
        if !self.may_send_prepared() {
            return Err(SendError::OutOfTurn);
        }
        self.begin_response(Event::Head)?;
        let start = out.len();
        out.extend_from_slice(head.bytes());
        write::date(out, date);
        out.extend_from_slice(b"\r\n");
        self.end_probe(out, start);
        let framing = if self.request.is_head { Framing::None } else { head.framing() };
        self.begin_content(framing, false)?;
        Ok(framing)
    }

    /// Whether a prepared head says what the next response has to: a request of HTTP/1.1 waits
    /// for it, and the connection stays behind it.
    pub fn may_send_prepared(&self) -> bool {
        self.sides.server == State::SendResponse
            && self.sides.is_persistent()
            && self.request.is_http_1_1
            && !self.request.is_connect
    }

    /// Frames the next piece of content, of so many bytes, which the owner sends in between. A
    /// piece of 0 bytes is nothing.
    ///
    /// # Errors
    /// Out of turn, or more than was announced.
    pub fn send_data(&mut self, length: u64) -> Result<DataFrame, SendError> {
        self.sides.allow(Side::Server, Event::Data)?;
        let frame = self.outgoing.data(length)?;
        if length > 0 {
            self.ahead = 0;
        }
        Ok(frame)
    }

    /// Ends the content. Where it is chunked, its last chunk and the trailers are written; else
    /// trailers are left out.
    ///
    /// # Errors
    /// Out of turn, or less than was announced.
    pub fn send_end(
        &mut self,
        out: &mut Vec<u8>,
        trailers: Option<&HeaderMap>,
    ) -> Result<(), SendError> {
        self.sides.allow(Side::Server, Event::End)?;
        self.outgoing.end(out, trailers)?;
        Ok(self.sides.apply(Side::Server, Event::End)?)
    }

    /// Writes the next byte of those with which anything that may be sent next begins: of a status
    /// line up to the status, or zeros before the size of a chunk (RFC 9112 section 7.1). By that
    /// an owner whose client has closed its side finds out whether it has gone. Whether there is
    /// such a byte: they are few before each line, and for each message.
    pub fn send_probe(&mut self, out: &mut Vec<u8>) -> bool {
        let byte = match (self.sides.server, self.outgoing) {
            (State::SendResponse, _) => write::STATUS_LINE_START.get(usize::from(self.ahead)),
            (State::SendBody, Outgoing::Chunked) if self.ahead < MOST_ZEROS => Some(&b'0'),
            _ => None,
        };
        let Some(&byte) = byte.filter(|_| self.probes < MOST_PROBES) else { return false };
        out.push(byte);
        self.ahead += 1;
        self.probes += 1;
        true
    }

    /// Whether the exchange is complete and another may follow.
    pub fn is_ready_for_next(&self) -> bool {
        self.sides.is_ready()
    }

    fn apply(&mut self, side: Side, event: Event) -> Result<(), Fault> {
        self.sides.apply(side, event).map_err(|OutOfTurn| OUT_OF_TURN)
    }

    /// Whether HTTP ends with a response of this status.
    fn is_switch(&self, status: StatusCode) -> bool {
        status == StatusCode::SWITCHING_PROTOCOLS
            || (self.request.is_connect && status.is_success())
    }

    /// A final response is due.
    fn begin_response(&mut self, event: Event) -> Result<(), SendError> {
        self.sides.allow(Side::Server, event)?;
        if self.sides.server == State::Idle {
            // The request that it refuses was never read.
            self.request = RequestKind::UNKNOWN;
            (self.ahead, self.probes) = (0, 0);
            self.sides.end_with_exchange();
        }
        Ok(self.sides.apply(Side::Server, event)?)
    }

    /// How the content of a response is framed (RFC 9112 section 6).
    fn framing(&self, status: StatusCode, length: Option<u64>, is_switch: bool) -> Framing {
        match length {
            _ if is_switch || self.request.is_head => Framing::None,
            _ if !write::may_send_content(status) => Framing::None,
            Some(0) => Framing::None,
            Some(length) => Framing::Length(length),
            None if self.request.is_http_1_1 => Framing::Chunked,
            None => Framing::UntilClose,
        }
    }

    /// Says what becomes of the connection (RFC 9112 section 9.3), unless that was said.
    fn write_connection(&self, out: &mut Vec<u8>, was_said: bool) {
        if was_said {
        } else if !self.sides.is_persistent() {
            write::field(out, "connection", b"close");
        } else if !self.request.is_http_1_1 {
            write::field(out, "connection", b"keep-alive");
        }
    }

    fn begin_content(&mut self, framing: Framing, is_switch: bool) -> Result<(), SendError> {
        self.outgoing = Outgoing::new(framing);
        if framing == Framing::None && !is_switch {
            self.sides.apply(Side::Server, Event::End)?;
        }
        Ok(())
    }

    /// Leaves out of a head that begins at `start` what was sent ahead of it.
    fn end_probe(&mut self, out: &mut Vec<u8>, start: usize) {
        let ahead = usize::from(std::mem::take(&mut self.ahead));
        out.drain(start..start + ahead);
    }
}

impl From<OutOfTurn> for SendError {
    fn from(OutOfTurn: OutOfTurn) -> Self {
        Self::OutOfTurn
    }
}

#[cfg(test)]
mod tests;
