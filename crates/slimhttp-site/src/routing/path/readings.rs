//! What the servers behind a proxy may read in a request target, and the form in
//! which it is sent to them.
//!
//! Servers disagree on a few spellings. An encoded slash parts segments for some
//! and belongs to a name for others; so does a backslash; `;` ends a name for some;
//! some decode twice; some take apart again what they have decoded, so that an encoded
//! `?` or `#` ends the path; some strip blanks. A route that stands before a proxy is to guard what lies
//! behind it however it is spelt, so routes are looked up in every reading, and two
//! readings that lead to different routes are a fault of the request. What no
//! program writes in good faith (a dot segment that only some servers see, a
//! character in overlong UTF-8, a NUL that is encoded twice) is refused at once.
//!
//! All else is sent as it came, for `/@scope%2fname` is a name and stays one, with
//! three exceptions that everybody reads alike afterwards: dot segments are
//! resolved, slashes at the beginning are one, and a backslash, which no URI may
//! hold, is encoded.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::{Target, decode};
use crate::protocol::refusal::Refusal;

#[cfg(test)]
mod tests;

/// What stands in a reading for a slash that belongs to a name. No target holds it.
pub(crate) const SLASH_OF_NAME: u8 = 0;

/// The paths as which a target may be read.
pub(crate) type Readings<'r> = SmallVec<[Cow<'r, [u8]>; 1]>;

/// The most bytes of all readings of a target together: the work of an I/O thread for one
/// request. Each way of reading doubles them, so a path in which all six make a difference may
/// have 1 KiB, and one that has a slash encoded 32 KiB.
const MOST_READ: usize = 64 << 10;

const MANY_READINGS: Refusal =
    Refusal::BadRequest("a long target that servers read in many different ways");
const HIDDEN_DOTS: Refusal =
    Refusal::BadRequest("a dot segment in the target that not every server reads as one");
const OVERLONG: Refusal = Refusal::BadRequest("overlong UTF-8 in the target");
const NUL: Refusal = Refusal::BadRequest("the target holds a NUL that is encoded twice");

/// In which ways a target can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ways(u8);

impl Ways {
    /// An encoded slash parts segments.
    const SLASH: u8 = 1;
    /// A backslash does, encoded or not.
    const BACKSLASH: u8 = 2;
    /// A name ends before `;`.
    const PARAMETERS: u8 = 4;
    /// What is encoded in the decoded text is decoded too.
    const TWICE: u8 = 8;
    /// Blanks around a name are no part of it.
    const BLANKS: u8 = 16;
    /// The path ends before `?` and `#`, which were encoded.
    const QUERY: u8 = 32;

    fn has(self, way: u8) -> bool {
        self.0 & way != 0
    }

    /// Those that make a difference for a segment.
    fn of(segment: &Segment<'_>) -> Self {
        let mut ways = if segment.again.is_some() { Self::TWICE } else { 0 };
        for text in segment.readings() {
            for byte in text {
                ways |= match byte {
                    b'/' => Self::SLASH,
                    b'\\' => Self::BACKSLASH,
                    b';' => Self::PARAMETERS,
                    b'?' | b'#' => Self::QUERY,
                    _ => 0,
                };
            }
            let ends = |byte: &u8| matches!(byte, b'/' | b'\\' | b';' | b'?' | b'#');
            if text.split(ends).any(|name| stripped(name).len() < name.len()) {
                ways |= Self::BLANKS;
            }
        }
        Self(ways)
    }
}

/// A segment, decoded.
struct Segment<'r> {
    once: Cow<'r, [u8]>,
    /// The same decoded again, where that makes a difference.
    again: Option<Vec<u8>>,
}

impl<'r> Segment<'r> {
    fn of(raw: &'r [u8]) -> Self {
        let once = decoded(raw);
        let again = decoded_again(&once);
        Self { once, again }
    }

    fn readings(&self) -> impl Iterator<Item = &[u8]> {
        [Some(&*self.once), self.again.as_deref()].into_iter().flatten()
    }
}

