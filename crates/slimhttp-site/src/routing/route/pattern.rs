//! The pattern of a route: literal text and variables in `<…>`, as a sequence
//! of pieces whose derived order is the order of [`crate::routing::route`]. Redirects and
//! rewrites are found by the same patterns.

use std::cmp::Reverse;
use std::sync::Arc;

use smallvec::SmallVec;

/// A pattern as read.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// What it matches, or `None` where it is one exact path: its own text.
    pub(crate) shape: Option<Shape>,
    /// The names of its variables, from left to right.
    pub(crate) names: SmallVec<[Arc<str>; 2]>,
}

/// What a pattern matches, whatever its variables are called. The smaller is
/// the more specific.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shape(Arc<[Piece]>);

/// One segment of a pattern, or its end. The order of variants and of their
/// fields is the order in which routes are asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    /// This segment.
    Literal(Box<str>),
    /// A variable and the literal text around it.
    Variable { literal: Reverse<usize>, converter: Converter, before: Box<str>, after: Box<str> },
    /// The end of the path.
    End,
    /// A slash and whatever follows: the end of a prefix route whose path ends
    /// with a slash.
    Below,
    /// The end, or a slash and whatever follows.
    Rest,
}

/// What a variable takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Converter {
    /// Digits.
    Int,
    /// Anything but a slash.
    Text,
    /// Anything; there is at most one in a pattern.
    Path,
}

/// What a variable took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capture<'p> {
    Text(&'p [u8]),
    /// A number, and the digits that say it.
    Integer(i64, &'p [u8]),
}

impl<'p> Capture<'p> {
    /// What was taken, as it stands in the path.
    pub(crate) fn text(self) -> &'p [u8] {
        match self {
            Self::Text(text) | Self::Integer(_, text) => text,
        }
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What was expected instead.
    pub(crate) fn parse(pattern: &str, prefix: bool) -> Result<Self, String> {
        let Some(inside) = pattern.strip_prefix('/') else {
            return Err("a path that begins with `/`".into());
        };
        let mut names = SmallVec::new();
        let mut pieces = inside
            .split('/')
            .map(|segment| Piece::parse(segment, &mut names))
            .collect::<Result<Vec<_>, _>>()?;

        // A target in normal form has an empty segment at its end only, and no
        // dot segment anywhere: such a route could never answer.
        let empty = Piece::Literal("".into());
        if pieces[..pieces.len() - 1].contains(&empty) {
            return Err("a path without `//`".into());
        }
        if pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Literal(text) if matches!(&**text, "." | "..")))
        {
            return Err("a path without `.` and `..`".into());
        }
        // With one `path` there is one way to match; with two, or with a prefix
        // behind it, it would be a guess where it ends.
        match pieces.iter().filter(|piece| piece.is_path()).count() {
            0 => {}
            1 if prefix => {
                return Err(
                    "a prefix route without `<path:…>`: it answers all below it anyway".into()
                );
            }
            1 => {}
            _ => return Err("at most one `<path:…>`".into()),
        }

        if !prefix && names.is_empty() {
            return Ok(Self { shape: None, names });
        }
        let end = if !prefix {
            Piece::End
        } else if pieces.last() == Some(&empty) {
            pieces.pop();
            Piece::Below
        } else {
            Piece::Rest
        };
        pieces.push(end);
        Ok(Self { shape: Some(Shape(pieces.into())), names })
    }
}

