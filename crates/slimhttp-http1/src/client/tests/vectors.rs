//! Responses and what is read of them, as data: a case is a line. Sources: RFC 9112 and 9110, and
//! the kinds of case that llhttp and h11 test.

use crate::fault::Fault;

/// What a response answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum RequestKind {
    Get,
    Head,
    Connect,
    /// A GET that offers to switch protocols.
    Upgrade,
}

use RequestKind::{Connect, Get, Head, Upgrade};

/// Responses, what is read of each, and whether the connection may be used again.
pub(super) const ACCEPTED: &[(RequestKind, &str, &str, bool)] = &[
    // Status lines.
    (Get, "HTTP/1.1 204 No Content\r\n\r\n", "head 204 HTTP/1.1 None>", true),
    (Get, "HTTP/1.1 204 \r\n\r\n", "head 204 HTTP/1.1 None>", true),
    (Get, "HTTP/1.1 204\r\n\r\n", "head 204 HTTP/1.1 None>", true),
    (Get, "HTTP/1.1 204\n\n", "head 204 HTTP/1.1 None>", true),
    (Get, "HTTP/1.1 204  two  spaces\t\r\n\r\n", "head 204 HTTP/1.1 None>", true),
    (Get, "HTTP/1.1 204 \u{e9}t\u{e9}\r\n\r\n", "head 204 HTTP/1.1 None>", true),
    (Get, "HTTP/1.7 204 x\r\n\r\n", "head 204 HTTP/1.1 None>", true),
    (
        Get,
        "HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n",
        "head 999 HTTP/1.1 None Content-Length=0>",
        true,
    ),
    (Get, "\r\nHTTP/1.1 204 x\r\n\r\n", "head 204 HTTP/1.1 None>", true),
    (Get, "\nHTTP/1.1 204 x\n\n", "head 204 HTTP/1.1 None>", true),
    // Fields.
    (
        Get,
        "HTTP/1.1 204 x\r\nA: b\r\nA:c\r\nD:\r\n\r\n",
        "head 204 HTTP/1.1 None A=b A=c D=>",
        true,
    ),
    (Get, "HTTP/1.1 204 x\nA : b\nC\t : \t d\t\r\n\n", "head 204 HTTP/1.1 None A=b C=d>", true),
    (
        Get,
        "HTTP/1.1 204 x\r\nA: b\r\n\tc\r\n d \r\nE: f\r\n\r\n",
        "head 204 HTTP/1.1 None A=b c d E=f>",
        true,
    ),
    (Get, "HTTP/1.1 204 x\r\nA:\r\n b\r\n\r\n", "head 204 HTTP/1.1 None A=b>", true),
    (Get, "HTTP/1.1 204 x\r\nA: b\r\n \r\n\r\n", "head 204 HTTP/1.1 None A=b>", true),
    (
        Get,
        "HTTP/1.1 204 x\r\nA: \u{e9}:\"\r\n$_.x: y\r\n\r\n",
        "head 204 HTTP/1.1 None A=\\xc3\\xa9:\\\" $_.x=y>",
        true,
    ),
    // Content-Length.
    (
        Get,
        "HTTP/1.1 200 x\r\nContent-Length: 2\r\n\r\nhi",
        "head 200 HTTP/1.1 Length(2) Content-Length=2>hi|",
        true,
    ),
    (
        Get,
        "HTTP/1.1 200 x\r\nContent-Length :  2  \r\n\r\nhi",
        "head 200 HTTP/1.1 Length(2) Content-Length=2>hi|",
        true,
    ),
    (
        Get,
        "HTTP/1.1 200 x\r\nContent-Length: 2, 2\r\n\r\nhi",
        "head 200 HTTP/1.1 Length(2) Content-Length=2, 2>hi|",
        true,
    ),
    (
        Get,
        "HTTP/1.1 200 x\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\nhi",
        "head 200 HTTP/1.1 Length(2) Content-Length=2 content-length=2>hi|",
        true,
    ),
    (
        Get,
        "HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n",
        "head 200 HTTP/1.1 None Content-Length=0>",
        true,
    ),
    (
        Get,
        "HTTP/1.1 200 x\r\nContent_Length: 2\r\nContent-Length: 1\r\n\r\nx",
        "head 200 HTTP/1.1 Length(1) Content_Length=2 Content-Length=1>x|",
        true,
    ),
    (
        Get,
        "HTTP/1.1 200 x\r\nContent-Length: 2\r\n\r\nh",
        "head 200 HTTP/1.1 Length(2) Content-Length=2>h",
        false,
    ),
    // Chunks.
    (
        Get,
        "HTTP/1.1 200 x\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "head 200 HTTP/1.1 Chunked Transfer-Encoding=Chunked>hi|",
        true,
    ),
    (
        Get,
        "HTTP/1.1 200 x\nTransfer-Encoding : chunked\n\n1;a=\"b;c\";d\r\nh\r\n01\r\ni\r\n00\r\nA: b\r\n\r\n",
        "head 200 HTTP/1.1 Chunked Transfer-Encoding=chunked>hi|A=b|",
        true,
    ),
    // No server sends it, but who does says where it ends (RFC 9112 section 6.3).
    (
        Get,
        "HTTP/1.1 205 x\r\nContent-Length: 2\r\n\r\nhi",
        "head 205 HTTP/1.1 Length(2) Content-Length=2>hi|",
        true,
    ),
    // Servers of old pad the sizes of chunks.
    (
        Get,
        "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n2  \r\nhi\r\n1\t ;a\r\n!\r\n0 \r\n\r\n",
        "head 200 HTTP/1.1 Chunked Transfer-Encoding=chunked>hi!|",
        true,
    ),
    // What frames a message frames none in trailers (RFC 9110 section 6.5.1).
    (
        Get,
        "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\nHost: a\r\n\r\n",
        "head 200 HTTP/1.1 Chunked Transfer-Encoding=chunked>|Content-Length=1|Host=a|",
        true,
    ),
    (
        Get,
        "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\n\r\n",
        "head 200 HTTP/1.1 Chunked Transfer-Encoding=chunked>\\n|",
        true,
    ),
    (
        Get,
        "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        "head 200 HTTP/1.1 Chunked Transfer-Encoding=chunked>",
        false,
    ),
    // Both: the chunks count, and the connection is not used again (RFC 9112 section 6.3).
    (
        Get,
        "HTTP/1.1 200 x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "head 200 HTTP/1.1 Chunked Content-Length=1 Transfer-Encoding=chunked>hi|",
        false,
    ),
    (
        Get,
        "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n0\r\n\r\n",
        "head 200 HTTP/1.1 Chunked Transfer-Encoding=chunked Content-Length=9>|",
        false,
    ),
    // Until the close.
    (
        Get,
        "HTTP/1.1 200 x\r\n\r\nHTTP/1.1 200 x\r\n",
        "head 200 HTTP/1.1 UntilClose>HTTP/1.1 200 x\\r\\n",
        false,
    ),
    (
        Get,
        "HTTP/1.0 200 x\r\nConnection: keep-alive\r\n\r\nhi",
        "head 200 HTTP/1.0 UntilClose Connection=keep-alive>hi",
        false,
    ),
    // No content.
    (
        Head,
        "HTTP/1.1 200 x\r\nContent-Length: 7\r\n\r\n",
        "head 200 HTTP/1.1 None Content-Length=7>",
        true,
    ),
    (
        Head,
        "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "head 200 HTTP/1.1 None Transfer-Encoding=chunked>",
        true,
    ),
    (Head, "HTTP/1.1 200 x\r\n\r\n", "head 200 HTTP/1.1 None>", true),
    (
        Get,
        "HTTP/1.1 304 x\r\nContent-Length: 7\r\n\r\n",
        "head 304 HTTP/1.1 None Content-Length=7>",
        true,
    ),
    (
        Get,
        "HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "head 304 HTTP/1.1 None Transfer-Encoding=chunked>",
        true,
    ),
    (
        Get,
        "HTTP/1.1 204 x\r\nContent-Length: 7\r\n\r\n",
        "head 204 HTTP/1.1 None Content-Length=7>",
        true,
    ),
    // Whether the connection persists.
    (
        Get,
        "HTTP/1.1 204 x\r\nConnection: close\r\n\r\n",
        "head 204 HTTP/1.1 None Connection=close>",
        false,
    ),
    (
        Get,
        "HTTP/1.1 204 x\r\nConnection: x, CLOSE\r\n\r\n",
        "head 204 HTTP/1.1 None Connection=x, CLOSE>",
        false,
    ),
    (
        Get,
        "HTTP/1.1 204 x\r\nProxy-Connection: close\r\n\r\n",
        "head 204 HTTP/1.1 None Proxy-Connection=close>",
        true,
    ),
    (Get, "HTTP/1.0 204 x\r\n\r\n", "head 204 HTTP/1.0 None>", false),
    (
        Get,
        "HTTP/1.0 204 x\r\nConnection: Keep-Alive\r\n\r\n",
        "head 204 HTTP/1.0 None Connection=Keep-Alive>",
        true,
    ),
    (
        Get,
        "HTTP/1.0 200 x\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
        "head 200 HTTP/1.0 Length(1) Connection=keep-alive Content-Length=1>x|",
        true,
    ),
    (
        Get,
        "HTTP/1.0 204 x\r\nConnection: keep-alive, close\r\n\r\n",
        "head 204 HTTP/1.0 None Connection=keep-alive, close>",
        false,
    ),
    // Interim responses.
    (
        Get,
        "HTTP/1.1 100\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
        "interim 100 HTTP/1.1 None>interim 103 HTTP/1.1 None A=b>head 204 HTTP/1.1 None>",
        true,
    ),
    (
        Get,
        "HTTP/1.1 102 x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
        "interim 102 HTTP/1.1 None Content-Length=3 Connection=close>head 204 HTTP/1.1 None>",
        true,
    ),
    (
        Get,
        "HTTP/1.1 100 x\r\n\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
        "interim 100 HTTP/1.1 None>head 204 HTTP/1.1 None>",
        true,
    ),
    // Other protocols. What these say of content is ignored.
    (
        Upgrade,
        "HTTP/1.1 101 x\r\nContent-Length: 4\r\n\r\nbody",
        "head 101 HTTP/1.1 None Content-Length=4>",
        false,
    ),
    (
        Upgrade,
        "HTTP/1.1 101 x\r\nTransfer-Encoding: chunked\r\n\r\n\0",
        "head 101 HTTP/1.1 None Transfer-Encoding=chunked>",
        false,
    ),
    (
        Upgrade,
        "HTTP/1.1 103 x\r\n\r\nHTTP/1.1 101 x\r\n\r\n\n",
        "interim 103 HTTP/1.1 None>head 101 HTTP/1.1 None>",
        false,
    ),
    (
        Upgrade,
        "HTTP/1.1 200 x\r\nUpgrade: y\r\nContent-Length: 1\r\n\r\nx",
        "head 200 HTTP/1.1 Length(1) Upgrade=y Content-Length=1>x|",
        true,
    ),
    (
        Connect,
        "HTTP/1.1 200 x\r\nContent-Length: 4\r\n\r\nbody",
        "head 200 HTTP/1.1 None Content-Length=4>",
        false,
    ),
    (Connect, "HTTP/1.0 200 x\r\n\r\n\0", "head 200 HTTP/1.0 None>", false),
    (
        Connect,
        "HTTP/1.1 299 x\r\nTransfer-Encoding: chunked\r\n\r\n\r",
        "head 299 HTTP/1.1 None Transfer-Encoding=chunked>",
        false,
    ),
    (
        Connect,
        "HTTP/1.1 403 x\r\nContent-Length: 1\r\n\r\nx",
        "head 403 HTTP/1.1 Length(1) Content-Length=1>x|",
        true,
    ),
];

