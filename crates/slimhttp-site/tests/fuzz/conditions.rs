//! The preconditions of a request, and entity tags.
//!
//! The first byte of an input is the method, the second the current tag, the
//! third the current date; then come lines, whose first letter is the field.

use http::header::{self, HeaderMap, HeaderValue};
use http::{HeaderName, Method};
use slimhttp_site::conditions::{ETag, Outcome, Validators, evaluate, if_range};

use crate::spelled::{Words, texts};

const WORDS: Words = [
    b"\"v\"",
    b"W/\"v\"",
    b"\"w\"",
    b"W/\"w\"",
    b"*",
    b", ",
    b",",
    b"\"a,v\"",
    b"\"\"",
    b"\t",
    b"\n",
    b"Sun, 06 Nov 1994 08:49:37 GMT",
    b"Sun, 06 Nov 1994 08:49:36 GMT",
    b"Sun, 06 Nov 1994 08:49:38 GMT",
    b"Sunday, 06-Nov-94 08:49:37 GMT",
    b"Sun Nov  6 08:49:37 1994",
    b"\"v",
    b"v\"",
    b"w/\"v\"",
    b"\"*\"",
    b"\xff",
    b"\"\xff\"",
    b"W/",
    b"\"",
    b"\nm",
    b"\nn",
    b"\ns",
    b"\nu",
    b"\nr",
    b" ",
    b"Thu, 01 Jan 1970 00:00:00 GMT",
    b"Fri, 31 Dec 9999 23:59:59 GMT",
];
const METHODS: [Method; 5] =
    [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS];
const NOV_6: i64 = 784_111_777;

pub(crate) fn check(input: &[u8]) {
    for text in texts(input, &WORDS) {
        check_tag(&text);
    }
    let &[method, tag, date, ref rest @ ..] = input else { return };
    let method = &METHODS[usize::from(method) % METHODS.len()];
    let etag = [None, ETag::strong("v"), ETag::weak("v"), ETag::strong("a,v"), ETag::strong("")]
        [usize::from(tag) % 5]
        .clone();
    let last_modified = [None, Some(NOV_6), Some(0)][usize::from(date) % 3];
    let current = Validators { etag: etag.as_ref(), last_modified };
    for text in texts(rest, &WORDS) {
        check_request(method, &request(&text), current);
    }
}

fn check_request(method: &Method, request: &HeaderMap, current: Validators<'_>) {
    let said = Said::of(request, current);
    let outcome = evaluate(method, request, Some(current));
    assert!(said.outcomes(method).contains(&outcome), "{request:?} {current:?}: {outcome:?}");
    let may_range = if_range(request, current);
    assert!(said.if_range.allows(may_range), "{request:?} {current:?}: {may_range}");

    // Where there is nothing, no If-Match holds and every If-None-Match does.
    let of_nothing = match *method {
        Method::OPTIONS => Outcome::Proceed,
        _ if request.contains_key(header::IF_MATCH) => Outcome::PreconditionFailed,
        _ => Outcome::Proceed,
    };
    assert_eq!(evaluate(method, request, None), of_nothing);
}

/// A tag reads as it is written, and is written as it reads.
fn check_tag(text: &[u8]) {
    if let Ok(text) = std::str::from_utf8(text) {
        let fits = text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..));
        for tag in [ETag::strong(text), ETag::weak(text)] {
            assert_eq!(tag.is_some(), fits, "{text:?}");
            if let Some(tag) = tag {
                assert_eq!(ETag::parse(tag.header_value().as_bytes()), Some(tag));
            }
        }
    }
    let written = text.trim_ascii();
    match (ETag::parse(text), is_tag(written)) {
        (Some(tag), true) => {
            assert_eq!(tag.header_value().as_bytes(), written);
            assert_eq!(tag.is_weak(), written[0] == b'W');
        }
        (None, false) => {}
        (parsed, _) => panic!("{}: {parsed:?}", text.escape_ascii()),
    }
}

fn request(text: &[u8]) -> HeaderMap {
    let mut request = HeaderMap::new();
    for line in text.split(|&byte| byte == b'\n') {
        let Some((letter, value)) = line.split_first() else { continue };
        let name: HeaderName = match letter {
            b'm' => header::IF_MATCH,
            b'n' => header::IF_NONE_MATCH,
            b's' => header::IF_MODIFIED_SINCE,
            b'u' => header::IF_UNMODIFIED_SINCE,
            b'r' => header::IF_RANGE,
            _ => continue,
        };
        if let Ok(value) = HeaderValue::from_bytes(value.trim_ascii()) {
            request.append(name, value);
        }
    }
    request
}

/// What a condition may be taken for: the RFC does not say what a malformed
/// list means, only that no tag may be found that is not there.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Holds {
    Absent,
    Exactly(bool),
    Either,
}

impl Holds {
    fn allows(self, answer: bool) -> bool {
        match self {
            Self::Absent => answer,
            Self::Exactly(exact) => exact == answer,
            Self::Either => true,
        }
    }
}

