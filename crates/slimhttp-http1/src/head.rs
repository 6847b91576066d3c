//! Heads as they were read: spans of the bytes in which they stand.

use std::borrow::Cow;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    request, response,
};

use crate::fault::Fault;
use crate::framing::Framing;
use crate::scratch::Scratch;
use crate::section::Line;

/// The field lines of a head or of a trailer section, in their order.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    lines: &'a [Line],
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
    pub(crate) fn new(bytes: &'a [u8], scratch: &'a Scratch) -> Self {
        Self { bytes, lines: &scratch.section.lines }
    }

    /// Each line.
    pub fn iter(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        let bytes = self.bytes;
        self.lines
            .iter()
            .map(move |line| Field { name: text(line.name.of(bytes)), value: value(bytes, line) })
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// As a map. Names lose their spelling, lines of one name keep their order.
    ///
    /// # Errors
    /// More names than a map holds.
    pub fn to_map(&self) -> Result<HeaderMap, Fault> {
        self.map_of(&Bytes::copy_from_slice(self.bytes))
    }

    /// The same, of which every value is a piece of `copy`, which has the same bytes.
    fn map_of(self, copy: &Bytes) -> Result<HeaderMap, Fault> {
        let mut map = HeaderMap::try_with_capacity(self.lines.len()).map_err(|_| TOO_MANY)?;
        for line in self.lines {
            let name = HeaderName::from_bytes(line.name.of(copy)).map_err(|_| UNREADABLE)?;
            let value = if line.is_folded {
                Bytes::from(value(copy, line).into_owned())
            } else {
                copy.slice(line.value.start as usize..line.value.end as usize)
            };
            let value = HeaderValue::from_maybe_shared(value).map_err(|_| UNREADABLE)?;
            map.try_append(name, value).map_err(|_| TOO_MANY)?;
        }
        Ok(map)
    }
}

const UNREADABLE: Fault = Fault::Malformed("a head that cannot be read");
const TOO_MANY: Fault = Fault::TooManyFields;

/// The value of a line, where each fold is a space.
fn value<'a>(bytes: &'a [u8], line: &Line) -> Cow<'a, [u8]> {
    let value = line.value.of(bytes);
    if !line.is_folded {
        return Cow::Borrowed(value);
    }
    let lines = value.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    Cow::Owned(lines.collect::<Vec<_>>().join(&b' '))
}

/// Bytes that were found to be of ASCII.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("what was read as ASCII is ASCII")
}

/// The head of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    bytes: &'a [u8],
    scratch: &'a Scratch,
}

impl<'a> RequestHead<'a> {
    pub(crate) fn new(bytes: &'a [u8], scratch: &'a Scratch) -> Self {
        Self { bytes, scratch }
    }

    /// All of it, from the method to the empty line.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The method, a token.
    pub fn method(&self) -> &'a str {
        text(self.scratch.request.method(self.bytes))
    }

    /// The request target in one of its four forms (RFC 9112 section 3.2); visible ASCII.
    pub fn target(&self) -> &'a str {
        text(self.scratch.request.target().of(self.bytes))
    }

    /// 1.0 or 1.1; a higher minor version is 1.1 (RFC 9110 section 2.5).
    pub fn version(&self) -> Version {
        version(self.scratch.request.is_http_1_1())
    }

    /// The header fields.
    pub fn fields(&self) -> Fields<'a> {
        Fields::new(self.bytes, self.scratch)
    }

    /// How its content is delimited.
    pub fn framing(&self) -> Framing {
        let properties = &self.scratch.section.properties;
        match properties.length {
            _ if properties.is_chunked => Framing::Chunked,
            None | Some(0) => Framing::None,
            Some(length) => Framing::Length(length),
        }
    }

    /// Whether the client takes a further response on this connection (RFC 9112 section 9.3).
    pub fn keeps_alive(&self) -> bool {
        let properties = &self.scratch.section.properties;
        !properties.says_close && (self.scratch.request.is_http_1_1() || properties.says_keep_alive)
    }

    /// Whether the client waits for `100 Continue` before it sends its content (RFC 9110 section
    /// 10.1.1). Never of HTTP/1.0, nor without content.
    pub fn expects_continue(&self) -> bool {
        self.scratch.section.properties.expects_continue
            && self.scratch.request.is_http_1_1()
            && self.framing() != Framing::None
    }

    /// Whether it offers to switch protocols: HTTP/1.1, `Upgrade`, and `Connection: upgrade`
    /// (RFC 9110 section 7.8).
    pub fn offers_upgrade(&self) -> bool {
        let properties = &self.scratch.section.properties;
        properties.has_upgrade && properties.connects_upgrade && self.scratch.request.is_http_1_1()
    }

    /// As the `http` crate has it; `head` is copied once, and every value is a piece of the copy.
    ///
    /// # Errors
    /// What that crate cannot hold.
    pub fn to_parts(&self) -> Result<request::Parts, Fault> {
        let copy = Bytes::copy_from_slice(self.bytes);
        let (mut parts, ()) = Request::new(()).into_parts();
        let request = &self.scratch.request;
        parts.method = Method::from_bytes(request.method(&copy)).map_err(|_| UNREADABLE)?;
        let target = request.target();
        let target = copy.slice(target.start as usize..target.end as usize);
        parts.uri = Uri::from_maybe_shared(target).map_err(|_| UNREADABLE)?;
        parts.version = self.version();
        parts.headers = self.fields().map_of(&copy)?;
        Ok(parts)
    }
}

/// The head of a response.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    bytes: &'a [u8],
    scratch: &'a Scratch,
    framing: Framing,
}

impl<'a> ResponseHead<'a> {
    pub(crate) fn new(bytes: &'a [u8], scratch: &'a Scratch, framing: Framing) -> Self {
        Self { bytes, scratch, framing }
    }

    /// All of it, from the version to the empty line.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.scratch.status.status()
    }

    /// 1.0 or 1.1.
    pub fn version(&self) -> Version {
        version(self.scratch.status.is_http_1_1())
    }

    /// The header fields.
    pub fn fields(&self) -> Fields<'a> {
        Fields::new(self.bytes, self.scratch)
    }

    /// How its content is delimited, the method of its request considered (RFC 9112 section 6.3).
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the server takes a further request on this connection (RFC 9112 section 9.3).
    pub fn keeps_alive(&self) -> bool {
        let properties = &self.scratch.section.properties;
        !properties.says_close
            && self.framing != Framing::UntilClose
            // RFC 9112 section 6.3: a message with both is an error, or worse.
            && !(properties.is_chunked && properties.length.is_some())
            && (self.scratch.status.is_http_1_1() || properties.says_keep_alive)
    }

    /// As the `http` crate has it, the fields of framing and of the connection included.
    ///
    /// # Errors
    /// What that crate cannot hold.
    pub fn to_parts(&self) -> Result<response::Parts, Fault> {
        let (mut parts, ()) = Response::new(()).into_parts();
        parts.status = self.status();
        parts.version = self.version();
        parts.headers = self.fields().to_map()?;
        Ok(parts)
    }
}

fn version(is_http_1_1: bool) -> Version {
    if is_http_1_1 { Version::HTTP_11 } else { Version::HTTP_10 }
}

#[cfg(test)]
mod tests;