impl Target<'_> {
    /// The paths as which servers may read this target; the first is the one in
    /// which every encoded slash parts segments, as all routes have it. A slash that
    /// belongs to a name is [`SLASH_OF_NAME`].
    ///
    /// # Errors
    /// A target that is sent to no server.
    pub(crate) fn readings(&self) -> Result<Readings<'_>, Refusal> {
        let raw = self.raw_path.as_bytes();
        // Most targets are read by everybody alike.
        if !raw.iter().any(|byte| matches!(byte, b'%' | b'\\' | b';' | 0x80..)) {
            return Ok(smallvec::smallvec![Cow::Borrowed(&*self.path)]);
        }
        let (segments, is_folder) = self.segments();
        let segments: Vec<_> = segments.iter().map(|segment| Segment::of(segment)).collect();
        let mut ways = 0;
        for segment in &segments {
            for text in segment.readings() {
                if holds_overlong(text) {
                    return Err(OVERLONG);
                }
                if hides_dots(text) {
                    return Err(HIDDEN_DOTS);
                }
                // A NUL in the target itself is refused as it is parsed.
                if text.contains(&0) {
                    return Err(NUL);
                }
            }
            ways |= Ways::of(segment).0;
        }
        if raw.len() << ways.count_ones() > MOST_READ {
            return Err(MANY_READINGS);
        }
        let mut readings = Readings::new();
        // All subsets of the ways, those that differ from the routes' least first.
        for differs in 0..64 {
            let read = Ways((Ways::SLASH & ways) ^ differs);
            // No route begins or ends a name with a blank: whom the path before `?` leads
            // to is found where they are stripped.
            let is_needless =
                ways & Ways::BLANKS != 0 && read.has(Ways::QUERY) && !read.has(Ways::BLANKS);
            if differs & !ways == 0 && !is_needless {
                let path = Cow::Owned(reading(&segments, is_folder, read));
                if !readings.contains(&path) {
                    readings.push(path);
                }
            }
        }
        Ok(readings)
    }

    /// The path as who forwards it sends it, where it has empty segments that no server has to
    /// merge: decoded once, as the others.
    pub(crate) fn unmerged(&self) -> Option<Vec<u8>> {
        let raw = self.raw_path.as_bytes();
        let doubled = raw.iter().take_while(|&&byte| byte == b'/').count() - 1;
        let raw = &raw[doubled..];
        memchr::memmem::find(raw, b"//")?;
        let mut segments = raw[1..].split(|&byte| byte == b'/').map(decoded);
        // Where there are dot segments, all is sent resolved and merged.
        let mut path = Vec::with_capacity(raw.len());
        segments
            .all(|name| {
                path.push(b'/');
                path.extend_from_slice(&name);
                !matches!(&*name, b"." | b"..")
            })
            .then_some(path)
    }

    /// Path and query as they are sent to an upstream.
    pub fn sent_on(&self) -> Cow<'_, str> {
        let raw = self.raw_path;
        let is_dots = |segment: &[u8]| matches!(&*decoded(segment), b"." | b"..");
        let path: Cow<'_, str> = if raw.as_bytes().split(|&byte| byte == b'/').any(is_dots) {
            let (segments, is_folder) = self.segments();
            let mut path = String::with_capacity(raw.len());
            for segment in segments {
                path.push('/');
                path.push_str(
                    std::str::from_utf8(segment).expect("a piece of text between slashes"),
                );
            }
            if is_folder {
                path.push('/');
            }
            path.into()
        } else {
            // Two slashes at the beginning begin a host's name for some (RFC 3986
            // section 4.2).
            let doubled = raw.bytes().take_while(|&byte| byte == b'/').count() - 1;
            raw[doubled..].into()
        };
        let path = match path.contains('\\') {
            true => path.replace('\\', "%5C").into(),
            false => path,
        };
        match self.query {
            None => path,
            Some(query) => format!("{path}?{query}").into(),
        }
    }

    /// The segments as sent, dot segments resolved and empty ones gone, and whether
    /// a slash ends them: those of which `path` is made.
    fn segments(&self) -> (SmallVec<[&[u8]; 16]>, bool) {
        let mut segments = SmallVec::new();
        let mut is_folder = false;
        for segment in self.raw_path.as_bytes()[1..].split(|&byte| byte == b'/') {
            let name = decoded(segment);
            is_folder = matches!(&*name, b"" | b"." | b"..");
            match &*name {
                b"" | b"." => {}
                b".." => drop(segments.pop()),
                _ => segments.push(segment),
            }
        }
        (segments, is_folder)
    }
}