/// Streams of a server that has been sent a GET which offers nothing, and what is wrong with them.
pub(super) const REFUSED: &[(&str, Fault)] = &[
    // Status lines.
    ("HTTP/2.0 200 x\r\n", Fault::UnsupportedVersion),
    ("HTTP/0.9 200 x\r\n", Fault::UnsupportedVersion),
    ("HTTP/5.6 200 x\r\n", Fault::UnsupportedVersion),
    ("HTP/1.1 200 x\r\n", NO_VERSION),
    ("HTTPER/1.1 200 x\r\n", NO_VERSION),
    ("http/1.1 200 x\r\n", NO_VERSION),
    ("HTTP/01.1 200 x\r\n", NO_VERSION),
    ("HTTP/11.1 200 x\r\n", NO_VERSION),
    ("HTTP/1.01 200 x\r\n", NO_VERSION),
    ("HTTP/1.1\t200 x\r\n", NO_VERSION),
    ("HTTP/1.1\r\n", NO_VERSION),
    ("HTTP 200\r\n", NO_VERSION),
    ("ICY 200 OK\r\n", NO_VERSION),
    ("RTSP/1.1 200 OK\r\n", NO_VERSION),
    ("<html>", NO_VERSION),
    (" HTTP/1.1 200 x\r\n", NO_VERSION),
    ("HTTP/1.1  200 x\r\n", MALFORMED_STATUS),
    ("HTTP/1.1 2 x\r\n", MALFORMED_STATUS),
    ("HTTP/1.1 20 x\r\n", MALFORMED_STATUS),
    ("HTTP/1.1 2000 x\r\n", MALFORMED_STATUS),
    ("HTTP/1.1 099 x\r\n", MALFORMED_STATUS),
    ("HTTP/1.1 2xx x\r\n", MALFORMED_STATUS),
    ("HTTP/1.1 -20 x\r\n", MALFORMED_STATUS),
    ("HTTP/1.1 200\tx\r\n", MALFORMED_STATUS),
    ("HTTP/1.1 200 a\0\r\n", Fault::Malformed("a control byte in the reason")),
    ("HTTP/1.1 200 a\rb\r\n", Fault::Malformed("bare CR in the status line")),
    ("HTTP/1.1 200\r\r\n", Fault::Malformed("bare CR in the status line")),
    ("\r\n\r\nHTTP/1.1 204 x\r\n", Fault::Malformed("empty lines before a start line")),
    ("\n\nHTTP/1.1 204 x\r\n", Fault::Malformed("bare LF before a start line")),
    ("\rHTTP/1.1 204 x\r\n", Fault::Malformed("bare CR before a start line")),
    // Fields.
    ("HTTP/1.1 200 x\r\n A: b\r\n\r\n", Fault::Malformed("space before the first field")),
    ("HTTP/1.1 200 x\r\nA: b\rC: d\r\n\r\n", Fault::Malformed("bare CR in a field")),
    ("HTTP/1.1 200 x\r\nA: b\r\r\n\r\n", Fault::Malformed("bare CR in a field")),
    ("HTTP/1.1 200 x\r\nA: b\r\n\rX", Fault::Malformed("bare CR in a field")),
    ("HTTP/1.1 200 x\r\nA: \0\r\n\r\n", CONTROL_BYTE),
    ("HTTP/1.1 200 x\r\nA: b\r\n \x1b\r\n\r\n", CONTROL_BYTE),
    ("HTTP/1.1 200 x\r\nA: \x7f\r\n\r\n", CONTROL_BYTE),
    ("HTTP/1.1 200 x\r\nA b: c\r\n\r\n", Fault::Malformed("a field without a colon")),
    ("HTTP/1.1 200 x\r\nA \r\n: c\r\n\r\n", Fault::Malformed("a field without a colon")),
    ("HTTP/1.1 200 x\r\nA\r\n\r\n", Fault::Malformed("a field without a colon")),
    ("HTTP/1.1 200 x\r\n: b\r\n\r\n", Fault::Malformed("a field without a name")),
    ("HTTP/1.1 200 x\r\nA\0: b\r\n\r\n", Fault::Malformed("a byte that no field name has")),
    ("HTTP/1.1 200 x\r\n\u{e9}: b\r\n\r\n", Fault::Malformed("a byte that no field name has")),
    ("HTTP/1.1 200 x\r\n(A): b\r\n\r\n", Fault::Malformed("a byte that no field name has")),
    // Content-Length.
    ("HTTP/1.1 200 x\r\nContent-Length: 1, 2\r\n\r\n", DIFFERENT),
    ("HTTP/1.1 200 x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", DIFFERENT),
    ("HTTP/1.1 200 x\r\nContent-Length: 1, 1\r\nContent-Length: 2\r\n\r\n", DIFFERENT),
    ("HTTP/1.1 204 x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", DIFFERENT),
    ("HTTP/1.1 200 x\r\nContent-Length: +1\r\n\r\n", NO_NUMBER),
    ("HTTP/1.1 200 x\r\nContent-Length: 4 2\r\n\r\n", NO_NUMBER),
    ("HTTP/1.1 200 x\r\nContent-Length: 13 37, 7\r\n\r\n", NO_NUMBER),
    ("HTTP/1.1 200 x\r\nContent-Length:\r\n\r\n", NO_NUMBER),
    ("HTTP/1.1 200 x\r\nContent-Length: 1, \r\n\r\n", NO_NUMBER),
    ("HTTP/1.1 200 x\r\nContent-Length: 0x1\r\n\r\n", NO_NUMBER),
    ("HTTP/1.1 200 x\r\nContent-Length: 18446744073709551615\r\n\r\n", Fault::ContentTooLong),
    ("HTTP/1.1 200 x\r\nContent-Length: 1\r\n 2\r\n\r\n", FOLDED),
    ("HTTP/1.1 200 x\r\nConnection: keep-alive,\r\n close\r\n\r\n", FOLDED),
    // Transfer-Encoding.
    ("HTTP/1.1 200 x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", Fault::UnknownCoding),
    ("HTTP/1.1 200 x\r\nTransfer-Encoding: gzip\r\n\r\n", NOT_CHUNKED),
    ("HTTP/1.1 200 x\r\nTransfer-Encoding: identity\r\n\r\n", NOT_CHUNKED),
    ("HTTP/1.1 200 x\r\nTransfer-Encoding:\r\nContent-Length: 5\r\n\r\n", NOT_CHUNKED),
    ("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked, deflate\r\n\r\n", NOT_CHUNKED),
    ("HTTP/1.1 200 x\r\nTransfer-Encoding: chunkedchunked\r\n\r\n", NOT_CHUNKED),
    ("HTTP/1.1 200 x\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", NOT_CHUNKED),
    (
        "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
        Fault::Malformed("chunked twice in Transfer-Encoding"),
    ),
    (
        "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        Fault::Malformed("more than one Transfer-Encoding"),
    ),
    (
        "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        Fault::Malformed("more than one Transfer-Encoding"),
    ),
    ("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n abc\r\n\r\n", FOLDED),
    ("HTTP/1.1 200 x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n", NOT_CHUNKED),
    (
        "HTTP/1.0 200 x\r\nTransfer-Encoding: chunked\r\n\r\n",
        Fault::Malformed("Transfer-Encoding in HTTP/1.0"),
    ),
    // Chunks.
    ("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n2\nhi\r\n", CHUNK_SIZE),
    ("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n 2\r\nhi\r\n", CHUNK_SIZE),
    ("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n2 \nhi\r\n", CHUNK_SIZE),
    ("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n2 x\r\nhi\r\n", CHUNK_SIZE),
    ("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", CHUNK_SIZE),
    (
        "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n2;\r\nhi\r\n",
        Fault::Malformed("malformed chunk extension"),
    ),
    (
        "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n2;a=\"b\r\nhi\r\n",
        Fault::Malformed("malformed chunk extension"),
    ),
    (
        "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\n0\r\n",
        Fault::Malformed("chunk data without CRLF behind it"),
    ),
    (
        "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n",
        Fault::Malformed("bare LF"),
    ),
    (
        "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n c\r\n",
        Fault::Malformed("a folded field, or space before its name"),
    ),
    // What nobody has asked for.
    ("HTTP/1.1 101 x\r\n\r\n", Fault::Malformed("101 to a request that offers nothing")),
    ("HTTP/1.1 204 x\r\n\r\nH", Fault::Unsolicited),
    ("HTTP/1.1 204 x\r\nContent-Length: 2\r\n\r\nhi", Fault::Unsolicited),
    ("HTTP/1.1 204 x\r\nConnection: close\r\n\r\n\r\n", Fault::Unsolicited),
    ("HTTP/1.1 200 x\r\nContent-Length: 2\r\n\r\nhi!", Fault::Unsolicited),
    ("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\r\n", Fault::Unsolicited),
];

const NO_VERSION: Fault = Fault::Malformed("no version of HTTP in the status line");
const MALFORMED_STATUS: Fault = Fault::Malformed("malformed status");
const CONTROL_BYTE: Fault = Fault::Malformed("a control byte in a field value");
const DIFFERENT: Fault = Fault::Malformed("Content-Length says different lengths");
const NO_NUMBER: Fault = Fault::Malformed("Content-Length is not a number");
const NOT_CHUNKED: Fault = Fault::Malformed("Transfer-Encoding does not end with chunked");
const CHUNK_SIZE: Fault = Fault::Malformed("malformed chunk size");
const FOLDED: Fault = Fault::Malformed("a folded field of framing or of the connection");