impl Piece {
    /// Reads what stands between two slashes, and adds the name of its variable
    /// to `names`.
    fn parse(segment: &str, names: &mut SmallVec<[Arc<str>; 2]>) -> Result<Self, String> {
        let unbalanced =
            || format!("a `<name>` that is closed before the next `/`, not `{segment}`");
        let Some((before, behind)) = segment.split_once('<') else {
            return if segment.contains('>') {
                Err(unbalanced())
            } else {
                Ok(Self::Literal(segment.into()))
            };
        };
        let (variable, after) = behind.split_once('>').ok_or_else(unbalanced)?;
        if before.contains('>') || variable.contains('<') {
            return Err(unbalanced());
        }
        if after.contains(['<', '>']) {
            return Err(format!("one variable between two slashes, not `{segment}`"));
        }
        let (converter, name) = match variable.split_once(':') {
            None => (Converter::Text, variable),
            Some(("string", name)) => (Converter::Text, name),
            Some(("int", name)) => (Converter::Int, name),
            Some(("path", name)) => (Converter::Path, name),
            Some((other, _)) => {
                return Err(format!("`int`, `path` or `string` before the colon, not `{other}`"));
            }
        };
        if !is_identifier(name) {
            return Err(format!("a name of letters, digits and `_` in `<…>`, not `{name}`"));
        }
        if names.iter().any(|other| **other == *name) {
            return Err(format!("each name once, not `{name}` twice"));
        }
        names.push(name.into());
        Ok(Self::Variable {
            literal: Reverse(before.len() + after.len()),
            converter,
            before: before.into(),
            after: after.into(),
        })
    }

    fn is_path(&self) -> bool {
        matches!(self, Self::Variable { converter: Converter::Path, .. })
    }
}

/// Whether `name` can be a key that Python code spells as a name.
fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

impl Shape {
    /// What the variables take of `path`, from left to right, or `None` where
    /// it does not match.
    pub(crate) fn captures<'p>(&self, path: &'p [u8]) -> Option<SmallVec<[Capture<'p>; 2]>> {
        let mut captures = SmallVec::new();
        // Invariant: `rest` is empty or begins with a slash.
        let mut rest = path;
        for (position, piece) in self.0.iter().enumerate() {
            match piece {
                Piece::Literal(text) => {
                    let segment = split_segment(&mut rest)?;
                    if segment != text.as_bytes() {
                        return None;
                    }
                }
                Piece::Variable { converter, before, after, .. } => {
                    let taken = match converter {
                        // Each piece behind it but the end is one segment.
                        Converter::Path => split_segments(&mut rest, self.0.len() - position - 2)?,
                        Converter::Int | Converter::Text => split_segment(&mut rest)?,
                    };
                    let value =
                        taken.strip_prefix(before.as_bytes())?.strip_suffix(after.as_bytes())?;
                    captures.push(converter.capture(value)?);
                }
                Piece::End if rest.is_empty() => {}
                Piece::Below if !rest.is_empty() => {}
                Piece::Rest => {}
                Piece::End | Piece::Below => return None,
            }
        }
        Some(captures)
    }
}

impl Converter {
    /// Takes `value`, or does not.
    fn capture(self, value: &[u8]) -> Option<Capture<'_>> {
        match self {
            _ if value.is_empty() => None,
            Self::Text | Self::Path => Some(Capture::Text(value)),
            Self::Int if value.iter().all(u8::is_ascii_digit) => {
                let number = std::str::from_utf8(value).ok()?.parse().ok()?;
                Some(Capture::Integer(number, value))
            }
            Self::Int => None,
        }
    }
}

/// Splits the first segment off, without its slash.
fn split_segment<'p>(rest: &mut &'p [u8]) -> Option<&'p [u8]> {
    let inside = rest.strip_prefix(b"/")?;
    let end = memchr::memchr(b'/', inside).unwrap_or(inside.len());
    let (segment, behind) = inside.split_at(end);
    *rest = behind;
    Some(segment)
}

/// Splits all segments but the last `kept` off, without the first slash.
fn split_segments<'p>(rest: &mut &'p [u8], kept: usize) -> Option<&'p [u8]> {
    let inside = rest.strip_prefix(b"/")?;
    let end = match kept.checked_sub(1) {
        None => inside.len(),
        Some(nth) => memchr::memrchr_iter(b'/', inside).nth(nth)?,
    };
    let (segments, behind) = inside.split_at(end);
    *rest = behind;
    Some(segments)
}
