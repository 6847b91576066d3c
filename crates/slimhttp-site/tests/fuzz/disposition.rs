//! `Content-Disposition` of a part: what a client writes is what is read, whatever
//! the names are made of.
//!
//! An input is a name and, behind a line feed, the name of a file.

use slimhttp_site::multipart::{Disposition, Name};

use crate::spelled::{Words, texts};

const WORDS: Words = [
    b"\\",
    b"\"",
    b"; ",
    b"=",
    b"name",
    b"filename",
    b"; name=\"",
    b"; filename=\"",
    b"\";",
    b"\\\"",
    b"\n",
    b"%22",
    b"%0A",
    b"%",
    b"filename*=utf-8''",
    b"\\\\",
    b"\"; filename=\"x",
    b"\xe4",
    b"\xc3\xa4",
    b"'",
    b"*",
    b"name*=",
    b"\r",
    b"\t",
    b" ",
    b";",
    b"\";x=\"",
    b"\"; x=\"\\",
    b"%2",
    b"filename*0=",
    b"\0",
    b"A",
];

pub(crate) fn check(input: &[u8]) {
    for text in texts(input, &WORDS) {
        let end = text.iter().position(|byte| *byte == b'\n');
        let (name, filename) = match end {
            Some(end) => (&text[..end], Some(&text[end + 1..])),
            None => (&text[..], None),
        };
        by_browsers(name, filename);
        by_those_that_escape(name, filename);
        extended(name);
        anything(&text);
    }
}

fn replaced(text: &[u8], with: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in text {
        match with.iter().find(|(from, _)| from == byte) {
            Some((_, to)) => out.extend_from_slice(to),
            None => out.push(*byte),
        }
    }
    out
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Whether a browser writes this name as it does another one.
fn is_ambiguous(name: &[u8]) -> bool {
    [b"%22", b"%0A", b"%0D"].iter().any(|written| holds(name, *written))
}

/// The field with both parameters, each written by `write`.
fn field(name: &[u8], filename: Option<&[u8]>, write: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut field = b"form-data; name=\"".to_vec();
    field.extend(write(name));
    field.push(b'"');
    if let Some(filename) = filename {
        field.extend_from_slice(b"; filename=\"");
        field.extend(write(filename));
        field.push(b'"');
    }
    field
}

fn plain(bytes: &[u8]) -> Name {
    Name { bytes: bytes.to_vec(), charset: None }
}

fn expect(field: &[u8], name: &[u8], filename: Option<&[u8]>) {
    let expected = Disposition { name: Some(plain(name)), filename: filename.map(plain) };
    assert_eq!(Disposition::parse(field), expected, "{}", field.escape_ascii());
}

/// WHATWG HTML, multipart form data. Two backslashes in a row are those of a
/// client that escapes.
fn by_browsers(name: &[u8], filename: Option<&[u8]>) {
    let unclear = |name: &[u8]| is_ambiguous(name) || holds(name, b"\\\\");
    if unclear(name) || filename.is_some_and(unclear) {
        return;
    }
    let write = |name: &[u8]| replaced(name, &[(b'"', b"%22"), (b'\n', b"%0A"), (b'\r', b"%0D")]);
    expect(&field(name, filename, write), name, filename);
}

/// RFC 2045's quoted string, as curl wrote it and Go does.
fn by_those_that_escape(name: &[u8], filename: Option<&[u8]>) {
    if is_ambiguous(name) || filename.is_some_and(is_ambiguous) {
        return;
    }
    let write = |name: &[u8]| replaced(name, &[(b'"', b"\\\""), (b'\\', b"\\\\")]);
    expect(&field(name, filename, write), name, filename);
}

/// RFC 5987, beside a plain name that says something else.
fn extended(name: &[u8]) {
    let Ok(text) = str::from_utf8(name) else { return };
    let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let found = Disposition::parse(
        format!("form-data; filename=x; filename*=UTF-8'en'{encoded}; name=y").as_bytes(),
    );
    let expected = Name { bytes: name.to_vec(), charset: Some("utf-8".into()) };
    assert_eq!(found.filename, Some(expected));
    assert_eq!(found.name, Some(plain(b"y")));
}

/// Of anything, something is read; what was read is read again when it is written
/// properly.
fn anything(text: &[u8]) {
    let found = Disposition::parse(&[b"form-data;", text].concat());
    let Some(name) = found.name.map(|name| name.bytes) else { return };
    by_those_that_escape(&name, found.filename.map(|name| name.bytes).as_deref());
}
