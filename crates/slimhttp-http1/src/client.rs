//! The client's side of a connection: writes requests, reads responses.

use http::{HeaderMap, Method};

use crate::{
    DataFrame, Fault, Fields, Framing, Limits, Received, ResponseHead, Scratch, SendError, State,
};

/// The client's side of a connection.
#[derive(Debug)]
pub struct Client {}

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
    /// Not HTTP. Takes no byte.
    Switched,
}

/// A request that is to be sent, but for its content.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The method.
    pub method: &'r Method,
    /// The target as it is to be sent: `/path?query`, `*`, an authority or an absolute URI.
    pub target: &'r str,
    /// Its fields, `Host` among them. `Content-Length` and `Transfer-Encoding` are not sent.
    pub fields: &'r HeaderMap,
    /// [`Framing::None`], its length, or chunked. `None` says `Content-Length: 0` where the method
    /// means content (RFC 9110 section 8.6).
    pub framing: Framing,
}

impl Client {
    /// The beginning of a connection.
    pub fn new(_limits: Limits) -> Self {
        todo!()
    }

    /// Sets new limits, from the next head on.
    pub fn set_limits(&mut self, _limits: Limits) {
        todo!()
    }

    /// Writes the head of a request, in HTTP/1.1.
    ///
    /// # Errors
    /// Out of turn; a target that is none.
    pub fn send_request(
        &mut self,
        _out: &mut Vec<u8>,
        _request: &Request<'_>,
    ) -> Result<(), SendError> {
        todo!()
    }

    /// See [`Server::send_data`](crate::Server::send_data).
    ///
    /// # Errors
    /// Out of turn, or more than was announced.
    pub fn send_data(&mut self, _length: u64) -> Result<DataFrame, SendError> {
        todo!()
    }

    /// See [`Server::send_end`](crate::Server::send_end).
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

    /// Reads the next event from `bytes`, as [`Server::read`](crate::Server::read) does.
    ///
    /// # Errors
    /// The server has sent what is no response, or what nobody has asked for. Every further call
    /// returns the same fault.
    pub fn read<'a>(
        &mut self,
        _bytes: &'a [u8],
        _scratch: &'a mut Scratch,
    ) -> Result<Received<ResponseEvent<'a>>, Fault> {
        todo!()
    }

    /// The server has closed its side. `true` where that ends a response whose content is framed
    /// by it, which is complete then; `false` between two exchanges.
    ///
    /// # Errors
    /// [`Fault::Incomplete`]: it closed within a response, or before it.
    pub fn read_end(&mut self, _left: &[u8]) -> Result<bool, Fault> {
        todo!()
    }

    /// Where this side stands.
    pub fn client_state(&self) -> State {
        todo!()
    }

    /// Where the server stands.
    pub fn server_state(&self) -> State {
        todo!()
    }

    /// Whether the exchange is complete, in both directions, and another may follow.
    pub fn is_reusable(&self) -> bool {
        todo!()
    }
}