/// What each field of a request says, read by itself.
struct Said {
    if_match: Holds,
    if_none_match: Holds,
    modified_since: Option<bool>,
    unmodified_since: Option<bool>,
    if_range: Holds,
}

impl Said {
    fn of(request: &HeaderMap, current: Validators<'_>) -> Self {
        let list = |name, is_strong| named(request, name, current.etag, is_strong);
        let since = |name| {
            let lines: Vec<_> = request.get_all(name).iter().collect();
            let [line] = lines[..] else { return None };
            Some(current.last_modified? > seconds(line)?)
        };
        Self {
            if_match: list(&header::IF_MATCH, true),
            if_none_match: list(&header::IF_NONE_MATCH, false),
            modified_since: since(header::IF_MODIFIED_SINCE),
            unmodified_since: since(header::IF_UNMODIFIED_SINCE).map(|modified| !modified),
            if_range: range_holds(request, current),
        }
    }

    /// The steps of RFC 9110 section 13.2.2, as they stand there.
    fn outcomes(&self, method: &Method) -> Vec<Outcome> {
        if *method == Method::OPTIONS {
            return vec![Outcome::Proceed];
        }
        let reads = [Method::GET, Method::HEAD].contains(method);
        let mut outcomes = Vec::new();
        for first in [true, false] {
            for third in [true, false] {
                if !self.if_match.allows(first)
                    || self.if_none_match != Holds::Absent && !self.if_none_match.allows(third)
                {
                    continue;
                }
                let passes = match self.if_match {
                    Holds::Absent => self.unmodified_since != Some(false),
                    _ => first,
                };
                outcomes.push(if !passes {
                    Outcome::PreconditionFailed
                } else if self.if_none_match != Holds::Absent {
                    // `third`: a tag of the list was found, so the condition is false.
                    match (third, reads) {
                        (false, _) => Outcome::Proceed,
                        (true, true) => Outcome::NotModified,
                        (true, false) => Outcome::PreconditionFailed,
                    }
                } else if reads && self.modified_since == Some(false) {
                    Outcome::NotModified
                } else {
                    Outcome::Proceed
                });
            }
        }
        outcomes
    }
}

/// Whether the current tag is among those of a list.
fn named(request: &HeaderMap, name: &HeaderName, current: Option<&ETag>, is_strong: bool) -> Holds {
    let lines: Vec<&[u8]> = request.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    if lines.is_empty() {
        return Holds::Absent;
    }
    if lines == [b"*"] {
        return Holds::Exactly(true);
    }
    let Some(current) = current else { return Holds::Exactly(false) };
    // RFC 9110 section 5.3: several lines are one, with commas between.
    let joined = lines.join(&b", "[..]);
    let current = current.header_value().as_bytes();
    match members(&joined) {
        Some(tags) => Holds::Exactly(tags.iter().any(|tag| is_equal(tag, current, is_strong))),
        None if contains(&joined, without_weakness(current)) => Holds::Either,
        None => Holds::Exactly(false),
    }
}

/// Whether a `Range` may be obeyed: only by one strong tag, never by a date.
fn range_holds(request: &HeaderMap, current: Validators<'_>) -> Holds {
    let lines: Vec<_> = request.get_all(header::IF_RANGE).iter().collect();
    Holds::Exactly(match lines[..] {
        [] => return Holds::Absent,
        [line] if is_tag(line.as_bytes()) => current
            .etag
            .is_some_and(|etag| is_equal(line.as_bytes(), etag.header_value().as_bytes(), true)),
        _ => false,
    })
}

/// RFC 9110 section 8.8.3.2.
fn is_equal(one: &[u8], other: &[u8], is_strong: bool) -> bool {
    if is_strong {
        one == other && !one.starts_with(b"W/")
    } else {
        without_weakness(one) == without_weakness(other)
    }
}

fn without_weakness(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// `#entity-tag` as the grammar has it, empty members allowed; `None` where the
/// text is none.
fn members(mut text: &[u8]) -> Option<Vec<&[u8]>> {
    let mut tags = Vec::new();
    loop {
        while let [b' ' | b'\t' | b',', rest @ ..] = text {
            text = rest;
        }
        if text.is_empty() {
            return Some(tags);
        }
        let length = tag_length(text)?;
        tags.push(&text[..length]);
        text = text[length..].trim_ascii_start();
        if !matches!(text, [] | [b',', ..]) {
            return None;
        }
    }
}

fn is_tag(text: &[u8]) -> bool {
    tag_length(text) == Some(text.len())
}

/// How long the entity tag is with which a text begins.
fn tag_length(text: &[u8]) -> Option<usize> {
    let quote = text.len() - without_weakness(text).len();
    let (b'"', opaque) = text.get(quote..)?.split_first()? else { return None };
    let end = opaque.iter().position(|byte| !matches!(byte, 0x21 | 0x23..=0x7e | 0x80..))?;
    (opaque[end] == b'"').then_some(quote + end + 2)
}

/// The date of a field; `tests/data/rfc9110.toml` judges the formats.
fn seconds(value: &HeaderValue) -> Option<i64> {
    let time = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
    i64::try_from(time.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs()).ok()
}
