//! A multipart form, whole and in pieces.
//!
//! The first byte of an input is the length of the pieces in which the form comes.
//! Its boundary is `B`.

use slimhttp_site::multipart::{Disposition, Event, MultipartError, Reader};

use crate::spelled::{Words, texts};

const WORDS: Words = [
    b"\r\n--B\r\n",
    b"\r\n--B--",
    b"\r\n",
    b"--B\r\n",
    b"Content-Disposition: form-data; name=a",
    b"\r\n\r\n",
    b"\r",
    b"--B",
    b"; filename=\"x\"",
    b"\r\nContent-Type: text/plain; charset=x\r\n\r\n",
    b"\n",
    b"\r\n--",
    b"--B--",
    b"\r\n--B\r\nContent-Disposition: form-data; name=a\r\n\r\n",
    b"\r\n--B\r\nContent-Disposition: form-data; name=\"b\"; filename=\"\"\r\n\r\n",
    b"\r\n--B \t\r\n",
    b"\r\n--Bx",
    b"\r\n--B-",
    b"\r\n \t",
    b"X: y\r\n",
    b"\r\n: ",
    b"\0",
    b"\xff\xfe",
    b"                                 ",
    b"\r\r\n",
    b"\r\n--C\r\n",
    b"content-disposition:x;NAME*=utf-8''%C3%A4\r\n\r\n",
    b"X:\r\nX:\r\nX:\r\nX:\r\nX:\r\nX:\r\n",
    b"\t",
    b"-",
    b"B",
    b"--",
];

/// The longest header section that is taken.
const LONGEST: usize = 400;

/// A part: its name, that of its file, its content.
type Part = (Vec<u8>, Option<Vec<u8>>, Vec<u8>);

pub(crate) fn check(input: &[u8]) {
    let Some((&step, rest)) = input.split_first() else { return };
    for body in texts(rest, &WORDS) {
        let expected = parts_of(&body);
        for step in [1, usize::from(step).max(1), body.len().max(1)] {
            let found = read(&body, step);
            assert_eq!(found, expected, "in pieces of {step}");
        }
    }
}

/// The complete parts of a form, and whether it is one.
fn read(body: &[u8], step: usize) -> (Vec<Part>, bool) {
    let mut reader = Reader::new("B", LONGEST);
    let mut parts = Vec::new();
    let mut open: Option<Part> = None;
    for piece in body.chunks(step) {
        let fed = reader.feed(piece, |event| {
            match event {
                Event::Part(part) => {
                    assert!(open.is_none(), "the part before has not ended");
                    let filename = part.filename.map(|name| name.bytes);
                    open = Some((part.name.bytes, filename, Vec::new()));
                }
                Event::Data(data) => open.as_mut().expect("is open").2.extend_from_slice(data),
                Event::End => parts.push(open.take().expect("is open")),
            }
            Ok::<_, MultipartError>(())
        });
        if fed.is_err() {
            return (parts, false);
        }
    }
    (parts, reader.finish().is_ok())
}

/// The same, looked for in the whole at every place.
fn parts_of(body: &[u8]) -> (Vec<Part>, bool) {
    // The first delimiter needs no line break before it.
    let text = [b"\r\n", body].concat();
    let mut parts = Vec::new();
    let Some(mut found) = delimiter(&text, 0) else { return (parts, false) };
    while !found.last {
        let section = &text[found.end..];
        // The line break that ends the section may be that of a delimiter.
        let blank = if section.starts_with(b"\r\n") {
            Some(0)
        } else {
            (0..section.len()).find(|at| section[*at..].starts_with(b"\r\n\r\n"))
        };
        let Some(blank) = blank else { return (parts, false) };
        let content = found.end + blank + if blank == 0 { 0 } else { 2 };
        if content + 2 - found.end > LONGEST {
            return (parts, false);
        }
        let Some((name, filename)) = names(&section[..blank]) else { return (parts, false) };
        let Some(next) = delimiter(&text, content) else { return (parts, false) };
        let data = if next.start == content { &[] } else { &text[content + 2..next.start] };
        parts.push((name, filename, data.to_vec()));
        found = next;
    }
    (parts, true)
}

struct Found {
    start: usize,
    end: usize,
    last: bool,
}

fn delimiter(text: &[u8], from: usize) -> Option<Found> {
    (from..text.len()).find_map(|start| {
        let behind = text[start..].strip_prefix(b"\r\n--B")?;
        let end = start + 5;
        if behind.starts_with(b"--") {
            return Some(Found { start, end: end + 2, last: true });
        }
        let blanks = behind.iter().take_while(|byte| **byte == b' ' || **byte == b'\t').count();
        let line = blanks <= 64 && behind[blanks..].starts_with(b"\r\n");
        line.then_some(Found { start, end: end + blanks + 2, last: false })
    })
}

/// What a header section says; `None` where it is none.
fn names(section: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    // A byte stands for a letter here, so that texts can be searched.
    let text: String = section.iter().map(|byte| char::from(*byte)).collect();
    let text = text.replace("\r\n ", " ").replace("\r\n\t", "\t");
    let lines: Vec<&str> = text.split("\r\n").filter(|_| !section.is_empty()).collect();
    if lines.len() > 16 || lines.iter().any(|line| line.contains(['\r', '\n', '\0'])) {
        return None;
    }
    let mut disposition = None;
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let token = |letter: char| {
            letter.is_ascii_alphanumeric()
                || (letter.is_ascii() && "!#$%&'*+-.^_`|~".contains(letter))
        };
        if name.is_empty() || !name.chars().all(token) {
            return None;
        }
        if name.eq_ignore_ascii_case("content-disposition") {
            let bytes: Vec<u8> = value.chars().map(|letter| letter as u8).collect();
            if disposition.replace(Disposition::parse(bytes.trim_ascii())).is_some() {
                return None;
            }
        }
    }
    let disposition = disposition?;
    Some((disposition.name?.bytes, disposition.filename.map(|name| name.bytes)))
}
