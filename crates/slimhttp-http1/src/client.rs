//! The client's side of a connection: writes requests, reads responses.

use http::header::{HOST, UPGRADE};
use http::{HeaderMap, Method, StatusCode};

use crate::fault::{Fault, SendError};
use crate::framing::Framing;
use crate::head::{Fields, ResponseHead};
use crate::limits::Limits;
use crate::reader::{Piece, Reader, Received};
use crate::scratch::{Part, Scratch};
use crate::state::{Event, OutOfTurn, Side, Sides, State};
use crate::write::{self, DataFrame, Outgoing};

/// How many interim responses come before a final one, at most; 100 counts.
pub const MOST_INTERIM: u8 = 16;

/// The client's side of a connection.
#[derive(Debug)]
pub struct Client {
    reader: Reader,
    sides: Sides,
    outgoing: Outgoing,
    /// Whether the request is HEAD: its response has no content.
    is_head: bool,
    /// Whether the request is CONNECT: its response may end HTTP.
    is_connect: bool,
    interim: u8,
}

/// What a server has sent.
#[derive(Clone, Copy, Debug)]
pub enum ResponseEvent<'a> {
    /// Nothing that is complete: more bytes are needed.
    Incomplete,
    /// The head of an interim response (1xx, but for 101).
    Interim(ResponseHead<'a>),
    /// The head of a final response. One whose framing is [`Framing::None`] is all of it, and no
    /// `End` follows; behind 101, and 2xx to CONNECT, the bytes are not HTTP.
    Head(ResponseHead<'a>),
    /// A piece of content, without its framing.
    Data(&'a [u8]),
    /// The end of the content, with the trailers, if it was chunked.
    End(Fields<'a>),
    /// Not HTTP: the response was 101 (RFC 9110 section 7.8), or 2xx to CONNECT (section 9.3.6).
    /// Takes no byte.
    Switched,
}

/// A request that is to be sent, but for its content.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The method.
    pub method: &'r Method,
    /// The target as it is to be sent: `/path?query`, `*`, an authority or an absolute URI (RFC
    /// 9112 section 3.2).
    pub target: &'r str,
    /// Its fields, `Host` among them; where it is missing, an empty one is sent (RFC 9112 section
    /// 3.2). `Content-Length`, `Transfer-Encoding`, `Keep-Alive` and `Proxy-Connection` are not
    /// sent. `Connection` is: its `close` ends the connection with this exchange, its `upgrade`
    /// offers what `Upgrade` names, which is not sent without it.
    pub fields: &'r HeaderMap,
    /// [`Framing::None`], its length, or chunked; of `CONNECT` and `TRACE` the first (RFC 9110
    /// sections 9.3.6 and 9.3.8). `None` says `Content-Length: 0` where the method
    /// means content (RFC 9110 section 8.6).
    pub framing: Framing,
}

impl Client {
    /// The beginning of a connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            reader: Reader::new(limits),
            sides: Sides::new(),
            outgoing: Outgoing::Length(0),
            is_head: false,
            is_connect: false,
            interim: 0,
        }
    }

    /// Sets new limits, from the next head or trailer section on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.reader.set_limits(limits);
    }

    /// Writes the head of a request, in HTTP/1.1. One whose framing is [`Framing::None`] is
    /// complete.
    ///
    /// # Errors
    /// Out of turn; a target that is none, or none of this method; two `Host`; content where the
    /// method has none, or until the close of the connection.
    pub fn send_request(
        &mut self,
        out: &mut Vec<u8>,
        request: &Request<'_>,
    ) -> Result<(), SendError> {
        let Request { method, target, fields, framing } = *request;
        check(request)?;
        let is_connect = method == Method::CONNECT;
        let offers_upgrade =
            fields.contains_key(UPGRADE) && write::connection_says(fields, b"upgrade");
        let persistent = !write::connection_says(fields, b"close");
        self.sides.request(persistent, is_connect || offers_upgrade)?;
        (self.is_head, self.is_connect) = (method == Method::HEAD, is_connect);
        self.interim = 0;

        out.extend_from_slice(method.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(target.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        if !fields.contains_key(HOST) {
            write::field(out, "host", b"");
        }
        for (name, value) in fields {
            if !write::is_engines_own(name) && (offers_upgrade || name != UPGRADE) {
                write::field(out, name.as_str(), value.as_bytes());
            }
        }
        match framing {
            Framing::Length(length) => write::content_length(out, length),
            Framing::Chunked => write::field(out, "transfer-encoding", b"chunked"),
            _ if means_content(method) => write::content_length(out, 0),
            _ => {}
        }
        out.extend_from_slice(b"\r\n");
        self.outgoing = Outgoing::new(framing);
        if framing == Framing::None {
            self.sides.apply(Side::Client, Event::End)?;
        }
        Ok(())
    }

    /// See [`Server::send_data`](crate::Server::send_data).
    ///
    /// # Errors
    /// Out of turn, or more than was announced.
    pub fn send_data(&mut self, length: u64) -> Result<DataFrame, SendError> {
        self.sides.allow(Side::Client, Event::Data)?;
        self.outgoing.data(length)
    }

    /// See [`Server::send_end`](crate::Server::send_end).
    ///
    /// # Errors
    /// Out of turn, or less than was announced.
    pub fn send_end(
        &mut self,
        out: &mut Vec<u8>,
        trailers: Option<&HeaderMap>,
    ) -> Result<(), SendError> {
        self.sides.allow(Side::Client, Event::End)?;
        self.outgoing.end(out, trailers)?;
        Ok(self.sides.apply(Side::Client, Event::End)?)
    }

    /// Reads the next event from `bytes`, as [`Server::read`](crate::Server::read) does.
    ///
    /// # Errors
    /// The server has sent what is no response, or what nobody has asked for. Every further call
    /// returns the same fault.
    pub fn read<'a>(
        &mut self,
        bytes: &'a [u8],
        scratch: &'a mut Scratch,
    ) -> Result<Received<ResponseEvent<'a>>, Fault> {
        if let Some(fault) = self.reader.fault() {
            return Err(fault.clone());
        }
        let read = match self.sides.server {
            State::SendResponse => self.read_head(bytes, scratch),
            State::SendBody => self.read_content(bytes, scratch),
            State::Switched => Ok(Received { consumed: 0, event: ResponseEvent::Switched }),
            _ if bytes.is_empty() => Ok(Received { consumed: 0, event: ResponseEvent::Incomplete }),
            _ => Err(Fault::Unsolicited),
        };
        read.map_err(|fault| {
            self.sides.fail(Side::Server);
            self.reader.fail(fault)
        })
    }

    fn read_head<'a>(
        &mut self,
        bytes: &'a [u8],
        scratch: &'a mut Scratch,
    ) -> Result<Received<ResponseEvent<'a>>, Fault> {
        let read = self.reader.read_head(Part::Response, bytes, scratch)?;
        let skipped = read.skipped;
        let Some(end) = read.end else {
            return Ok(Received { consumed: skipped, event: ResponseEvent::Incomplete });
        };
        let consumed = skipped + end;
        let status = scratch.status.status();
        let is_switch = self.is_switch(status);
        let framing = self.framing(status, is_switch, scratch);
        let head = ResponseHead::new(&bytes[skipped..consumed], scratch, framing);
        if is_switch {
            self.sides
                .apply(Side::Server, Event::Switch)
                .map_err(|OutOfTurn| Fault::Malformed("101 to a request that offers nothing"))?;
        } else if status.is_informational() {
            self.apply(Event::Interim)?;
            self.interim += 1;
            if self.interim > MOST_INTERIM {
                return Err(Fault::TooManyInterim);
            }
            return Ok(Received { consumed, event: ResponseEvent::Interim(head) });
        } else {
            self.apply(Event::Head)?;
            if !head.keeps_alive() {
                self.sides.end_with_exchange();
            }
            match framing {
                Framing::None => self.end(consumed < bytes.len())?,
                framing => self.reader.begin_content(framing),
            }
        }
        Ok(Received { consumed, event: ResponseEvent::Head(head) })
    }

    fn read_content<'a>(
        &mut self,
        bytes: &'a [u8],
        scratch: &'a mut Scratch,
    ) -> Result<Received<ResponseEvent<'a>>, Fault> {
        Ok(match self.reader.read_content(Part::ResponseTrailers, bytes, scratch)? {
            Piece::Incomplete(consumed) => Received { consumed, event: ResponseEvent::Incomplete },
            Piece::Data(consumed, data) => {
                self.apply(Event::Data)?;
                Received { consumed, event: ResponseEvent::Data(data) }
            }
            Piece::End(consumed, trailers) => {
                self.end(consumed < bytes.len())?;
                let fields = Fields::new(&bytes[consumed - trailers..consumed], scratch);
                Received { consumed, event: ResponseEvent::End(fields) }
            }
        })
    }

    /// How many bytes of content are to come, where the next ones are content and nothing else:
    /// its owner may take them off the socket by other means, see
    /// [`skip_content`](Self::skip_content).
    pub fn content_left(&self) -> Option<u64> {
        self.reader.content_left().filter(|_| self.sides.server == State::SendBody)
    }

    /// So many bytes of content, not more than [`content_left`](Self::content_left) says, are not
    /// given to [`read`](Self::read): they were taken off the socket by other means.
    pub fn skip_content(&mut self, length: u64) {
        self.reader.skip_content(length);
    }

    /// The server has closed its side; all of its bytes were given to [`Client::read`], and those
    /// that were not consumed are `left`. `true` where that ends a response whose content is
    /// framed by it, which is complete then; `false` between two exchanges.
    ///
    /// # Errors
    /// [`Fault::Incomplete`]: it closed within a response, or before it (RFC 9112 section 8).
    pub fn read_end(&mut self, left: &[u8]) -> Result<bool, Fault> {
        if let Some(fault) = self.reader.fault() {
            return Err(fault.clone());
        }
        if self.sides.server == State::Switched {
            return Ok(false);
        }
        let ends = self.sides.server == State::SendBody && self.reader.is_until_close();
        let ended = if ends { self.sides.apply(Side::Server, Event::End) } else { Ok(()) };
        let closed = ended.and_then(|()| self.sides.apply(Side::Server, Event::Close));
        if closed.is_err() || !left.is_empty() {
            self.sides.fail(Side::Server);
            return Err(self.reader.fail(Fault::Incomplete));
        }
        Ok(ends)
    }

    /// Where this side stands.
    pub fn client_state(&self) -> State {
        self.sides.client
    }

    /// Where the server stands.
    pub fn server_state(&self) -> State {
        self.sides.server
    }

    /// Whether the exchange is complete, in both directions, and another may follow (RFC 9112
    /// section 9.3). Not where bytes of the server were left over.
    pub fn is_reusable(&self) -> bool {
        self.sides.is_ready()
    }

    fn apply(&mut self, event: Event) -> Result<(), Fault> {
        self.sides
            .apply(Side::Server, event)
            .map_err(|OutOfTurn| Fault::Malformed("a response out of turn"))
    }

    /// The response is complete. Bytes behind it are of no response that was asked for: the
    /// connection is not used again.
    fn end(&mut self, has_more: bool) -> Result<(), Fault> {
        if has_more {
            self.sides.end_with_exchange();
        }
        self.apply(Event::End)
    }

    /// Whether HTTP ends with a response of this status.
    fn is_switch(&self, status: StatusCode) -> bool {
        status == StatusCode::SWITCHING_PROTOCOLS || (self.is_connect && status.is_success())
    }

    /// How the content of a response is framed (RFC 9112 section 6.3).
    fn framing(&self, status: StatusCode, is_switch: bool, scratch: &Scratch) -> Framing {
        let properties = &scratch.section.properties;
        if is_switch || self.is_head || !write::has_content(status) {
            return Framing::None;
        }
        match properties.length {
            _ if properties.is_chunked => Framing::Chunked,
            Some(0) => Framing::None,
            Some(length) => Framing::Length(length),
            None => Framing::UntilClose,
        }
    }
}

/// Whether a request may be sent at all.
fn check(request: &Request<'_>) -> Result<(), SendError> {
    let Request { method, target, fields, framing } = *request;
    let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    let is_invalid = target.is_empty()
        || !target.bytes().all(fits)
        // RFC 9112 section 3.2.4.
        || (target == "*" && method != Method::OPTIONS);
    if is_invalid {
        return Err(SendError::InvalidTarget);
    }
    if fields.get_all(HOST).iter().count() > 1 {
        return Err(SendError::InvalidHost);
    }
    match framing {
        Framing::None => Ok(()),
        Framing::UntilClose => Err(SendError::InvalidFraming),
        _ if matches!(*method, Method::CONNECT | Method::TRACE) => Err(SendError::InvalidFraming),
        Framing::Length(_) | Framing::Chunked => Ok(()),
    }
}

/// Whether a method means content, so that none is worth saying (RFC 9110 section 8.6).
fn means_content(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

#[cfg(test)]
mod tests;
