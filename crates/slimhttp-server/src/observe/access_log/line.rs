//! One request → one line. Rendered on the I/O thread of the request; it waits for nothing.
//!
//! Common and combined are the formats of NCSA httpd as nginx writes them; JSON
//! is one object a line. What came from a client is escaped as nginx does in its
//! default mode (`\xHH` for everything but printable ASCII, and for `"` and
//! `\`), in JSON as JSON does; either way a line is ASCII and has one line end.

use std::io::Write as _;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use http::Version;
use slimhttp_site::site::AccessFormat;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// `22/Nov/2026:14:04:19 +0000`.
const CLF_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
/// RFC 3339 in UTC with milliseconds: `2026-11-22T14:04:19.123Z`.
const JSON_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// What an access log knows of a request. Field values are as sent, so they may
/// be any bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'e> {
    /// When the request's head was complete. Shown in UTC.
    pub time: SystemTime,
    /// The client: the connection's other end, or whom `trusted_proxies` name behind it.
    pub client: IpAddr,
    /// The method; empty where the request was too malformed to have one.
    pub method: &'e str,
    /// The target as sent.
    pub target: &'e str,
    /// The protocol version.
    pub version: Version,
    /// The response's status.
    pub status: u16,
    /// Bytes of the response's body that were sent.
    pub bytes: u64,
    /// The `Referer` field.
    pub referer: Option<&'e [u8]>,
    /// The `User-Agent` field.
    pub user_agent: Option<&'e [u8]>,
    /// The `Host` field or the authority.
    pub host: Option<&'e [u8]>,
    /// The key of the virtual host; `None` for the global level.
    pub vhost: Option<&'e str>,
    /// From the head to the end of the response.
    pub duration: Duration,
}

impl Entry<'_> {
    /// The line, with its end.
    pub(super) fn render(&self, format: AccessFormat) -> Vec<u8> {
        let mut line = Vec::with_capacity(256);
        match format {
            AccessFormat::Common => self.common(&mut line),
            AccessFormat::Combined => {
                self.common(&mut line);
                for field in [self.referer, self.user_agent] {
                    line.extend_from_slice(b" \"");
                    escape(&mut line, field.unwrap_or(b"-"));
                    line.push(b'"');
                }
            }
            AccessFormat::Json => self.json(&mut line),
        }
        line.push(b'\n');
        line
    }

    /// `client - - [time] "request" status bytes`; the two hyphens are the
    /// identity and the user, which are not known.
    fn common(&self, line: &mut Vec<u8>) {
        let _ = write!(line, "{} - - [", self.client.to_canonical());
        self.time(line, CLF_TIME);
        line.extend_from_slice(b"] \"");
        if self.method.is_empty() {
            line.push(b'-');
        } else {
            escape(line, self.method.as_bytes());
            line.push(b' ');
            escape(line, self.target.as_bytes());
            let _ = write!(line, " {:?}", self.version);
        }
        let _ = write!(line, "\" {} {}", self.status, self.bytes);
    }

    fn json(&self, line: &mut Vec<u8>) {
        line.extend_from_slice(b"{\"ts\":\"");
        self.time(line, JSON_TIME);
        let _ = write!(line, "\",\"client\":\"{}\"", self.client.to_canonical());
        member(line, "method", Some(self.method.as_bytes()));
        member(line, "target", Some(self.target.as_bytes()));
        let _ = write!(
            line,
            ",\"protocol\":\"{:?}\",\"status\":{},\"bytes\":{}",
            self.version, self.status, self.bytes
        );
        member(line, "referer", self.referer);
        member(line, "user_agent", self.user_agent);
        member(line, "host", self.host);
        member(line, "vhost", self.vhost.map(str::as_bytes));
        let micros = self.duration.as_micros();
        let _ = write!(line, ",\"duration_ms\":{}.{:03}}}", micros / 1000, micros % 1000);
    }

    fn time(&self, line: &mut Vec<u8>, format: &[BorrowedFormatItem<'_>]) {
        // Neither a `Vec` nor a date in UTC can fail here.
        let _ = OffsetDateTime::from(self.time).format_into(line, format);
    }
}

/// Appends `text` as nginx escapes a variable: `"`, `\` and all but printable
/// ASCII become `\xHH`.
fn escape(line: &mut Vec<u8>, text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        match byte {
            b'"' | b'\\' | ..b' ' | 0x7f.. => {
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 0xf));
                line.extend_from_slice(&[b'\\', b'x', HEX[high], HEX[low]]);
            }
            plain => line.push(plain),
        }
    }
}

/// Appends `,"name":` and the text as a JSON string in ASCII; what is not UTF-8
/// becomes U+FFFD.
fn member(line: &mut Vec<u8>, name: &str, text: Option<&[u8]>) {
    let _ = write!(line, ",\"{name}\":");
    let Some(text) = text else {
        line.extend_from_slice(b"null");
        return;
    };
    line.push(b'"');
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => line.extend_from_slice(b"\\\""),
                '\\' => line.extend_from_slice(b"\\\\"),
                ' '..='~' => line.push(c as u8),
                other => {
                    for unit in other.encode_utf16(&mut [0; 2]) {
                        let _ = write!(line, "\\u{unit:04x}");
                    }
                }
            }
        }
        if !chunk.invalid().is_empty() {
            line.extend_from_slice(b"\\ufffd");
        }
    }
    line.push(b'"');
}
