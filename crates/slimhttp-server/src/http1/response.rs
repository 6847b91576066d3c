//! A response's head → bytes, and how its content is framed. RFC 9112 sections
//! 4, 5, 6 and 7.1. Nothing here waits; `sending` gives the bytes to the socket.

use std::cell::RefCell;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, StatusCode};
use http_body::SizeHint;

use crate::http1::head::says_close;
use crate::message::body::Extent;
use crate::sys::clock;

/// How a client finds the end of a response's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framed {
    /// There is none.
    Nothing,
    /// So many bytes are left.
    Length(u64),
    /// Each piece says its own length.
    Chunked,
}

/// What becomes of a connection behind a response (RFC 9112 section 9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Persistence {
    KeepAlive,
    /// It ends, and the response says so.
    Close,
}

/// Writes the head of a response behind `out`, and returns how its content is framed.
pub(super) fn write_head(
    out: &mut Vec<u8>,
    parts: &Parts,
    content: &SizeHint,
    extent: Extent,
    persistence: Persistence,
) -> Framed {
    let framed = write_fields(out, parts, content, extent, persistence);
    if parts.headers.contains_key(DATE) {
        out.extend_from_slice(b"\r\n");
    } else {
        end_head(out);
    }
    framed
}

/// Writes `Date` and the end of a head.
pub(super) fn end_head(out: &mut Vec<u8>) {
    date(out);
    out.extend_from_slice(b"\r\n");
}

/// As [`write_head`], but for `Date` and the end.
pub(super) fn write_fields(
    out: &mut Vec<u8>,
    parts: &Parts,
    content: &SizeHint,
    extent: Extent,
    persistence: Persistence,
) -> Framed {
    let status = parts.status;
    // RFC 9110 sections 15.2, 15.3.5 and 15.4.5, and RFC 9112 section 6.3.
    let no_content = status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    let announced = announced(&parts.headers);
    let framed = match announced.or(content.exact()) {
        _ if no_content || extent == Extent::HeadOnly => Framed::Nothing,
        Some(0) => Framed::Nothing,
        Some(length) => Framed::Length(length),
        None => Framed::Chunked,
    };

    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    let close = persistence == Persistence::Close;
    for (name, value) in &parts.headers {
        // Framing and the life of the connection are this protocol's.
        if *name == TRANSFER_ENCODING || *name == CONTENT_LENGTH || (close && *name == CONNECTION) {
            continue;
        }
        field(out, name.as_str().as_bytes(), value.as_bytes());
    }
    match (framed, announced.or(content.exact())) {
        (Framed::Chunked, _) => field(out, b"transfer-encoding", b"chunked"),
        // A 304 may say what a 200 would (RFC 9110 section 8.6), and it alone knows.
        (_, Some(length)) if !no_content || (status == 304 && announced.is_some()) => {
            let _ = write!(out, "content-length: {length}\r\n");
        }
        _ => {}
    }
    if close {
        field(out, b"connection", b"close");
    }
    framed
}

/// Whether the connection ends with this response.
pub(super) fn closes(parts: &Parts) -> bool {
    parts.headers.contains_key(CONNECTION) && says_close(&parts.headers)
}

/// The length that the response itself announces.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// The `Date` field (RFC 9110 section 6.6.1). Formatted once a second.
fn date(out: &mut Vec<u8>) {
    thread_local! {
        static LAST: RefCell<(u64, Vec<u8>)> = const { RefCell::new((0, Vec::new())) };
    }
    let now = clock::seconds();
    LAST.with_borrow_mut(|(second, line)| {
        if *second != now || line.is_empty() {
            *second = now;
            line.clear();
            let date = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
            let _ = write!(line, "date: {}\r\n", httpdate::HttpDate::from(date));
        }
        out.extend_from_slice(line);
    });
}