/// A path made of segments.
fn reading(segments: &[Segment<'_>], mut is_folder: bool, ways: Ways) -> Vec<u8> {
    let mut path = Vec::new();
    let mut ends_with_slash = is_folder;
    for segment in segments {
        let mut text = match &segment.again {
            Some(again) if ways.has(Ways::TWICE) => again,
            _ => &*segment.once,
        };
        let query = text.iter().position(|byte| matches!(byte, b'?' | b'#'));
        let query = query.filter(|_| ways.has(Ways::QUERY));
        if let Some(query) = query {
            text = &text[..query];
            is_folder = false;
        }
        let parts = |byte: &u8| match byte {
            b'/' => ways.has(Ways::SLASH),
            b'\\' => ways.has(Ways::BACKSLASH),
            _ => false,
        };
        for name in text.split(parts) {
            let name = match ways.has(Ways::PARAMETERS) {
                true => before_parameters(name),
                false => name,
            };
            let name = if ways.has(Ways::BLANKS) { stripped(name) } else { name };
            ends_with_slash = name.is_empty();
            if !name.is_empty() {
                path.push(b'/');
                path.extend(
                    name.iter().map(|&byte| if byte == b'/' { SLASH_OF_NAME } else { byte }),
                );
            }
        }
        if query.is_some() {
            break;
        }
    }
    if ends_with_slash || is_folder || path.is_empty() {
        path.push(b'/');
    }
    path
}

/// Whether a segment that is not a dot segment holds one for some server.
fn hides_dots(text: &[u8]) -> bool {
    text.split(|byte| matches!(byte, b'/' | b'\\')).any(|name| {
        let name = name.split(|byte| matches!(byte, b';' | b'?' | b'#')).next();
        matches!(stripped(name.unwrap_or_default()), b"." | b"..")
    })
}

/// A name without the blanks around it, in UTF-8 or else in Latin-1, and without
/// control characters, which some take for blanks. A name of blanks alone is one.
fn stripped(name: &[u8]) -> &[u8] {
    let is_blank = |char: char| char.is_whitespace() || char.is_control();
    let stripped = match std::str::from_utf8(name) {
        Ok(text) => text.trim_matches(is_blank).as_bytes(),
        Err(_) => {
            let is_name = |byte: &u8| !is_blank(char::from(*byte));
            match (name.iter().position(is_name), name.iter().rposition(is_name)) {
                (Some(first), Some(last)) => &name[first..=last],
                _ => name,
            }
        }
    };
    if stripped.is_empty() { name } else { stripped }
}

fn before_parameters(name: &[u8]) -> &[u8] {
    name.split(|&byte| byte == b';').next().unwrap_or_default()
}

/// A segment of a target that was read already, decoded.
fn decoded(segment: &[u8]) -> Cow<'_, [u8]> {
    if !segment.contains(&b'%') {
        return segment.into();
    }
    let mut name = Vec::with_capacity(segment.len());
    decode(segment, &mut name).expect("the target was decoded before");
    name.into()
}

/// What becomes of decoded text where it is decoded again, as often as a chain of
/// servers may; `None` where nothing in it is encoded any more.
fn decoded_again(text: &[u8]) -> Option<Vec<u8>> {
    const ROUNDS: usize = 3;
    let mut last = None;
    for _ in 0..ROUNDS {
        let text = last.as_deref().unwrap_or(text);
        if !text.contains(&b'%') {
            break;
        }
        let decoded: Vec<u8> = percent_encoding::percent_decode(text).collect();
        if decoded.len() == text.len() {
            break;
        }
        last = Some(decoded);
    }
    last
}

/// Whether a lenient decoder would find a character of ASCII in bytes that are not
/// its encoding (RFC 3629 section 3): `C0 AF` for a slash, `E0 80 AE` for a dot.
fn holds_overlong(text: &[u8]) -> bool {
    let follows = |byte: Option<&u8>| byte.is_some_and(|byte| byte & 0xc0 == 0x80);
    text.iter().enumerate().any(|(at, byte)| {
        let next = |nth: usize| text.get(at + nth);
        match byte {
            0xc0 | 0xc1 => follows(next(1)),
            0xe0 => matches!(next(1), Some(0x80 | 0x81)) && follows(next(2)),
            0xf0 => {
                next(1) == Some(&0x80) && matches!(next(2), Some(0x80 | 0x81)) && follows(next(3))
            }
            _ => false,
        }
    })
}
