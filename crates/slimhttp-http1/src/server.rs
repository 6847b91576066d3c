//! The server's side of a connection: reads requests, writes responses.

use http::{HeaderMap, HeaderValue, StatusCode};

use crate::{
    DataFrame, Fault, Fields, Framing, Limits, PreparedHead, RequestHead, Scratch, SendError, State,
};

/// The server's side of a connection.
///
/// Between two requests it holds no memory but its own few words.
#[derive(Debug)]
pub struct Server {}

/// An event, and how many bytes it took.
#[derive(Clone, Copy, Debug)]
pub struct Received<E> {
    /// So many bytes, from the first, are done with: they are not given again. Behind
    /// `Incomplete` the others are given again, with what comes next, unchanged.
    pub consumed: usize,
    /// What they mean.
    pub event: E,
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
    /// A further request, or its beginning: it is read once the response to the one before is
    /// complete. Takes no byte.
    Paused,
    /// Not HTTP: the response was 101, or 2xx to CONNECT. Takes no byte.
    Switched,
}

/// A final response that is to be sent, but for its content.
#[derive(Clone, Copy, Debug)]
pub struct Response<'r> {
    /// A final one, or 101 where the request has offered to switch.
    pub status: StatusCode,
    /// Its fields. `Content-Length`, `Transfer-Encoding` and, but for 101 and 426, `Connection`
    /// among them are not sent: `close` in the latter is heeded as [`Server::close`].
    pub fields: &'r HeaderMap,
    /// How long its content is, where that is known. Of a response to HEAD, and of 304, what a
    /// GET would have; said only where it is known.
    pub length: Option<u64>,
    /// The time of the response, where `fields` have none (RFC 9110 section 6.6.1).
    pub date: Option<&'r HeaderValue>,
}

impl Server {
    /// The beginning of a connection.
    pub fn new(_limits: Limits) -> Self {
        todo!()
    }

    /// Sets new limits, from the next head on.
    pub fn set_limits(&mut self, _limits: Limits) {
        todo!()
    }

    /// Reads the next event from `bytes`: what was received and not consumed, in order.
    ///
    /// # Errors
    /// The client has sent what is no request. Every further call returns the same fault. A
    /// response may still be sent, and is the last one.
    pub fn read<'a>(
        &mut self,
        _bytes: &'a [u8],
        _scratch: &'a mut Scratch,
    ) -> Result<Received<RequestEvent<'a>>, Fault> {
        todo!()
    }

    /// The client has closed its side; all of its bytes were given to [`Server::read`], and those
    /// that were not consumed are `left`.
    ///
    /// # Errors
    /// [`Fault::Incomplete`]: it closed within a request.
    pub fn read_end(&mut self, _left: &[u8]) -> Result<(), Fault> {
        todo!()
    }

    /// Where the client stands.
    pub fn client_state(&self) -> State {
        todo!()
    }

    /// Where the server stands.
    pub fn server_state(&self) -> State {
        todo!()
    }

    /// Whether a head has begun to come in.
    pub fn is_in_head(&self) -> bool {
        todo!()
    }

    /// The next final response, or the one that is being sent, is the last one of the
    /// connection. It says so if its head is not sent yet.
    pub fn close(&mut self) {
        todo!()
    }

    /// Writes an interim response. To a client of HTTP/1.0 nothing is written (RFC 9110 section
    /// 15.2).
    ///
    /// # Errors
    /// Out of turn, or no interim status; 101 is none of these.
    pub fn send_interim(
        &mut self,
        _out: &mut Vec<u8>,
        _status: StatusCode,
        _fields: &HeaderMap,
    ) -> Result<(), SendError> {
        todo!()
    }

    /// Writes the head of a final response, or of 101, and returns how its content is framed: to
    /// HEAD, and of 204, 304 and 101, there is none.
    ///
    /// # Errors
    /// Out of turn; an interim status.
    pub fn send_response(
        &mut self,
        _out: &mut Vec<u8>,
        _response: &Response<'_>,
    ) -> Result<Framing, SendError> {
        todo!()
    }

    /// The same with a head that was prepared. Whether it may be sent on this connection, see
    /// [`Server::may_send_prepared`].
    ///
    /// # Errors
    /// Out of turn.
    pub fn send_prepared(
        &mut self,
        _out: &mut Vec<u8>,
        _head: &PreparedHead,
        _date: &HeaderValue,
    ) -> Result<Framing, SendError> {
        todo!()
    }

    /// Whether a prepared head says what the next response has to: a request of HTTP/1.1 waits
    /// for it, and the connection stays behind it.
    pub fn may_send_prepared(&self) -> bool {
        todo!()
    }

    /// Frames the next piece of content, of so many bytes, which the owner sends in between. A
    /// piece of 0 bytes is nothing.
    ///
    /// # Errors
    /// Out of turn, or more than was announced.
    pub fn send_data(&mut self, _length: u64) -> Result<DataFrame, SendError> {
        todo!()
    }

    /// Ends the content. Where it is chunked, its last chunk and the trailers are written; else
    /// trailers are left out.
    ///
    /// # Errors
    /// Out of turn, or less than was announced.
    pub fn send_end(
        &mut self,
        _out: &mut Vec<u8>,
        _trailers: Option<&HeaderMap>,
    ) -> Result<(), SendError> {
        todo!()
    }

    /// Writes a byte with which anything that may be sent next begins: of a status line, or of
    /// the size of a chunk. By that an owner whose client has closed its side finds out whether
    /// it has gone. Whether there is such a byte, at most a few times for each message.
    pub fn send_probe(&mut self, _out: &mut Vec<u8>) -> bool {
        todo!()
    }

    /// Whether the exchange is complete and another may follow.
    pub fn is_ready_for_next(&self) -> bool {
        todo!()
    }
}
