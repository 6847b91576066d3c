//! A whole response as bytes, head and body, as a handler may return it: what a CGI script
//! gives a gateway. It is parsed as leniently as a gateway parses an origin server (RFC
//! 9112), and framed anew: its fields about framing and about the connection are dropped,
//! and the body is all that follows the head.

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::protocol::forward::remove_hop_by_hop;

/// How many header fields a raw response may have.
pub const MAX_FIELDS: usize = 128;

/// The head of a raw response, and where its body begins.
#[derive(Clone, Debug)]
pub struct RawReply {
    /// A final status.
    pub status: StatusCode,
    /// The fields without `Content-Length` and without what belongs to a single
    /// connection (RFC 9110 section 7.6.1).
    pub headers: HeaderMap,
    /// The offset of the body; the length of the whole where it has none.
    pub body_start: usize,
}

/// Whether bytes begin as a response does. That makes them none: a client may have
/// sent them. It is what a handler means by them that counts.
pub fn looks_raw(bytes: &[u8]) -> bool {
    bytes.starts_with(b"HTTP/1.")
}

/// Reads a raw response.
///
/// Accepted beyond the grammar: lines that end with a bare LF, no reason, blanks
/// before a colon, folded lines (they become one, RFC 9112 section 5.2), empty
/// lines before the status line. Without the empty line that ends a head,
/// everything is head and the body is empty.
///
/// # Errors
/// What is wrong, for the log: no status line, a status below 200 (an interim
/// response answers nothing), a malformed field, more than [`MAX_FIELDS`].
pub fn parse(raw: &[u8]) -> Result<RawReply, &'static str> {
    match read(raw)? {
        Some(reply) => Ok(reply),
        None => {
            let ended = [raw, b"\r\n\r\n"].concat();
            let reply = read(&ended)?.ok_or("the raw response has no complete head")?;
            Ok(RawReply { body_start: raw.len(), ..reply })
        }
    }
}

/// The head by which a handler switches protocols (101, RFC 9110 section
/// 15.2.2), and where the first bytes of the other protocol begin. `None` for
/// every other status, and where the head has no end.
///
/// # Errors
/// What is wrong, for the log, as [`parse`].
pub fn parse_switch(raw: &[u8]) -> Result<Option<RawReply>, &'static str> {
    let Some((code, mut headers, body_start)) = head(raw)? else { return Ok(None) };
    if code != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(None);
    }
    // A 101 has no content (RFC 9110 section 8.6).
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    Ok(Some(RawReply { status: code, headers, body_start }))
}

/// `None` where the head has no end.
fn read(raw: &[u8]) -> Result<Option<RawReply>, &'static str> {
    let Some((status, mut headers, body_start)) = head(raw)? else { return Ok(None) };
    if status.is_informational() {
        return Err("the raw response has an interim status (1xx), a final one is needed");
    }
    remove_hop_by_hop(&mut headers, false);
    headers.remove(header::TRAILER);
    headers.remove(header::CONTENT_LENGTH);
    Ok(Some(RawReply { status, headers, body_start }))
}

/// Status, fields and length of a head; `None` where it has no end.
fn head(raw: &[u8]) -> Result<Option<(StatusCode, HeaderMap, usize)>, &'static str> {
    let mut config = httparse::ParserConfig::default();
    config
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true);
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let body_start = match config.parse_response(&mut head, raw).map_err(fault)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };

    let code = head.code.ok_or("the raw response has no status")?;
    let status = StatusCode::from_u16(code)
        .map_err(|_| "the status of the raw response is not between 200 and 999")?;
    let mut headers = HeaderMap::with_capacity(head.headers.len());
    for field in head.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes())
            .map_err(|_| "the raw response has a malformed header name")?;
        headers.append(name, value(field.value)?);
    }
    Ok(Some((status, headers, body_start)))
}

/// A folded value becomes one line: each line end is replaced by a space.
fn value(raw: &[u8]) -> Result<HeaderValue, &'static str> {
    let value = if memchr::memchr2(b'\r', b'\n', raw).is_some() {
        let blank = |&byte: &u8| {
            if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }
        };
        HeaderValue::try_from(raw.iter().map(blank).collect::<Vec<_>>())
    } else {
        HeaderValue::from_bytes(raw)
    };
    value.map_err(|_| "the raw response has a malformed header value")
}

fn fault(error: httparse::Error) -> &'static str {
    use httparse::Error;
    match error {
        Error::Version => "the raw response does not begin with `HTTP/1.0` or `HTTP/1.1`",
        Error::Status => "the raw response has a malformed status line",
        Error::HeaderName => "the raw response has a malformed header name",
        Error::HeaderValue => "the raw response has a malformed header value",
        Error::TooManyHeaders => "the raw response has more than 128 header fields",
        Error::NewLine | Error::Token => "the raw response has a malformed line end",
    }
}

#[cfg(test)]
mod tests;
