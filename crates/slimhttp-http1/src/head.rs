//! Heads as they were read: spans of the bytes in which they stand.

use std::borrow::Cow;

use http::{HeaderMap, StatusCode, Version, request, response};

use crate::{Fault, Framing};

/// The field lines of a head or of a trailer section, in their order.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    bytes: &'a [u8],
}

/// One field line.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// As it was sent.
    pub name: &'a str,
    /// Without the white space around it. Owned only where it was folded (a response's, RFC 9112
    /// section 5.2: each fold becomes a space).
    pub value: Cow<'a, [u8]>,
}

impl<'a> Fields<'a> {
    /// Each line.
    pub fn iter(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        let _ = self.bytes;
        std::iter::empty()
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As a map. Names lose their spelling, lines of one name keep their order.
    ///
    /// # Errors
    /// More names than a map holds.
    pub fn to_map(&self) -> Result<HeaderMap, Fault> {
        todo!()
    }
}

/// The head of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    bytes: &'a [u8],
}

impl<'a> RequestHead<'a> {
    /// All of it, from the method to the empty line.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The method, a token.
    pub fn method(&self) -> &'a str {
        todo!()
    }

    /// The request target in one of its four forms (RFC 9112 section 3.2); visible ASCII.
    pub fn target(&self) -> &'a str {
        todo!()
    }

    /// 1.0 or 1.1; a higher minor version is 1.1 (RFC 9110 section 2.5).
    pub fn version(&self) -> Version {
        todo!()
    }

    /// The header fields.
    pub fn fields(&self) -> Fields<'a> {
        todo!()
    }

    /// How its content is delimited.
    pub fn framing(&self) -> Framing {
        todo!()
    }

    /// Whether the client takes a further response on this connection (RFC 9112 section 9.3).
    pub fn keeps_alive(&self) -> bool {
        todo!()
    }

    /// Whether the client waits for `100 Continue` before it sends its content (RFC 9110 section
    /// 10.1.1). Never of HTTP/1.0, nor without content.
    pub fn expects_continue(&self) -> bool {
        todo!()
    }

    /// Whether it offers to switch protocols: HTTP/1.1, `Upgrade`, and `Connection: upgrade`
    /// (RFC 9110 section 7.8).
    pub fn offers_upgrade(&self) -> bool {
        todo!()
    }

    /// As the `http` crate has it; `head` is copied once, and every value is a piece of the copy.
    ///
    /// # Errors
    /// What that crate cannot hold.
    pub fn to_parts(&self) -> Result<request::Parts, Fault> {
        todo!()
    }
}

/// The head of a response.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    bytes: &'a [u8],
}

impl<'a> ResponseHead<'a> {
    /// All of it, from the version to the empty line.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        todo!()
    }

    /// 1.0 or 1.1.
    pub fn version(&self) -> Version {
        todo!()
    }

    /// The header fields.
    pub fn fields(&self) -> Fields<'a> {
        todo!()
    }

    /// How its content is delimited, the method of its request considered.
    pub fn framing(&self) -> Framing {
        todo!()
    }

    /// Whether the server takes a further request on this connection.
    pub fn keeps_alive(&self) -> bool {
        todo!()
    }

    /// As the `http` crate has it, the fields of framing and of the connection included.
    ///
    /// # Errors
    /// What that crate cannot hold.
    pub fn to_parts(&self) -> Result<response::Parts, Fault> {
        todo!()
    }
}
